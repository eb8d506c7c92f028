"""The far end of far.py over TCP or TLS: a message per Content-Length, any number of connections.

    far = StreamFar()                                    # TCP
    far = StreamFar(context=certificates.server("a"))    # TLS; far.connections counts what was accepted
"""

import re
import socket
import threading

from .far import Far


class StreamFar(Far):
    def __init__(self, address="127.0.0.1", port=0, context=None, **options):
        self.listening = socket.create_server((address, port))
        self.context, self.connections, self.failures = context, 0, 0
        self.open = []
        super().__init__(address, **options)
        self.transport = ";transport=" + ("tls" if context else "tcp")
        self.where = "%s:%d" % (self.host, self.listening.getsockname()[1])
        self.acceptor = threading.Thread(target=self._accept, daemon=True)
        self.acceptor.start()

    def _accept(self):
        while not self.ended:
            try:
                plain, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._connection, args=(plain,), daemon=True).start()

    def _connection(self, plain):
        try:
            stream = self.context.wrap_socket(plain, server_side=True) if self.context else plain
        except OSError:
            self.failures += 1
            return
        self.connections += 1
        self.open.append(stream)
        buffered = b""
        while not self.ended:
            try:
                data = stream.recv(65536)
            except OSError:
                return
            if not data:
                return
            buffered += data
            while b"\r\n\r\n" in buffered:
                head, _, rest = buffered.partition(b"\r\n\r\n")
                if not head.strip():
                    buffered = rest
                    continue
                length = int((re.search(rb"(?im)^(?:content-length|l)\s*:\s*(\d+)", head) or [0, 0])[1])
                if len(rest) < length:
                    break
                buffered = rest[length:]
                self._take((head.lstrip() + b"\r\n\r\n" + rest[:length]).decode("utf-8", "replace"), stream)

    def _send(self, text, peer):
        peer.sendall(text.encode())

    def close(self):
        super().close()
        for stream in self.open:
            stream.close()
        self.listening.close()
