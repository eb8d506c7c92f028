"""SRTP end to end: with another engine of ours, and with baresip."""

import re
import shutil
import socket
import subprocess

import pytest

from lib import sounds
from lib.engine import Engine
from lib.ports import PortBlock, free_port

# Dials, plays a tone, records what comes back; tells what the media heard.
SCRIPT = """
local s = freeswitch.Session(argv[1])
if not s:ready() then stream:write("failed " .. s:hangupCause() .. "\\n") return end
s:setVariable("RECORD_READ_ONLY", "true")
s:setVariable("RECORD_MIN_SEC", "0")
s:execute("record_session", argv[2])
s:streamFile("tone_stream://%(2000,0,440)")
s:execute("stop_record_session", argv[2])
s:sleep(200)
s:hangup()
local function v(name) return tostring(s:getVariable("rtp_audio_" .. name)) end
stream:write("answered in=" .. v("in_packet_count") .. " out=" .. v("out_packet_count") .. " mos=" .. v("in_mos") .. "\\n")
"""

ECHO = """
session:answer()
session:execute("echo")
"""


def trunk(address, **more):
    return {"address": address, "inbound": {"script": "echo.lua"}, "cps": 100, **more}


def dial(engine, url, name):
    path = engine.path(name + ".wav")
    text = engine.api("lua", "dial.lua", url, path)
    return text, path


def frequency(samples, rate=8000):
    """From the lengths of single waves, the shortest and longest tenth left out: a gap, which a busy machine leaves, is one odd wave."""
    up = [i - samples[i] / (samples[i] - samples[i - 1]) for i in range(1, len(samples)) if samples[i - 1] < 0 <= samples[i]]
    waves = sorted(b - a for a, b in zip(up, up[1:]))
    waves = waves[len(waves) // 10:len(waves) - len(waves) // 10]
    return rate * len(waves) / sum(waves) if waves else 0


def heard(path):
    """Frequency of the middle second."""
    seconds, samples = sounds.read(path)
    middle, rate = len(samples) // 2, round(len(samples) / seconds)
    return frequency(samples[middle - rate // 2:middle + rate // 2], rate)


@pytest.fixture(scope="module")
def own():
    """An engine whose trunk is another engine, which sends back what it hears."""
    near, far = Engine(start=False, slots=40), Engine(start=False, slots=40)
    near.config["trunks"] = {"own": trunk(far.sip_address)}
    far.config["trunks"] = {"near": trunk(near.sip_address, srtp="optional")}
    for e in (near, far):
        e.write_config()
        e.write("scripts/dial.lua", SCRIPT)
        e.write("scripts/echo.lua", ECHO)
        e.start()
    near.far = far
    yield near
    near.close()
    far.close()


@pytest.mark.parametrize("suite", ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AES_256_CM_HMAC_SHA1_80", "AEAD_AES_128_GCM",
                                   "AEAD_AES_256_GCM"])
def test_each_suite_carries_a_tone_there_and_back(own, suite):
    text, path = dial(own, "{rtp_secure_media=mandatory:%s}sofia/gateway/own/12125550100" % suite, suite)
    assert "answered" in text, text + own.all_text()[-3000:] + own.far.all_text()[-3000:]
    assert abs(heard(path) - 440) < 3


def test_a_call_ends_with_its_rtp_audio_variables(own):
    text, _ = dial(own, "sofia/gateway/own/12125550100", "figures")
    packets_in, packets_out, mos = re.search(r"in=(\d+) out=(\d+) mos=(\d\.\d\d)", text).groups()
    assert 50 <= int(packets_in) <= 130 and 50 <= int(packets_out) <= 130 and float(mos) > 4, text


def test_optional_is_agreed_and_forbidden_stays_plain(own):
    for word in ("optional", "forbidden"):
        text, path = dial(own, "{rtp_secure_media=%s}sofia/gateway/own/12125550100" % word, word)
        assert "answered" in text and abs(heard(path) - 440) < 3


def test_who_insists_ends_a_call_that_is_answered_plainly(engine, carrier):
    c = carrier(plan="match=* answer after=50ms")
    e = engine(start=False, slots=20)
    e.config["trunks"] = {"acme": trunk(c.where, srtp="mandatory")}
    e.write_config()
    e.write("scripts/dial.lua", SCRIPT)
    e.start()
    text, _ = dial(e, "sofia/gateway/acme/12125550100", "plain")
    assert "failed" in text, text


BARESIP = """
sip_listen {host}:{sip}
audio_player aufile,/dev/null
snd_path {folder}
audio_source aufile,{source}
audio_srate {rate}
audio_channels 1
opus_stereo no
opus_sprop_stereo no
audio_alert aufile,/dev/null
ausrc_channels 1
rtp_ports {rtp}-{rtp_end}
module_path /usr/lib/baresip/modules
module g711.so
module opus.so
module g722.so
module srtp.so
module aufile.so
module sndfile.so
module_app account.so
module_app menu.so
"""


# What the engine does with the telephone's call.
TAKEN = """
session:answer()
session:setVariable("RECORD_READ_ONLY", "true")
session:setVariable("RECORD_MIN_SEC", "0")
session:execute("record_session", "%s")
session:streamFile("tone_stream://%%(2500,0,700)")
session:hangup()
"""


def own_address():
    """Not loopback, which baresip never names in its SDP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("203.0.113.1", 9))  # sends nothing
            return s.getsockname()[0]
        except OSError:
            pytest.skip("this machine has no address but loopback")


@pytest.mark.parametrize("word, codec, rate", [("srtp", "PCMU", 8000), ("srtp-mand", "G722", 16000), ("srtp-mand", "opus", 48000)])
def test_baresip_is_heard_and_hears_over_srtp(engine, tmp_path, word, codec, rate):
    """A telephone that we did not write calls with SRTP and plays 440 Hz; the trunk insists on SRTP."""
    if not shutil.which("baresip"):
        pytest.skip("baresip is not installed")
    sip, rtp, taken = free_port(), PortBlock(16).first, tmp_path / "taken.wav"
    source = sounds.tone(str(tmp_path / "source.wav"), 10, 440, rate)
    e = engine(start=False, slots=20)
    host = own_address()
    e.config["sip"]["listen"][0]["address"] = host
    e.config["media"]["addresses"] = [host]
    e.config["trunks"] = {"phone": {"address": "%s:%d" % (host, sip), "inbound": {"script": "taken.lua"}, "srtp": "mandatory", "codecs": [codec]}}
    e.write_config()
    e.write("scripts/taken.lua", TAKEN % taken)
    e.start()
    (tmp_path / "config").write_text(BARESIP.format(host=host, sip=sip, rate=rate, rtp=rtp, rtp_end=rtp + 15, folder=tmp_path, source=source))
    (tmp_path / "accounts").write_text("<sip:phone@%s:%d>;regint=0;mediaenc=%s;audio_codecs=%s\n" % (host, sip, word, codec if rate < 48000 else "opus/48000/1"))
    (tmp_path / "contacts").write_text("")
    with open(tmp_path / "log", "w") as log:
        subprocess.run(["baresip", "-f", str(tmp_path), "-e", "/dial sip:12125550100@%s:%d" % (host, e.sip_port), "-t", "5"], stdin=subprocess.DEVNULL,
                       stdout=log, stderr=subprocess.STDOUT, timeout=30)
    text = (tmp_path / "log").read_text()[-3000:] + e.all_text()[-2000:]
    assert taken.exists(), text
    assert abs(heard(str(taken)) - 440) < 3, text
    assert "SRTP" in text
    seconds, samples = sounds.read(str(next(tmp_path.glob("dump-*-dec.wav"))))  # what it heard
    loud = [i for i, x in enumerate(samples) if abs(x) > 2000]
    assert loud and abs(frequency(samples[loud[0]:loud[0] + len(samples) // 8], len(samples) / seconds) - 700) < 90, text
