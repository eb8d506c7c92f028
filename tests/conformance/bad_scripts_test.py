"""Scripts that are wrong: each ends or goes on as it should, the log says where, and nobody else notices."""

import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.engine import wait_for


def script(conformance, text):
    """A script file of its own: its path, and the name that the log will show."""
    name = "bad%s.lua" % uuid.uuid4().hex[:8]
    return conformance.engine.write("scripts/" + name, text), name


def logged(conformance, pattern, seconds=10):
    """The line of the log that has the pattern."""
    return wait_for(lambda: re.search(r"^.*%s.*$" % pattern, conformance.engine.log(), re.M), seconds, "a line of the log: " + pattern).group(0)


def others_work(conformance):
    assert conformance.engine.lua("local s = freeswitch.Session('null/x') stream:write(tostring(s:ready()))").strip() == "true"


# What is wrong, and the line of the script that the log must name.
ENDS = {
    "a syntax error": ("local x = 1\nif x then\n  stream:write('a'\nend\n", 4),
    "an error": ("local x = 1\nerror('on purpose')\n", 2),
    "a nil method": ("local s = freeswitch.Session()\n\ns:noSuchMethod()\n", 3),
    "a nil global": ("local x\nnobody.home()\n", 2),
    "an index of nil": ("local t = {}\nreturn t.a.b\n", 2),
    "nil in a concatenation": ("local t = {}\nreturn 'a' .. t.b\n", 2),
    "an error with a table": ("local x\nlocal y\nerror({ code = 5 })\n", None),
    "a wrong argument": ("local s = freeswitch.Session()\ns:setAutoHangup('yes')\n", 2),
    "too few arguments": ("local s = freeswitch.Session()\ns:setVariable('a')\n", 2),
    "a dot for a colon": ("local s = freeswitch.Session()\ns.hangup()\n", 2),
    "a missing module": ("\n\nrequire('no.such.module')\n", 3),
    "a missing file": ("\ndofile('/no/such/file.lua')\n", None),
    "an endless loop": ("local n = 0\nwhile true do n = n + 1 end\n", 2),
    "an endless loop that catches errors": ("while true do\n  pcall(function() while true do end end)\nend\n", 2),
    "an endless loop in a coroutine": ("local co = coroutine.wrap(function()\n  while true do end\nend)\nco()\n", 2),
    "a table that grows for ever": ("local t = {}\nfor i = 1, math.huge do t[i] = ('x'):rep(1000) .. i end\n", 2),
    "a text that grows for ever": ("local s = 'x'\nwhile true do s = s .. s end\n", 2),
    "endless recursion": ("local function f()\n  return 1 + f()\nend\nf()\n", 2),
    "a pattern that takes for ever": ("local s = ('a'):rep(40)\nlocal at = s:find(('a*'):rep(40) .. 'b')\nreturn at\n", 2),
}


@pytest.mark.parametrize("what", ENDS)
def test_the_script_ends_and_the_log_names_its_line(conformance, what):
    text, line = ENDS[what]
    path, name = script(conformance, text)
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(conformance.run, path)
        others_work(conformance)
        assert job.result(60).endswith("-ERR Cannot execute script\n")
    row = logged(conformance, re.escape(name) + (":%d: " % line if line else ""))
    if line:
        assert re.match(r"\S+ ERR ", row)
    others_work(conformance)


def test_os_exit_only_complains(conformance):
    path, _ = script(conformance, "os.exit(1) stream:write('still here')")
    assert conformance.run(path).strip() == "still here"
    logged(conformance, "Surely you jest")


def test_a_broken_script_in_a_call_leaves_the_call_to_the_dialplan(conformance):
    path, name = script(conformance, "session:answer()\nerror('in the call')\n")
    printed = conformance.engine.lua("""
        local con = freeswitch.EventConsumer("CHANNEL_HANGUP_COMPLETE")
        local s = freeswitch.Session("{sip_h_X-Script=" .. argv[1] .. ",sip_h_X-Words=x}sofia/internal/script@" .. argv[2])
        for i = 1, 50 do
          local e = con:pop(1, 200)
          if e and e:getHeader("variable_sip_h_X-Script") == argv[1] and e:getHeader("Call-Direction") == "inbound" then
            stream:write(e:getHeader("variable_after_script") .. " " .. e:getHeader("Hangup-Cause") .. " " .. e:getHeader("Unique-ID")) break
          end
        end""", path, conformance.sip)
    after, cause, one = printed.split()
    assert (after, cause) == ("reached", "CALL_REJECTED")
    assert one in logged(conformance, re.escape(name) + ":2: in the call")


# Errors in functions that the engine calls: logged with their line, and the script goes on.
SWALLOWED = {
    "an input callback": ("""local s = freeswitch.Session('null/x')
function cb()
  error('in the callback')
end
s:setInputCallback('cb')
freeswitch.API():executeString('uuid_recv_dtmf ' .. s.uuid .. ' 5')
s:sleep(2000)
stream:write(tostring(s:ready()))""", 3, "true"),
    "an input callback that never ends": ("""local s = freeswitch.Session('null/x')
function cb()
  while true do end
end
s:setInputCallback('cb')
freeswitch.API():executeString('uuid_recv_dtmf ' .. s.uuid .. ' 5')
s:sleep(200)
stream:write('went on')""", 3, "went on"),
    "a hangup hook": ("""local s = freeswitch.Session('null/x')
function hook()
  error('in the hook')
end
s:setHangupHook('hook')
s:hangup()
s:ready()
stream:write('went on')""", 3, "went on"),
    "a row function": ("""local d = freeswitch.Dbh('sqlite://memory://bad')
stream:write(tostring(d:query('select 1 as a', function(row)
  error('in the row function')
end)))""", 3, "true"),
    "a function of the script's own pcall": ("""local ok, why = pcall(function()
  error('caught')
end)
stream:write(tostring(ok))""", None, "false"),
}


@pytest.mark.parametrize("what", SWALLOWED)
def test_an_error_inside_a_callback_is_logged(conformance, what):
    text, line, printed = SWALLOWED[what]
    path, name = script(conformance, text)
    assert conformance.run(path).strip() == printed
    if line:
        logged(conformance, re.escape(name) + ":%d: " % line)
    others_work(conformance)


@pytest.mark.parametrize("how", ["luarun", "hook", "application"])
def test_a_broken_script_is_logged_however_it_is_started(conformance, how):
    e = conformance.engine
    path, name = script(conformance, "local x\nerror('started somehow')\n")
    if how == "luarun":
        assert e.api("luarun", path).strip() == "+OK"
    elif how == "hook":
        e.lua("local s = freeswitch.Session('null/x') s:setVariable('api_hangup_hook', 'lua ' .. argv[1]) s:hangup()", path)
    else:
        e.lua("local s = freeswitch.Session('null/x') s:execute('lua', argv[1]) stream:write(tostring(s:ready()))", path)
    logged(conformance, re.escape(name) + ":2: started somehow")


def test_while_one_script_computes_for_ever_others_keep_their_time(conformance):
    path, _ = script(conformance, "while true do end")
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(conformance.run, path)
        printed = conformance.engine.lua("""
            local api, worst = freeswitch.API(), 0
            for i = 1, 20 do
              local t = tonumber(api:getTime())
              freeswitch.msleep(20)
              worst = math.max(worst, tonumber(api:getTime()) - t)
            end
            stream:write(worst)""")
        job.result(60)
    assert float(printed) < 900, "a sleep of 20 ms took %s ms" % printed


def test_nothing_is_left_of_bad_scripts(conformance):
    wait_for(lambda: conformance.engine.counters().get("scripts_active", 0) == 0, 30, "no script active", conformance.engine.status)
    time.sleep(0.1)
    assert not re.search(r"started again|DEAD", conformance.engine.status())
