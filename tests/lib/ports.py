"""Free ports. Single ones are found by binding; ranges for RTP are blocks that a lock file reserves, so that several
test runs on one machine do not meet."""

import fcntl
import os
import socket
import tempfile

BLOCK = 500
FIRST = 17000  # below the kernel's ephemeral range, which begins at 32768
LAST = 31999


def free_port(address="127.0.0.1"):
    """A port that is free for both UDP and TCP at this moment, below the ephemeral range's usual begin where possible."""
    for _ in range(200):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        tcp = socket.socket(family, socket.SOCK_STREAM)
        udp = socket.socket(family, socket.SOCK_DGRAM)
        try:
            tcp.bind((address, 0))
            port = tcp.getsockname()[1]
            udp.bind((address, port))
            return port
        except OSError:
            continue
        finally:
            tcp.close()
            udp.close()
    raise AssertionError("no free port")


class PortBlock:
    """first..last, even..odd, held until release() or the end of this process."""

    def __init__(self, ports=BLOCK):
        folder = os.path.join(tempfile.gettempdir(), "carillon-test-ports")
        os.makedirs(folder, mode=0o777, exist_ok=True)
        self.locks = []
        blocks = -(-ports // BLOCK)
        for start in range(FIRST, LAST + 1 - blocks * BLOCK, BLOCK):
            if not self._lock(folder, [start + BLOCK * i for i in range(blocks)]):
                continue
            self.first, self.last = start, start + blocks * BLOCK - 1
            if self._free():
                return
            self.release()
        raise AssertionError("no free block of %d ports" % ports)

    def _lock(self, folder, starts):
        for start in starts:
            fd = os.open(os.path.join(folder, str(start)), os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(fd)
                self.release()
                return False
            os.set_inheritable(fd, False)
            self.locks.append(fd)
        return True

    def _free(self):
        """No engine outside of the tests sits there."""
        for port in range(self.first, self.last + 1, 2):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    return False
        return True

    def release(self):
        for fd in self.locks:
            os.close(fd)
        self.locks = []
