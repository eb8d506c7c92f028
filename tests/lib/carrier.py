"""The simulated carrier (bench/carrier) as a child of a test."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

from .children import popen
from .paths import CARRIER


class Carrier:
    """carrier = Carrier("--auth", "u:p:407", plan="match=* answer after=100ms"); carrier.where = "127.0.0.1:40123"."""

    def __init__(self, *options, plan=None, listen="127.0.0.1:0"):
        self.folder = tempfile.mkdtemp(prefix="crl-carrier-")
        self.book_path = os.path.join(self.folder, "book.jsonl")
        self.invites_path = os.path.join(self.folder, "invites.jsonl")
        words = [CARRIER, "--listen", listen, "--book", self.book_path, "--invites", self.invites_path]
        if plan is not None:
            path = os.path.join(self.folder, "plan.txt")
            with open(path, "w") as f:
                f.write(plan)
            words += ["--plan", path]
        self.stderr_path = os.path.join(self.folder, "stderr.log")
        with open(self.stderr_path, "wb") as err:
            self.process = popen(words + list(options), stdout=subprocess.PIPE, stderr=err, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            with open(self.stderr_path) as f:
                raise AssertionError("the carrier is not ready: %r %s" % (line, f.read()))
        self.where = line.split()[1]
        self.port = int(self.where.rsplit(":", 1)[1])

    def _lines(self, path):
        try:
            with open(path) as f:
                # The last line may be half written.
                return [json.loads(line) for line in f.read().split("\n")[:-1]]
        except FileNotFoundError:
            return []

    def book(self):
        """Finished calls so far, as dicts (see bench/carrier/README.md)."""
        return [line for line in self._lines(self.book_path) if "call_id" in line]

    def invites(self):
        """Every INVITE transaction so far."""
        return [line for line in self._lines(self.invites_path) if "call_id" in line]

    def wait_book(self, count, seconds=20.0):
        until = time.monotonic() + seconds
        while True:
            book = self.book()
            if len(book) >= count:
                return book
            if time.monotonic() > until:
                raise AssertionError("%d calls in the carrier's book after %s s, wanted %d" % (len(book), seconds, count))
            time.sleep(0.05)

    def stop(self):
        """Ends it; its totals as a dict."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=20)
        lines = [line for line in out.strip().split("\n") if line.startswith("{")]
        return json.loads(lines[-1]) if lines else {}

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate(timeout=10)
        if not os.environ.get("CARILLON_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)
