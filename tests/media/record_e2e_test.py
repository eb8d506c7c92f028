"""Recordings in all their forms: who is heard on which side, what is cut out, appended, limited, in which format, and what a full disk does."""

import math
import os
import struct
import subprocess
import wave

import pytest

from lib.carrier import Carrier
from lib.engine import Engine

# The far end says 440 Hz for ever; we say 1000 Hz.
DIAL = """
local s = freeswitch.Session("sofia/gateway/acme/12125550100")
if not s:ready() then stream:write("failed") return end
s:setVariable("RECORD_MIN_SEC", "0")
local function v(name) stream:write(name .. "=" .. tostring(s:getVariable(name)) .. "\\n") end
local function us(ms) s:streamFile("tone_stream://%%(" .. ms .. ",0,1000)") end
local path = argv[1]
%s
s:hangup()
"""


@pytest.fixture(scope="module")
def record():
    """record(name, body) → (text, path of the file)"""
    carrier = Carrier(plan="match=* answer after=20ms tone=440\n")
    engine = Engine(slots=40, trunks={"acme": {"address": carrier.where}})

    def call(name, body, timeout=120.0):
        script = name.replace(".", "_") + ".lua"
        engine.write("scripts/" + script, DIAL % body)
        return engine.api("lua", script, engine.path(name), timeout=timeout), engine.path(name)

    call.engine = engine
    yield call
    engine.close()
    carrier.close()


def read(path):
    """(rate, list of channels)"""
    if not path.endswith(".wav"):
        out = path + ".read.wav"
        subprocess.run(["ffmpeg", "-loglevel", "error", "-y", "-i", path, out], check=True, timeout=30, stdin=subprocess.DEVNULL)
        path = out
    with wave.open(path) as f:
        n, channels = f.getnframes(), f.getnchannels()
        data = struct.unpack("<%dh" % (n * channels), f.readframes(n))
        return f.getframerate(), [data[c::channels] for c in range(channels)]


def level(samples, rate, hz, begin, end):
    part = samples[int(begin * rate):int(end * rate)]
    re = sum(x * math.cos(2 * math.pi * hz * i / rate) for i, x in enumerate(part))
    im = sum(x * math.sin(2 * math.pi * hz * i / rate) for i, x in enumerate(part))
    return 2 * math.hypot(re, im) / len(part) if part else 0


def there(samples, rate, hz, begin=0.3, end=0.9):
    return level(samples, rate, hz, begin, end) > 500


def test_mono_has_both_stereo_one_on_each_side_and_one_side_alone(record):
    body = """
    s:execute("record_session", path)
    s:setVariable("RECORD_STEREO", "true") s:execute("record_session", path .. ".stereo.wav") s:setVariable("RECORD_STEREO", "false")
    s:setVariable("RECORD_READ_ONLY", "true") s:execute("record_session", path .. ".read.wav") s:setVariable("RECORD_READ_ONLY", "false")
    s:setVariable("RECORD_WRITE_ONLY", "true") s:execute("record_session", path .. ".write.wav")
    us(1200) s:execute("stop_record_session", "all") s:sleep(200)"""
    text, path = record("sides.wav", body)
    rate, (mono,) = read(path)
    assert there(mono, rate, 440) and there(mono, rate, 1000)
    rate, (left, right) = read(path + ".stereo.wav")
    assert there(left, rate, 440) and not there(left, rate, 1000) and there(right, rate, 1000) and not there(right, rate, 440)
    rate, (alone,) = read(path + ".read.wav")
    assert there(alone, rate, 440) and not there(alone, rate, 1000)
    rate, (alone,) = read(path + ".write.wav")
    assert there(alone, rate, 1000) and not there(alone, rate, 440)


def test_paused_time_is_missing_and_masked_time_is_silent(record):
    body = """
    s:execute("record_session", path) s:execute("record_session", path .. ".masked.wav")
    s:sleep(600)
    s:execute("record_session_pause", path) s:execute("record_session_mask", path .. ".masked.wav")
    s:sleep(1000)
    s:execute("record_session_resume", path) s:execute("record_session_unmask", path .. ".masked.wav")
    s:sleep(600)
    s:execute("stop_record_session", "all") s:sleep(200)"""
    _, path = record("pause.wav", body)
    rate, (paused,) = read(path)
    assert 1.0 < len(paused) / rate < 1.6
    rate, (masked,) = read(path + ".masked.wav")
    assert 2.0 < len(masked) / rate < 2.6
    assert there(masked, rate, 440, 0.1, 0.5) and not there(masked, rate, 440, 0.8, 1.4) and there(masked, rate, 440, 1.8, 2.1)


def test_what_is_displaced_is_heard_alone_or_mixed_while_the_rest_plays_on(record):
    body = """
    s:setVariable("RECORD_WRITE_ONLY", "true") s:execute("record_session", path)
    s:execute("displace_session", "tone_stream://%%(800,0,300)") us(1500)
    s:execute("displace_session", "tone_stream://%%(5000,0,300) m +800") us(1500)
    s:execute("stop_record_session", "all") s:sleep(200)""".replace("%%", "%")
    _, path = record("displace.wav", body)
    rate, (sent,) = read(path)
    assert there(sent, rate, 300, 0.2, 0.6) and not there(sent, rate, 1000, 0.2, 0.6)
    assert there(sent, rate, 1000, 1.0, 1.3) and not there(sent, rate, 300, 1.0, 1.3)
    assert there(sent, rate, 300, 1.8, 2.1) and there(sent, rate, 1000, 1.8, 2.1)
    assert there(sent, rate, 1000, 2.6, 2.9) and not there(sent, rate, 300, 2.6, 2.9)
    assert 2.9 < len(sent) / rate < 3.5


def test_appended_limited_and_too_short(record):
    body = """
    s:setVariable("RECORD_APPEND", "true")
    for i = 1, 2 do s:execute("record_session", path) s:sleep(500) s:execute("stop_record_session", path) s:sleep(150) end
    s:setVariable("RECORD_APPEND", "false")
    s:execute("record_session", path .. ".limit.wav +1") s:sleep(1500)
    s:setVariable("RECORD_MIN_SEC", "3")
    s:execute("record_session", path .. ".short.wav") s:sleep(300) s:execute("stop_record_session", path .. ".short.wav") s:sleep(200)"""
    _, path = record("append.wav", body)
    rate, (twice,) = read(path)
    assert 0.9 < len(twice) / rate < 1.3
    rate, (limited,) = read(path + ".limit.wav")
    assert abs(len(limited) / rate - 1) < 0.05
    assert not os.path.exists(path + ".short.wav")


def test_formats_rate_and_title_tags(record):
    body = """
    for _, suffix in ipairs({ ".wav", ".flac", ".ogg", ".opus" }) do
      -- as in FreeSWITCH they are for the next recording alone
      s:setVariable("RECORD_TITLE", "a talk") s:setVariable("RECORD_ARTIST", "carillon") s:setVariable("RECORD_DATE", "2026")
      s:execute("record_session", path .. suffix)
    end
    s:setVariable("record_sample_rate", "16000") s:execute("record_session", path .. ".wide.wav")
    s:sleep(1200) s:execute("stop_record_session", "all") s:sleep(300)"""
    _, path = record("format", body)
    for suffix in (".wav", ".flac", ".ogg", ".opus", ".wide.wav"):
        rate, channels = read(path + suffix)
        assert rate == {".opus": 48000, ".wide.wav": 16000}.get(suffix, 8000)
        assert len(channels) == 1 and 1.0 < len(channels[0]) / rate < 1.5 and there(channels[0], rate, 440), suffix
    for suffix in (".wav", ".flac", ".ogg", ".opus"):
        text = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "format_tags:stream_tags", path + suffix], capture_output=True, text=True, timeout=20).stdout
        assert "a talk" in text, (suffix, text)


@pytest.mark.long
def test_ten_minutes_of_a_call_are_ten_minutes_of_recording(record):
    body = """
    s:setVariable("RECORD_READ_ONLY", "true") s:execute("record_session", path .. " +600")
    s:sleep(602000)"""
    _, path = record("long.wav", body, timeout=700.0)
    rate, (samples,) = read(path)
    assert abs(len(samples) / rate - 600) <= 0.02
    for second in range(5, 600, 60):
        assert there(samples, rate, 440, second, second + 0.5), second


def test_a_full_disk_ends_the_recording_and_the_script_is_told(record):
    engine = record.engine
    os.symlink("/dev/full", engine.path("full.sln"))
    body = """
    stream:write("file=" .. s:recordFile(path, 5) .. "\\n") v("record_failed") stream:write(tostring(s:ready()) .. "\\n")
    s:setVariable("record_failed", "")
    s:execute("record_session", path) s:sleep(800) v("record_failed") stream:write(tostring(s:ready()) .. "\\n")
    s:setVariable("RECORD_HANGUP_ON_ERROR", "true")
    s:execute("record_session", path) s:sleep(800) stream:write(tostring(s:ready()) .. "\\n")"""
    text, _ = record("full.sln", body)
    assert text.split() == ["file=0", "record_failed=disk", "true", "record_failed=disk", "true", "false"], text
    engine.wait_log("the disk refuses to take more")
    _, path = record("after.wav", 's:execute("record_session", path) s:sleep(500) s:execute("stop_record_session", path) s:sleep(200)')
    assert len(read(path)[1][0]) > 3000
