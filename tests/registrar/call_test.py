"""Calls from and to users' telephones."""

import re

import pytest

from lib import users
from lib.engine import wait_for


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


@pytest.mark.parametrize("workers", [1, 2])  # of two, the one who picks up is on the other one
def test_who_picks_up_takes_the_place_of_the_telephones_that_ring(engine, phone, workers):
    e = users.start(engine, workers=workers)
    alice, bob = phone(e, answer=0), phone(e, "1002")
    assert alice.register().status == 200
    e.write("scripts/caller.lua", """
      local s = freeswitch.Session("{origination_caller_id_name=Carol,origination_caller_id_number=1555,ignore_early_media=true}loopback/group/default")
      s:sleep(10000)""")
    e.api("luarun", "caller.lua")
    alice.wait("INVITE")
    answer = bob.call("*8sales")
    assert answer.status == 200, answer.text + e.all_text()[-3000:]
    alice.wait("CANCEL")
    wait_for(lambda: "*8sales" in e.api("show", "bridged_calls"), 5, "the bridge", e.all_text)
    picker = [line.split(",")[0] for line in e.api("show", "channels").splitlines() if "*8sales" in line][0]
    assert "variable_picked_up_uuid: " in e.api("uuid_dump", picker)
    assert bob.bye(answer).status == 200
    wait_for(lambda: "0 total." in e.api("show", "channels", "count"), 10, "the end of all calls", e.all_text)


def test_a_pickup_leg_keeps_no_call_ringing_that_all_telephones_refused(engine, phone):
    e = users.start(engine)
    p = phone(e, answer=486)
    assert p.register().status == 200
    assert cause(e, "user/1001@example.test,pickup/sales") == "USER_BUSY"
    assert cause(e, "error/USER_BUSY,pickup/sales") == "USER_BUSY"
    # Nobody waits: the application gives way at once.
    q = phone(e, "1002")
    assert q.call("*8sales").status >= 400
    assert e.api("show", "channels", "count").strip() == "0 total."


def test_user_sets_the_users_variables_on_the_call_and_finds_a_loop(engine, phone):
    e = users.start(engine)
    p = phone(e)
    assert p.register().status == 200
    text = e.lua("""local s = freeswitch.Session("user/1001@example.test")
                    for _, n in ipairs({ "dialed_user", "dialed_domain", "presence_id", "accountcode", "user_context" }) do
                      stream:write(n .. "=" .. tostring(s:getVariable(n)) .. " ")
                    end
                    s:hangup()""")
    assert text.strip() == "dialed_user=1001 dialed_domain=example.test presence_id=1001@example.test accountcode=A1001 user_context=inside"
    assert cause(e, "user/1005@example.test") == "INVALID_IE_CONTENTS"
