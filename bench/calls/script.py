#!/usr/bin/env python3
"""A script's start, run and end on the script engine alone, and what a suspended one holds: the figures of tests/lua/figures_test.c.

    bench/calls/script.py [--rounds 5] [--json]
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import kit  # noqa: E402

PROGRAM = os.path.join(kit.paths.ROOT, "zig-out", "test", "lua-figures_test")
FIGURES = (("script_start", r"start, run and end cost ([0-9.]+) us", "us"), ("script_wait_and_resume", r"a wait and its resume cost ([0-9.]+) us", "us"),
           ("script_suspended", r"a suspended script holds ([0-9]+) bytes of Lua", "bytes"))


def main():
    options = kit.options(__doc__, rounds=5).parse_args()
    report, seen = kit.Report(options.json), {name: [] for name, _, _ in FIGURES}
    for _ in range(options.rounds):
        out = subprocess.run([PROGRAM], capture_output=True, text=True, cwd=kit.paths.ROOT, timeout=120)
        text = out.stdout + out.stderr
        for name, pattern, _ in FIGURES:
            seen[name].append(float(re.search(pattern, text).group(1)))
    for name, _, unit in FIGURES:
        report.tell(name, seen[name], unit)


if __name__ == "__main__":
    main()
