#!/usr/bin/env python3
"""What a call costs in signalling: the engine's campaign calls beside a bare sofia-sip nta loop with the same messages, interleaved.

    bench/signalling/signalling.py [--calls 1000] [--cps 200] [--rounds 5] [--json]

answered  INVITE, 100, 180, 200, ACK; a script that hangs up at once; BYE, 200.
busy      INVITE, 100, 486, ACK.

Per round and kind: the floor, then the engine, against the same simulated carrier. The engine's CPU is that of its processes between the
first INVITE and the last call's end, less what they use when idle in the same time. Figures are medians of the rounds.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tests"))
from lib.carrier import Carrier  # noqa: E402
from lib.engine import Engine  # noqa: E402
from lib.paths import CARILLON  # noqa: E402

FLOOR = os.path.join(os.path.dirname(CARILLON), "bench-signalling")
PLANS = {"answered": "match=* answer after=20ms sound=none ring=10ms\n", "busy": "match=* busy after=20ms ring=none\n"}
GOALS = {"broker": 1.5, "all": 2.0}


def cpu_us(pid):
    """Of all its threads, in microseconds."""
    total = 0
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/schedstat" % (pid, task)) as f:
            total += int(f.read().split()[0])
    return total / 1000


def usage(pids):
    return {name: cpu_us(pid) for name, pid in pids.items()}


def engine_start(carriers, cps):
    trunks = {kind: {"address": c.where, "cps": 2 * cps, "concurrent": 3000, "caller_id": "15550100"} for kind, c in carriers.items()}
    return Engine(slots=4000, addresses=8, trunks=trunks, limits={"concurrent": 4000, "cps": 10000, "drain_s": 5})


def campaign_write(engine, name, kind, calls, cps):
    rows = ", ".join('{ number = "1555%07d" }' % (2000000 + i) for i in range(calls))
    engine.write("scripts/hangup.lua", "session:hangup()")
    engine.write("campaigns/%s.lua" % name, """return { leads = { %s }, trunks = { "%s" }, caller_ids = { "15550100" }, pacing = { cps = %g, concurrent = 3000 },
      window = "always", retry = {}, max_attempts = 1, script = "hangup.lua" }""" % (rows, kind, cps))
    engine.cli("campaign", "import", name, check=True)


def idle_rate(pids, seconds=3.0):
    before = usage(pids)
    time.sleep(seconds)
    after = usage(pids)
    return {name: (after[name] - before[name]) / seconds for name in pids}


def engine_run(engine, name, kind, calls, cps, idle):
    campaign_write(engine, name, kind, calls, cps)
    time.sleep(1.0)
    pids = engine.pids()
    ended = lambda: (lambda c: c.get("calls_answered", 0) + c.get("calls_failed", 0))(engine.counters())
    goal = ended() + calls
    before, began = usage(pids), time.monotonic()
    done = subprocess.Popen([CARILLON, "campaign", "run", name, "--no-import"], cwd=engine.folder, stdout=subprocess.DEVNULL,
                            env=dict(engine.env, CARILLON_CONFIG=engine.config_path))
    done.wait(calls / cps * 3 + 60)
    after, took = usage(pids), time.monotonic() - began
    if ended() != goal:
        raise SystemExit("%d of %d calls ended" % (ended() - goal + calls, calls))
    return {p: max(0.0, after[p] - before[p] - idle[p] * took) / calls for p in pids}


def floor_run(where, calls, cps):
    out = subprocess.run([FLOOR, where, str(calls), str(cps)], capture_output=True, text=True, timeout=calls / cps * 3 + 60, check=True)
    return json.loads(out.stdout)["cpu_us"] / calls


def report(options, name, value, floor, goal=None):
    ratio = value / floor
    if options.json:
        print(json.dumps({"name": name, "value": round(value, 1), "unit": "us", "floor": round(floor, 1), "ratio": round(ratio, 3)}), flush=True)
    else:
        print("%-34s %8.1f us   floor %8.1f us   ratio %.2f%s" % (name, value, floor, ratio, "   goal %.1f" % goal if goal else ""), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--cps", type=float, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    carriers = {kind: Carrier("--media-ports", "8", plan=plan) for kind, plan in PLANS.items()}
    engine = engine_start(carriers, int(options.cps))
    floors, engines = {k: [] for k in PLANS}, {k: [] for k in PLANS}
    try:
        idle = idle_rate(engine.pids())
        for n in range(options.rounds):
            for kind in PLANS:
                floors[kind].append(floor_run(carriers[kind].where, options.calls, options.cps))
                engines[kind].append(engine_run(engine, "%s%d" % (kind, n), kind, options.calls, options.cps, idle))
    finally:
        engine.close()
        for carrier in carriers.values():
            carrier.close()
    for kind in PLANS:
        floor = statistics.median(floors[kind])
        report(options, "signalling %s, broker" % kind, statistics.median(run["broker"] for run in engines[kind]), floor, GOALS["broker"])
        report(options, "signalling %s, all processes" % kind, statistics.median(sum(run.values()) for run in engines[kind]), floor, GOALS["all"])
        if not options.json:
            for process in engines[kind][0]:
                print("    %-30s %8.1f us" % (process, statistics.median(run[process] for run in engines[kind])))


if __name__ == "__main__":
    main()
