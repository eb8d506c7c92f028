"""A telephone of our own for what SIPp and baresip do not play: registers with digest (RFC 7616, computed here), subscribes, calls, is called.

    phone = Phone(engine.sip_port, "1001", "secret", domain="example.test")
    phone.register().status                       # 200: asked for a password, answered
    phone.request("REGISTER", password="wrong")   # any request; .status .headers() .text
    phone.wait("NOTIFY", 2)                       # the second request of that kind that came, as text
    phone.silent = True                           # answers nothing any more

`contact` is what it says of itself; another address than its own is that of a telephone behind a NAT.
"""

import hashlib
import re
import socket
import threading
import time
import uuid


class Message:
    def __init__(self, text):
        self.text = text
        first = text.split("\r\n", 1)[0]
        self.status = int(first.split()[1]) if first.startswith("SIP/2.0") else 0
        self.method = "" if self.status else first.split()[0]
        self.uri = "" if self.status else first.split()[1]
        self.body = text.partition("\r\n\r\n")[2]

    def headers(self, name):
        return [m.group(1).strip() for m in re.finditer(r"(?im)^%s[ \t]*:(.*?)\r?$" % re.escape(name), self.text.partition("\r\n\r\n")[0])]

    def header(self, name):
        found = self.headers(name)
        return found[0] if found else ""


def challenge_of(response):
    """The parameters of the first challenge of a 401 or 407."""
    line = (response.headers("WWW-Authenticate") + response.headers("Proxy-Authenticate"))[0]
    return {k.lower(): q or v for k, q, v in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', line)}


class Phone:
    def __init__(self, port, user, password="secret", domain="example.test", host="127.0.0.1", contact=None, server="127.0.0.1", answer=200):
        self.user, self.password, self.domain, self.server = user, password, domain, (server, port)
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((host, 0))
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp.bind((host, 0))
        self.host, self.port = self.sock.getsockname()
        self.contact = contact or "sip:%s@%s:%d" % (user, self.host, self.port)
        self.call_id, self.cseq, self.tag = "%s@phone" % uuid.uuid4().hex[:16], 0, uuid.uuid4().hex[:8]
        self.answer = answer          # of an INVITE; 0 = rings only
        self.reply_notify = 200
        self.silent = False
        self.came, self.responses = [], []
        self.nonce, self.nc = None, 0
        self.changed = threading.Condition()
        self.ended = False
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self):
        self.ended = True
        self.sock.close()
        self.rtp.close()

    # --- what comes ---

    def _serve(self):
        while not self.ended:
            try:
                data, source = self.sock.recvfrom(65535)
            except OSError:
                return
            message = Message(data.decode("utf-8", "replace"))
            with self.changed:
                if message.status:
                    self.responses.append(message)
                else:
                    again = any(m.method == message.method and m.header("CSeq") == message.header("CSeq") and m.header("Call-ID") == message.header("Call-ID")
                                for m in self.came)
                    if not again:
                        self.came.append(message)
                self.changed.notify_all()
            if message.method and not self.silent:
                try:
                    self._reply(message, source)
                except OSError:
                    return

    def sdp(self):
        return ("v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n"
                "a=rtpmap:101 telephone-event/8000\r\n" % (self.host, self.host, self.rtp.getsockname()[1]))

    def _reply(self, request, source):
        if request.method == "ACK":
            return
        if request.method == "INVITE":
            self.send_reply(request, source, 180, "Ringing")
            if self.answer == 200:
                self.send_reply(request, source, 200, "OK", self.sdp())
            elif self.answer:
                self.send_reply(request, source, self.answer, "No")
        elif request.method == "CANCEL":
            self.send_reply(request, source, 200, "OK")
            for invite in self.came:
                if invite.method == "INVITE" and invite.header("Call-ID") == request.header("Call-ID"):
                    self.send_reply(invite, source, 487, "Request Terminated")
        else:
            status = self.reply_notify if request.method == "NOTIFY" else 200
            self.send_reply(request, source, status, "OK" if status == 200 else "No")

    def send_reply(self, request, source, status, phrase, body=""):
        lines = ["SIP/2.0 %d %s" % (status, phrase)]
        for name in ("Via", "From", "To", "Call-ID", "CSeq", "Record-Route"):
            for value in request.headers(name):
                if name == "To" and "tag=" not in value:
                    value += ";tag=" + self.tag
                lines.append("%s: %s" % (name, value))
        lines.append("Contact: <%s>" % self.contact)
        if body:
            lines.append("Content-Type: application/sdp")
        lines.append("Content-Length: %d" % len(body))
        self.sock.sendto(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), source)

    def all(self, method):
        with self.changed:
            return [m for m in self.came if m.method == method]

    def wait(self, method, count=1, seconds=10):
        until = time.monotonic() + seconds
        with self.changed:
            while True:
                found = [m for m in self.came if m.method == method]
                if len(found) >= count:
                    return found[count - 1]
                left = until - time.monotonic()
                if left <= 0:
                    raise AssertionError("not %d %s after %s s; came: %s" % (count, method, seconds, [m.method for m in self.came]))
                self.changed.wait(left)

    # --- what it asks ---

    def send(self, method, uri=None, headers=(), body="", to=None, call_id=None, cseq=None, to_tag=""):
        """Sends one request; returns its CSeq."""
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        uri = uri or "sip:%s" % self.domain
        lines = ["%s %s SIP/2.0" % (method, uri), "Via: SIP/2.0/UDP %s:%d;branch=z9hG4bK%s;rport" % (self.host, self.port, uuid.uuid4().hex), "Max-Forwards: 70",
                 "From: <sip:%s@%s>;tag=%s" % (self.user, self.domain, self.tag), "To: <%s>%s" % (to or "sip:%s@%s" % (self.user, self.domain), to_tag),
                 "Call-ID: %s" % (call_id or self.call_id), "CSeq: %d %s" % (cseq, method), "User-Agent: phone.py"]
        lines += list(headers)
        if body:
            lines.append("Content-Type: application/sdp")
        lines.append("Content-Length: %d" % len(body))
        self.sock.sendto(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), self.server)
        return cseq

    def response(self, method, cseq, seconds=10, final=True):
        until = time.monotonic() + seconds
        with self.changed:
            while True:
                for r in self.responses:
                    if r.header("CSeq") == "%d %s" % (cseq, method) and (r.status >= 200 or not final):
                        return r
                left = until - time.monotonic()
                if left <= 0:
                    raise AssertionError("no answer to %s %d after %s s" % (method, cseq, seconds))
                self.changed.wait(left)

    def credentials(self, method, uri, challenge, password=None, nonce=None, nc=None, user=None, a1=None):
        sha = challenge.get("algorithm", "MD5") == "SHA-256"
        h = lambda text: (hashlib.sha256 if sha else hashlib.md5)(text.encode()).hexdigest()
        nonce = nonce or challenge["nonce"]
        if nonce != self.nonce:
            self.nonce, self.nc = nonce, 0
        self.nc += 1
        count = "%08x" % (self.nc if nc is None else nc)
        user = user or self.user
        a1 = a1 or h("%s:%s:%s" % (user, challenge["realm"], self.password if password is None else password))
        response = h("%s:%s:%s:0a4f:auth:%s" % (a1, nonce, count, h("%s:%s" % (method, uri))))
        return ('Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s", algorithm=%s, cnonce="0a4f", qop=auth, nc=%s'
                % (user, challenge["realm"], nonce, uri, response, challenge.get("algorithm", "MD5"), count))

    def request(self, method, uri=None, headers=(), body="", **auth):
        """A request, and once more with credentials if it is asked for them. auth: password=, nonce=, nc=, user=; to=, call_id=, to_tag=."""
        where = {k: auth.pop(k) for k in ("to", "call_id", "to_tag") if k in auth}
        uri = uri or "sip:%s" % self.domain
        first = self.response(method, self.send(method, uri, headers, body, **where))
        if first.status not in (401, 407):
            return first
        if method == "INVITE":
            self.ack(first, uri, where.get("to"), where.get("call_id"))
        name = "Authorization" if first.status == 401 else "Proxy-Authorization"
        mine = "%s: %s" % (name, self.credentials(method, uri, challenge_of(first), **auth))
        return self.response(method, self.send(method, uri, list(headers) + [mine], body, **where))

    def register(self, expires=600, contacts=None, headers=(), **auth):
        lines = ["Contact: <%s>" % c for c in (contacts or [self.contact])] + ["Expires: %d" % expires] + list(headers)
        return self.request("REGISTER", headers=lines, **auth)

    def ack(self, response, uri, to=None, call_id=None):
        cseq = int(response.header("CSeq").split()[0])
        lines = ["ACK %s SIP/2.0" % uri, response_via(response) if response.status >= 300 else
                 "Via: SIP/2.0/UDP %s:%d;branch=z9hG4bK%s;rport" % (self.host, self.port, uuid.uuid4().hex),
                 "Max-Forwards: 70", "From: " + response.header("From"), "To: " + response.header("To"), "Call-ID: " + response.header("Call-ID"),
                 "CSeq: %d ACK" % cseq, "Content-Length: 0"]
        self.sock.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), self.server)

    def call(self, number, **auth):
        """An INVITE with SDP; the final response (acknowledged)."""
        uri = "sip:%s@%s" % (number, self.domain)
        call_id = "%s@phone" % uuid.uuid4().hex[:16]
        final = self.request("INVITE", uri, ["Contact: <%s>" % self.contact], self.sdp(), to=uri, call_id=call_id, **auth)
        self.ack(final, uri)
        return final

    def bye(self, response):
        target = re.search(r"<(sip:[^>]+)>", response.header("Contact")).group(1)
        to = response.header("To")
        tag = re.search(r";tag=[^;>]+", to).group(0)
        address = re.search(r"<([^>]+)>", to).group(1)
        cseq = self.send("BYE", target, to=address, to_tag=tag, call_id=response.header("Call-ID"))
        return self.response("BYE", cseq)


def response_via(response):
    return "Via: " + response.header("Via")
