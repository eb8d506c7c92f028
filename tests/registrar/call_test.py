"""Calls from and to users' telephones."""

import re

import pytest

from lib import users
from lib.phone import Phone


@pytest.fixture
def phone():
    made = []

    def factory(e, user="1001", **options):
        made.append(Phone(e.sip_port, user, domain=users.DOMAIN, **options))
        return made[-1]

    yield factory
    for one in made:
        one.close()


def script(e, text):
    return e.lua("stream:write(tostring((function() %s end)()))" % text).strip()


def cause(e, destination):
    return script(e, 'local s = freeswitch.Session("%s") local c = s:hangupCause() if s:ready() then s:hangup() end return c' % destination)


def test_a_call_is_asked_for_a_password_and_runs_the_users_context_with_its_variables(engine, phone):
    e = users.start(engine)
    p = phone(e)
    assert p.call("who").status == 200
    who = e.wait_log(r"WHO (.*)").group(1)
    assert who.split() == ["user_name=1001", "domain_name=example.test", "user_context=inside", "effective_caller_id_name=Alice",
                           "effective_caller_id_number=1001", "toll_allow=local", "accountcode=A1001", "sip_auth_username=1001", "sip_authorized=true",
                           "number_alias=2001", "context=inside"]
    p.wait("BYE")
    assert p.call("who", password="wrong").status == 403
    e.wait_log(r"SIP auth failure \(INVITE\) on sofia profile 'internal' for \[1001@example\.test\] from ip 127\.0\.0\.1")
    assert phone(e, "1004").call("who").status == 403  # forbidden to register and, as in FreeSWITCH, to call
    assert phone(e, "4444").call("who").status == 403


def test_user_calls_each_telephone_of_the_user_and_the_first_that_answers_wins(engine, phone):
    e = users.start(engine)
    one, two, three = phone(e, answer=0), phone(e, answer=200), phone(e, answer=486)
    for p in (one, two, three):
        assert p.register().status == 200
    assert len(e.api("sofia_contact", "1001@example.test").split(",")) == 3
    uuid = e.api("originate", "user/1001@example.test", "&park").split()
    assert uuid[0] == "+OK"
    for p in (one, two, three):
        p.wait("INVITE")
    one.wait("CANCEL")
    two.wait("ACK")
    e.api("uuid_kill", uuid[1])
    two.wait("BYE")
    # the endpoint with % has the latest one
    assert e.api("originate", "sofia/internal/1001%example.test", "&park") == "-ERR USER_BUSY\n"
    three.wait("INVITE", 2)
    assert len(one.all("INVITE")) == 1


def test_whom_nobody_can_reach_fails_at_once_with_freeswitchs_causes(engine, phone):
    e = users.start(engine)
    assert cause(e, "user/1001@example.test") == "USER_NOT_REGISTERED"
    assert cause(e, "sofia/internal/1001%example.test") == "USER_NOT_REGISTERED"
    assert cause(e, "user/9999@example.test") == "SUBSCRIBER_ABSENT"
    assert cause(e, "user/1001@nowhere.test") == "SUBSCRIBER_ABSENT"
    assert cause(e, "group/sales@example.test") == "USER_NOT_REGISTERED"
    p = phone(e, "1002")
    assert p.register().status == 200
    assert cause(e, "group/sales@example.test") == "SUCCESS"
    p.wait("BYE")
    # Whoever is registered may be called; nobody else may, though the URI looks alike.
    assert cause(e, "sofia/internal/sip:1002@127.0.0.1:%d" % p.port) == "SUCCESS"
    assert cause(e, "sofia/internal/sip:1002@127.0.0.1:9") == "OUTGOING_CALL_BARRED"


def test_one_user_calls_another_and_both_are_joined(engine, phone):
    e = users.start(engine)
    alice, bob = phone(e), phone(e, "1002")
    assert bob.register().status == 200
    answer = alice.call("1002")
    assert answer.status == 200, answer.text + e.all_text()[-3000:]
    invite = bob.wait("INVITE")
    assert re.search(r'"Alice" <sip:1001@', invite.header("From")), invite.text
    assert e.api("show", "bridged_calls").endswith("\n\n1 total.\n")
    assert alice.bye(answer).status == 200
    bob.wait("BYE")


def test_a_call_and_its_end_reach_a_caller_behind_a_nat(engine, phone):
    e = users.start(engine)
    p = phone(e, contact="sip:1001@192.168.7.9:5060")
    assert p.call("who").status == 200
    assert p.wait("BYE").uri == "sip:1001@127.0.0.1:%d" % p.port
