"""The simulated carrier, seen from outside: SIP by SIPp and by plain sockets, media by the carrier's own --place, and its book."""

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import time

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.join(os.environ.get("CARILLON_BIN_DIR", os.path.join(ROOT, "zig-out", "bin")), "carillon-carrier")

pytestmark = pytest.mark.skipif(not os.path.exists(BIN), reason=BIN + " is not built")


class Carrier:
    """One running carrier with its book in a temporary folder; ended by its own pid."""

    def __init__(self, folder, *options, listen="127.0.0.1:0"):
        self.book_path = os.path.join(folder, "book.jsonl")
        self.invites_path = os.path.join(folder, "invites.jsonl")
        self.process = subprocess.Popen(
            [BIN, "--listen", listen, "--book", self.book_path, "--invites", self.invites_path, *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            raise AssertionError("not ready: %r %r" % (line, self.process.stderr.read()))
        self.where = line.split()[1]
        host, port = self.where.rsplit(":", 1)
        self.address = (host.strip("[]"), int(port))

    def calls(self, want=1, seconds=5.0):
        """The book's calls, once there are `want` of them."""
        until = time.time() + seconds
        while True:
            with open(self.book_path) as f:
                lines = [json.loads(x) for x in f.read().split("\n")[:-1]]
            if len(lines) > want or time.time() > until:
                assert lines[0]["carrier"] == "carillon-carrier"
                assert len(lines) - 1 >= want, lines
                return lines[1:]
            time.sleep(0.02)

    def stop(self):
        """Ends it; returns its totals."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=10)
        assert self.process.returncode == 0, err
        return json.loads(out.strip().split("\n")[-1])

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def carrier(tmp_path):
    started = []

    def start(*options, **named):
        folder = tmp_path / str(len(started))
        folder.mkdir()
        started.append(Carrier(str(folder), *options, **named))
        return started[-1]

    yield start
    for c in started:
        c.kill()


class Phone:
    """A caller of plain sockets: builds requests by hand, so that each test says exactly what is on the wire."""

    count = 0

    def __init__(self, carrier, number, rport=True):
        Phone.count += 1
        self.to = carrier.address
        family = socket.AF_INET6 if ":" in self.to[0] else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        self.sock.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        self.sock.settimeout(5)
        self.ip, self.port = self.sock.getsockname()[:2]
        self.media = socket.socket(family, socket.SOCK_DGRAM)
        self.media.bind((self.ip, 0))
        self.media.settimeout(2)
        self.number, self.rport = number, rport
        self.call_id = "test-%d-%d-%d" % (os.getpid(), time.time_ns(), Phone.count)
        self.to_tag = ""
        self.branch = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()
        self.media.close()

    def host(self):
        return "[%s]" % self.ip if ":" in self.ip else self.ip

    def offer(self, types="0 101"):
        kind = "IP6" if ":" in self.ip else "IP4"
        return ("v=0\r\no=- 1 1 IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\nm=audio %d RTP/AVP %s\r\na=rtpmap:101 telephone-event/8000\r\n"
                % (kind, self.ip, kind, self.ip, self.media.getsockname()[1], types))

    def request(self, method, cseq, branch=None, body="", extra="", type_="application/sdp"):
        if branch is None:
            self.branch += 1
            branch = self.branch
        text = ("%s sip:%s@%s:%d SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;branch=z9hG4bK%s.%d%s\r\nMax-Forwards: 70\r\n"
                "From: \"A; <B\" <sip:4711@example.org>;tag=me%d\r\nTo: <sip:%s@example.org>%s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n"
                "Contact: <sip:me@%s:%d>\r\n%s"
                % (method, self.number, self.to[0], self.to[1], self.host(), self.port, self.call_id, branch, ";rport" if self.rport else "",
                   os.getpid(), self.number, ";tag=" + self.to_tag if self.to_tag else "", self.call_id, cseq, method, self.host(), self.port, extra))
        if body:
            text += "Content-Type: %s\r\n" % type_
        return (text + "Content-Length: %d\r\n\r\n%s" % (len(body), body)).encode()

    def send(self, data):
        self.sock.sendto(data, self.to)

    def receive(self, seconds=5):
        self.sock.settimeout(seconds)
        return self.sock.recv(65536).decode()

    def until(self, start, seconds=5):
        """The first message that begins so; others before it are dropped."""
        end = time.time() + seconds
        while time.time() < end:
            message = self.receive(max(0.01, end - time.time()))
            if message.startswith(start):
                tag = re.search(r"^To:.*;tag=([^;\r]+)", message, re.M)
                if tag and message.startswith("SIP/2.0"):
                    self.to_tag = tag.group(1)
                return message
        raise AssertionError("no %r" % start)

    def quiet(self, seconds):
        try:
            return self.receive(seconds)
        except socket.timeout:
            return None

    def invite(self, **named):
        data = self.request("INVITE", 1, body=named.pop("body", self.offer()), **named)
        self.send(data)
        return data

    def answer(self, data):
        """Answers a request of the carrier with 200."""
        keep = "".join(line + "\r\n" for line in data.split("\r\n") if re.match(r"(Via|From|To|Call-ID|CSeq):", line))
        self.send(("SIP/2.0 200 OK\r\n%sContent-Length: 0\r\n\r\n" % keep).encode())

    def rtp(self, seq, ts, payload=b"\xff" * 160, type_=0, ssrc=77):
        return struct.pack("!BBHII", 0x80, type_, seq & 65535, ts & 0xffffffff, ssrc) + payload


def connect(phone):
    """An answered call; returns where the carrier wants its media."""
    phone.invite()
    ok = phone.until("SIP/2.0 200")
    phone.send(phone.request("ACK", 1))
    return phone.to[0], int(re.search(r"^m=audio (\d+)", ok, re.M).group(1))


def hang_up(phone, cseq=2):
    phone.send(phone.request("BYE", cseq))
    phone.until("SIP/2.0 200")


def place(c, number, *options):
    """A call from a second carrier; returns its book's line."""
    path = c.book_path + ".place"
    subprocess.run([BIN, "--place", "sip:%s@%s" % (number, c.where), "--from", "4711", "--book", path, *options], check=True, timeout=30,
                   stdout=subprocess.DEVNULL)
    with open(path) as f:
        return json.loads(f.read().split("\n")[1])


def test_call_is_answered_with_media_and_booked(carrier):
    c = carrier("--rule", "answer after=150ms")
    with Phone(c, "4930123") as p:
        to = connect(p)
        for n in range(20):
            if n != 7:
                p.media.sendto(p.rtp(65530 + n, n * 160), to)
            if n == 9:
                p.media.sendto(p.rtp(65530 + n, n * 160), to)
            time.sleep(0.02)
        packet = p.media.recv(2000)
        assert len(packet) == 172 and packet[1] & 127 == 0
        hang_up(p)
        line = c.calls()[0]
    assert (line["number"], line["from"], line["end"], line["status"]) == ("4930123", "4711", "bye-in", 200)
    assert line["call_id"] == p.call_id
    assert line["source"] == "127.0.0.1:%d" % p.port
    rtp = line["rtp"]
    assert rtp["sent"] > 10
    assert (rtp["received"], rtp["missing"], rtp["duplicates"], rtp["reordered"]) == (20, 1, 1, 0)
    assert line["invite_us"] <= line["provisional_us"] <= line["answer_us"] <= line["ack_us"] <= line["bye_in_us"] <= line["end_us"]
    assert abs(line["invite_us"] - time.time() * 1e6) < 60e6
    with open(c.invites_path) as f:
        assert json.loads(f.readline())["call_id"] == p.call_id


@pytest.mark.skipif(not shutil.which("sipp"), reason="sipp is not installed")
@pytest.mark.parametrize("transport", ["u1", "t1"])
def test_sipp_calls_with_media_are_all_answered(carrier, tmp_path, transport):
    c = carrier("--rule", "answer after=20..100ms", "--tcp")
    subprocess.run(["sipp", c.where, "-sn", "uac", "-s", "4930123", "-i", "127.0.0.1", "-p", "0", "-t", transport, "-m", "50", "-r", "50", "-d", "300",
                    "-nostdin", "-timeout", "20s"], cwd=tmp_path, check=True, timeout=40, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    calls = c.calls(50)
    assert len(calls) == 50 and {x["end"] for x in calls} == {"bye-in"}
    assert {x["transport"] for x in calls} == {"udp" if transport == "u1" else "tcp"}
    assert all(x["rtp"]["sent"] > 5 for x in calls)
    assert c.stop()["malformed"] == 0


def test_busy_has_its_code_and_reason(carrier):
    c = carrier("--rule", "busy reason=Q.850;cause=17")
    with Phone(c, "1") as p:
        p.invite()
        assert "Reason: Q.850;cause=17" in p.until("SIP/2.0 486")
        p.send(p.request("ACK", 1, branch=1))
        line = c.calls()[0]
    assert (line["end"], line["status"], line["behaviour"]) == ("rejected", 486, "reject 486")


def test_503_carries_retry_after(carrier):
    c = carrier("--rule", "reject 503 retry-after=7")
    with Phone(c, "1") as p:
        p.invite()
        assert "Retry-After: 7\r\n" in p.until("SIP/2.0 503")


def test_no_answer_rings_until_cancel(carrier):
    c = carrier("--rule", "noanswer ring=10ms,200ms")
    with Phone(c, "1") as p:
        p.invite()
        p.until("SIP/2.0 180")
        p.until("SIP/2.0 180")
        assert p.quiet(0.7) is None
        p.to_tag = ""
        p.send(p.request("CANCEL", 1, branch=1))
        assert "CSeq: 1 CANCEL" in p.until("SIP/2.0 200")
        p.until("SIP/2.0 487")
        p.send(p.request("ACK", 1, branch=1))
        line = c.calls()[0]
    assert line["end"] == "cancelled" and line["status"] == 487 and line["cancel_us"] and line["answer_us"] is None


def test_late_200_crosses_the_cancel(carrier):
    c = carrier("--rule", "late200")
    with Phone(c, "1") as p:
        p.invite()
        p.until("SIP/2.0 180")
        p.to_tag = ""
        p.send(p.request("CANCEL", 1, branch=1))
        assert "CSeq: 1 CANCEL" in p.until("SIP/2.0 200")
        assert "CSeq: 1 INVITE" in p.until("SIP/2.0 200")
        p.send(p.request("ACK", 1))
        hang_up(p)
        line = c.calls()[0]
    assert line["end"] == "bye-in" and line["cancel_us"] < line["answer_us"]


def test_early_media_then_failure(carrier):
    c = carrier("--rule", "early 486 after=600ms early=50ms early-sound=busytone")
    with Phone(c, "1") as p:
        p.invite()
        assert "m=audio" in p.until("SIP/2.0 183")
        assert len(p.media.recv(2000)) == 172
        p.until("SIP/2.0 486")
        p.send(p.request("ACK", 1, branch=1))
        assert c.calls()[0]["rtp"]["sent"] > 10


@pytest.mark.parametrize("code", [401, 407])
def test_digest_is_asked_for_and_checked(carrier, code):
    c = carrier("--rule", "answer after=10ms", "--auth", "bob:secret:%d" % code)

    def authorised(p, password):
        p.invite()
        challenge = p.until("SIP/2.0 %d" % code)
        p.send(p.request("ACK", 1, branch=1))
        p.to_tag = ""
        realm, nonce = re.search(r'realm="([^"]+)"', challenge).group(1), re.search(r'nonce="([^"]+)"', challenge).group(1)
        md5 = lambda s: hashlib.md5(s.encode()).hexdigest()
        uri = "sip:1@127.0.0.1"
        response = md5("%s:%s:00000001:abc:auth:%s" % (md5("bob:%s:%s" % (realm, password)), nonce, md5("INVITE:" + uri)))
        header = ('%s: Digest username="bob", realm="%s", nonce="%s", uri="%s", response="%s", qop=auth, nc=00000001, cnonce="abc"\r\n'
                  % ("Authorization" if code == 401 else "Proxy-Authorization", realm, nonce, uri, response))
        p.send(p.request("INVITE", 2, body=p.offer(), extra=header))

    with Phone(c, "1") as p:
        authorised(p, "secret")
        p.until("SIP/2.0 200")
        p.send(p.request("ACK", 2))
        hang_up(p, 3)
        line = c.calls()[0]
        assert [(x["credentials"], x["status"]) for x in line["invites"]] == [(False, code), (True, 200)]
    with Phone(c, "1") as p:
        authorised(p, "wrong")
        p.until("SIP/2.0 403")
        p.send(p.request("ACK", 2, branch=2))
        assert c.calls(2)[1]["end"] == "forbidden"
    assert place(c, "1", "--auth", "bob:secret", "--talk", "100ms")["end"] == "bye-out"


def test_200_is_repeated_until_ack_and_counted(carrier):
    c = carrier("--rule", "answer after=10ms", "--t1", "100", "--t2", "200")
    with Phone(c, "1") as p:
        p.invite()
        times = []
        for _ in range(4):
            p.until("SIP/2.0 200")
            times.append(time.time())
        gaps = [b - a for a, b in zip(times, times[1:])]
        assert 0.08 < gaps[0] < 0.18 and all(0.17 < g < 0.35 for g in gaps[1:]), gaps
        p.send(p.request("ACK", 1))
        assert p.quiet(0.6) is None
        hang_up(p)
        line = c.calls()[0]
    sent = [m for m in line["messages"] if m["what"] == "200" and m["of"] == "INVITE"]
    assert [m.get("again") for m in sent] == [3]


def test_200_without_ack_ends_in_bye(carrier):
    c = carrier("--rule", "answer after=0", "--t1", "10", "--t2", "40")
    with Phone(c, "1") as p:
        p.invite()
        p.answer(p.until("BYE "))
        assert c.calls()[0]["end"] == "no-ack"


def test_repeated_requests_get_the_same_answer_again(carrier):
    c = carrier("--rule", "answer after=10ms")
    with Phone(c, "1") as p:
        data = p.invite()
        first = p.until("SIP/2.0 200")
        p.send(data)
        assert p.until("SIP/2.0 200") == first
        p.send(p.request("ACK", 1))
        bye = p.request("BYE", 2)
        p.send(bye)
        first = p.until("SIP/2.0 200")
        line = c.calls()[0]
        p.send(bye)
        assert p.until("SIP/2.0 200") == first
        p.send(p.request("BYE", 3))
        p.until("SIP/2.0 481")
    invite = [m for m in line["messages"] if m["what"] == "INVITE"]
    assert len(invite) == 1 and invite[0]["again"] == 1
    assert c.stop()["invites"] == 1


def test_failure_is_repeated_until_ack(carrier):
    c = carrier("--rule", "reject 404", "--t1", "50")
    with Phone(c, "1") as p:
        p.invite()
        p.until("SIP/2.0 404")
        p.until("SIP/2.0 404")
        p.send(p.request("ACK", 1, branch=1))
        time.sleep(0.05)
        while p.quiet(0.3):
            pass
        assert c.calls()[0]["ack_us"]


def test_silent_and_nobye_answer_nothing(carrier):
    c = carrier("--rule", "match=1 silent", "--rule", "match=2 answer after=0 nobye", "--t1", "10")
    with Phone(c, "1") as p, Phone(c, "2") as q:
        p.invite()
        connect(q)
        bye = q.request("BYE", 2)
        q.send(bye)
        q.send(bye)
        assert p.quiet(0.3) is None and q.quiet(0.1) is None
        ends = {x["number"]: x for x in c.calls(2)}
    assert ends["1"]["end"] == "silent"
    assert ends["2"]["end"] == "nobye"
    assert [m.get("again") for m in ends["2"]["messages"] if m["what"] == "BYE"] == [1]


def test_carrier_hangs_up_with_a_reason_and_repeats_its_bye(carrier):
    c = carrier("--rule", "answer after=0 talk=100ms reason=Q.850;cause=16", "--t1", "50")
    with Phone(c, "1") as p:
        connect(p)
        first = p.until("BYE ")
        assert "Reason: Q.850;cause=16" in first
        assert p.until("BYE ") == first
        p.answer(first)
        line = c.calls()[0]
    assert line["end"] == "bye-out" and line["bye_status"] == 200


@pytest.mark.parametrize("how", ["rfc4733", "info", "info-dtmf"])
def test_digits_are_pressed_and_heard(carrier, how):
    c = carrier("--rule", "answer after=10ms digits=12#@300ms digits-by=" + how)
    other = place(c, "1", "--digits", "9*@200ms", "--digits-by", how, "--talk", "2s")
    line = c.calls()[0]
    assert (line["digits_out"], other["digits_in"]) == ("12#", "12#")
    assert (line["digits_in"], other["digits_out"]) == ("9*", "9*")
    assert all(p["duration_ms"] == 100 and p["by"] == how for p in line["presses_in"] if how != "info-dtmf")
    assert line["rtp"]["missing"] == other["rtp"]["missing"] == 0


def test_rfc4733_on_the_wire_ends_three_times(carrier):
    c = carrier("--rule", "answer after=0 digits=5@200ms")
    with Phone(c, "1") as p:
        connect(p)
        events = []
        end = time.time() + 1.0
        while time.time() < end:
            packet = p.media.recv(2000)
            if packet[1] & 127 == 101:
                events.append(packet)
        hang_up(p)
    assert len({x[4:8] for x in events}) == 1
    assert all(x[12] == 5 for x in events)
    assert [x[13] >> 7 for x in events] == [0] * 5 + [1] * 3
    assert events[0][1] & 128 and struct.unpack("!H", events[-1][14:16])[0] == 800


def test_no_answer_media_and_echo(carrier):
    c = carrier("--rule", "match=1 answer after=0 silence", "--rule", "match=2 answer after=0 echo")
    with Phone(c, "1") as p:
        connect(p)
        with pytest.raises(socket.timeout):
            p.media.settimeout(0.3)
            p.media.recv(2000)
        hang_up(p)
    with Phone(c, "2") as p:
        to = connect(p)
        mine = bytes(range(160))
        for n in range(5):
            p.media.sendto(p.rtp(n, n * 160, mine), to)
            time.sleep(0.02)
        assert mine in [p.media.recv(2000)[12:] for _ in range(15)]
        hang_up(p)


def test_reinvite_hold_and_new_port(carrier):
    c = carrier("--rule", "answer after=0 reinvite=port@100ms,hold@400ms")
    line = place(c, "1", "--talk", "1s")
    assert [m["what"] for m in line["messages"] if m["dir"] == "in" and m["what"] == "INVITE"] == ["INVITE", "INVITE"]
    assert c.calls()[0]["rtp"]["ssrc_changes"] == 0
    assert c.calls()[0]["rtp"]["missing"] == 0


def test_port_per_call(carrier):
    c = carrier("--rule", "answer after=0", "--port-per-call")
    assert place(c, "1", "--talk", "400ms", "--count", "10", "--rate", "50")["rtp"]["received"] > 5
    calls = c.calls(10)
    assert all(x["rtp"]["received"] > 5 and x["rtp"]["missing"] == 0 for x in calls)


def test_ipv6_compact_headers_and_several_vias(carrier):
    c = carrier("--rule", "answer after=0", listen="[::1]:0")
    with Phone(c, "1") as p:
        data = p.request("INVITE", 1, body=p.offer(), extra="Record-Route: <sip:[::1]:%d;lr>\r\nv: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx,\r\n SIP/2.0/UDP 10.0.0.2\r\n" % p.port)
        for long, short in ((b"Call-ID:", b"i:"), (b"From:", b"f:"), (b"\r\nTo:", b"\r\nt :"), (b"Content-Length:", b"l:")):
            data = data.replace(long, short)
        p.send(data)
        ok = p.until("SIP/2.0 200")
        assert "10.0.0.1;branch=z9hG4bKx" in ok and "SIP/2.0/UDP 10.0.0.2" in ok and "Record-Route: <sip:[::1]" in ok
        assert "rport=%d" % p.port in ok
        p.send(p.request("ACK", 1))
        hang_up(p)


def test_malformed_messages_are_counted_and_dropped(carrier):
    c = carrier("--rule", "answer after=0")
    with Phone(c, "1") as p:
        good = p.request("INVITE", 1, body=p.offer())
        bad = [b"hello", b"INVITE", b"\x00" * 100, good.replace(b"Call-ID", b"X-Call"), good.replace(b"CSeq: 1 INVITE", b"CSeq: x"), good.replace(b"Call-ID: test", b"Call-ID: te\x01st"), good.replace(b"tag=me", b"tag=m\te"),
               good.replace(b"SIP/2.0/UDP", b"FOO"), good[:200], good + b"x" * 20000, good.replace(b"Content-Length: ", b"Content-Length: 9"),
               b"INVITE sip:1@x SIP/2.0\r\n" + b"X: y\r\n" * 200 + b"\r\n"]
        for data in bad:
            p.send(data)
        assert p.quiet(0.3) is None
        connect(p)
        hang_up(p)
    assert c.stop()["malformed"] == len(bad)


def test_open_calls_are_in_the_book_at_the_end(carrier):
    c = carrier("--rule", "noanswer")
    with Phone(c, "1") as p:
        p.invite()
        p.until("SIP/2.0 180")
        c.stop()
        assert c.calls()[0]["end"] == "open"


def test_options_is_answered_and_unknown_dialogs_are_refused(carrier):
    c = carrier()
    with Phone(c, "1") as p:
        p.send(p.request("OPTIONS", 1))
        p.until("SIP/2.0 200")
        p.to_tag = "nobody"
        for n, method in enumerate(("BYE", "INVITE", "INFO")):
            p.send(p.request(method, 2 + n))
            p.until("SIP/2.0 481")


def test_plan_is_repeatable_and_weighted(carrier, tmp_path):
    plan = tmp_path / "plan.txt"
    plan.write_text("# two kinds\nmatch=+44* weight=30 busy ring=none after=0\nmatch=+44* weight=70 reject 404 ring=none after=0\nmatch=+49* reject 480 after=0\n")

    def statuses():
        c = carrier("--plan", str(plan), "--seed", "5")
        phones = [Phone(c, "+44%04d" % n) for n in range(60)] + [Phone(c, "+49")]
        for p in phones:
            p.invite()
            p.until("SIP/2.0 4")
            p.send(p.request("ACK", 1, branch=1))
            p.sock.close()
            p.media.close()
        return {x["number"]: x["status"] for x in c.calls(61)}

    first = statuses()
    assert first == statuses()
    assert first["+49"] == 480
    assert 6 <= list(first.values()).count(486) <= 30


@pytest.mark.parametrize("rule,words", [
    ("match=+44* dance", ["plan.txt:2:", "found 'dance'", "answer, busy, noanswer"]),
    ("answer aftr=3s", ["plan.txt:2:", "found 'aftr=3s'", "after="]),
    ("answer after=3", ["plan.txt:2:", "found 'after=3'", "300..1500ms"]),
    ("reject 200", ["plan.txt:2:", "found '200'", "300 to 699"]),
    ("reject", ["plan.txt:2:", "code"]),
    ("weight=5", ["plan.txt:2:", "found no kind"]),
    ("answer digits=x@1s", ["plan.txt:2:", "found 'digits=x@1s'", "1@1500ms"]),
    ("answer sound=missing.wav", ["plan.txt:2:", "missing.wav", "No such file"]),
])
def test_plan_errors_name_the_line_and_what_is_allowed(tmp_path, rule, words):
    plan = tmp_path / "plan.txt"
    plan.write_text("# a plan\n%s\n" % rule)
    done = subprocess.run([BIN, "--plan", str(plan)], capture_output=True, text=True, timeout=10)
    assert done.returncode == 1
    for word in words:
        assert word in done.stderr


def test_port_in_use_and_wrong_options_are_clear(carrier):
    c = carrier()
    done = subprocess.run([BIN, "--listen", c.where], capture_output=True, text=True, timeout=10)
    assert done.returncode == 1 and "choose another port" in done.stderr
    done = subprocess.run([BIN, "--t1", "fast"], capture_output=True, text=True, timeout=10)
    assert done.returncode == 2 and "a whole number from 1" in done.stderr
    assert "--book FILE" in subprocess.run([BIN, "--help"], capture_output=True, text=True, timeout=10).stdout


def test_calls_and_duration_end_it(tmp_path):
    done = subprocess.run([BIN, "--duration", "1"], capture_output=True, text=True, timeout=10)
    assert done.returncode == 0 and json.loads(done.stdout.strip().split("\n")[-1])["calls"] == 0


def test_tails_of_numbers_name_behaviours(carrier):
    c = carrier()
    for tail, status in (("99486", 486), ("99404", 404), ("99600", 600), ("99200", 200)):
        assert place(c, "4930" + tail, "--talk", "100ms")["status"] == status


def test_no_common_codec_is_488(carrier):
    c = carrier()
    with Phone(c, "1") as p:
        p.invite(body=p.offer("18 101"))
        p.until("SIP/2.0 488")


def test_codec_is_the_first_supported_of_the_offer(carrier):
    c = carrier("--rule", "answer after=0 tone=440")
    with Phone(c, "1") as p:
        p.invite(body=p.offer("18 8 0 101"))
        p.until("SIP/2.0 200")
        p.send(p.request("ACK", 1))
        packet = p.media.recv(2000)
        assert packet[1] & 127 == 8
        hang_up(p)
        assert c.calls()[0]["rtp"]["codec"] == "PCMA"


def test_offer_in_the_200_and_answer_in_the_ack(carrier):
    c = carrier("--rule", "answer after=0")
    with Phone(c, "1") as p:
        p.send(p.request("INVITE", 1))
        assert "RTP/AVP 0 8 101" in p.until("SIP/2.0 200")
        p.send(p.request("ACK", 1, body=p.offer("8 101")))
        assert p.media.recv(2000)[1] & 127 == 8
        hang_up(p)


def test_failover_with_the_same_call_id_is_a_line_of_its_own(carrier):
    c = carrier("--rule", "reject 503 after=0")
    with Phone(c, "1") as p:
        p.invite()
        p.until("SIP/2.0 503")
        p.to_tag = ""
        p.send(p.request("INVITE", 2, body=p.offer()))
        p.send(p.request("ACK", 1, branch=1))
        p.until("SIP/2.0 503")
        p.send(p.request("ACK", 2, branch=2))
        assert [x["call_id"] for x in c.calls(2)] == [p.call_id] * 2
