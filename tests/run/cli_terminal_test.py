"""`carillon cli`: a terminal on the event socket, in a real pseudo-terminal."""

import os
import pty
import re
import select
import subprocess
import time

import pytest

from lib.paths import CARILLON
from lib.ports import free_port

pytestmark = pytest.mark.skipif(not os.path.exists(CARILLON), reason=CARILLON + " is not built")
F2, TAB, UP, CTRL_C, CTRL_D = "\033OQ", "\t", "\033[A", "\003", "\004"


def run(*words, **options):
    return subprocess.run([CARILLON, "cli", *words], capture_output=True, text=True, timeout=30, **options)


class Terminal:
    """The program on a pseudo-terminal; `see` waits for what a person would read there, without escape sequences."""

    def __init__(self, engine, *words):
        pid, self.fd = pty.fork()
        if pid == 0:
            env = dict(os.environ, TERM="xterm-256color", HOME=engine.folder, LANG="C.UTF-8", LC_ALL="C.UTF-8")
            env.pop("NO_COLOR", None)
            os.execve(CARILLON, [CARILLON, "cli", "-c", engine.config_path, *words], env)
        self.pid, self.raw, self.at = pid, "", 0

    def type(self, text):
        os.write(self.fd, text.encode())

    def read(self, seconds):
        if select.select([self.fd], [], [], seconds)[0]:
            try:
                self.raw += os.read(self.fd, 65536).decode("utf-8", "replace")
            except OSError:
                return False
        return True

    @property
    def text(self):
        return re.sub(r"\033\[[0-9;?]*[A-Za-z]|\033[=>]|[\r\x00\x07]", "", self.raw)

    def see(self, pattern, seconds=10):
        """Waits for it behind what was seen before."""
        until = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.text[self.at:], re.S)
            if found:
                self.at += found.end()
                return found
            assert time.monotonic() < until and self.read(0.1), "not seen: %s in\n%s" % (pattern, self.text[self.at:])

    def end(self):
        """The exit code."""
        until = time.monotonic() + 10
        while time.monotonic() < until:
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        raise AssertionError("it does not end:\n" + self.text)


@pytest.fixture
def live(engine):
    port = free_port()
    made = engine(event_socket={"port": port, "password": "a secret of ours"}, log={"level": "debug", "file": "engine.log"}, workers=2)
    made.esl_port = port
    return made


def test_one_command_lines_from_a_pipe_and_clear_errors(live):
    one = run("-c", live.config_path, "-x", "version short")
    assert (one.returncode, one.stdout, one.stderr) == (0, "1.10.12\n", "")
    wrong = run("-c", live.config_path, "-x", "uuid_kill nobody")
    assert wrong.returncode == 1 and wrong.stdout.startswith("-ERR")
    several = run("-c", live.config_path, input="echo a\n\n  version short\n/event plain HEARTBEAT\n")
    assert several.returncode == 0
    assert several.stdout == "a\n1.10.12\n+OK event listener enabled plain\n"
    assert run("-c", live.config_path, input="/nothing\n").returncode == 1
    refused = run("-c", live.config_path, "-p", "guess", "-x", "status")
    assert refused.returncode == 1 and refused.stdout == "" and "refuses this password; event_socket.password" in refused.stderr
    nobody = run("-H", "127.0.0.1", "-P", str(free_port()), "-x", "status")
    assert nobody.returncode == 1 and "nothing listens at 127.0.0.1 port" in nobody.stderr and "does the engine run" in nobody.stderr
    other = run("-H", "127.0.0.1", "-P", str(live.esl_port), "-p", "a secret of ours", "-x", "echo elsewhere")
    assert other.stdout == "elsewhere\n"
    assert run("-x", "echo a\necho b", "-H", "127.0.0.1").returncode in (1, 2)


def test_the_terminal_edits_completes_remembers_and_shows_what_comes(live):
    t = Terminal(live, "-l", "info")
    t.see(r"Connected to 127\.0\.0\.1 .*carillon@\S+> ")
    assert "\033[1mcarillon@" in t.raw  # in colours
    t.type("echo hel" + "lx\b" + "o\n")
    t.see(r"\nhello\n")
    t.type("glob" + TAB)
    t.see(r"global_getvar.*global_setvar.*> global_")
    t.type("g" + TAB)
    t.see("global_getvar ")
    t.type("core_uuid\n")
    t.see(r"[0-9a-f]{8}-[0-9a-f]{4}-")
    call = re.match(r"\+OK (\S+)", live.api("originate null/x &park()")).group(1)
    t.type("uuid_getvar " + TAB)  # the one living call, in whichever worker
    t.see("uuid_getvar " + call)
    t.type("direction\n")
    t.see(r"\noutbound\n")
    t.type(F2)
    t.see(r"UP 0 years, .* session\(s\) max")
    # Events come while a line is half typed, and the line survives.
    t.type("/event plain CHANNEL_HANGUP_COMPLETE\n")
    t.see(r"event listener enabled plain")
    t.type("/filter Unique-ID %s\n" % call)
    t.see(r"filter added\. \[Unique-ID\]=\[%s\]" % call)
    t.type("echo half")
    t.see("echo half")
    live.api("uuid_kill " + call)
    t.see(r"Event-Name: CHANNEL_HANGUP_COMPLETE\n.*Unique-ID: %s\n.*echo half" % call)
    t.type(" and half\n")
    t.see(r"\nhalf and half\n")
    # Log lines, in their colour.
    t.type("log warning careful, now\n")
    t.see(r"careful, now.*WARNING [^\n]*careful, now\n")
    assert re.search(r"\033\[35m[^\n]*careful, now", t.raw)
    # A command that takes long is left to itself.
    t.type("msleep 1500\n")
    time.sleep(0.3)
    t.type(CTRL_C)
    t.see(r"it goes on; its reply is shown when it comes.*> ")
    t.type("echo meanwhile\n")
    t.see(r"\nmeanwhile\n")
    t.type("/help\n")
    t.see(r"/log LEVEL")
    t.type("/quit\n")
    assert t.end() == 0
    assert os.stat(live.path(".carillon_history")).st_mode & 0o077 == 0
    again = Terminal(live, "-q")
    again.see("> ")
    again.type(UP + UP)
    again.see("/quit.*help")  # kept for the next time; only what differs is drawn
    again.type("\n")
    again.see("/log LEVEL")
    again.type(CTRL_D)
    assert again.end() == 0


def test_the_terminal_says_that_the_engine_is_gone(live):
    t = Terminal(live, "-q")
    t.see("> ")
    live.stop()
    t.see("the engine closed the connection")
    assert t.end() == 1
