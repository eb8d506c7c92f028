"""Keys as SIPp presses them: RFC 4733 from its own captures, SIP INFO with both bodies, and one press told in two ways; as sounds, made by ffmpeg."""

import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.engine import Engine
from lib.ports import free_port

PCAPS = "/usr/share/sip-tester"
pytestmark = pytest.mark.skipif(not (shutil.which("sipp") and os.path.isdir(PCAPS)), reason="needs sip-tester")

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="keys">
  <recv request="INVITE" crlf="true">
    <action>
      <ereg regexp="&lt;([^&gt;]*)&gt;" search_in="hdr" header="Contact:" assign_to="whole,contact"/>
      <ereg regexp=".*" search_in="hdr" header="From:" assign_to="caller"/>
      <ereg regexp=".*" search_in="hdr" header="To:" assign_to="called"/>
    </action>
  </recv>
  <Reference variables="whole,contact,caller,called"/>
  <send retrans="500"><![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:];tag=[pid]far[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      Contact: <sip:[local_ip]:[local_port];transport=[transport]>
      Content-Type: application/sdp
      Content-Length: [len]

      v=0
      o=far 5311 1 IN IP[local_ip_type] [local_ip]
      s=-
      c=IN IP[local_ip_type] [local_ip]
      t=0 0
      m=audio %s RTP/AVP 0%s
      a=rtpmap:0 PCMU/8000
      %s
      a=sendrecv

  ]]></send>
  <recv request="ACK" crlf="true"/>
  <pause milliseconds="700"/>
"""
TAIL = """
  <recv request="BYE" crlf="true"/>
  <send><![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:]
      [last_Call-ID:]
      [last_CSeq:]
      Content-Length: 0

  ]]></send>
</scenario>
"""


def event(key):
    return '<nop><action><exec play_pcap_audio="%s/dtmf_2833_%s.pcap"/></action></nop>' % (PCAPS, {"*": "star", "#": "pound"}.get(key, key))


def info(kind, body, number):
    return """<send><![CDATA[
      INFO [$contact] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: [$called];tag=[pid]far[call_number]
      To: [$caller]
      [last_Call-ID:]
      CSeq: %d INFO
      Max-Forwards: 70
      Content-Type: %s
      Content-Length: [len]

      %s

  ]]></send>
  <recv response="200"/>""" % (number, kind, body)


def relay(key, number):
    return info("application/dtmf-relay", "Signal=%s\n      Duration=160" % key, number)


PAUSE = '<pause milliseconds="350"/>\n'
KEYS = "159*"
CALLS = {
    "events": PAUSE.join(event(k) for k in KEYS),
    "relay": PAUSE.join(relay(k, i + 1) for i, k in enumerate(KEYS)),
    "dtmf": PAUSE.join(info("application/dtmf", k, i + 1) for i, k in enumerate(KEYS)),
    "events and INFO": PAUSE.join(event(k) + relay(k, i + 1) for i, k in enumerate(KEYS)),
    "INFO and events": PAUSE.join(relay(k, i + 1) + '<pause milliseconds="40"/>' + event(k) for i, k in enumerate(KEYS)),
    "the same key twice": PAUSE.join(relay(k, i + 1) for i, k in enumerate("5599")),
    "sounds": "",
}
EXPECTED = {"the same key twice": "5599"}

SCRIPT = """
local s = freeswitch.Session("sofia/gateway/" .. argv[1] .. "/12125550100")
if not s:ready() then stream:write("failed " .. s:hangupCause()) return end
if argv[1] == "sounds" then s:execute("start_dtmf") end
local keys = s:getDigits(20, "", 4500)
stream:write("keys=" .. keys)
s:hangup()
"""


def sounds(target):
    """159* as pairs of sines for 80 ms each, in G.711 by ffmpeg."""
    pairs = [(697, 1209), (770, 1336), (852, 1477), (941, 1209)]
    parts = []
    for low, high in pairs:
        raw = subprocess.run(["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", "aevalsrc=0.2*sin(2*PI*%d*t)+0.2*sin(2*PI*%d*t):s=8000:d=0.08" % (low, high), "-c:a",
                              "pcm_mulaw", "-f", "mulaw", "-"], check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=30).stdout
        parts.append(raw + b"\xff" * 1600)
    data = b"\xff" * 8000 + b"".join(parts) + b"\xff" * 1600
    return [data[i:i + 160] for i in range(0, len(data) - 159, 160)]


class Talker(threading.Thread):
    def __init__(self, frames):
        super().__init__(daemon=True)
        self.frames = frames
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def run(self):
        _, target = self.socket.recvfrom(2000)
        begin = time.monotonic()
        for i, frame in enumerate(self.frames):
            time.sleep(max(0, begin + i * 0.02 - time.monotonic()))
            self.socket.sendto(struct.pack(">BBHII", 0x80, 0, i, i * 160, 9) + frame, target)


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    engine = Engine(start=False, slots=40)
    sipps, trunks = [], {}
    talker = Talker(sounds(None)) if shutil.which("ffmpeg") else None
    for name, body in CALLS.items():
        folder = tmp_path_factory.mktemp("keys")
        port, media, trunk = free_port(), free_port(), name.replace(" ", "")
        events = "" if name == "sounds" else " 101"
        rtp = str(talker.port) if name == "sounds" and talker else "[media_port]"
        head = HEAD % (rtp, events, "a=rtpmap:101 telephone-event/8000" if events else "a=ptime:20")
        (folder / "keys.xml").write_text(head + body + TAIL)
        sipps.append(subprocess.Popen(["sipp", "-sf", "keys.xml", "-i", "127.0.0.1", "-mi", "127.0.0.1", "-mp", str(media), "-p", str(port), "-nostdin", "-m", "1"], cwd=folder,
                                      stdout=subprocess.DEVNULL, stderr=(folder / "err").open("w")))
        trunks[trunk] = {"address": "127.0.0.1:%d" % port}
    engine.config["trunks"] = trunks
    engine.write_config()
    engine.write("scripts/dial.lua", SCRIPT)
    engine.start()
    if talker:
        talker.start()
    time.sleep(0.7)  # SIPp reads its captures before it answers
    try:
        with ThreadPoolExecutor(len(CALLS)) as pool:
            yield dict(zip(CALLS, pool.map(lambda name: engine.api("lua", "dial.lua", name.replace(" ", "")), CALLS)))
    finally:
        engine.close()
        for sipp in sipps:
            sipp.kill()
            sipp.wait()


@pytest.mark.parametrize("name", CALLS)
def test_each_press_is_heard_once_however_it_is_told(heard, name):
    if name == "sounds" and not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed")
    assert heard[name].strip() == "keys=" + EXPECTED.get(name, KEYS)
