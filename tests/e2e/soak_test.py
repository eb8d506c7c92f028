"""Many calls, and then many more: nothing grows, and the counters add up. CARILLON_SOAK_CALLS: other than 100,000."""

import os
import subprocess
import time
from collections import Counter

import pytest

from lib import books
from lib.campaign import settings, write_campaign, write_leads
from lib.engine import wait_for
from lib.paths import CARILLON

CALLS = int(os.environ.get("CARILLON_SOAK_CALLS", "100000"))
CPS = 250
LINGERED_S = 60
PLAN = """
weight=55  answer after=20..200ms talk=100..900ms digits=1@50..80ms
weight=5   answer after=20..100ms talk=3..6s
weight=20  busy after=20..100ms
weight=8   reject 404
weight=8   reject 480
weight=4   late200
"""
SCRIPT = """
session:streamFile("tone_stream://%(100,0,500)")
local digit = session:getDigits(1, "", 200)
local dbh = freeswitch.Dbh("sqlite://soak")
dbh:query("SELECT 1", function(row) digit = digit .. row["1"] end)
dbh:release()
local event = freeswitch.Event("CUSTOM", "soak::call")
event:addHeader("Digit", digit)
event:fire()
session:hangup()
"""


def pss_kb(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))


def look(e):
    """What could grow: memory, descriptors, threads of each process."""
    return {name: (pss_kb(pid), len(os.listdir("/proc/%d/fd" % pid)), len(os.listdir("/proc/%d/task" % pid))) for name, pid in e.pids().items()}


def slope(samples, name, what):
    """Growth per thousand calls, by least squares over the samples of the second half, from when the first transactions have lingered out (32 s)."""
    points = [(calls, seen[name][what]) for at, calls, seen in samples[len(samples) // 2:] if at > LINGERED_S]
    n = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return 1000 * sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


@pytest.mark.soak
def test_nothing_grows_over_a_hundred_thousand_calls_and_the_counters_add_up(engine, carrier):
    far = carrier("--media-ports", "16", plan=PLAN)
    e = engine(start=False, **settings(far, CPS, 1500, 1500))
    write_campaign(e, "soak", leads=write_leads(e.path("soak.csv"), CALLS), script=SCRIPT, retry={"USER_BUSY": False, "NORMAL_TEMPORARY_FAILURE": False})
    e.start()
    pids, samples, began = e.pids(), [], time.monotonic()
    with open(os.devnull, "wb") as null:
        run = subprocess.Popen([CARILLON, "campaign", "run", "soak"], stdout=null, stderr=null, cwd=e.folder, env=dict(e.env, CARILLON_CONFIG=e.config_path))
    try:
        until = time.monotonic() + CALLS / CPS * 4 + 120
        while run.poll() is None and time.monotonic() < until:
            samples.append((time.monotonic() - began, e.counters().get("calls_started", 0), look(e)))
            time.sleep(max(1.0, CALLS / CPS / 60))
    finally:
        if run.poll() is None:
            run.kill()
        run.wait()
    assert run.returncode == 0 and e.pids() == pids
    wait_for(lambda: e.counters().get("calls_active", 0) == 0, 60, "no call is left", e.status)

    # Nothing grows: of each process less than 50 bytes a call, and no descriptor and no thread for every thousand.
    report = {name: [round(slope(samples, name, what), 3) for what in range(3)] for name in pids}
    print("\nper 1,000 calls: KB, descriptors, threads:", report)
    for name, (kb, descriptors, threads) in report.items():
        assert kb < 50 and descriptors < 0.5 and threads < 0.5, (name, report, samples[0], samples[-1])

    # The counters add up, and so do the books.
    counters, rows = e.counters(), books.attempts(e)
    assert counters["calls_started"] == counters["calls_answered"] + counters["calls_failed"] == len(rows) == CALLS
    assert sum(Counter(row["disposition"] for row in rows).values()) == CALLS and Counter(row["state"] for row in rows) == {"done": CALLS}
    assert len(far.invites()) == CALLS
    assert counters.get("invites_refused", 0) == 0
