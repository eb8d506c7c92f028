"""Speech from the script's word to the recorded sound, on an engine without any sound file."""

import os
import re

import pytest

from lib import sounds

PHRASES = """<include><language name="en" say-module="en"><phrases><macros>
<macro name="welcome"><input pattern="(.*)"><match>
  <action function="play-file" data="ivr/ivr-welcome_to_the_survey.wav"/>
  <action function="say" data="$1" method="pronounced" type="number"/>
  <action function="speak-text" data="thank you"/>
</match></input></macro>
</macros></phrases></language></include>
"""

# A null leg that is recorded on its written side, `what` done upon it; its last line is result=, ms=.
SCRIPT = """
local s = freeswitch.Session("null/test")
s:answer()
local api = freeswitch.API()
local path = argv[1]
s:setVariable("RECORD_WRITE_ONLY", "true")
s:setVariable("RECORD_MIN_SEC", "0")
s:execute("record_session", path)
s:sleep(100)
local begin = tonumber(api:getTime())
local result = (function() %s end)()
local ms = tonumber(api:getTime()) - begin
s:execute("stop_record_session", path)
s:sleep(200)
stream:write("result=" .. tostring(result) .. " ms=" .. ms .. "\\n")
s:hangup()
"""


@pytest.fixture(scope="module")
def speaker():
    from lib.engine import Engine

    e = Engine(start=False, slots=20)
    e.config["freeswitch_dir"] = e.path("freeswitch")
    e.write_config()
    e.write("freeswitch/lang.xml", PHRASES)
    e.start()
    yield e
    e.close()


def speak(engine, name, what):
    """(result, ms, seconds recorded, samples)."""
    engine.write("scripts/%s.lua" % name, SCRIPT % what)
    path = engine.path("%s.wav" % name)
    text = engine.api("lua", "%s.lua" % name, path)
    found = re.search(r"result=(\S+) ms=(\d+)", text)
    assert found, text + engine.all_text()[-3000:]
    seconds, samples = sounds.read(path) if os.path.exists(path) else (0, ())
    return found.group(1), int(found.group(2)), seconds, samples


def energy(samples):
    return sum(abs(x) for x in samples) / max(1, len(samples))


def test_session_speak_speaks(speaker):
    result, ms, seconds, samples = speak(
        speaker, "speak", 's:set_tts_params("flite", "slt") return s:speak("Good morning. You have two new messages.")')
    assert result == "1"
    assert 1800 < ms < 6000 and abs(seconds - ms / 1000 - 0.1) < 0.5
    assert energy(samples) > 300


def test_the_application_speaks(speaker):
    result, ms, _, samples = speak(speaker, "app", 's:execute("speak", "flite|kal|the quick brown fox jumps over the lazy dog")')
    assert 1200 < ms < 6000 and energy(samples) > 300


def test_say_text_as_a_file_name_speaks_without_any_setting(speaker):
    result, ms, _, samples = speak(speaker, "say", 'return s:streamFile("say:please wait for the operator")')
    assert result == "1" and 700 < ms < 5000 and energy(samples) > 300


def test_a_fresh_install_says_numbers_without_sound_files(speaker):
    _, ms, _, samples = speak(speaker, "number", 's:say("123", "en", "number", "pronounced")')
    assert 1000 < ms < 8000 and energy(samples) > 200


def test_a_phrase_without_sound_files_is_spoken(speaker):
    _, ms, _, samples = speak(speaker, "phrase", 's:sayPhrase("welcome", "42", "en")')
    assert 2000 < ms < 10000 and energy(samples) > 200


def test_a_missing_file_of_a_script_stays_silent(speaker):
    result, ms, _, _ = speak(speaker, "missing", 'return s:streamFile("ivr/ivr-welcome.wav")')
    assert result == "0" and ms < 500


def test_unknown_engines_and_voices_say_so_as_freeswitch_does(speaker):
    assert speak(speaker, "engine", 's:set_tts_params("cepstral", "david") return s:speak("hello")')[0] == "0"
    assert speak(speaker, "voice", 's:set_tts_params("flite", "david") return s:speak("hello")')[0] == "0"
    assert speak(speaker, "none", 'return s:speak("hello")')[0] == "1"
    text = speaker.all_text()
    assert "Invalid speech module [cepstral]!" in text and "Invalid TTS module!" in text
    assert "Valid voice names are awb, kal, rms or slt." in text
    assert "No TTS engine specified" in text


def test_a_digit_stops_speech(speaker):
    """The terminator of the application; what was pressed is not lost on the way."""
    _, ms, _, _ = speak(speaker, "stop", '''
      s:setVariable("playback_terminators", "#")
      api:executeString("sched_api +1 none uuid_recv_dtmf " .. s.uuid .. " #")
      s:execute("speak", "flite|slt|" .. ("this text takes very long to say. "):rep(20))''')
    assert ms < 6000
