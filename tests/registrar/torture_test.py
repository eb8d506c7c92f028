"""Broken and hostile requests at a listener with users: each is answered or dropped, and nothing else happens."""

import random
import socket

import pytest

from lib import users
from lib.engine import wait_for
from lib.phone import Phone

REGISTER = """REGISTER sip:example.test SIP/2.0\r
Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{n};rport\r
Max-Forwards: 70\r
From: "A" <sip:1001@example.test>;tag=t{n}\r
To: <sip:1001@example.test>\r
Call-ID: c{n}@torture\r
CSeq: {n} REGISTER\r
Contact: "A" <sip:1001@127.0.0.1:{port};transport=udp>;expires=60;q=0.5, <sip:1001@[::1]:5060>\r
Authorization: Digest username="1001", realm="example.test", nonce="0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", uri="sip:example.test", response="6629fae49393a05397450978507c4ef1", algorithm=MD5, cnonce="x", qop=auth, nc=00000001\r
Expires: 600\r
Content-Length: 0\r
\r
"""
SUBSCRIBE = REGISTER.replace("REGISTER", "SUBSCRIBE").replace("Expires: 600\r\n", "Expires: 600\r\nEvent: message-summary;id=7\r\nAccept: application/simple-message-summary\r\n")
INVITE = REGISTER.replace("REGISTER", "INVITE").replace("Authorization:", "Proxy-Authorization:")


def mutated(text, random_):
    data = bytearray(text.encode())
    for _ in range(random_.randint(1, 6)):
        at = random_.randrange(len(data))
        how = random_.randrange(5)
        if how == 0:
            data[at] = random_.randrange(256)
        elif how == 1:
            del data[at:at + random_.randint(1, 40)]
        elif how == 2:
            data[at:at] = bytes([data[at]]) * random_.choice([2, 70, 300, 1100])
        elif how == 3:
            data[at:at] = random_.choice([b";", b",", b"<", b">", b'"', b"\r\n", b"\r\n ", b"%00", b"*", b"sip:", b"\\", b"fs_path=", b"4294967296", b"-1"])
        else:
            other = random_.randrange(len(data))
            data[at:at + 20] = data[other:other + 20]
        if not data:
            data = bytearray(b"x")
    return bytes(data)


@pytest.mark.parametrize("text", [REGISTER, SUBSCRIBE, INVITE], ids=["REGISTER", "SUBSCRIBE", "INVITE"])
def test_mutated_requests_neither_stop_the_broker_nor_register_anybody(engine, text):
    e = users.start(engine, {"requests_per_s": 100000})
    broker, random_ = e.pid("broker"), random.Random(3261)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        s.setblocking(False)
        port = s.getsockname()[1]
        for n in range(1, 2500):
            s.sendto(mutated(text.format(port=port, n=n), random_), ("127.0.0.1", e.sip_port))
            if n % 50 == 0:  # in step with the broker
                try:
                    while True:
                        s.recv(65535)
                except BlockingIOError:
                    pass
    p = Phone(e.sip_port, "1001", domain=users.DOMAIN, host="127.0.0.2")  # whoever sent all of that may call no more for a while
    try:
        wait_for(lambda: p.register().status == 200, 10, "a good REGISTER", e.all_text)
        assert e.api("sofia_contact", "1001@example.test").strip() == "sofia/internal/" + p.contact
        assert e.pid("broker") == broker
        assert p.call("who").status == 200
    finally:
        p.close()


def test_texts_of_all_sizes_are_refused_or_kept_within_their_bounds(engine):
    e = users.start(engine, {"requests_per_s": 100000})
    p = Phone(e.sip_port, "1001", domain=users.DOMAIN)
    try:
        for size in (60, 63, 64, 100, 127, 128, 250, 255, 256, 500, 1000, 4000):
            word = "a" * size
            for contact in ("sip:%s@127.0.0.1:%d" % (word, p.port), "sip:1001@%s" % word, "sip:1001@127.0.0.1:%d;p=%s" % (p.port, word)):
                assert p.register(contacts=[contact]).status in (200, 400), (size, contact[:20])
            assert p.register(headers=["User-Agent: " + word]).status == 200
            assert p.register(user=word).status in (401, 403)
            assert p.request("REGISTER", to="sip:%s@example.test" % word).status in (400, 403)
        assert p.request("REGISTER", headers=["Contact: *", "Expires: 0"]).status == 200
        many = ["sip:1001@127.0.0.1:%d" % (20000 + i) for i in range(30)]
        assert p.register(contacts=many).status == 400
        assert p.register(contacts=many[:10]).status == 200
        assert p.register(expires=4294967295).status == 200
    finally:
        p.close()
