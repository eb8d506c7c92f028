#!/usr/bin/env python3
"""How far this machine goes, the simulated carrier beside the engine on the same cores.

    bench/calls/ceiling.py cps     [--from 200] [--step 1.3] [--calls 2000]    calls a second without a retransmission and without an error
    bench/calls/ceiling.py calls   [--from 500] [--step 1.3] [--seconds 10]    clean two-way calls at a time (nothing missing at the carrier, no slice skipped)
    bench/calls/ceiling.py growth  [--many 3000] [--seconds 10]                CPU per two-way call at 100 calls (the floor) and at many
    … --json

Steps go up until one is not clean; the figure is the last clean one. Each step runs on a fresh engine.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import kit  # noqa: E402
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import memory  # noqa: E402

SCRIPT = 'session:streamFile("tone_stream://%(200,0,600)") session:hangup()'


def dial_at(cps, calls):
    """What was not clean at that rate: texts."""
    carrier = kit.Carrier("--media-ports", "16", plan="match=* answer after=100..300ms talk=10s sound=none")
    engine = kit.engine_for({"carrier": carrier}, slots=min(6000, 4 * cps + 1000), cps=min(10000, 2 * cps))
    try:
        kit.campaign_write(engine, "rate", "carrier", calls, SCRIPT, pacing="{ cps = %d, concurrent = 5000 }" % cps)
        began = time.monotonic()
        done = engine.cli("campaign", "run", "rate", "--no-import", timeout=calls / cps * 4 + 60)
        took, counters = time.monotonic() - began, engine.counters()
        found = [] if done.returncode == 0 else ["the campaign ended with %d" % done.returncode]
        for name in ("sip_retransmissions", "slices_skipped", "events_lost", "calls_failed"):
            if counters.get(name, 0):
                found.append("%s %d" % (name, counters[name]))
        if counters.get("calls_answered", 0) != calls:
            found.append("%d of %d answered" % (counters.get("calls_answered", 0), calls))
        if calls / took < 0.8 * cps * (calls / cps) / (calls / cps + 2):
            found.append("only %.0f a second" % (calls / took))
        return found
    finally:
        engine.close()
        carrier.close()


def hold_calls(calls, seconds):
    """What was not clean with so many two-way calls, and the CPU µs per call and second of all processes."""
    carrier = kit.Carrier("--media-ports", "16", plan="match=* answer after=20ms talk=600s tone=440")
    engine = kit.engine_for({"carrier": carrier}, slots=calls + 100)
    try:
        engine.write("scripts/hold.lua", memory.HOLD)
        engine.write("scripts/dial.lua", memory.DIAL)
        engine.cli("luarun", "dial.lua", "1", str(calls))
        engine.wait_counter("calls_answered", calls, 180)
        time.sleep(2.0)
        pids, before, began, skipped = engine.pids(), kit.usage(engine.pids()), time.monotonic(), engine.counters().get("slices_skipped", 0)
        time.sleep(seconds)
        after, took, counters = kit.usage(pids), time.monotonic() - began, engine.counters()
        engine.cli("api", "hupall")
        book = carrier.wait_book(calls, 60)
        found = []
        missing = sum(call["rtp"]["missing"] for call in book)
        if missing:
            found.append("%d packets missing at the carrier" % missing)
        if counters.get("slices_skipped", 0) > skipped:
            found.append("%d slices skipped" % (counters["slices_skipped"] - skipped))
        return found, sum(after[p] - before[p] for p in pids) / took / calls
    finally:
        engine.close()
        carrier.close()


def climb(report, name, unit, at, step, attempt):
    best, why = 0, ["the first step was not clean"]
    while at <= 20000:
        found = attempt(int(at))
        if found:
            why = found
            break
        best, at = int(at), at * step
    report.tell(name, best, unit, note="then at %d: %s" % (at, "; ".join(why)))


def main():
    parser = kit.options(__doc__, step=1.3, calls=2000, seconds=10, many=3000)
    parser.add_argument("what", choices=["cps", "calls", "growth"])
    parser.add_argument("--from", type=int, dest="begin")
    options = parser.parse_args()
    report = kit.Report(options.json)
    if options.what == "cps":
        climb(report, "ceiling_calls_per_second", "calls/s", options.begin or 200, options.step, lambda cps: dial_at(cps, max(options.calls, 3 * cps)))
    elif options.what == "calls":
        climb(report, "ceiling_two_way_calls", "calls", options.begin or 500, options.step, lambda calls: hold_calls(calls, options.seconds)[0])
    else:
        few, many = hold_calls(100, options.seconds), hold_calls(options.many, options.seconds)
        report.tell("cpu_per_call_at_%d" % options.many, many[1], "us/s", few[1], note="; ".join(many[0]))


if __name__ == "__main__":
    main()
