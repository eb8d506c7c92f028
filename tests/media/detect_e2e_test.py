"""What scripts learn of the far end's sounds, on real calls: who answered, beeps, the network's tones, a fax, silence and speech."""

import json
import math
import os
import re
import struct
import time
import wave
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.carrier import Carrier
from lib.engine import Engine

# One number, one sound of the carrier.
PLAN = """
match=*01 answer after=50ms sound=hello
match=*02 answer after=50ms sound=voicemail
match=*03 answer after=50ms sound=quiet
match=*04 answer after=50ms sound=busytone
match=*05 answer after=50ms sound=sit
match=*06 answer after=50ms sound=ringback
match=*07 answer after=50ms sound=voicemail talk=700ms
match=*09 answer after=50ms sound={fax}
match=* answer after=50ms sound=tone:440
"""

DIAL = """
local s = freeswitch.Session("{%s}sofia/gateway/acme/%s")
if not s:ready() then stream:write("failed " .. s:hangupCause()) return end
stream:write(s:get_uuid() .. "\\n")
local function v(name) stream:write(name .. "=" .. tostring(s:getVariable(name)) .. "\\n") end
%s
s:hangup()
"""

LISTEN = """
local c = freeswitch.EventConsumer("CUSTOM", "avmd::beep")
c:bind("CUSTOM", "avmd::start") c:bind("CUSTOM", "avmd::stop") c:bind("CUSTOM", "amd::result") c:bind("DETECTED_TONE")
local out = io.open(argv[1], "a")
while true do
  local e = c:pop(1, 1000)
  if e then out:write(e:serialize("json"):gsub("%s*\\n%s*", " ") .. "\\n") out:flush() end
end
"""


@pytest.fixture(scope="module")
def fax(tmp_path_factory):
    """CNG as a fax sends it: half a second in 3.5."""
    path = str(tmp_path_factory.mktemp("fax") / "cng.wav")
    with wave.open(path, "wb") as f:
        f.setnchannels(1)
        f.setsampwidth(2)
        f.setframerate(8000)
        f.writeframes(b"".join(struct.pack("<h", int(6000 * math.sin(2 * math.pi * 1100 * i / 8000)) if 8000 <= i < 12000 else 0) for i in range(28000)))
    return path


# All calls run at once; each test looks at its own.
UNTIL = 'for i = 1, 120 do s:sleep(100) if s:getVariable("%s") then break end end v("%s") s:sleep(200) '
TONE = 's:execute("spandsp_start_tone_detect", "1") ' + UNTIL % ("progress_sound", "progress_sound") + 's:execute("spandsp_stop_tone_detect")'
CALLS = {
    "person": ("12125550101", 's:execute("amd") v("AMDSTATUS") v("AMDCAUSE") v("amd_result") s:sleep(100)', "a=b"),
    "machine": ("12125550102", 's:execute("amd") v("AMDSTATUS") v("AMDCAUSE") s:sleep(100)', "a=b"),
    "places": ("12125550103", 's:execute("amd", "700") v("AMDCAUSE")', "a=b"),
    "names": ("12125550103", 's:execute("amd", "total_analysis_time=900,initial_silence=2000") v("AMDCAUSE")', "a=b"),
    "wrong": ("12125550103", 's:execute("amd", "many") v("AMDSTATUS") s:execute("amd", "classifier=oracle") v("AMDSTATUS")', "a=b"),
    "hangup": ("12125550107", 's:execute("amd", "5000,9000,4000,9000,100,50,90") v("AMDSTATUS")', "a=b"),
    "beside": ("12125550102", 's:execute("amd_start") s:streamFile("tone_stream://%(3000,0,440)") v("AMDSTATUS")', "a=b"),
    "answered": ("12125550101", 'v("AMDSTATUS")', "execute_on_answer=amd"),
    "beep": ("12125550102", 's:execute("avmd_start") ' + UNTIL % ("avmd_detect", "avmd_detect"), "a=b"),
    "by command": ("12125550102", 'local api, id = freeswitch.API(), s:get_uuid() stream:write(api:executeString("avmd " .. id .. " start")) '
                   'stream:write(api:executeString("spandsp_start_tone_detect " .. id .. " 1")) ' + UNTIL % ("avmd_detect", "progress_sound")
                   + 'stream:write(api:executeString("spandsp_stop_tone_detect " .. id)) stream:write(api:executeString("avmd " .. id .. " stop"))', "a=b"),
    "no beep": ("12125550101", 's:execute("avmd_start") s:sleep(4000) v("avmd_detect")', "a=b"),
    "busy": ("12125550104", TONE, "a=b"),
    "sit": ("12125550105", TONE, "a=b"),
    "ringback": ("12125550106", TONE, "a=b"),
    "cng": ("12125550109", TONE, "a=b"),
    "fax": ("12125550109", 's:execute("spandsp_start_fax_detect", "set got_fax=yes 6 cng") s:sleep(3500) v("got_fax")', "a=b"),
    "tones": ("12125550199", 's:execute("tone_detect", "other 1000 r +1 set got_other=yes 1") s:execute("tone_detect", "mine 440 r +1 set got_mine=yes 1") '
              's:sleep(1500) v("got_mine") v("got_other") v("tone_detect_mine")', "a=b"),
    "quiet": ("12125550101", 's:execute("detect_audio", "200 5 4000") v("detect_audio_timeout") s:execute("wait_for_silence", "200 25 0 6000") '
              'v("wait_for_silence_timeout") s:execute("detect_audio", "200 5 600") v("detect_audio_timeout")', "a=b"),
    "never quiet": ("12125550199", 's:execute("detect_silence", "200 5 600") v("detect_silence_timeout")', "a=b"),
}


@pytest.fixture(scope="module")
def heard(fax):
    """heard(name) → what that call's script wrote, and its events as another script heard them."""
    carrier = Carrier(plan=PLAN.format(fax=fax))
    engine = Engine(slots=40, trunks={"acme": {"address": carrier.where}})
    engine.write("scripts/listen.lua", LISTEN)
    events = engine.write("events.json", "")
    engine.api("luarun", "listen.lua", events)

    def dial(name):
        number, body, variables = CALLS[name]
        script = name.replace(" ", "_") + ".lua"
        engine.write("scripts/" + script, DIAL % (variables, number, body))
        return engine.api("lua", script)

    try:
        with ThreadPoolExecutor(len(CALLS)) as pool:
            texts = dict(zip(CALLS, pool.map(dial, CALLS)))
        time.sleep(0.3)
        with open(events) as f:
            seen = [json.loads(line) for line in f]
        log = engine.all_text()
    finally:
        engine.close()
        carrier.close()

    def of(name):
        uuid, _, text = texts[name].partition("\n")
        return text, [e for e in seen if e.get("Unique-ID") == uuid], log

    return of


def test_amd_tells_a_person_from_a_machine(heard):
    text, events, _ = heard("person")
    assert "AMDSTATUS=HUMAN" in text and re.search(r"AMDCAUSE=HUMAN-8\d\d-800", text) and "amd_result=HUMAN" in text, text
    assert [e["AMD-Status"] for e in events if e.get("Event-Subclass") == "amd::result"] == ["HUMAN"]
    text, events, _ = heard("machine")
    assert "AMDSTATUS=MACHINE" in text and re.search(r"AMDCAUSE=(LONGGREETING-15\d\d-1500|MAXWORDS-3-3)", text), text
    assert [e["AMD-Status"] for e in events if e.get("Event-Subclass") == "amd::result"] == ["MACHINE"]


def test_amd_takes_asterisks_parameters_by_place_and_by_name(heard):
    assert "AMDCAUSE=INITIALSILENCE-700-700" in heard("places")[0]
    assert "AMDCAUSE=TOOLONG-900" in heard("names")[0]


def test_wrong_parameters_of_amd_are_told_and_judge_nobody(heard):
    text, _, log = heard("wrong")
    assert text.count("AMDSTATUS=") == 2 and "MACHINE" not in text
    assert '"many" is no number (parameter 1 of amd)' in log and "cannot listen for answer: Invalid argument" in log


def test_amd_on_a_call_that_ends_says_hangup(heard):
    assert "AMDSTATUS=HANGUP" in heard("hangup")[0]


def test_amd_runs_beside_what_is_played_and_can_be_set_for_every_answered_call(heard):
    assert "AMDSTATUS=MACHINE" in heard("beside")[0]
    assert "AMDSTATUS=HUMAN" in heard("answered")[0]


def test_the_beep_of_an_answering_machine_is_an_event_and_a_variable(heard):
    text, events, _ = heard("beep")
    assert "avmd_detect=TRUE" in text, text
    avmd = [e for e in events if e.get("Event-Subclass", "").startswith("avmd::")]
    assert [e["Event-Subclass"] for e in avmd] == ["avmd::start", "avmd::beep", "avmd::stop"]
    assert abs(float(avmd[1]["Frequency"]) - 1000) < 15 and avmd[1]["Beep-Status"] == "DETECTED" and avmd[2]["Beep-Status"] == "DETECTED"


def test_commands_have_a_call_listened_to(heard):
    text, events, _ = heard("by command")
    assert "started!" in text and "+OK started" in text and "progress_sound=beep" in text and "+OK stopped" in text and "has not yet been started" in text, text
    assert "BEEP_TONE" in [e.get("Detected-Tone") for e in events]


def test_a_person_is_no_beep(heard):
    assert "avmd_detect=nil" in heard("no beep")[0]


@pytest.mark.parametrize("name, sound, tone", [("busy", "busy", "BUSY_TONE"), ("sit", "sit-", "SIT"), ("ringback", "ringback", "RING_TONE"),
                                               ("cng", "cng", "CNG_TONE")])
def test_the_networks_tones_are_told(heard, name, sound, tone):
    text, events, _ = heard(name)
    assert "progress_sound=" + sound in text, text
    assert [e["Detected-Tone"] for e in events if e["Event-Name"] == "DETECTED_TONE"][0] == tone


def test_a_fax_runs_its_application(heard):
    assert "got_fax=yes" in heard("fax")[0]


def test_tone_detect_finds_its_frequency_and_no_other(heard):
    text, _, _ = heard("tones")
    assert "got_mine=yes" in text and "got_other=nil" in text and "tone_detect_mine=true" in text, text


def test_silence_and_speech_are_waited_for(heard):
    assert heard("quiet")[0].split() == ["detect_audio_timeout=false", "wait_for_silence_timeout=false", "detect_audio_timeout=true"]
    assert "detect_silence_timeout=true" in heard("never quiet")[0]
