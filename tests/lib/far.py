"""A far end of a dozen lines that answers everything and remembers what came, for what SIPp and the carrier do not play.

    far = Far()                      # far.where: "127.0.0.1:40123"; Far("::1") for IPv6
    far.wait("INVITE", 2)            # the second INVITE, as text
"""

import re
import socket
import threading
import time


def header(text, name):
    found = re.search(r"(?im)^%s\s*:\s*(.*?)\s*$" % name, text)
    return found.group(1) if found else ""


def body(text):
    return text.partition("\r\n\r\n")[2]


class Far:
    transport = ""

    def __init__(self, address="127.0.0.1", answers=True, on=None):
        """on(far, text, peer): sees each message first; true = it has dealt with it (far.reply helps)."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.address, self.answers, self.on = address, answers, on
        self.sock, self.rtp = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_DGRAM)
        self.sock.bind((address, 0))
        self.rtp.bind((address, 0))
        self.rtp.settimeout(5)
        self.host = "[%s]" % address if ":" in address else address
        self.where = "%s:%d" % (self.host, self.sock.getsockname()[1])
        self.came = []
        self.ended = False
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _sdp(self, offer):
        way = "recvonly" if "a=sendonly" in offer else "sendrecv"
        return ("v=0\r\no=far 1 1 IN IP%d %s\r\ns=-\r\nc=IN IP%d %s\r\nt=0 0\r\nm=audio %d RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=%s\r\n" % (
            6 if ":" in self.address else 4, self.address, 6 if ":" in self.address else 4, self.address, self.rtp.getsockname()[1], way))

    def reply(self, text, peer, status, sdp="", tag="far", headers=()):
        """A response to the request `text`; sdp=True: the usual answer."""
        if sdp is True:
            sdp = self._sdp(body(text))
        sdp = sdp or ""
        lines = ["SIP/2.0 " + status]
        lines += ["%s: %s" % (name, header(text, name)) for name in ("Via", "From", "To", "Call-ID", "CSeq")]
        if ";tag" not in lines[3]:
            lines[3] += ";tag=" + tag
        lines += ["Contact: <sip:%s%s>" % (self.where, self.transport)] if not any(h.startswith("Contact:") for h in headers) else []
        lines += list(headers) + (["Content-Type: application/sdp"] if sdp else []) + ["Content-Length: %d" % len(sdp)]
        self._send("\r\n".join(lines) + "\r\n\r\n" + sdp, peer)

    def _send(self, text, peer):
        self.sock.sendto(text.encode(), peer)

    def _notify(self, refer, peer):
        """That the transfer worked (RFC 3515)."""
        text = "\r\n".join([
            "NOTIFY %s SIP/2.0" % re.search("<(.*?)>", header(refer, "Contact")).group(1), "Via: SIP/2.0/UDP %s;branch=z9hG4bKfar%d" % (self.where, len(self.came)),
            "From: " + header(refer, "To"), "To: " + header(refer, "From"), "Call-ID: " + header(refer, "Call-ID"), "CSeq: 7 NOTIFY", "Max-Forwards: 70",
            "Event: refer", "Subscription-State: terminated;reason=noresource", "Contact: <sip:%s>" % self.where, "Content-Type: message/sipfrag;version=2.0",
            "Content-Length: 16", "", "SIP/2.0 200 OK\r\n"])
        self._send(text, peer)

    def _serve(self):
        while not self.ended:
            try:
                data, peer = self.sock.recvfrom(65536)
            except OSError:
                return
            if self.ended:
                return
            self._take(data.decode("utf-8", "replace"), peer)

    def _take(self, text, peer):
        self.came.append((time.time(), text))
        method = text.split(" ", 1)[0]
        if self.on and self.on(self, text, peer):
            return
        if not self.answers or method in ("ACK", "SIP/2.0"):
            return
        if method == "REFER":
            self.reply(text, peer, "202 Accepted")
            self._notify(text, peer)
        else:
            self.reply(text, peer, "200 OK", self._sdp(body(text)) if method == "INVITE" else "")

    def request(self, invite, method, cseq, headers=(), sdp="", peer=None, tag="far"):
        """A request of ours in the dialog that `invite` (which came) began; the target is its Contact."""
        target = re.search("<(.*?)>", header(invite, "Contact")).group(1)
        where = re.search(r"@(\[.*?\]|[^:;>]+):?(\d*)", target)
        peer = peer or (where.group(1).strip("[]"), int(where.group(2) or 5060))
        to = header(invite, "To")
        lines = ["%s %s SIP/2.0" % (method, target), "Via: SIP/2.0/UDP %s;branch=z9hG4bK%s%d%d;rport" % (self.where, method, cseq, id(self)),
                 "From: " + to + ("" if ";tag=" in to else ";tag=" + tag), "To: " + header(invite, "From"), "Call-ID: " + header(invite, "Call-ID"),
                 "CSeq: %d %s" % (cseq, method), "Max-Forwards: 70", "Contact: <sip:%s>" % self.where]
        lines += list(headers) + (["Content-Type: application/sdp"] if sdp else []) + ["Content-Length: %d" % len(sdp)]
        self._send("\r\n".join(lines) + "\r\n\r\n" + sdp, peer)

    def invite(self, to, number="100", call_id="in-1@far", cseq=1, headers=(), sdp=True, method="INVITE", target=None, to_tag="", forwards=70):
        """A call of ours to ("127.0.0.1", port); in its dialog, too, with target and to_tag from a response."""
        sdp = self._sdp("") if sdp is True else sdp or ""
        host = "%s:%d" % to
        lines = ["%s %s SIP/2.0" % (method, target or "sip:%s@%s" % (number, host)), "Via: SIP/2.0/UDP %s;branch=z9hG4bK%s%d%s;rport" % (self.where, method, cseq, call_id.split("@")[0]),
                 "From: <sip:4711@%s>;tag=caller" % self.where, "To: <sip:%s@%s>%s" % (number, host, to_tag and ";tag=" + to_tag), "Call-ID: " + call_id,
                 "CSeq: %d %s" % (cseq, method), "Max-Forwards: %d" % forwards, "Contact: <sip:4711@%s>" % self.where]
        lines += list(headers) + (["Content-Type: application/sdp"] if sdp else []) + ["Content-Length: %d" % len(sdp)]
        self._send("\r\n".join(lines) + "\r\n\r\n" + sdp, to)

    def responses(self, cseq):
        """What came in answer to "7 UPDATE", newest last."""
        return [text for _, text in self.came if text.startswith("SIP/2.0 ") and header(text, "CSeq") == cseq]

    def wait_response(self, status, cseq, seconds=5.0):
        """The first response "183" to "1 INVITE"."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for text in self.responses(cseq):
                if text.startswith("SIP/2.0 %s" % status):
                    return text
            time.sleep(0.02)
        raise AssertionError("no %s to %s; came: %s" % (status, cseq, [text.split("\r\n")[0] for _, text in self.came]))

    def all(self, method):
        return [text for _, text in self.came if text.startswith(method + " ")]

    def wait(self, method, count=1, seconds=5.0):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if len(self.all(method)) >= count:
                return self.all(method)[count - 1]
            time.sleep(0.02)
        raise AssertionError("no %d. %s; came: %s" % (count, method, [text.split("\r\n")[0] for _, text in self.came]))

    def close(self):
        self.ended = True
        self.sock.sendto(b"", self.sock.getsockname())  # wakes the thread
        self.thread.join(5)
        self.sock.close()
        self.rtp.close()


def trunk(where, **more):
    return dict({"address": where, "cps": 50, "concurrent": 20, "caller_id": "15550100"}, **more)
