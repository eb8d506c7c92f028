"""Each method of a Session on a call of another worker answers what it answers on a call of its own."""

import os
import re

from lib.paths import ROOT

# Name → Lua words for its arguments; the call is `s`, an event `e`, a folder of this test `dir`. In this order, on one answered call that plays silence.
ARGUMENTS = {
    "ready": "", "answered": "", "bridged": "", "mediaReady": "", "hangupCause": "", "hangupState": "", "getState": "",
    "answer": "", "preAnswer": "", "waitForAnswer": "nil_or(s)",
    "setVariable": "'colour', 'blue'", "getVariable": "'colour'", "get_uuid": "", "getXMLCDR": "",
    "consoleLog": "'info', 'hello'", "consoleLog2": "'info', 'f.lua', 'g', 7, 'hello'", "print": "'hello'",
    "setInputCallback": "'pressed', 'x'", "unsetInputCallback": "", "setHangupHook": "'over', 'x'", "setAutoHangup": "false",
    "setEventData": "e", "sendEvent": "e", "set_tts_params": "'flite', 'kal'", "set_tts_parms": "'flite', 'kal'",
    "execute": "'set', 'size=7'", "sleep": "20", "streamFile": "'silence_stream://40'", "speak": "'one'", "say": "'3', 'en', 'number', 'pronounced'",
    "sayPhrase": "'no_such_phrase', '', ''", "recordFile": "dir .. '/r.wav', 1, 0, 0", "insertFile": "dir .. '/a.wav', dir .. '/b.wav', 1",
    "collectDigits": "20", "getDigits": "1, '#', 60", "read": "1, 1, 'silence_stream://20', 60, '#'",
    "playAndGetDigits": "1, 1, 1, 60, '#', 'silence_stream://20', '', '\\\\d'",
    "detectSpeech": "'a', 'b', 'c', 'd'", "playAndDetectSpeech": "'silence_stream://20', 'e', 'g'",
    "flushDigits": "", "flushEvents": "", "originate": "nil_or(s), 'error/USER_BUSY', 5",
    "transfer": "'nowhere', 'XML', 'none'", "hangup": "'CALL_REJECTED'", "destroy": "",
}
# What a call's own facts are, and what therefore may differ between two calls.
OWN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|<\?xml.*", re.S)

SCRIPT = """
local api, e, dir = freeswitch.API(), freeswitch.Event("CUSTOM", "x::y"), argv[2]
function pressed() return "" end
function over() end
local function nil_or() return nil end
local s = freeswitch.Session(argv[1]:match("call:(%%S+)"))
local function say(name, ...)
  local words = { select("#", ...) }
  for i = 1, select("#", ...) do words[#words + 1] = type((select(i, ...))) .. ":" .. tostring((select(i, ...))):gsub("\\n", " ") end
  stream:write(name .. "=" .. table.concat(words, ",") .. "\\n")
end
%s
"""


def methods():
    """All of mod_lua's Session methods, from the table that also makes the tests of wrong arguments."""
    with open(os.path.join(ROOT, "tests", "conformance", "lib", "signatures.lua"), encoding="utf-8") as f:
        return re.findall(r'\{ "Session",\s+"(\w+)"', f.read())


def answers(e, worker_of_call, worker_of_script, script):
    def on(worker, *words):
        for _ in range(20):
            if int(e.api("carillon_worker")) == (worker + 1) % 2:
                return e.api(*words)
        raise AssertionError("commands do not go around")

    uuid = on(worker_of_call, "originate", "null/x &park").split()[1]
    said = on(worker_of_script, "lua", "%s call:%s %s" % (script, uuid, e.path()))
    return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)


def test_every_method_answers_the_same_wherever_the_call_lives(engine):
    assert sorted(ARGUMENTS) == sorted(methods())
    e = engine(workers=2, slots=20)
    lines = ['say("%s", pcall(s.%s, s%s))' % (name, name, ", " + words if words else "") for name, words in ARGUMENTS.items()]
    script = e.write("scripts/each.lua", SCRIPT % "\n".join(lines))
    near, far = answers(e, 0, 0, script), answers(e, 0, 1, script)
    assert list(near) == list(ARGUMENTS), e.log()[-2000:]
    differ = {name: (near[name], far.get(name)) for name in near if OWN.sub("·", near[name]) != OWN.sub("·", far.get(name, ""))}
    assert not differ, differ
