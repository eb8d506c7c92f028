"""Thousands of scripts wait on one worker at the same time, each in its own way, and all of them end right."""

import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.engine import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
EACH = 1250  # of four kinds
GOAL_KB = 24  # of a script with its call


def resident_kb(pid):
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+) kB", f.read()).group(1))


def start(engine, postgres_server):
    e = engine(slots=20, scripts={"database_connections": 50, "memory_mb": 64}, log={"level": "warning"})
    for name in ("suspended.lua", "suspend_all.lua"):
        shutil.copy(os.path.join(HERE, "scripts", name), e.path("scripts"))
    return e, postgres_server.new_database()


def run_all(e, url, each):
    """What the counting script printed, and the worker's memory with all scripts waiting above that without them, in KB."""
    waiting, go_on = e.path("waiting"), e.path("go-on")
    before = resident_kb(e.pid("worker 0"))
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(e.api, "lua", "suspend_all.lua", url, str(each), waiting, go_on, timeout=500)
        wait_for(lambda: os.path.exists(waiting) or result.done(), 300, waiting)
        grown = resident_kb(e.pid("worker 0")) - before
        open(go_on, "w").close()
        return result.result(500), grown


def expected(each):
    return "waited: %d\ndigits 123: %d\npop go: %d\nquery 42: %d\nsleep 0: %d\n" % (4 * each, each, each, each, each)


def test_a_hundred_of_each_end_right(engine, postgres_server):
    e, url = start(engine, postgres_server)
    printed, _ = run_all(e, url, 100)
    assert printed == expected(100)


@pytest.mark.long
def test_five_thousand_scripts_wait_on_one_worker_and_all_end_right(engine, postgres_server):
    e, url = start(engine, postgres_server)
    printed, grown = run_all(e, url, EACH)
    assert printed == expected(EACH)
    each_kb = grown / (4 * EACH)
    print("a waiting script with its call: %.1f KB of the worker's memory" % each_kb)
    assert each_kb <= GOAL_KB
    assert e.api("lua", "~stream:write(1 + 1)").strip() == "2"
