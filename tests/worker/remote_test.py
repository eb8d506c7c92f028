"""Calls of other workers: what a script or an operator does to a call works wherever the call lives.

Each test makes the call on worker 0 and acts on worker 1. A script that is given a call's bare uuid would run beside the call;
here it is hidden behind "call:", so that the script stays on worker 1 and gets a remote handle.
"""

import os
import threading
import time

import pytest

from lib.engine import wait_for

HEAD = """
local uuid = argv[1] and argv[1]:match("call:(%S+)")
local api = freeswitch.API()
local function say(name, ...)
  local words = { ... }
  for i = 1, select("#", ...) do words[i] = tostring(words[i]) end
  stream:write(name .. "=" .. table.concat(words, " ") .. "\\n")
end
"""


class Two:
    """An engine of two workers behind one carrier."""

    def __init__(self, engine, carrier, **options):
        self.carrier = carrier(plan="match=*9990000 busy\nmatch=* answer after=30ms")
        self.engine = engine(workers=2, slots=100, trunks={"acme": {"address": self.carrier.where}}, **options)

    def on(self, worker, *words, **options):
        """A command on that worker: commands go around, one worker after the other."""
        for _ in range(20):
            if int(self.engine.api("carillon_worker")) == (worker + 1) % 2:
                return self.engine.api(*words, **options)
        raise AssertionError("commands do not go around")

    def sip(self, worker=0, number="15551000", app="&park"):
        return self.made(worker, "sofia/gateway/acme/%s %s" % (number, app))

    def null(self, worker=0, app="&park"):
        return self.made(worker, "null/x " + app)

    def made(self, worker, text):
        reply = self.on(worker, "originate", text)
        assert reply.startswith("+OK "), reply + self.engine.log()[-2000:]
        return reply.split()[1]

    def script(self, text, *args, worker=1, **options):
        """Runs Lua there; what it said, by name."""
        path = self.engine.write("scripts/t%d.lua" % time.monotonic_ns(), HEAD + text)
        reply = self.on(worker, "lua", " ".join([path, *args]), **options)
        said = {}
        for line in reply.splitlines():
            name, _, value = line.partition("=")
            said[name] = value
        return said

    def exists(self, uuid):
        return self.engine.api("uuid_exists", uuid).strip() == "true"

    def gone(self, uuid, seconds=5.0):
        wait_for(lambda: not self.exists(uuid), seconds, "the end of the call", self.engine.all_text)


@pytest.fixture
def two(engine, carrier):
    return Two(engine, carrier)


@pytest.fixture(params=["sip", "null"])
def kind(request):
    return request.param


def call(two, kind):
    return two.sip() if kind == "sip" else two.null()


# --- commands ---


def test_a_command_runs_where_its_call_lives(two, kind):
    u = call(two, kind)
    for worker in (0, 1):
        assert two.on(worker, "uuid_exists", u).strip() == "true"
        assert two.on(worker, "uuid_setvar", u + " place w%d" % worker) == "+OK\n"
        assert two.on(1 - worker, "uuid_getvar", u + " place").strip() == "w%d" % worker
        assert two.on(worker, "eval", "uuid:" + u + " ${variable_place}").strip() == "w%d" % worker
        assert "variable_place: w%d" % worker in two.on(worker, "uuid_dump", u)
    assert two.on(1, "uuid_hold", "off " + u) == "+OK Success\n"
    assert two.on(1, "uuid_record", u + " start " + two.engine.path("a.wav")) == "+OK Success\n"
    assert two.on(1, "uuid_record", u + " stop all") == "+OK Success\n"
    assert two.on(1, "uuid_transfer", u + " park inline") == "+OK\n"
    assert two.on(1, "uuid_kill", u) == "+OK\n"
    two.gone(u)
    assert two.on(1, "uuid_kill", u) == "-ERR No such channel!\n"


def test_a_scheduled_hangup_goes_to_the_calls_worker(two, kind):
    u = call(two, kind)
    assert two.on(1, "sched_hangup", "+1 " + u) == "+OK\n"
    two.gone(u)


def test_what_is_scheduled_has_one_number_in_the_engine_and_is_taken_back_from_anywhere(two):
    ids = [int(two.on(w, "sched_api", "+60 mine version").split()[-1]) for w in (0, 1, 0, 1)]
    assert len(set(ids)) == 4
    assert all(str(n) in two.on(0, "show", "tasks") for n in ids)
    assert two.on(1, "sched_del", str(ids[0])) == "+OK Deleted: 1\n"
    assert two.on(0, "sched_del", "mine") == "+OK Deleted: 3\n"


def test_scripts_commands_are_forwarded_too(two, kind):
    u = call(two, kind)
    said = two.script("""
      say("set", (api:execute("uuid_setvar", uuid .. " a b"):gsub("\\n", "")))
      say("get", api:executeString("uuid_getvar " .. uuid .. " a"))
      say("kill", (api:execute("uuid_kill", uuid):gsub("\\n", "")))
    """, "call:" + u)
    assert said == {"set": "+OK", "get": "b", "kill": "+OK"}


def test_show_status_and_hupall_cover_all_workers(two):
    ids = [two.null(0), two.null(1), two.sip(0), two.sip(1)]
    for worker in (0, 1):
        text = two.on(worker, "show", "channels")
        assert all(u in text for u in ids) and "4 total." in text
        assert two.on(worker, "show", "calls count") == "\n4 total.\n"
        assert '"row_count":4' in two.on(worker, "show", "channels as json")
        assert "4 session(s) - peak" in two.on(worker, "status")
    assert two.on(1, "hupall", "USER_BUSY") == "+OK hangup all channels with cause USER_BUSY\n"
    for u in ids:
        two.gone(u)


def test_hupall_of_a_variable_reaches_the_other_worker_and_spares_the_rest(two):
    a, b = two.null(0), two.null(0)
    two.on(0, "uuid_setvar", a + " team red")
    two.on(1, "hupall", "NORMAL_CLEARING team red")
    two.gone(a)
    assert two.exists(b)


def test_a_call_that_will_hear_another_is_made_beside_it(two, kind):
    u = call(two, kind)
    for app in ("eavesdrop", "intercept"):
        v = two.made(1, "null/listener &%s(%s)" % (app, u))
        assert v in two.on(0, "carillon_here", "show channels") and v not in two.on(1, "carillon_here", "show channels")


def test_originate_near_a_call_is_made_on_its_worker_so_that_both_can_be_bridged(two, kind):
    u = call(two, kind)
    v = two.made(1, "{carillon_near=%s}null/second &park" % u)
    assert two.on(1, "uuid_bridge", u + " " + v) == "+OK %s\n" % v
    wait_for(lambda: two.on(1, "uuid_getvar", u + " bridge_uuid").strip() == v, 5, "the bridge")


# --- methods of a session ---


def test_facts_variables_and_profile(two, kind):
    u = call(two, kind)
    said = two.script("""
      local s = freeswitch.Session(uuid)
      say("ready", s:ready()); say("answered", s:answered()); say("media", s:mediaReady()); say("bridged", s:bridged())
      say("uuid", s:get_uuid(), s.uuid, s.allocated); say("state", s:getState())
      s:setVariable("colour", "blue"); say("colour", s:getVariable("colour")); say("none", s:getVariable("nothing"))
      s:setPrivate("p", "q"); say("private", s:getPrivate("p"))
      say("global", _G[uuid] == s)
      say("cause", s:hangupCause()); say("hup", s:setAutoHangup(false))
      local e = freeswitch.Event("CUSTOM", "x::y"); s:setEventData(e); say("event", e:getHeader("Unique-ID"), e:getHeader("variable_colour"))
      say("xml", s:getXMLCDR():match("<colour>(%w+)</colour>"))
      s:sendEvent(e)
      s:consoleLog("info", "hello from afar\\n")
      say("again", freeswitch.Session(s):get_uuid())
    """, "call:" + u)
    assert said["ready"] == said["answered"] == said["media"] == "true" and said["bridged"] == "false"
    assert said["uuid"] == u + " " + u + " 1" and said["state"] == "CS_EXECUTE"
    assert said["colour"] == "blue" and said["none"] == "nil" and said["private"] == "q" and said["global"] == "true"
    assert said["cause"] == "NONE" and said["hup"] == "0" and said["event"] == u + " blue" and said["xml"] == "blue"
    assert said["again"] == u
    two.engine.wait_log("hello from afar")
    assert two.exists(u)


def test_blocking_methods_answer_when_they_end(two, kind):
    u = call(two, kind)
    wav = two.engine.path("r.wav")
    said = two.script("""
      local s = freeswitch.Session(uuid)
      local t = api:getTime()
      say("sleep", s:sleep(300)); say("slept", api:getTime() - t >= 290)
      say("answer", s:answer(), s:preAnswer()); s:waitForAnswer(s)
      say("play", s:streamFile("tone_stream://%(200,0,440)"))
      say("missing", s:streamFile("/no/such/file.wav"))
      say("record", s:recordFile(argv[2], 1, 0, 0))
      say("flush", s:flushDigits(), s:flushEvents())
      s:execute("set", "by=afar"); say("set", s:getVariable("by"))
      s:set_tts_params("flite", "kal"); say("tts", s.tts_name, s.voice_name)
      s:say("12", "en", "number", "pronounced"); s:sayPhrase("no_such_phrase", "x", "en")
      say("speech", s:detectSpeech("a", "b", "c", "d"))
      say("collect", s:collectDigits(10))
    """, "call:" + u, wav)
    assert said["sleep"] == "1" and said["slept"] == "true" and said["answer"] == "1 1" and said["play"] == "1" and said["missing"] == "0"
    assert said["flush"] == "0 0" and said["set"] == "afar" and said["tts"] == "flite kal" and said["collect"] == "0"
    assert os.path.getsize(wav) > 8000


def test_digits_are_collected_from_afar(two, kind):
    u = call(two, kind)
    said = two.script("""
      local s = freeswitch.Session(uuid)
      local function press(keys) api:execute("uuid_recv_dtmf", uuid .. " " .. keys) end
      press("123#"); say("get", s:getDigits(5, "#", 3000))
      press("45"); say("read", s:read(2, 2, "silence", 3000, "#"))
      press("7"); say("pagd", s:playAndGetDigits(1, 1, 1, 3000, "#", "silence_stream://100", "", "\\\\d", "chosen"))
      say("var", s:getVariable("chosen"))
      say("none", s:getDigits(1, "#", 100))
    """, "call:" + u)
    assert said == {"get": "123", "read": "45", "pagd": "7", "var": "7", "none": ""}


def test_input_callbacks_run_in_the_asking_script_and_may_use_the_session(two, kind):
    u = call(two, kind)
    said = two.script("""
      local s = freeswitch.Session(uuid)
      local seen = ""
      function pressed(session, type, object, arg)
        if type == "dtmf" then
          seen = seen .. object.digit .. arg.mark
          session:setVariable("key", object.digit)
          say("inner", session:sleep(50), session:getVariable("key"))
          if object.digit == "1" then api:execute("uuid_recv_dtmf", uuid .. " 2") end
          return object.digit == "2" and "break" or "true"
        end
        seen = seen .. "[" .. object:getHeader("note") .. "]"
      end
      settings = { mark = "!" }
      s:setInputCallback("pressed", "settings")
      api:execute("uuid_recv_dtmf", uuid .. " 1")
      say("play", s:streamFile("tone_stream://%(5000,0,440)")); say("seen", seen)
      s:unsetInputCallback()
      api:execute("uuid_recv_dtmf", uuid .. " 9"); say("sleep", s:sleep(100)); say("still", seen)
    """, "call:" + u)
    assert said["seen"] == "1!2!" and said["inner"] == "1 2" and said["play"] == "0" and said["sleep"] == "1" and said["still"] == "1!2!"


def test_an_error_in_a_callback_is_the_asking_scripts_and_ends_the_wait(two):
    u = two.null()
    said = two.script("""
      local s = freeswitch.Session(uuid)
      function bad() error("bad callback") end
      s:setInputCallback("bad", "")
      api:execute("uuid_recv_dtmf", uuid .. " 1")
      say("play", s:streamFile("tone_stream://%(5000,0,440)")); say("on", s:ready())
    """, "call:" + u)
    assert said == {"play": "0", "on": "true"}
    two.engine.wait_log("error in bad: .*bad callback")


def test_a_hangup_ends_a_method_and_runs_the_hook(two, kind):
    u = call(two, kind)
    said = two.script("""
      local s = freeswitch.Session(uuid)
      function gone(session, status, arg) say("hook", status, arg, session:ready()) end
      word = "argument"
      s:setHangupHook("gone", "word")
      api:execute("sched_hangup", "+1 " .. uuid)
      say("play", s:streamFile("tone_stream://%(9000,0,440)"))
      say("ready", s:ready()); say("var", s:getVariable("hangup_cause"))
    """, "call:" + u)
    assert said["hook"] == "hangup argument false" and said["play"] == "0" and said["ready"] == "false"


def test_a_hook_that_says_exit_ends_the_script(two):
    u = two.null()
    said = two.script("""
      local s = freeswitch.Session(uuid)
      function gone() return "exit" end
      s:setHangupHook("gone")
      say("before", 1); s:hangup("USER_BUSY"); say("after", 1)
    """, "call:" + u)
    assert said["before"] == "1" and "after" not in said


def test_hangup_and_transfer_from_afar(two, kind):
    u, v = call(two, kind), call(two, kind)
    said = two.script("""
      local s = freeswitch.Session(uuid)
      s:hangup("USER_BUSY"); say("ready", s:ready())
      local other = freeswitch.Session(argv[2]:sub(6))
      other:transfer("park", "inline"); say("other", other:ready())
    """, "call:" + u, "call:" + v)
    assert said == {"ready": "false", "other": "false"}
    two.gone(u)
    assert two.exists(v)


def test_a_menu_runs_on_a_call_of_another_worker(two):
    u = two.null()
    said = two.script("""
      local s = freeswitch.Session(uuid)
      local menu = freeswitch.IVRMenu(nil, "main", "silence_stream://2000", "silence_stream://2000", "", "", "", "", "", "flite", "kal", 3, 500, 1, 2000, 3, 3)
      menu:bindAction("menu-exec-app", "set chosen=two", "2")
      menu:bindAction("menu-exit", "", "9")
      api:execute("uuid_recv_dtmf", uuid .. " 29")
      menu:execute(s, "main")
      say("chosen", s:getVariable("chosen"), s:getVariable("ivr_menu_status"))
    """, "call:" + u)
    assert said == {"chosen": "two success"}


def test_destroy_lets_the_call_go_on_where_it_was(two, kind):
    u = call(two, kind)
    said = two.script("""
      local s = freeswitch.Session(uuid)
      s:destroy(); say("ready", s:ready()); say("allocated", s.allocated)
    """, "call:" + u)
    assert said["ready"] == "false" and said["allocated"] == "0"
    assert two.on(1, "uuid_getvar", u + " current_application").strip() == "park"


def test_auto_hangup_ends_the_call_with_the_script(two, kind):
    u = call(two, kind)
    two.script("local s = freeswitch.Session(uuid); s:setAutoHangup(true)", "call:" + u)
    two.gone(u)


# --- two legs ---


def test_a_dial_with_a_remote_a_leg_is_made_beside_it_and_bridged(two, kind):
    u = call(two, kind)
    said = two.script("""
      local a = freeswitch.Session(uuid)
      local b = freeswitch.Session("sofia/gateway/acme/15552000", a)
      say("b", b:ready(), b:getVariable("originator") == uuid)
      function pressed(s, type, object) return "break" end
      a:setInputCallback("pressed", "")
      api:executeString("sched_api +1 none uuid_recv_dtmf " .. uuid .. " 5")
      freeswitch.bridge(a, b)
      say("last", a:getVariable("last_bridge_to") == b:get_uuid()); say("a", a:ready()); say("bend", b:ready())
    """, "call:" + u)
    assert said["b"] == "true true" and said["last"] == "true" and said["a"] == "true"


def test_without_a_leg_a_script_that_came_for_a_remote_call_dials_beside_it(two):
    u = two.sip()
    said = two.script("""
      local a = freeswitch.Session(uuid)
      local b = freeswitch.Session("null/b")
      say("b", b:ready())
      b:setAutoHangup(false); say("buuid", b:get_uuid())
    """, "call:" + u)
    assert said["buuid"] in two.on(0, "carillon_here", "show channels")


def test_the_cause_of_a_failed_dial_comes_back(two):
    u = two.null()
    said = two.script("""
      local a = freeswitch.Session(uuid)
      local b = freeswitch.Session("sofia/gateway/acme/15559990000", a)
      say("b", b:ready(), b:hangupCause())
      local c = freeswitch.Session()
      say("c", c:originate(a, "error/user_busy", 5), c:hangupCause())
      say("d", c:originate(a, "null/d", 5), c:ready())
    """, "call:" + u)
    assert said == {"b": "false USER_BUSY", "c": "1 USER_BUSY", "d": "0 true"}


def test_the_application_bridge_dials_on_the_calls_worker(two):
    u = two.sip()
    said = two.script("""
      local s = freeswitch.Session(uuid)
      api:executeString("sched_api +1 none hupall NORMAL_CLEARING leg second")
      s:execute("bridge", "{leg=second}null/b")
      say("disposition", s:getVariable("originate_disposition"), s:ready())
    """, "call:" + u)
    assert said["disposition"] == "SUCCESS true"


def test_a_script_told_a_bare_uuid_runs_beside_its_call(two, kind):
    u = call(two, kind)
    path = two.engine.write("scripts/beside.lua", "stream:write(freeswitch.API():execute('carillon_worker'))")
    assert two.on(1, "lua", path + " " + u).strip() == "0"


# --- ends ---


@pytest.mark.parametrize("method", ['streamFile("tone_stream://%(20000,0,440)")', "sleep(20000)", 'getDigits(5, "#", 20000)',
                                    'read(1, 5, "silence", 20000, "#")', 'recordFile("/tmp/never.wav", 20)', 'execute("sleep", "20000")'])
def test_the_death_of_the_calls_worker_ends_a_blocking_method_as_a_hangup_does(two, method):
    u = two.null()
    said = {}

    def run():
        said.update(two.script("""
          local s = freeswitch.Session(uuid)
          function gone(session, status) say("hook", status) end
          s:setHangupHook("gone")
          freeswitch.consoleLog("notice", "it begins\\n")
          s:%s
          say("ready", s:ready()); say("var", s:getVariable("x"))
        """ % method, "call:" + u))

    thread = threading.Thread(target=run)
    thread.start()
    two.engine.wait_log("it begins")
    time.sleep(0.2)
    began = time.monotonic()
    two.engine.kill("worker 0")
    thread.join(10)
    assert not thread.is_alive() and time.monotonic() - began < 5
    assert said["hook"] == "hangup" and said["ready"] == "false"
    two.engine.wait_log("the worker of call %s is gone" % u)


def test_the_death_of_the_scripts_worker_lets_the_call_go_on(two, kind):
    u = call(two, kind)
    path = two.engine.write("scripts/long.lua", HEAD + """
      local s = freeswitch.Session(uuid)
      freeswitch.consoleLog("notice", "it begins\\n")
      s:sleep(60000)
    """)
    two.on(1, "luarun", path + " call:" + u)
    two.engine.wait_log("it begins")
    two.engine.kill("worker 1")
    wait_for(lambda: "worker 1" in two.engine.pids(), 10, "a new worker 1", two.engine.all_text)
    time.sleep(0.5)
    assert two.exists(u)
    assert two.engine.api("uuid_transfer", u + " park inline") == "+OK\n"
    assert two.engine.api("uuid_kill", u) == "+OK\n"
    two.gone(u)


def test_a_script_that_ends_by_an_error_lets_the_call_go_on(two):
    u = two.null()
    two.script('local s = freeswitch.Session(uuid); s:setVariable("x", "y"); error("on purpose")', "call:" + u)
    assert two.exists(u) and two.on(1, "uuid_getvar", u + " x").strip() == "y"


def test_a_handle_of_a_worker_that_was_started_anew_is_gone(two):
    u = two.null()
    path = two.engine.write("scripts/later.lua", HEAD + """
      local s = freeswitch.Session(uuid)
      freeswitch.consoleLog("notice", "it begins\\n")
      freeswitch.msleep(3000)
      freeswitch.consoleLog("notice", "after: " .. tostring(s:streamFile("tone_stream://%(100,0,440)")) .. tostring(s:ready()) .. "\\n")
    """)
    two.on(1, "luarun", path + " call:" + u)
    two.engine.wait_log("it begins")
    two.engine.kill("worker 0")
    two.engine.wait_log("after: 0false")
    assert not two.exists(u)


def test_many_scripts_use_calls_of_the_other_worker_at_once(two):
    ids = [two.null() for _ in range(20)]
    two.engine.write("scripts/many.lua", HEAD + """
      local s = freeswitch.Session(uuid)
      for i = 1, 20 do s:setVariable("n", tostring(i)); s:sleep(5) end
      say("n", s:getVariable("n"))
    """)
    path = two.engine.path("scripts", "many.lua")
    for u in ids:
        two.on(1, "luarun", path + " call:" + u)
    for u in ids:
        wait_for(lambda: two.on(1, "uuid_getvar", u + " n").strip() == "20", 10, "the script's end", two.engine.all_text)
