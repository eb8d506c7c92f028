"""Audio with peers that we did not write: SIPp answers, ffmpeg encodes what the far end says and decodes what it hears. The tone must come through
with its frequency, its level and the distance from noise that its codec leaves: call → far end, and far end → recording."""

import math
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
import wave
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib import ogg, sounds
from lib.engine import Engine
from lib.ports import free_port

HERE = os.path.dirname(os.path.abspath(__file__))
LEVEL = 8000
SECONDS = 3

pytestmark = pytest.mark.skipif(not (shutil.which("sipp") and shutil.which("ffmpeg")), reason="needs sip-tester and ffmpeg")


class Codec:
    def __init__(self, name, rtpmap, kind, rate, clock, frame_bytes, codec, form, snr_db, level_db, ptime=20, speaks=True):
        """kind: payload type. rate: of the audio. clock: RTP ticks in 20 ms. codec, form: ffmpeg's names. speaks: ffmpeg encodes it, too."""
        self.name, self.rtpmap, self.kind, self.rate, self.clock, self.frame_bytes = name, rtpmap, kind, rate, clock, frame_bytes
        self.codec, self.form, self.snr_db, self.level_db, self.ptime, self.speaks = codec, form, snr_db, level_db, ptime, speaks


# SNR: G.711 by ITU-T G.712 (33 dB); the others are what their coding leaves of a sine, less some decibels.
CODECS = {c.name + ("" if c.ptime == 20 else " %d ms" % c.ptime): c for c in [
    Codec("PCMU", "PCMU/8000", 0, 8000, 160, 160, "pcm_mulaw", "mulaw", 33, 0.5),
    Codec("PCMA", "PCMA/8000", 8, 8000, 160, 160, "pcm_alaw", "alaw", 33, 0.5),
    Codec("PCMA", "PCMA/8000", 8, 8000, 160, 160, "pcm_alaw", "alaw", 33, 0.5, ptime=30),
    Codec("L16", "L16/8000", 97, 8000, 160, 320, "pcm_s16be", "s16be", 50, 0.3),
    Codec("G722", "G722/8000", 9, 16000, 160, 160, "g722", "g722", 30, 0.7),
    Codec("GSM", "GSM/8000", 3, 8000, 160, 33, "gsm", "gsm", 25, 1),
    Codec("G729", "G729/8000", 18, 8000, 160, 20, "g729", "g729", 20, 1, speaks=False),
    Codec("opus", "opus/48000/2", 96, 16000, 960, None, "libopus", "ogg", 30, 0.5),
    Codec("opus", "opus/48000/2", 96, 16000, 960, None, "libopus", "ogg", 30, 0.5, ptime=40),
]}

SCRIPT = """
local s = freeswitch.Session("sofia/gateway/" .. argv[1] .. "/12125550100")
if not s:ready() then stream:write("failed " .. s:hangupCause()) return end
s:setVariable("RECORD_READ_ONLY", "true")
s:setVariable("RECORD_MIN_SEC", "0")
s:setVariable("record_sample_rate", argv[4])
s:execute("record_session", argv[2])
s:streamFile(argv[3])
s:execute("stop_record_session", argv[2])
s:sleep(200)
stream:write(tostring(s:getVariable("read_codec")))
s:hangup()
"""


def sine(path, hz, rate, seconds):
    with wave.open(path, "wb") as f:
        f.setnchannels(1)
        f.setsampwidth(2)
        f.setframerate(rate)
        f.writeframes(b"".join(struct.pack("<h", round(LEVEL * math.sin(2 * math.pi * hz * i / rate))) for i in range(int(seconds * rate))))
    return path


def ffmpeg(*words):
    subprocess.run(["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", *map(str, words)], check=True, timeout=60, stdin=subprocess.DEVNULL)


def frames_of(codec, folder):
    """700 Hz in the codec's payloads of 20 ms, made by ffmpeg."""
    source = sine(os.path.join(folder, "source.wav"), 700, codec.rate, SECONDS + 2)
    out = os.path.join(folder, "source." + codec.form)
    if codec.name == "opus":
        ffmpeg("-i", source, "-c:a", "libopus", "-b:a", "32k", "-frame_duration", "20", out)
        return ogg.read(out)
    ffmpeg("-i", source, "-c:a", "libgsm" if codec.name == "GSM" else codec.codec, "-f", codec.form, out)
    with open(out, "rb") as f:
        data = f.read()
    return [data[i:i + codec.frame_bytes] for i in range(0, len(data) - codec.frame_bytes + 1, codec.frame_bytes)]


def decoded(codec, payloads, folder):
    """What ffmpeg makes of the payloads that came: samples at the codec's rate."""
    coded, out = os.path.join(folder, "heard." + codec.form), os.path.join(folder, "heard.wav")
    if codec.name == "opus":
        ogg.write(coded, payloads, 48 * codec.ptime)
        ffmpeg("-c:a", "opus", "-i", coded, "-ar", codec.rate, "-ac", 1, out)
    else:
        with open(coded, "wb") as f:
            f.write(b"".join(payloads))
        shape = [] if codec.form in ("gsm", "g729", "g722") else ["-ar", codec.rate]
        ffmpeg("-f", codec.form, *shape, "-i", coded, "-ar", codec.rate, "-ac", 1, out)
    return sounds.read(out)[1]


def measure(samples, rate, hz):
    """(level, SNR in dB) of the quarter second in which the tone is clearest: a busy machine spoils some of them."""
    best = (0.0, -100.0)
    n = rate // 4
    for begin in range(0, len(samples) - n, n // 2):
        part = samples[begin:begin + n]
        re = sum(x * math.cos(2 * math.pi * hz * i / rate) for i, x in enumerate(part))
        im = sum(x * math.sin(2 * math.pi * hz * i / rate) for i, x in enumerate(part))
        energy = sum(x * x for x in part)
        tone = 2 * (re * re + im * im) / n
        if tone > n * LEVEL * LEVEL / 50:
            snr = 10 * math.log10(tone / max(energy - tone, 1))
            if snr > best[1]:
                best = (math.sqrt(2 * tone / n), snr)
    return best


class Far(threading.Thread):
    """The far end's RTP: sends frames to whoever calls, keeps what comes."""

    def __init__(self, codec, frames):
        super().__init__(daemon=True)
        self.codec, self.frames, self.heard, self.running = codec, frames, {}, True
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.002)
        self.port = self.socket.getsockname()[1]

    def run(self):
        target, begin, sent = None, 0, 0
        while self.running:
            try:
                packet, sender = self.socket.recvfrom(2000)
                if packet[1] & 0x7F == self.codec.kind:
                    self.heard[struct.unpack(">H", packet[2:4])[0]] = packet[12:]
                if target is None:
                    target, begin = sender, time.monotonic()
            except socket.timeout:
                pass
            while target and self.codec.speaks and sent < len(self.frames) and time.monotonic() >= begin + sent * 0.02:
                head = struct.pack(">BBHII", 0x80, self.codec.kind | (0x80 if sent == 0 else 0), sent, sent * self.codec.clock, 77)
                self.socket.sendto(head + self.frames[sent], target)
                sent += 1

    def payloads(self):
        """In order, over the wrap."""
        first = next(iter(self.heard))
        return [self.heard[s] for s in sorted(self.heard, key=lambda s: (s - first + 0x8000) & 0xFFFF)]


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """One call for each codec, all at once: name → (codec, folder, far, recording, what the script said)."""
    engine = Engine(start=False, slots=40)
    made, sipps, trunks = {}, [], {}
    for name, codec in CODECS.items():
        folder = str(tmp_path_factory.mktemp("peer"))
        far = Far(codec, frames_of(codec, folder) if codec.speaks else [])
        port, trunk = free_port(), name.replace(" ", "")
        sipps.append(subprocess.Popen(
            ["sipp", "-sf", os.path.join(HERE, "answer.xml"), "-i", "127.0.0.1", "-p", str(port), "-nostdin", "-m", "1", "-key", "rtp_port", str(far.port), "-key", "rtp_type",
             str(codec.kind), "-key", "rtp_map", codec.rtpmap, "-key", "rtp_ptime", str(codec.ptime)], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        trunks[trunk] = {"address": "127.0.0.1:%d" % port, "codecs": [codec.name]}
        made[name] = [codec, folder, far, os.path.join(folder, "recorded.wav"), trunk]
    engine.config["trunks"] = trunks
    engine.write_config()
    engine.write("scripts/dial.lua", SCRIPT)
    engine.start()
    for rate in (8000, 16000):
        sine(engine.path("tone%d.wav" % rate), 440, rate, SECONDS)
    try:
        for one in made.values():
            one[2].start()
        with ThreadPoolExecutor(len(made)) as pool:
            texts = list(pool.map(lambda one: engine.api("lua", "dial.lua", one[4], one[3], engine.path("tone%d.wav" % one[0].rate), str(one[0].rate)), made.values()))
        yield {name: (*one[:4], text) for (name, one), text in zip(made.items(), texts)}
    finally:
        for one in made.values():
            one[2].running = False
        engine.close()
        for sipp in sipps:
            sipp.kill()
            sipp.wait()


@pytest.mark.parametrize("name", CODECS)
def test_what_we_send_is_decoded_by_another_engine(calls, name):
    codec, folder, far, _, text = calls[name]
    assert text.strip().lower() == codec.name.lower(), text
    payloads = far.payloads()
    assert len(payloads) > SECONDS * 1000 / codec.ptime * 0.9
    if codec.frame_bytes:
        assert {len(p) for p in payloads} == {codec.frame_bytes * codec.ptime // 20}
    level, snr = measure(decoded(codec, payloads, folder), codec.rate, 440)
    print("%s sent: level %.0f of %d, SNR %.1f dB" % (name, level, LEVEL, snr))
    assert snr > codec.snr_db and abs(20 * math.log10(level / LEVEL)) < codec.level_db, (level, snr)


@pytest.mark.parametrize("name", [name for name, codec in CODECS.items() if codec.speaks])
def test_what_another_encoder_says_is_recorded(calls, name):
    codec, _, _, recorded, _ = calls[name]
    seconds, samples = sounds.read(recorded)
    assert abs(seconds - SECONDS) < 0.3
    level, snr = measure(samples, codec.rate, 700)
    print("%s recorded: level %.0f of %d, SNR %.1f dB" % (name, level, LEVEL, snr))
    assert snr > codec.snr_db and abs(20 * math.log10(level / LEVEL)) < codec.level_db, (level, snr)
