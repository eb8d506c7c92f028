"""An engine in a folder of its own, on free ports.

    engine = engine_factory(trunks={"acme": {"address": carrier.where}})     # started and ready
    engine.api("status")                                                     # text; raises if -ERR
    engine.cli("campaign", "import", "demo", "leads.csv")                    # CompletedProcess
    engine.pid("worker 0"), engine.kill("broker"), engine.wait_log(r"started again")
    engine.stop()
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import uuid

from .children import popen
from .lua import lua, merge
from .paths import CARILLON
from .ports import PortBlock, free_port


class Engine:
    def __init__(self, start=True, slots=200, config_text=None, env=None, addresses=1, **changes):
        """addresses: RTP uses so many loopback addresses, and for as many slots fewer ports."""
        # A short path: a unix socket's may have 107 characters.
        self.folder = tempfile.mkdtemp(prefix="crl-")
        self.name = "t-" + uuid.uuid4().hex[:10]
        self.ports = PortBlock(2 * -(-slots // addresses))
        self.sip_port = free_port()
        self.process = None
        self.env = dict(os.environ, **(env or {}))
        self.config_path = os.path.join(self.folder, "carillon.lua")
        self.log_path = os.path.join(self.folder, "engine.log")
        self.stderr_path = os.path.join(self.folder, "stderr.log")
        for sub in ("scripts", "campaigns", "sounds"):
            os.mkdir(os.path.join(self.folder, sub))
        self.config = merge(
            {
                "name": self.name,
                "data_dir": "data",
                "run_dir": "run",
                "workers": 1,
                "slots": slots,
                "numbers": {"default_country": "1", "countries": ["1"]},
                "limits": {"concurrent": slots, "drain_s": 30},
                "sip": {"listen": [{"name": "internal", "address": "127.0.0.1", "port": self.sip_port}]},
                "media": {"addresses": ["127.0.0.%d" % (i + 1) for i in range(addresses)], "port_first": self.ports.first, "port_last": self.ports.last},
                "event_socket": {"port": 0},  # its usual port is another engine's, perhaps
                "log": {"level": "info", "file": "engine.log"},
            },
            changes,
        )
        self.write_config(config_text)
        if start:
            self.start()

    # --- files ---

    def write_config(self, text=None):
        self.write("carillon.lua", text if text is not None else "return " + lua(self.config) + "\n")

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text):
        """A file below the engine's folder ("scripts/x.lua"); returns its absolute path."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    @property
    def sip_address(self):
        return "127.0.0.1:%d" % self.sip_port

    @property
    def ledger_path(self):
        return self.path("data", "ledger.db")

    # --- life ---

    def start(self, wait=15.0):
        """Starts it; with `wait`, until all its processes serve."""
        with open(self.stderr_path, "ab") as err:
            self.process = popen(
                [CARILLON, "start", "-c", self.config_path], stdin=subprocess.DEVNULL, stdout=err, stderr=err, env=self.env)
        if wait:
            self.wait_ready(wait)
        return self

    def wait_ready(self, seconds=15.0):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise AssertionError("the engine ended with %d:\n%s" % (self.process.returncode, self.all_text()))
            done = subprocess.run([CARILLON, "status", "-n", self.name, "--wait", "0.5"], capture_output=True, text=True, env=self.env)
            if done.returncode == 0:
                return
        raise AssertionError("the engine is not ready after %s s:\n%s" % (seconds, self.all_text()))

    def send_signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def stop(self, now=True, timeout=30.0):
        """Ends it; returns the exit code (None if it did not run)."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            if now:
                time.sleep(0.05)
                if self.process.poll() is None:
                    self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill_all()
                raise AssertionError("the engine did not end in %s s:\n%s" % (timeout, self.all_text()[-4000:]))
        return self.process.returncode

    def kill_all(self):
        """SIGKILL to all its processes, by their ids."""
        pids = list(self.pids().values())
        if self.process is not None and self.process.poll() is None:
            pids.append(self.process.pid)
        for pid in set(pids):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.process is not None:
            self.process.wait(10)

    def close(self):
        try:
            self.stop()
        finally:
            self.ports.release()
            for path in ("/dev/shm/carillon-" + self.name, "/dev/shm/carillon-" + self.name + "-old", "/dev/shm/carillon_trace-" + self.name):
                if os.path.exists(path):
                    os.unlink(path)
            if not os.environ.get("CARILLON_KEEP"):
                shutil.rmtree(self.folder, ignore_errors=True)

    # --- looking ---

    def status(self):
        return subprocess.run([CARILLON, "status", "-n", self.name], capture_output=True, text=True, env=self.env).stdout

    def pids(self):
        """{"broker": 123, "worker 0": 124, …} of those that live."""
        out = {}
        for line in self.status().splitlines():
            row = re.match(r"^(supervisor|broker|control|worker \d+)\s+(\d+)\s+(\S+)", line)
            if row and row.group(3) not in ("DEAD", "ended", "not"):
                out[row.group(1)] = int(row.group(2))
        return out

    def pid(self, name):
        return self.pids()[name]

    def kill(self, name, number=signal.SIGKILL):
        pid = self.pid(name)
        os.kill(pid, number)
        return pid

    def counters(self):
        return {row.group(1): int(row.group(2)) for row in re.finditer(r"^([a-z][a-z0-9_]+)\s+(\d+)(?:\s|$)", self.status(), re.M)}

    def wait_counter(self, name, at_least, seconds=10.0):
        return wait_for(lambda: self.counters().get(name, 0) >= at_least, seconds, "%s >= %d" % (name, at_least), self.all_text)

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def all_text(self):
        try:
            with open(self.stderr_path, encoding="utf-8", errors="replace") as f:
                return f.read() + self.log()
        except FileNotFoundError:
            return self.log()

    def wait_log(self, pattern, seconds=10.0):
        """The match, once the log or stderr has it."""
        return wait_for(lambda: re.search(pattern, self.all_text()), seconds, "log line %r" % pattern, self.all_text)

    # --- asking ---

    def cli(self, *words, timeout=120.0, check=False, **options):
        done = subprocess.run([CARILLON, *map(str, words)], capture_output=True, text=True, timeout=timeout, cwd=self.folder,
                              env=dict(self.env, CARILLON_CONFIG=self.config_path), **options)
        if check and done.returncode != 0:
            raise AssertionError("carillon %s: exit code %d\n%s%s\n%s" % (" ".join(map(str, words)), done.returncode, done.stdout, done.stderr, self.all_text()[-3000:]))
        return done

    def api(self, *words, timeout=120.0):
        """An API command's reply, with its line break; raises if the engine could not be asked (a -ERR reply is a reply)."""
        done = self.cli("api", *words, timeout=timeout)
        if done.stderr:
            raise AssertionError("carillon api %s: %s" % (" ".join(map(str, words)), done.stderr))
        return done.stdout

    def lua(self, text, *args, timeout=120.0):
        """Runs Lua text as a script (api lua) and returns what it wrote to `stream`."""
        path = self.write("scripts/t%s.lua" % uuid.uuid4().hex[:8], text)
        return self.api("lua", path, *args, timeout=timeout)


def wait_for(condition, seconds=10.0, what="condition", explain=None):
    """The first true value of condition()."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError("not after %s s: %s%s" % (seconds, what, "\n" + explain()[-4000:] if explain else ""))
        time.sleep(0.02)
