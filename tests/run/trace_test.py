"""`carillon trace`: a call's SIP from shared memory, as a ladder and as a capture, of a living engine and of a dead one."""

import os
import re
import socket
import struct
import subprocess
import time

import pytest

from lib.paths import CARILLON
from lib.ports import free_port

pytestmark = pytest.mark.skipif(not os.path.exists(CARILLON), reason=CARILLON + " is not built")


def trace(engine, *words):
    return subprocess.run([CARILLON, "trace", "-n", engine.name, *words], capture_output=True, text=True, timeout=20)


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def rungs(text):
    """[(sent, what)] of a ladder."""
    return [(m[1] == "─", m[2].strip()) for m in re.finditer(r"│([─◀])── (.+?) ─*[─▶]?│", text)]


def packets(path):
    """[(source, destination, payload)] of a capture."""
    data, out = open(path, "rb").read(), []
    assert struct.unpack("<IHHIIII", data[:24]) == (0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    at = 24
    while at < len(data):
        _, _, kept, length = struct.unpack("<IIII", data[at : at + 16])
        ip = data[at + 16 : at + 16 + kept]
        at += 16 + kept
        assert kept == length == struct.unpack(">H", ip[2:4])[0] and ip[9] == 17
        words = struct.unpack(">10H", ip[:20])
        total = sum(words)
        assert (total & 0xFFFF) + (total >> 16) in (0xFFFF, 0x1FFFE)
        source, destination, size, _ = struct.unpack(">4H", ip[20:28])
        assert size == kept - 20
        out.append(("%s:%d" % (socket.inet_ntoa(ip[12:16]), source), "%s:%d" % (socket.inet_ntoa(ip[16:20]), destination), ip[28:].decode()))
    return out


def test_a_call_is_seen_while_it_lives_afterwards_and_when_everything_died(engine, carrier, tmp_path):
    c = carrier(plan="match=* answer after=50ms")
    e = engine(trunks={"acme": {"address": c.where}})
    call = e.api("originate sofia/gateway/acme/15550123 &sleep(60000)").split()[1]
    live = trace(e, call)
    assert live.returncode == 0
    assert [w.split(" · ")[0] for _, w in rungs(live.stdout)][:2] == ["INVITE sip:15550123@" + c.where, "100 Trying"]
    call_id = re.search(r"Call-ID (\S+)", live.stdout).group(1)
    assert call in trace(e).stdout and call_id in trace(e).stdout  # the list of the latest calls
    # The broker dies; the next one goes on in the same trace, and ends the call.
    e.kill("broker")
    e.wait_ready()
    until(lambda: "adopted" in e.log() or "1 call" in e.log())
    e.api("uuid_kill " + call)
    until(lambda: rungs(trace(e, call).stdout)[-1] == (False, "200 OK"))
    done = trace(e, call)
    seen = rungs(done.stdout)
    assert [s for s, _ in seen] == [True, False, False, True, True, False]
    assert seen[3][1].startswith("ACK") and seen[4][1].startswith("BYE")
    until(lambda: "media   PCMU" in trace(e, call).stdout)
    found = re.search(r"media   PCMU, sent (\d+) packets, received (\d+), lost (\d+) .*\n\s+jitter [\d.]+ ms, round trip [\d.]+ ms, MOS ([\d.]+)", trace(e, call).stdout)
    assert int(found[1]) > 0 and int(found[2]) > 0
    whole = trace(e, "-m", call_id)
    assert "m=audio" in whole.stdout.split("100 Trying")[0]  # our own INVITE's body, too
    masked = trace(e, "-k", "-m", call)
    assert "sip:xxxxxx23@" in masked.stdout and "15550123" not in masked.stdout
    capture = str(tmp_path / "call.pcap")
    assert trace(e, "-w", capture, call).returncode == 0
    got = packets(capture)
    assert [g[2].split("\r\n")[0] for g in got][0].startswith("INVITE sip:15550123@") and len(got) == 6
    assert got[0][1] == c.where and got[1][0] == c.where and got[0][0] == e.sip_address
    assert got[0][2].endswith("a=sendrecv\r\n")
    nobody = trace(e, "no-such-call")
    assert nobody.returncode == 1 and "nothing of no-such-call is in the trace, which reaches back to 20" in nobody.stderr
    # All its processes are killed: the trace is still there.
    e.kill_all()
    assert rungs(trace(e, call).stdout) == seen
    assert oct(os.stat("/dev/shm/carillon_trace-" + e.name).st_mode & 0o777) == "0o640"
    e.start()  # another start, another trace
    assert trace(e, call).returncode == 1
    e.stop()
    assert not os.path.exists("/dev/shm/carillon_trace-" + e.name)
    gone = trace(e, call)
    assert gone.returncode == 1 and "it does not run" in gone.stderr


def test_calls_leaves_out_what_is_no_call_all_takes_it_off_takes_nothing(engine, carrier):
    options = "OPTIONS sip:x@%s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\nCall-ID: options-1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    for mode, seen in (("calls", 0), ("all", 2), ("off", None)):
        e = engine(trace=mode, trace_mb=1, sip={"listen": [{"name": "internal", "address": "127.0.0.1", "port": free_port(), "accept": "any"}]})
        port = e.config["sip"]["listen"][0]["port"]
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(5)
        sock.bind(("127.0.0.1", 0))
        sock.sendto((options % ("127.0.0.1:%d" % port, sock.getsockname()[1])).encode(), ("127.0.0.1", port))
        assert sock.recv(65536).startswith(b"SIP/2.0 200")
        sock.close()
        got = trace(e, "options-1")
        if seen is None:
            assert got.returncode == 1 and 'trace = "off"' in got.stderr
        else:
            assert len(rungs(got.stdout)) == seen, got.stderr
        e.stop()
