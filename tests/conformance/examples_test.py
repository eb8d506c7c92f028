"""conf/scripts/examples on real calls: to the engine's own listener, to silent legs, to a simulated carrier."""

import os
import re
import time
import uuid

import pytest

from lib import paths, sounds
from lib.engine import wait_for

EXAMPLES = os.path.join(paths.ROOT, "conf", "scripts", "examples")


def path(name):
    return os.path.join(EXAMPLES, name)


class Call:
    """A silent answered leg that runs a script; its variables and keys by commands."""

    def __init__(self, conformance, script, *words, variables=""):
        self.e = conformance.engine
        self.uuid = str(uuid.uuid4())
        text = "session:setVariable('begun', 'yes') %s session:setVariable('done', 'yes') session:execute('park')"
        # The example runs as the application `lua`, as a dialplan would run it.
        inner = "session:execute('lua', '%s')" % " ".join([path(script), *map(str, words)])
        wrapper = self.e.write("scripts/w%s.lua" % self.uuid[:8], text % inner)
        reply = self.e.api("originate", "{origination_uuid=%s%s}null/x &lua(%s)" % (self.uuid, "," + variables if variables else "", wrapper))
        assert reply.startswith("+OK"), reply
        self.wait("begun", "yes")

    def get(self, name):
        value = self.e.api("uuid_getvar", self.uuid, name).strip()
        return None if value == "_undef_" or value.startswith("-ERR") else value

    def wait(self, name, value=None, seconds=15.0):
        return wait_for(lambda: (self.get(name) == value if value is not None else self.get(name)), seconds, "%s = %s" % (name, value), self.e.all_text)

    def press(self, keys):
        assert self.e.api("uuid_recv_dtmf", self.uuid, keys).startswith("+OK")

    def exists(self):
        return self.e.api("uuid_exists", self.uuid).strip() == "true"

    def kill(self, cause="NORMAL_CLEARING"):
        self.e.api("uuid_kill", self.uuid, cause)


def mark(conformance, name, seconds=10.0):
    """Who landed at the extension mark-NAME: context:number."""
    value = wait_for(lambda: conformance.engine.api("hash", "select/marks/" + name).strip(), seconds, "a call at mark-" + name)
    return value.rsplit(":", 1)[0]


def test_retry_over_gateways_goes_to_the_next_one_until_one_answers(conformance):
    assert conformance.run(path("retry_gateways.lua"), "parked", "none", "own").strip() == "SUCCESS after 2 tries"


def test_retry_over_gateways_gives_up_after_three_tries(conformance):
    assert conformance.run(path("retry_gateways.lua"), "cause-CALL_REJECTED", "own", "own").strip() == "CALL_REJECTED after 3 tries"


def test_retry_over_gateways_takes_busy_for_an_answer(conformance):
    assert conformance.run(path("retry_gateways.lua"), "cause-USER_BUSY", "own", "none").strip() == "USER_BUSY after 1 tries"


def test_input_callback_steers_the_file_and_ends_it(conformance):
    call = Call(conformance, "input_callback.lua", os.path.join(conformance.sounds, "ten.wav"))
    time.sleep(0.3)
    for key in ("3", "6", "5", "5", "*", "7"):
        call.press(key)
        time.sleep(0.1)
    started = time.monotonic()
    call.press("#")
    call.wait("done", "yes", 5)
    assert time.monotonic() - started < 5
    assert call.get("keys_pressed") == "3655*7#"
    assert call.get("played_to_the_end") == "false"
    call.kill()


def test_input_callback_lets_a_file_end_by_itself(conformance):
    call = Call(conformance, "input_callback.lua", os.path.join(conformance.sounds, "half.wav"))
    call.wait("done", "yes")
    assert call.get("played_to_the_end") == "true"
    call.kill()


def test_record_message_ends_by_a_key(conformance):
    file = os.path.join(conformance.work(), "message.wav")
    call = Call(conformance, "record_message.lua", file)
    wait_for(lambda: os.path.exists(file), 10, "the recording")
    time.sleep(0.8)
    call.press("4")
    call.wait("done", "yes")
    assert call.get("message_ended_by") == "key"
    assert call.get("ended_by_key") == "4"
    seconds, _ = sounds.read(file)
    assert 0.3 < seconds < 10
    call.kill()


def test_record_message_ends_by_silence(conformance):
    file = os.path.join(conformance.work(), "message.wav")
    call = Call(conformance, "record_message.lua", file)
    call.wait("done", "yes", 20)
    assert call.get("message_ended_by") == "silence"
    call.kill()


def test_dbh_tour_on_sqlite_and_postgresql(conformance, postgres_server):
    expected = "    1 : foo\n    2 : bar\naffected rows: 3\nrows: 3, the first is changed\nrefused: true\n"
    for dsn in ("sqlite://" + os.path.join(conformance.work(), "tour.db"), postgres_server.new_database()):
        assert conformance.run(path("dbh_tour.lua"), dsn) == expected


@pytest.mark.parametrize("keys,result,status", [("19", "sales", "success"), ("59", "number 5", "success"), ("21*9", "support", "success"), ("289", None, "success"), ("9", None, "success")])
def test_ivr_menu_ends_in_the_right_place(conformance, keys, result, status):
    call = Call(conformance, "ivr_menu.lua")
    for key in keys:
        call.press(key)
        time.sleep(0.05)
    call.wait("done", "yes", 20)
    assert call.get("menu_result") == result
    assert call.get("ivr_menu_status") == status
    call.kill()


def test_ping_is_answered_by_pong(conformance):
    e = conformance.engine
    assert conformance.run(path("ping.lua"), 100).strip() == "nobody answered"
    e.api("luarun", path("pong.lua"))
    wait_for(lambda: e.api("global_getvar", "pong_is_there").strip() == "true", 10, "pong.lua")
    assert conformance.run(path("ping.lua"), 5000).strip() == "answered by pong.lua"
    e.lua("freeswitch.Event('CUSTOM', 'ping::stop'):fire()")
    wait_for(lambda: e.api("global_getvar", "pong_is_there").strip() == "", 10, "the end of pong.lua")


def test_two_legs_are_joined(conformance):
    printed = conformance.run(path("two_legs.lua"), "null/x", "sofia/internal/leaves-1500-NORMAL_CLEARING@" + conformance.sip)
    assert printed == "they talked; the first is still there\n"


def test_two_legs_with_a_second_party_that_is_busy(conformance):
    assert conformance.run(path("two_legs.lua"), "null/x", "error/USER_BUSY").strip() == "the second party: USER_BUSY"


def test_two_legs_over_a_carrier(engine, carrier):
    c = carrier(plan="match=1202* answer after=50ms talk=800ms\nmatch=* answer after=50ms\n")
    e = engine(trunks={"acme": {"address": c.where}})
    assert e.api("lua", path("two_legs.lua"), "sofia/gateway/acme/12125550100", "sofia/gateway/acme/12025550200", timeout=30) == "they talked; the first is still there\n"
    assert {line["status"] for line in c.wait_book(2)} == {200}


def test_hangup_hook_writes_its_line_when_the_call_ends(conformance):
    file = os.path.join(conformance.work(), "hangups")
    call = Call(conformance, "hangup_hook.lua", file)
    time.sleep(0.3)
    call.kill()
    text = wait_for(lambda: os.path.exists(file) and open(file).read(), 10, "the hook's line")
    assert re.fullmatch(r"hangup x \d+ s\n", text)


def test_hook_env_finds_the_call_s_variables(conformance):
    file = os.path.join(conformance.work(), "env")
    e = conformance.engine
    one = str(uuid.uuid4())
    e.api("originate", "{origination_uuid=%s,my_custom_var=foobar,api_hangup_hook='lua %s %s'}null/x &park()" % (one, path("hook_env.lua"), file))
    e.api("uuid_kill", one, "USER_BUSY")
    text = wait_for(lambda: os.path.exists(file) and open(file).read(), 10, "the hook's line")
    assert text == one + " USER_BUSY foobar\n"


def test_mwi_fires_the_event_that_phones_are_told_of(conformance):
    printed = conformance.engine.lua("""
        local con = freeswitch.EventConsumer("MESSAGE_WAITING")
        freeswitch.API():executeString("luarun %s 1002@example.test yes")
        local e = con:pop(1, 5000)
        stream:write(e:getHeader("MWI-Messages-Waiting") .. " " .. e:getHeader("MWI-Message-Account") .. " " .. e:getHeader("Sofia-Profile"))""" % path("mwi.lua"))
    assert printed.strip() == "yes sip:1002@example.test internal"


def test_mail_goes_through_the_configured_mailer(conformance):
    box = os.path.join(conformance.folder, "mailbox")
    mailer = os.path.join(conformance.folder, "mailer.sh")
    with open(mailer, "w") as f:
        f.write("#!/bin/sh\n{ echo \"arguments: $*\"; cat; } >> '%s'\n" % box)
    os.chmod(mailer, 0o755)
    attached = os.path.join(conformance.work(), "message.txt")
    with open(attached, "w") as f:
        f.write("spoken words")
    assert conformance.run(path("mail.lua"), "ada@example.test", "box@example.test", attached).strip() == "sent"
    text = wait_for(lambda: os.path.exists(box) and open(box).read(), 10, "the mail")
    assert "Subject: a message for you" in text and "somebody left you a message" in text and "message.txt" in text
    assert re.search(r"^arguments: .*-t", text)
    assert conformance.run(path("mail.lua"), "ada@example.test", "box@example.test", "/no/such/file").strip() == "not sent"


def test_portal_shows_a_command_s_reply(conformance):
    page = conformance.run(path("portal.lua"), "eval", "<b>")
    assert page.startswith("Content-Type: text/html\n\n<title>")
    assert "<pre>&lt;b&gt;</pre>" in page and "cool: true" in page


def test_digits_are_asked_for(conformance):
    call = Call(conformance, "digits.lua")
    call.press("123#45*")
    call.wait("done", "yes", 20)
    assert call.get("number_given") == "123"
    assert call.get("more_given") == "45 *"
    call.kill()


def test_digits_that_do_not_come_lead_to_the_operator(conformance):
    name = "op" + uuid.uuid4().hex[:6]
    call = Call(conformance, "digits.lua", "mark-" + name, "elsewhere")
    for _ in range(3):
        time.sleep(0.1)
        call.press("*#")
    assert mark(conformance, name, 40) == "elsewhere:mark-" + name


def test_custom_event_carries_its_body(conformance):
    printed = conformance.engine.lua("""
        local con = freeswitch.EventConsumer("CUSTOM", "dial::dial-result")
        freeswitch.API():executeString("luarun %s 1234 AA 20 7777777")
        stream:write(con:pop(1, 5000):getBody())""" % path("custom_event.lua"))
    assert printed == "dial_record_id: 1234\ncall_disposition: AA\ncampaign_number: 20\ncalled_number: 7777777\n"


def test_every_example_says_how_it_is_started(conformance):
    for name in sorted(os.listdir(EXAMPLES)):
        with open(path(name)) as f:
            head = f.read(400)
        assert re.search(r"^--   (<action|lua |luarun )|For a web server", head, re.M), name
        assert open(__file__).read().count('"%s"' % name) >= 1, name + " has no test"
