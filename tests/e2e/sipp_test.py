"""Against somebody else's SIP: a campaign into SIPp, and a call from SIPp that listens, presses keys and is hung up on."""

import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections import Counter

import pytest

from lib import books, sounds
from lib.campaign import error_lines, settings, write_campaign
from lib.engine import wait_for
from lib.ports import free_port

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sipp")
LONG = os.environ.get("CARILLON_LONG") == "1" or os.environ.get("CARILLON_TEST") in ("long", "soak")
LEADS, CPS, SLOTS = (10000, 300, 3900) if LONG else (600, 80, 1000)
SCRIPT = """
session:streamFile("ask.wav")
session:hangup()
"""

pytestmark = pytest.mark.skipif(shutil.which("sipp") is None, reason="SIPp is not installed (apt install sip-tester)")


class Sipp:
    def __init__(self, scenario, *words, folder, target=None, address="127.0.0.1"):
        self.port = free_port()
        self.where = "127.0.0.1:%d" % self.port
        self.log_path = os.path.join(folder, "sipp.log")
        command = ["sipp", *([target] if target else []), "-sf", os.path.join(HERE, scenario), "-i", address, "-p", str(self.port), "-nostdin",
                   "-trace_logs", "-log_file", self.log_path, "-trace_err", "-error_file", os.path.join(folder, "sipp.err"), *map(str, words)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)

    def lines(self):
        """{"INVITE": Counter of Call-IDs, …}"""
        out = {}
        with open(self.log_path, encoding="utf-8") as f:
            for line in f:
                what, _, call_id = line.strip().partition(" ")
                out.setdefault(what, Counter())[call_id] += 1
        return out

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@pytest.fixture
def sipp(tmp_path):
    made = []

    def factory(scenario, *words, **options):
        made.append(Sipp(scenario, *words, folder=str(tmp_path), **options))
        return made[-1]

    yield factory
    for one in made:
        one.close()


def test_a_campaign_into_sipp(sipp, engine):
    far = sipp("people.xml", "-rtp_echo", "-mp", free_port() & ~1, "-l", 5000)
    e = engine(**settings(far, CPS, SLOTS // 2, SLOTS))
    write_campaign(e, leads=LEADS, script=SCRIPT, retry={"USER_BUSY": {"after": "1s", "tries": 3}})
    e.cli("campaign", "run", "c", timeout=180, check=True)
    wait_for(lambda: e.counters()["calls_active"] == 0, 20, "no call left", e.all_text)
    far.close()  # writes out its log
    rows, leads = books.attempts(e), books.leads(e)
    seen = far.lines()
    assert set(seen["INVITE"]) == {row["id"] for row in rows}
    assert len({row["id"] for row in rows}) == len(rows)
    assert all(n == 1 for n in seen["INVITE"].values()), "INVITEs were repeated"
    by_id = {row["id"]: row for row in rows}
    assert set(seen["BUSY"]) == {id for id, row in by_id.items() if row["sip_status"] == 486 and row["cause"] == "USER_BUSY"}
    assert set(seen["BYE"]) == {id for id, row in by_id.items() if row["sip_status"] == 200 and row["cause"] == "NORMAL_CLEARING"}
    assert set(seen["BUSY"]) | set(seen["BYE"]) == set(by_id)
    assert len(seen["BUSY"]) > LEADS / 8 and len(seen["BYE"]) > LEADS / 2
    for row in rows:
        times = [row[t] for t in books.TIMES if row[t] is not None]
        assert times == sorted(times) and row["state"] == "done", row
    assert all(lead["state"] == "done" for lead in leads) and len(leads) == LEADS
    echoed = [row for row in rows if row["answer_us"] and row["packets_received"]]
    assert len(echoed) > LEADS / 4  # there was audio both ways
    assert error_lines(e) == []


# --- an incoming call ---------------------------------------------------------------------------------------------------


def ulaw(byte):
    """G.711: one byte → 16 bit."""
    byte = ~byte & 0xFF
    value = ((((byte & 0x0F) << 3) + 0x84) << ((byte >> 4) & 7)) - 0x84
    return -value if byte & 0x80 else value


class Ear(threading.Thread):
    """The caller's audio: hears, and presses keys by RFC 4733 once it has heard the prompt."""

    def __init__(self, keys, after_packets=20):
        super().__init__(daemon=True)
        self.keys, self.after = keys, after_packets
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.2)
        self.port = self.socket.getsockname()[1]
        self.heard, self.loud, self.stopping = 0, 0, False

    def press(self, where):
        sequence, stamp = 1, 8000
        for key in self.keys:
            event = "0123456789*#ABCD".index(key)
            for i in range(8):
                ended = 0x80 if i >= 5 else 0  # the end three times, RFC 4733 §2.5.1.4
                header = struct.pack(">BBHII", 0x80, 101 | (0x80 if i == 0 else 0), sequence, stamp, 0x1234567)
                self.socket.sendto(header + struct.pack(">BBH", event, ended | 10, 160 * (min(i, 5) + 1)), where)
                sequence += 1
                time.sleep(0.02)
            stamp += 4000
            time.sleep(0.15)

    def run(self):
        pressed = False
        while not self.stopping:
            try:
                packet, where = self.socket.recvfrom(2048)
            except socket.timeout:
                continue
            if len(packet) < 12 or packet[1] & 0x7F != 0:
                continue
            self.heard += 1
            self.loud += max(abs(ulaw(b)) for b in packet[12:]) > 2000
            if not pressed and self.loud >= self.after:
                pressed = True
                self.press(where)
        self.socket.close()


INBOUND = """
session:answer()
local digits = session:playAndGetDigits(2, 4, 1, 8000, "#", "ask.wav", "", "\\\\d+")
freeswitch.consoleLog("notice", "inbound " .. session:getVariable("destination_number") .. " pressed " .. digits .. "\\n")
session:streamFile("bye.wav")
session:hangup()
"""


def test_a_call_from_sipp_plays_takes_keys_and_hangs_up(sipp, engine):
    e = engine(trunks={"far": {"address": "127.0.0.1:9", "inbound": {"script": "inbound.lua"}}}, sounds_dir="sounds")
    e.write("scripts/inbound.lua", INBOUND)
    sounds.tone(e.path("sounds", "ask.wav"), 1.0)
    sounds.tone(e.path("sounds", "bye.wav"), 1.0, 600)
    ear = Ear("42#")
    ear.start()
    try:
        caller = sipp("caller.xml", "-s", "4711", "-m", 1, "-key", "media", ear.port, "-timeout", 40, target=e.sip_address)
        assert caller.process.wait(45) == 0, e.all_text()[-3000:]  # got our BYE
    finally:
        ear.stopping = True
        ear.join(5)
    e.wait_log(r"inbound 4711 pressed 42\b", 5)
    assert ear.heard >= 75 and ear.loud >= 50, (ear.heard, ear.loud)  # both sounds
    wait_for(lambda: e.counters()["calls_active"] == 0, 10, "no call left", e.all_text)
    assert e.counters()["calls_inbound"] == 1
    assert error_lines(e) == []


def test_a_call_from_a_stranger_is_dropped_and_counted(sipp, engine):
    e = engine(trunks={"far": {"address": "127.0.0.1:9", "inbound": {"script": "inbound.lua"}}})
    e.write("scripts/inbound.lua", INBOUND)
    before = e.counters()["sip_dropped"]
    caller = sipp("caller.xml", "-s", "4711", "-m", 1, "-key", "media", 6000, "-timeout", 3, "-max_retrans", 2, target=e.sip_address, address="127.0.0.2")
    assert caller.process.wait(30) != 0
    assert e.counters()["sip_dropped"] > before and e.counters()["calls_inbound"] == 0
