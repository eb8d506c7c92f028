#!/usr/bin/env python3
"""The whole engine under load, with the simulated carrier beside it on the same machine.

    bench/calls/calls.py held   [--legs 1000] [--seconds 60] [--loop]     two-way G.711 calls, held; --loop: one script computes for ever
    bench/calls/calls.py rate   [--cps 300] [--calls 3000]                calls that a campaign makes: play, take a digit, hang up
    … --json                                                              one object a line: name, value, unit, floor, ratio

held  counts in the carrier's book what it missed, and on the engine's side the share of packets sent more than 5 ms late, beside an idle
      timer on the same core in the same time (what the machine itself does to a sleeper).
rate  gives CPU per call of all processes: one that plays, takes a digit and hangs up, and one that records.

Everything runs on loopback, in folders of its own, and ends by itself.
"""
import argparse
import multiprocessing
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import kit  # noqa: E402


def cpu_seconds(pid):
    return kit.cpu_us(pid) / 1e6


def counters(engine):
    """Name → sum over all processes, as `carillon status` prints them."""
    found = {}
    for line in engine.cli("status").stdout.splitlines():
        words = line.split()
        if len(words) >= 2 and words[1].isdigit() and words[0].islower() and "_" in words[0]:
            found[words[0]] = int(words[1])
    return found


def idle_probe(cpu, seconds, out):
    """A timer of 2 ms on one core: how many of its wake-ups were more than 5 ms late."""
    try:
        os.sched_setaffinity(0, {cpu})
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    except (PermissionError, OSError):
        pass
    late = total = 0
    worst = 0.0
    due = time.monotonic()
    end = due + seconds
    while due < end:
        due += 0.002
        wait = due - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        behind = time.monotonic() - due
        total += 1
        late += behind > 0.005
        worst = max(worst, behind)
        if behind > 0.002:
            due = time.monotonic()
    out.put((late, total, worst))


HOLD = """
local uuid = session:getVariable("uuid")
while session:ready() do session:streamFile(argv[1]) end
"""

PRESS = """
session:streamFile("tone_stream://%(200,0,600)")
local digit = session:getDigits(1, "", 3000)
session:setVariable("disposition", digit == "1" and "pressed_1" or "no_key")
"""


def start(plan, slots, cps):
    carrier = kit.Carrier("--media-ports", "16", plan=plan)
    return carrier, kit.engine_for({"carrier": carrier}, slots=slots, cps=cps)


def held(options, report):
    carrier, engine = start("match=* answer after=20ms talk=%ds tone=440" % (options.seconds + 60), options.legs + 200, 200)
    try:
        sound = os.path.join(engine.folder, "sounds", "tone.wav")
        import math
        import struct
        import wave
        with wave.open(sound, "wb") as w:
            w.setnchannels(1), w.setsampwidth(2), w.setframerate(8000)
            w.writeframes(b"".join(struct.pack("<h", int(8000 * math.sin(i / 3.0))) for i in range(80000)))
        engine.write("scripts/hold.lua", 'while session:ready() do session:streamFile("%s") end' % sound)
        engine.write("scripts/dial.lua", "local legs = tonumber(argv[1]) local api = freeswitch.API() for i = 1, legs do "
                     'api:executeString("bgapi originate {ignore_early_media=true}sofia/gateway/carrier/1555" .. string.format("%07d", i) .. " &lua(hold.lua)") '
                     "if i % 4 == 0 then freeswitch.msleep(20) end end")
        engine.cli("luarun", "dial.lua", str(options.legs))
        deadline = time.monotonic() + 60
        while counters(engine).get("media_legs", 0) < options.legs and time.monotonic() < deadline:
            time.sleep(0.5)
        up = counters(engine)
        if options.loop:
            engine.write("scripts/loop.lua", "while true do freeswitch.msleep(0) for i = 1, 1e7 do end end")
            engine.cli("luarun", "loop.lua")
        worker = engine.pid("worker 0")
        cpu = sorted(os.sched_getaffinity(worker))[0]
        queue = multiprocessing.Queue()
        probe = multiprocessing.Process(target=idle_probe, args=(cpu, options.seconds, queue))
        probe.start()
        before, cpu_before, t = counters(engine), cpu_seconds(worker), time.monotonic()
        late, total, worst = queue.get()
        after, cpu_after, took = counters(engine), cpu_seconds(worker), time.monotonic() - t
        probe.join()
        def grown(name):
            return after.get(name, 0) - before.get(name, 0)
        sent = max(grown("packets_sent"), 1)
        report.tell("held_calls", up.get("media_legs", 0), "calls")
        report.tell("held_cpu_per_call", 1e6 * (cpu_after - cpu_before) / took / max(options.legs, 1), "us/s")
        report.tell("held_packets_sent", sent, "packets")
        report.tell("held_slices_skipped", grown("slices_skipped"), "slices")
        report.tell("held_late_5ms", 100.0 * grown("packets_late_5ms") / sent, "%", note="  idle timer: %.3f %%, worst %.1f ms" % (100.0 * late / max(total, 1), 1000 * worst))
        engine.cli("api", "hupall")
        time.sleep(3)
        book = carrier.book()
        report.tell("held_missing_at_carrier", sum(c.get("rtp", {}).get("missing", 0) for c in book), "packets", note="  of %d" % sum(c.get("rtp", {}).get("received", 0) for c in book))
    finally:
        engine.close()
        carrier.close()


RECORD = """
session:recordFile(freeswitch.getGlobalVariable("temp_dir") .. "/" .. session:get_uuid() .. ".wav", 1)
session:hangup()
"""
KINDS = {
    "lua_call": ("match=* answer after=100..300ms talk=6s digits=1@800ms", PRESS),       # plays, takes a digit, hangs up
    "recorded_call": ("match=* answer after=100..300ms talk=6s tone=440", RECORD),       # records a second
}


def rate(options, report):
    """CPU per scripted call, all processes; the media of the far end is not ours."""
    for kind, (plan, script) in KINDS.items():
        carrier, engine = start(plan, 4 * options.cps + 400, options.cps)
        try:
            kit.campaign_write(engine, "rate", "carrier", options.calls, script, pacing="{ cps = %d, concurrent = %d }" % (options.cps, 4 * options.cps))
            pids = engine.pids()
            before, t = kit.usage(pids), time.monotonic()
            done = engine.cli("campaign", "run", "rate", "--no-import", timeout=300)
            used, took, counted = kit.usage(pids), time.monotonic() - t, counters(engine)
            if done.returncode or counted.get("calls_answered", 0) == 0:
                raise SystemExit("no call was made:\n" + done.stdout + engine.all_text()[-2000:])
            calls = counted["calls_answered"]
            report.tell("cpu_per_" + kind, sum(used[p] - before[p] for p in pids) / calls / 1000, "ms", note="%d calls in %.1f s, %d retransmissions" %
                        (calls, took, counted.get("sip_retransmissions", 0)))
            if not options.json:
                for name in pids:
                    print("    %-34s %8.3f ms" % (name, (used[name] - before[name]) / calls / 1000))
        finally:
            engine.close()
            carrier.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["held", "rate"])
    parser.add_argument("--legs", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--loop", action="store_true")
    parser.add_argument("--cps", type=int, default=300)
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    {"held": held, "rate": rate}[options.what](options, kit.Report(options.json))


if __name__ == "__main__":
    main()
