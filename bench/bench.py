#!/usr/bin/env python3
"""All benchmarks, one after the other, as a table: each figure beside its floor in the same run, and beside its goal.

    ./run bench [--quick] [--json] [--output FILE] [NAME…]

NAME is one of those that `--list` names. --quick takes fewer and shorter runs: for a look, not for a judgement. --json prints one object a line (name,
value, unit, floor, ratio, goal, held); --output also writes these lines to a file, which bench/report draws.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
BIN = os.path.join(ROOT, "zig-out", "bin")


def script(*words):
    return [sys.executable, os.path.join(HERE, *words)]


# name, what it takes, what it takes with --quick
BENCHES = [
    ("ring", [os.path.join(BIN, "bench-ring")], ["--rounds", "1"]),
    ("script", script("calls", "script.py"), ["--rounds", "1"]),
    ("database", script("database", "database.py"), ["--rounds", "1", "--queries", "500"]),
    ("signalling", script("signalling", "signalling.py"), ["--rounds", "1", "--calls", "300"]),
    ("calls", script("calls", "calls.py") + ["rate"], ["--cps", "100", "--calls", "300"]),
    ("media", [os.path.join(BIN, "bench-media")], ["--rounds", "1", "--seconds", "2", "--legs", "200"]),
    ("memory", script("calls", "memory.py"), ["--few", "200", "--many", "800"]),
    ("held", script("calls", "calls.py") + ["held"], ["--legs", "200", "--seconds", "5"]),
    ("growth", script("calls", "ceiling.py") + ["growth"], ["--many", "1000", "--seconds", "4"]),
    ("cps", script("calls", "ceiling.py") + ["cps"], ["--from", "400", "--step", "2", "--calls", "800"]),
    ("two-way", script("calls", "ceiling.py") + ["calls"], ["--from", "500", "--step", "2", "--seconds", "4"]),
]

# What each figure should be: of its ratio to the floor, or of its value. "<" at most, ">" at least.
GOALS = {
    "bus_ring_records": ("ratio", ">", 1.0), "bus_ring_one_way_p50": ("ratio", "<", 1.0),
    "script_start": ("value", "<", 10), "script_suspended": ("value", "<", 4096),
    "database_one_script": ("ratio", ">", 0.8), "database_100_scripts": ("ratio", ">", 0.8),
    "cpu_per_lua_call": ("value", "<", 1.5), "memory_per_held_call": ("value", "<", 24),
    "media_two_way": ("ratio", "<", 1.3), "media_relay": ("ratio", "<", 1.2), "media_opus": ("ratio", "<", 1.1), "media_srtp": ("ratio", "<", 1.1),
    "media_conference_300_per_30": ("ratio", "<", 1.2),
    "held_slices_skipped": ("value", "<", 0), "held_missing_at_carrier": ("value", "<", 0),
    "cpu_per_call_at_3000": ("ratio", "<", 1.2), "ceiling_calls_per_second": ("value", ">", 1500), "ceiling_two_way_calls": ("value", ">", 3000),
}
for kind in ("answered", "busy", "ringing", "early"):
    GOALS["signalling_%s_broker" % kind], GOALS["signalling_%s_all" % kind] = ("ratio", "<", 1.5), ("ratio", "<", 2.0)


def judge(figure):
    """Adds `goal` (text) and `held` (true, false, null) to a figure."""
    goal = GOALS.get(figure["name"])
    seen = goal and figure.get(goal[0])
    if seen is None:
        figure["goal"] = figure["held"] = None
        return figure
    figure["goal"] = "%s %s %g" % (goal[0], "≤" if goal[1] == "<" else "≥", goal[2])
    figure["held"] = seen <= goal[2] if goal[1] == "<" else seen >= goal[2]
    return figure


def row(figure):
    beside = "%12.5g  %6.2f" % (figure["floor"], figure["ratio"]) if figure["floor"] is not None else "%12s  %6s" % ("", "")
    verdict = "" if figure["held"] is None else "%-14s %s" % (figure["goal"], "held" if figure["held"] else "MISSED")
    return "%-38s %12.5g %-12.12s %s  %s" % (figure["name"], figure["value"], figure["unit"], beside, verdict)


def run(name, command, options, output):
    """Its figures, as they come."""
    if not shutil.which(command[0]):
        print("%s: %s is not built" % (name, command[0]), file=sys.stderr)
        return 1
    process = subprocess.Popen(command + ["--json"], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if not line.startswith("{"):
            continue
        figure = judge(json.loads(line))
        text = json.dumps(figure, ensure_ascii=False)
        print(text if options.json else row(figure), flush=True)
        if output:
            output.write(text + "\n")
            output.flush()
    if process.wait() != 0:
        print("%s ended with exit code %d" % (name, process.returncode), file=sys.stderr)
    return process.returncode


def main():
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--output", metavar="FILE")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    known = [name for name, _, _ in BENCHES]
    if options.list:
        print(" ".join(known))
        return 0
    wrong = [name for name in options.names if name not in known]
    if wrong:
        parser.error("there is no bench %s; there are %s" % (", ".join(wrong), ", ".join(known)))
    output, failed, began = open(options.output, "w", encoding="utf-8") if options.output else None, 0, time.monotonic()
    if not options.json:
        print("%-38s %12s %-12s %12s  %6s  %s" % ("", "value", "", "floor", "ratio", "goal"))
    for name, command, quick in BENCHES:
        if not options.names or name in options.names:
            failed += run(name, command + (quick if options.quick else []), options, output) != 0
    if not options.json:
        print("after %d s%s" % (time.monotonic() - began, "; quick runs: a look, not a judgement" if options.quick else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
