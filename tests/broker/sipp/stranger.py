"""A scanner: well-formed and malformed requests from an address that is nobody's trunk. Nothing may come back.

    stranger.py PORT HOST:PORT      exit 0 = silence"""
import socket
import sys

host, port = sys.argv[2].split(":")
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.9", int(sys.argv[1])))
sock.settimeout(0.7)
VIA = f"Via: SIP/2.0/UDP 127.0.0.9:{sys.argv[1]};branch=z9hG4bKscan%d\r\n"
REST = "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: scan%d\r\nCSeq: 1 %s\r\nContact: <sip:a@127.0.0.9>\r\nContent-Length: 0\r\n\r\n"
for n, method in enumerate(("OPTIONS", "INVITE", "REGISTER", "BYE", "CANCEL", "NONSENSE")):
    sock.sendto((f"{method} sip:100@{host} SIP/2.0\r\n" + VIA % n + REST % (n, method)).encode(), (host, int(port)))
for junk in (b"OPTIONS sip:x SIP/2.0\r\n\r\n", b"INVITE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9\r\nContent-Length: -5\r\n\r\n", b"\x00" * 200, b"GET / HTTP/1.1\r\n\r\n"):
    sock.sendto(junk, (host, int(port)))
try:
    print(sock.recv(4096).decode(errors="replace"))
    sys.exit(1)
except TimeoutError:
    sys.exit(0)
