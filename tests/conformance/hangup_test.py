"""The call ends during each blocking method: the method comes back at once, the script sees what the rules say, and nothing is left."""

import pytest

from lib.engine import wait_for

# What blocks, and what it gives when the call is hung up meanwhile ("*": not said).
METHODS = {
    "streamFile": ("s:streamFile(sounds .. '/ten.wav')", "0"),
    "streamFile of a tone": ("s:streamFile('tone_stream://%(20000,0,440)')", "0"),
    "streamFile of a phrase": ("s:streamFile('phrase:long')", "0"),
    "recordFile": ("s:recordFile(work .. '/r.wav', 20)", "0"),
    "sleep": ("s:sleep(20000)", "0"),
    "getDigits": ("s:getDigits(5, '#', 20000)", ""),
    "getDigits for ever": ("s:getDigits(5, '#', 0)", ""),
    "getDigits with a digit": ("(function() freeswitch.API():executeString('uuid_recv_dtmf ' .. s.uuid .. ' 7') return s:getDigits(5, '#', 20000) end)()", "7"),
    "read": ("s:read(1, 5, sounds .. '/ten.wav', 20000, '#')", ""),
    "read without prompt": ("s:read(1, 5, '', 20000, '#')", ""),
    "playAndGetDigits": ("s:playAndGetDigits(1, 5, 3, 20000, '#', sounds .. '/ten.wav', '', '\\\\d+')", ""),
    "playAndGetDigits with a target": ("s:playAndGetDigits(1, 5, 3, 20000, '#', sounds .. '/ten.wav', '', '\\\\d+', 'v', 0, 'mark-never XML far')", ""),
    "collectDigits": ("(function() function cb() end s:setInputCallback('cb') return s:collectDigits(20000) end)()", "0"),
    "sayPhrase": ("s:sayPhrase('long')", "nil"),
    "execute playback": ("s:execute('playback', sounds .. '/ten.wav')", "nil"),
    "execute sleep": ("s:execute('sleep', '20000')", "nil"),
    "execute park": ("s:execute('park')", "nil"),
    "execute echo": ("s:execute('echo')", "nil"),
    "execute record": ("s:execute('record', work .. '/x.wav 20')", "nil"),
    "execute endless_playback": ("s:execute('endless_playback', sounds .. '/short.wav')", "nil"),
    "execute read": ("s:execute('read', '1 5 silence_stream://20000 v 20000 #')", "nil"),
    "execute play_and_get_digits": ("s:execute('play_and_get_digits', '1 5 3 20000 # silence_stream://20000 silence_stream://10 v \\\\d+')", "nil"),
    "execute bridge, ringing": ("s:execute('bridge', 'sofia/internal/rings@' .. sip)", "nil"),
    "execute bridge, answered": ("s:execute('bridge', 'sofia/internal/hush@' .. sip)", "nil"),
    "execute lua": ("s:execute('lua', '~session:sleep(20000)')", "nil"),
    "execute ivr": ("s:execute('ivr', 'front')", "nil"),
    "freeswitch.bridge": ("(function() local o = freeswitch.Session('sofia/internal/hush@' .. sip) freeswitch.bridge(s, o) end)()", "nil"),
    "dialling with it as the first leg": ("freeswitch.Session('sofia/internal/rings@' .. sip, s):hangupCause()", "ORIGINATOR_CANCEL"),
    "IVRMenu": ("(function() local m = freeswitch.IVRMenu(nil, 'm', 'silence_stream://20000', '', '', '', '', nil, '', nil, nil, 3, 300, 1, 9000, 9, 9) m:bindAction('menu-exit', nil, '9') m:execute(s, 'm') end)()", "nil"),
    "the script's own loop": ("(function() while s:ready() do freeswitch.msleep(20) end end)()", "nil"),
}

SCRIPT = """
local sounds, work, sip = argv[1], argv[2], argv[3]
local api, s = freeswitch.API(), freeswitch.Session(argv[4])
function hook(session, status) session:setVariable("hooked", (session:getVariable("hooked") or "") .. status) end
s:setHangupHook("hook")
api:executeString("luarun " .. work .. "/kill.lua " .. s.uuid)
local start = tonumber(api:getTime())
local result = %s
local took = tonumber(api:getTime()) - start
local ready = s:ready()
for i = 1, 100 do if s:getVariable("hangup_cause") then break end freeswitch.msleep(20) end
stream:write(tostring(result) .. "|" .. tostring(ready) .. "|" .. tostring(s:getVariable("hooked")) .. "|" .. tostring(s:getVariable("hangup_cause")) .. "|" .. took)
"""


@pytest.mark.parametrize("far", ["null/x", "sofia"])
@pytest.mark.parametrize("what", METHODS)
def test_it_comes_back_when_the_call_ends(conformance, what, far):
    if far == "sofia":
        far = "sofia/internal/hush@" + conformance.sip
    code, wanted = METHODS[what]
    work = conformance.work()
    with open(work + "/kill.lua", "w") as f:
        f.write("freeswitch.msleep(250) freeswitch.API():executeString('uuid_kill ' .. argv[1] .. ' CALL_REJECTED')")
    printed = conformance.engine.lua(SCRIPT % code, conformance.sounds, work, conformance.sip, far).strip()
    result, ready, hooked, cause, took = printed.split("|")
    assert (ready, hooked, cause) == ("false", "hangup", "CALL_REJECTED")
    assert result == wanted
    assert 200 <= float(took) < 6000


@pytest.mark.parametrize("what", ["streamFile", "recordFile", "getDigits", "sleep", "execute park", "IVRMenu", "playAndGetDigits"])
def test_the_far_end_hangs_up(conformance, what):
    code, wanted = METHODS[what]
    text = SCRIPT.replace('api:executeString("luarun " .. work .. "/kill.lua " .. s.uuid)', "") % code
    printed = conformance.engine.lua(text, conformance.sounds, conformance.work(), conformance.sip, "sofia/internal/leaves-500-USER_BUSY@" + conformance.sip).strip()
    result, ready, hooked, cause, took = printed.split("|")
    assert (result, ready, hooked) == (wanted, "false", "hangup")
    assert cause == "USER_BUSY"
    assert float(took) < 6000


def test_nothing_is_left(conformance):
    e = conformance.engine
    wait_for(lambda: e.api("show", "channels", "count").strip() == "0 total.", 40, "no channel is left", lambda: e.api("show", "channels"))
    wait_for(lambda: e.counters().get("scripts_active", 0) == 0, 10, "no script is active", e.status)
