"""Other people's clients, unchanged and pinned, against a running engine: greenswitch (Python), modesl (JavaScript), eslgo (Go).

They are installed once, below .carillon/esl-clients, from the registries that their languages use; a machine without the
language or the registry skips them and says so.
"""

import os
import re
import shutil
import subprocess
import sys
import time

import pytest
from lib.esl_wire import Wire
from lib.ports import free_port

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "esl_clients")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STATE = os.path.join(ROOT, ".carillon", "esl-clients")


def sh(*words, cwd):
    try:
        done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=240)
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip("cannot install: %s" % error)
    if done.returncode != 0:
        pytest.skip("cannot install (%s): %s" % (" ".join(words), (done.stderr or done.stdout)[-300:]))


def installed(language):
    """Its folder with everything that it needs."""
    folder = os.path.join(STATE, language)
    os.makedirs(folder, exist_ok=True)
    shutil.copytree(os.path.join(HERE, language), folder, dirs_exist_ok=True)
    if language == "python" and not os.path.exists(os.path.join(folder, "done")):
        sh(sys.executable, "-m", "venv", "venv", cwd=folder)
        sh("venv/bin/pip", "install", "-q", "-r", "requirements.txt", cwd=folder)
        open(os.path.join(folder, "done"), "w").close()
    if language == "javascript" and not os.path.exists(os.path.join(folder, "node_modules", "modesl")):
        sh("npm", "ci", "--silent", cwd=folder)
    if language == "go":
        sh("go", "mod", "download", cwd=folder)
        subprocess.run(["go", "build", "-o", "client", "."], cwd=folder, check=True)
    return folder


def command(language, mode, port):
    if language == "go":
        return ["./client", mode, str(port)]
    if language == "javascript":
        return ["node", mode + ".js", str(port)]
    return ["venv/bin/python", mode + ".py", str(port)]


LANGUAGES = ["python", "javascript", "go"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_inbound_api_job_events_and_a_call(engine, language):
    folder, port = installed(language), free_port()
    engine(event_socket={"port": port})
    done = subprocess.run(command(language, "inbound", port), cwd=folder, capture_output=True, text=True, timeout=30)
    assert done.stdout.split("\n")[:3] == ["api hi", "job True" if language == "python" else "job true", "over True" if language == "python" else "over true"], (
        done.stdout + done.stderr)


def wait_listening(port):
    """Looks, and does not connect: these servers take every connection for a call."""
    until, row = time.monotonic() + 10, re.compile(r"^ *\d+: [0-9A-F]+:%04X \S+ 0A " % port, re.M)
    while time.monotonic() < until:
        with open("/proc/net/tcp") as f:
            if row.search(f.read()):
                return
        time.sleep(0.1)
    raise AssertionError("nothing listens at port %d" % port)


@pytest.mark.parametrize("language", LANGUAGES)
def test_outbound_runs_an_application_and_hangs_up(engine, language):
    folder, port, server_port = installed(language), free_port(), free_port()
    engine(event_socket={"port": port})
    watch = Wire(port).auth()
    watch.ask("event plain CHANNEL_HANGUP_COMPLETE")
    server = subprocess.Popen(command(language, "outbound", server_port), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait_listening(server_port)
        watch.put("bgapi originate null/x '&socket(127.0.0.1:%d async full)'\n\n" % server_port)
        over = watch.named("CHANNEL_HANGUP_COMPLETE")
        assert (over["Hangup-Cause"], over["variable_colour"]) == ("CALL_REJECTED", "blue")
    finally:
        server.kill()
        print(server.communicate()[0])
