"""A name server of the test's own: what it is told, over UDP on loopback (RFC 1035, 2782, 3403).

    dns = Dns({("sip.example.com", "SRV"): [...]})
    dns.add("_sip._udp.carrier.test", "SRV", priority, weight, port, "a.carrier.test")
    dns.add("a.carrier.test", "A", "127.0.0.1")
    dns.asked        # [("carrier.test", "NAPTR"), …]
"""

import ipaddress
import socket
import struct
import threading

TYPES = {"A": 1, "AAAA": 28, "SRV": 33, "NAPTR": 35}
NAMES = {number: name for name, number in TYPES.items()}


def name_write(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".") if p) + b"\0"


def text_write(text):
    return bytes([len(text)]) + text.encode()


def rdata(kind, values):
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(values[0]).packed
    if kind == "SRV":
        priority, weight, port, target = values
        return struct.pack("!HHH", priority, weight, port) + name_write(target)
    order, preference, flags, services, pattern, replacement = values
    return struct.pack("!HH", order, preference) + text_write(flags) + text_write(services) + text_write(pattern) + name_write(replacement)


class Dns:
    def __init__(self):
        self.records, self.asked, self.ttl, self.ended = {}, [], 60, False
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.where = "127.0.0.1:%d" % self.sock.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def add(self, name, kind, *values):
        self.records.setdefault((name.lower(), kind), []).append(values)

    def _serve(self):
        while True:
            data, peer = self.sock.recvfrom(4096)
            if self.ended:
                return
            if len(data) > 12:
                self.sock.sendto(self._answer(data), peer)

    def _answer(self, data):
        at, labels = 12, []
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode())
            at += 1 + data[at]
        question = data[12:at + 5]
        name, kind = ".".join(labels).lower(), NAMES.get(struct.unpack("!H", data[at + 1:at + 3])[0], "?")
        self.asked.append((name, kind))
        found = self.records.get((name, kind), [])
        known = any(n == name for n, _ in self.records)
        head = data[:2] + struct.pack("!HHHHH", 0x8580 | (0 if known else 3), 1, len(found), 0, 0)
        out = head + question
        for values in found:
            r = rdata(kind, values)
            out += b"\xc0\x0c" + struct.pack("!HHIH", TYPES[kind], 1, self.ttl, len(r)) + r
        return out

    def close(self):
        self.ended = True
        self.sock.sendto(b"", self.sock.getsockname())
        self.thread.join(5)
        self.sock.close()
