"""A far end that sends its 200 four times: each must be acknowledged, and the call must then be ended by one BYE.

SIPp cannot play this: it takes our equal ACKs for retransmissions and answers them by itself."""
import os
import re
import socket
import sys
import time

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", int(sys.argv[1])))
sock.settimeout(10)
SDP = "v=0\r\no=far 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n"


def header(text, name):
    return re.search(rf"^{name}:.*$", text, re.M).group(0).strip()


def response(request, status, body=""):
    lines = [f"SIP/2.0 {status}"] + [header(request, n) for n in ("Via", "From", "To", "Call-ID", "CSeq")]
    if ";tag" not in lines[3]:
        lines[3] += ";tag=again"
    lines += [f"Contact: <sip:127.0.0.1:{sys.argv[1]}>"]
    if body:
        lines += ["Content-Type: application/sdp"]
    return "\r\n".join(lines + [f"Content-Length: {len(body)}", "", body]).encode()


invite, peer = sock.recvfrom(4096)
invite = invite.decode()
acks = 0
for _ in range(4):
    sock.sendto(response(invite, "200 OK", SDP), peer)
    time.sleep(0.1)
open(os.environ["AGAIN_SENT"], "w").close()  # the test waits for it before it hangs up
while True:
    message, peer = sock.recvfrom(4096)
    message = message.decode()
    acks += message.startswith("ACK")
    if message.startswith("BYE"):
        sock.sendto(response(message, "200 OK"), peer)
        print(acks, "ACKs")
        sys.exit(0 if acks == 4 else 1)
