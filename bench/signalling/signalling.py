#!/usr/bin/env python3
"""What a call costs in signalling: the engine's campaign calls beside a bare sofia-sip nta loop with the same messages, interleaved.

    bench/signalling/signalling.py [--calls 1000] [--cps 200] [--rounds 5] [--json]

answered  INVITE, 100, 180, 200, ACK; a script that hangs up at once; BYE, 200.
busy      INVITE, 100, 486, ACK.
ringing   INVITE, 100, 180, 180, 180, 486, ACK.
early     INVITE, 100, 183 with SDP, 486, ACK.

Per round and kind: the floor, then the engine, against the same simulated carrier. The engine's CPU is that of its processes between the
first INVITE and the last call's end, less what they use when idle in the same time. Figures are medians of the rounds.
"""
import json
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import kit  # noqa: E402

FLOOR = os.path.join(kit.paths.BIN_DIR, "bench-signalling")
PLANS = {
    "answered": "match=* answer after=20ms sound=none ring=10ms\n",
    "busy": "match=* busy after=20ms ring=none\n",
    "ringing": "match=* busy after=60ms ring=10ms,25ms,40ms\n",
    "early": "match=* early 486 after=40ms early=10ms ring=none early-sound=none\n",
}


def engine_run(engine, name, kind, calls, cps, idle):
    kit.campaign_write(engine, name, kind, calls, "session:hangup()", pacing="{ cps = %g, concurrent = 3000 }" % cps)
    time.sleep(1.0)
    pids = engine.pids()
    ended = lambda: (lambda c: c.get("calls_answered", 0) + c.get("calls_failed", 0))(engine.counters())
    goal = ended() + calls
    before, began = kit.usage(pids), time.monotonic()
    engine.cli("campaign", "run", name, "--no-import", timeout=calls / cps * 3 + 60)
    after, took = kit.usage(pids), time.monotonic() - began
    if ended() != goal:
        raise SystemExit("%d of %d calls ended" % (ended() - goal + calls, calls))
    return {p: max(0.0, after[p] - before[p] - idle[p] * took) / calls for p in pids}


def floor_run(where, calls, cps):
    out = subprocess.run([FLOOR, where, str(calls), str(cps)], capture_output=True, text=True, timeout=calls / cps * 3 + 60, check=True)
    return json.loads(out.stdout)["cpu_us"] / calls


def main():
    options = kit.options(__doc__, calls=1000, cps=200.0, rounds=5).parse_args()
    report = kit.Report(options.json)
    carriers = {kind: kit.Carrier("--media-ports", "8", plan=plan) for kind, plan in PLANS.items()}
    engine = kit.engine_for(carriers, cps=2 * int(options.cps))
    floors, runs = {k: [] for k in PLANS}, {k: [] for k in PLANS}
    try:
        idle = kit.idle_rate(engine.pids())
        for n in range(options.rounds):
            for kind in PLANS:
                floors[kind].append(floor_run(carriers[kind].where, options.calls, options.cps))
                runs[kind].append(engine_run(engine, "%s%d" % (kind, n), kind, options.calls, options.cps, idle))
    finally:
        engine.close()
        for carrier in carriers.values():
            carrier.close()
    for kind in PLANS:
        report.tell("signalling_%s_broker" % kind, [run["broker"] for run in runs[kind]], "us", floors[kind])
        report.tell("signalling_%s_all" % kind, [sum(run.values()) for run in runs[kind]], "us", floors[kind])
        if not options.json:
            for process in runs[kind][0]:
                print("    %-34s %8.1f us" % (process, statistics.median(run[process] for run in runs[kind])))


if __name__ == "__main__":
    main()
