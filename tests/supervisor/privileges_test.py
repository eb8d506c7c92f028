"""An engine that root starts becomes an own user's and keeps only what it needs."""

import os
import pwd
import subprocess

import pytest

from lib.campaign import settings
from lib.engine import wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
CAP_SYS_NICE, CAP_NET_BIND_SERVICE = 1 << 23, 1 << 10


def status_of(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def make(engine, carrier, user="nobody", **more):
    far = carrier(plan="match=* busy after=20ms")
    e = engine(start=False, **settings(far, cps=100, concurrent=50, slots=50, user=user, log={"file": "data/engine.log"}, **more))
    os.chmod(e.folder, 0o755)
    e.log_path = e.path("data", "engine.log")
    return e, far


def test_all_processes_are_the_users_and_cannot_get_more(engine, carrier):
    e, far = make(engine, carrier)
    e.start()
    nobody = pwd.getpwnam("nobody")
    pids = e.pids()
    assert set(pids) == {"supervisor", "broker", "control", "worker 0"}
    for name, pid in pids.items():
        status = status_of(pid)
        assert set(status["Uid"].split()) == {str(nobody.pw_uid)}, name
        assert set(status["Gid"].split()) == {str(nobody.pw_gid)}, name
        assert status["NoNewPrivs"] == "1", name
        assert int(status["CapEff"], 16) & ~CAP_SYS_NICE == 0, name
        assert int(status["CapBnd"], 16) & ~CAP_SYS_NICE == 0, name
    assert os.stat(e.path("data")).st_uid == os.stat(e.path("run")).st_uid == nobody.pw_uid
    # It works: calls, the ledger, a worker that is started again.
    dial = lambda: e.lua('local s = freeswitch.Session("sofia/gateway/acme/15552000001") stream:write(s:hangupCause())').strip()
    assert dial() == "USER_BUSY"
    e.kill("worker 0")
    wait_for(lambda: "worker 0" in e.pids() and e.pid("worker 0") != pids["worker 0"], 10, "a new worker")
    wait_for(lambda: e.cli("api", "status").returncode == 0, 10, "the new worker's answer")
    wait_for(lambda: dial() == "USER_BUSY", 10, "calls by the new worker")
    assert set(status_of(e.pid("worker 0"))["Uid"].split()) == {str(nobody.pw_uid)}


def test_a_port_below_1024_can_be_had(engine, carrier):
    probe = next(p for p in range(1023, 600, -1) if subprocess.run(["python3", "-c", "import socket as s; a=s.socket(); a.bind(('127.0.0.1', %d)); "
                 "b=s.socket(s.AF_INET, s.SOCK_DGRAM); b.bind(('127.0.0.1', %d))" % (p, p)], capture_output=True).returncode == 0)
    e, far = make(engine, carrier)
    e.config["sip"]["listen"][0]["port"] = probe
    e.write_config()
    e.start()
    assert int(status_of(e.pid("broker"))["CapEff"], 16) & CAP_NET_BIND_SERVICE
    e.wait_log(r"listener internal on 127.0.0.1:%d" % probe)


def test_an_unknown_user_and_a_wrong_one_are_told_with_the_mend(engine, carrier):
    e, far = make(engine, carrier, user="carillon-nosuch")
    e.start(wait=0)
    assert e.process.wait(10) != 0
    assert "useradd --system carillon-nosuch" in e.all_text()
    other = subprocess.run(["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", e.process.args[0], "start", "-c", e.config_path],
                           capture_output=True, text=True, timeout=20)
    assert other.returncode != 0
