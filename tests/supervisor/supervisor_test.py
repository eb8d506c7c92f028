"""The supervisor: starts, watches, restarts, drains, ends; what it finds from an engine that died."""

import os
import re
import signal
import subprocess
import time

from lib.engine import wait_for
from lib.paths import CARILLON


def test_start_makes_all_processes_and_stop_leaves_nothing(engine):
    e = engine(workers=2)
    assert set(e.pids()) == {"supervisor", "broker", "control", "worker 0", "worker 1"}
    assert os.path.exists("/dev/shm/carillon-" + e.name)
    assert e.stop(now=False) == 0
    assert not os.path.exists("/dev/shm/carillon-" + e.name)
    assert not os.path.exists(e.path("run", "control.sock"))
    assert "ended" in e.log()


def test_each_worker_is_pinned_within_the_inherited_cores(engine):
    e = engine()
    mine = os.sched_getaffinity(0)
    cores = os.sched_getaffinity(e.pid("worker 0"))
    assert len(cores) == 1 and cores <= mine


def test_whoever_dies_comes_back_in_a_second_and_one_line_says_why(engine):
    e = engine()
    for name in ("worker 0", "control", "broker"):
        before = e.pids()
        os.kill(before[name], signal.SIGKILL)
        killed = time.monotonic()
        wait_for(lambda: e.pids().get(name, before[name]) != before[name], 5, name + " again", e.all_text)
        assert time.monotonic() - killed < 1.5
        e.wait_ready(5)
        after = e.pids()
        assert {k: v for k, v in after.items() if k != name} == {k: v for k, v in before.items() if k != name}
        assert len(re.findall(r"%s \(pid %d\) was ended by signal 9 \(Killed\)" % (name, before[name]), e.log())) == 1
    assert e.stop() == 0


def test_a_role_that_dies_again_and_again_is_started_ever_more_slowly(engine):
    e = engine()
    for _ in range(5):
        pid = e.kill("control")
        wait_for(lambda: e.pids().get("control", pid) != pid, 5, "control again", e.all_text)
    assert "times in a row" in e.log() or "time in a row; it is started again in" in e.log()
    assert e.stop() == 0


def test_a_stopped_process_is_reported_but_not_killed(engine):
    e = engine()
    pid = e.kill("control", signal.SIGSTOP)
    try:
        e.wait_log(r"control \(pid %d\) gave no sign of life for 1\d s: it is stopped by a signal" % pid, 15)
        assert "STUCK" in e.status()
    finally:
        os.kill(pid, signal.SIGCONT)
    e.wait_log(r"control \(pid %d\) answers again" % pid, 5)
    assert e.pid("control") == pid


def test_the_death_of_the_supervisor_ends_its_children(engine):
    e = engine()
    children = [pid for name, pid in e.pids().items() if name != "supervisor"]
    e.process.kill()
    e.process.wait(5)
    wait_for(lambda: not any(os.path.exists("/proc/%d" % pid) for pid in children), 10, "children gone")


def test_a_new_start_takes_over_from_a_killed_engine(engine):
    e = engine()
    e.kill_all()
    dead = e.cli("status")
    assert dead.returncode == 1 and "DEAD" in dead.stdout
    assert e.cli("stop").returncode == 1
    e.start()
    assert "died without cleaning up" in e.log()
    wait_for(lambda: not os.path.exists("/dev/shm/carillon-%s-old" % e.name), 10, "the old segment is removed", e.all_text)
    assert e.stop() == 0


def test_a_second_engine_of_the_same_name_is_refused_and_harms_nothing(engine):
    e = engine()
    before = e.pids()
    second = e.cli("start", timeout=20)
    assert second.returncode == 1
    assert re.search(r"an engine of the name %s runs already \(pid %d\)" % (e.name, before["supervisor"]), e.all_text() + second.stderr)
    assert e.pids() == before


def test_the_configuration_that_children_see_does_not_change_under_them(engine):
    e = engine()
    e.write_config("this is no Lua")
    pid = e.kill("worker 0")
    wait_for(lambda: e.pids().get("worker 0", pid) != pid, 5, "worker again", e.all_text)
    e.wait_ready(5)


def test_sighup_opens_the_log_again(engine):
    e = engine()
    os.rename(e.log_path, e.log_path + ".1")
    e.send_signal(signal.SIGHUP)
    e.wait_log("supervisor.*log file opened again", 5)
    wait_for(lambda: re.search("control.*log file opened again", e.log()), 5, "children follow", e.all_text)


def test_sigterm_without_calls_ends_soon_and_two_end_at_once(engine):
    e = engine()
    started = time.monotonic()
    assert e.stop(now=False) == 0
    assert time.monotonic() - started < 5
    e.start()
    started = time.monotonic()
    assert e.stop(now=True) == 0
    assert time.monotonic() - started < 7


def test_systemd_is_told_when_it_is_ready(engine, tmp_path):
    import socket

    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(str(tmp_path / "notify"))
    s.settimeout(10)
    e = engine(env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
    assert s.recv(1000).startswith(b"READY=1\n")
    e.stop(now=False)
    assert s.recv(1000).startswith(b"STOPPING=1")


def test_top_shows_processes_once(engine):
    e = engine()
    done = e.cli("top", "--once")
    assert done.returncode == 0 and "worker 0" in done.stdout and "media %" in done.stdout


def test_status_needs_nobody_alive_to_answer(engine):
    e = engine()
    pids = e.pids()
    try:
        for name in ("broker", "control", "worker 0"):
            os.kill(pids[name], signal.SIGSTOP)
        started = time.monotonic()
        done = subprocess.run([CARILLON, "status", "-n", e.name], capture_output=True, text=True, timeout=5)
        assert done.returncode == 0 and time.monotonic() - started < 1
    finally:
        for name in ("broker", "control", "worker 0"):
            os.kill(pids[name], signal.SIGCONT)
