"""The operators' socket: framing, many clients, slow clients, clients that go away."""

import os
import socket
import stat
import struct
import threading
import time

import pytest


def pairs(**values):
    out = b""
    for name, value in values.items():
        n, v = name.encode(), value.encode()
        out += struct.pack("<II", len(n), len(v)) + n + b"\0" + v + b"\0"
    return out


def frame(**values):
    body = pairs(**values)
    return b"CRL1" + struct.pack("<I", len(body)) + body


class Client:
    def __init__(self, e):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.s.settimeout(20)
        self.s.connect(e.path("run", "control.sock"))

    def send(self, data):
        self.s.sendall(data)

    def read(self, n):
        data = b""
        while len(data) < n:
            more = self.s.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def reply(self):
        head = self.read(8)
        assert head[:4] == b"CRL1"
        body = self.read(struct.unpack("<I", head[4:])[0])
        out, at = {}, 0
        while at < len(body):
            n, v = struct.unpack_from("<II", body, at)
            at += 8
            out[body[at : at + n].decode()] = body[at + n + 1 : at + n + 1 + v]
            at += n + v + 2
        return out

    def ask(self, **values):
        self.send(frame(**values))
        return self.reply()


@pytest.fixture
def e(engine):
    return engine()


def test_the_socket_is_for_its_user_and_group_alone(e):
    mode = os.stat(e.path("run", "control.sock")).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o660


def test_one_connection_carries_many_requests_in_order(e):
    c = Client(e)
    c.send(frame(verb="ping") * 50)
    assert all(c.reply()["status"] == b"0" for _ in range(50))
    assert c.ask(verb="nonsense")["error"].startswith(b"unknown verb")
    c.send(frame(verb="engine", command="status") + frame(verb="ping"))
    c.reply()
    assert c.reply()["status"] == b"0"


def test_a_request_that_comes_byte_by_byte_is_answered(e):
    c = Client(e)
    for byte in frame(verb="ping"):
        c.send(bytes([byte]))
    assert c.reply()["status"] == b"0"


@pytest.mark.parametrize(
    "junk",
    [b"GET / HTTP/1.1\r\n\r\n", b"CRL1\xff\xff\xff\xff", b"CRL1" + struct.pack("<I", 12) + b"\xff" * 12, b"CRL1" + struct.pack("<I", 9) + struct.pack("<II", 1, 0xFFFFFFFF) + b"x"],
)
def test_junk_is_refused_and_harms_nobody(e, junk):
    c = Client(e)
    c.send(junk)
    assert c.reply()["status"] != b"0"
    assert Client(e).ask(verb="ping")["status"] == b"0"
    assert e.pids()["control"]


def test_a_client_that_says_half_a_request_stops_nobody(e):
    half = Client(e)
    half.send(frame(verb="ping")[:9])
    many = [Client(e) for _ in range(50)]
    started = time.monotonic()
    for c in many:
        assert c.ask(verb="ping")["status"] == b"0"
    assert time.monotonic() - started < 5


def test_clients_that_go_away_leave_nothing_behind(e):
    before = len(os.listdir("/proc/%d/fd" % e.pid("control")))
    for _ in range(100):
        c = Client(e)
        c.send(frame(verb="api", command="status", args=""))
        c.s.close()
    for _ in range(20):
        Client(e).ask(verb="ping")
    time.sleep(0.5)
    assert len(os.listdir("/proc/%d/fd" % e.pid("control"))) <= before + 2


def test_more_clients_than_allowed_are_closed_and_not_left_waiting(e):
    clients = [Client(e) for _ in range(256)]
    assert clients[-1].ask(verb="ping")["status"] == b"0"
    with pytest.raises((EOFError, ConnectionError)):
        Client(e).ask(verb="ping")
    for c in clients:
        c.s.close()
    time.sleep(0.2)
    assert Client(e).ask(verb="ping")["status"] == b"0"


def test_requests_of_several_clients_run_at_once(e):
    results = []

    def one():
        results.append(Client(e).ask(verb="api", command="status", args="")["status"])

    threads = [threading.Thread(target=one) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(30)
    assert results == [b"0"] * 20


def test_api_prints_the_reply_and_its_exit_code_says_err(e):
    done = e.cli("api", "status")
    assert done.returncode == 0 and done.stdout.strip()
    assert e.cli("api", "no_such_command_at_all").returncode == 1
    assert e.cli("api").returncode == 2


def test_without_an_engine_the_mend_is_said(e):
    e.stop()
    done = e.cli("api", "status")
    assert done.returncode == 1
    assert "no engine answers at" in done.stderr and "carillon start" in done.stderr
