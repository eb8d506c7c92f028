"""The event socket as bytes: what a client sees before any library makes something nicer of it."""

import re
import socket
import time
from urllib.parse import unquote


class Message:
    """A header block and its body. `raw` is exactly what came."""

    def __init__(self, head, body):
        self.raw = head + b"\n\n" + body
        self.head = head.decode()
        self.body = body.decode()
        self.pairs = [tuple(line.split(": ", 1)) for line in self.head.split("\n")]
        self.headers = dict(self.pairs)

    @property
    def type(self):
        return self.headers.get("Content-Type")

    @property
    def reply(self):
        return self.headers.get("Reply-Text")

    def event(self):
        """A plain event's headers, decoded; `_body` if it has one."""
        head, _, rest = self.body.partition("\n\n")
        out = {k: unquote(v) for k, v in (line.split(": ", 1) for line in head.split("\n"))}
        if "Content-Length" in out:
            out["_body"] = rest
        return out


class Wire:
    def __init__(self, port, host="127.0.0.1", sock=None, timeout=10.0, receive_buffer=None):
        if sock is None:
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            if receive_buffer:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            until = time.monotonic() + timeout
            while True:
                try:
                    sock.connect((host, port))
                    break
                except ConnectionRefusedError:
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.05)
        self.sock = sock
        self.sock.settimeout(timeout)
        self.data = b""
        self.waiting = []  # events that came while a reply was waited for

    def close(self):
        self.sock.close()

    def put(self, text):
        self.sock.sendall(text if isinstance(text, bytes) else text.encode())

    def fill(self):
        more = self.sock.recv(1 << 20)
        if not more:
            raise EOFError(self.data)
        self.data += more

    def take(self, timeout=None):
        """The next message, whatever it is."""
        self.sock.settimeout(timeout or 10.0)
        while b"\n\n" not in self.data:
            self.fill()
        head, rest = self.data.split(b"\n\n", 1)
        length = re.search(rb"(?m)^Content-Length: (\d+)$", head)
        length = int(length.group(1)) if length else 0
        while len(rest) < length:
            self.fill()
            rest = self.data.split(b"\n\n", 1)[1]
        self.data = rest[length:]
        return Message(head, rest[:length])

    def end(self, timeout=10.0):
        """All bytes until the other side closes."""
        self.sock.settimeout(timeout)
        while True:
            try:
                self.fill()
            except EOFError:
                out, self.data = self.data, b""
                return out

    def answer(self, timeout=None):
        while True:
            message = self.take(timeout)
            if message.type in ("command/reply", "api/response", "auth/request"):
                return message
            self.waiting.append(message)

    def ask(self, command, *headers, body=None, timeout=None):
        text = "\n".join((command,) + headers) + "\n"
        if body is not None:
            text += "Content-Length: %d\n" % len(body.encode())
        self.put(text + "\n" + (body or ""))
        return self.answer(timeout)

    def auth(self, password="ClueCon"):
        greeting = self.take()
        assert greeting.raw == b"Content-Type: auth/request\n\n"
        assert self.ask("auth " + password).raw == b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n"
        return self

    def api(self, command, timeout=None):
        answer = self.ask("api " + command, timeout=timeout)
        assert answer.type == "api/response"
        return answer.body

    def event(self, want=None, timeout=10.0):
        """The next event (as headers) that `want` says yes to."""
        until = time.monotonic() + timeout
        while True:
            message = self.waiting.pop(0) if self.waiting else self.take(max(0.01, until - time.monotonic()))
            if message.type == "text/event-plain":
                event = message.event()
                if want is None or want(event):
                    return event

    def named(self, name, timeout=10.0):
        return self.event(lambda e: e["Event-Name"] == name or e.get("Event-Subclass") == name, timeout)

    def quiet(self, seconds=0.3):
        """Nothing comes for so long."""
        if self.waiting or self.data:
            return False
        self.sock.settimeout(seconds)
        try:
            self.fill()
        except TimeoutError:
            return True
        return False
