"""Ten minutes at most of a core: nothing is skipped or missing, and packets are as punctual as an idle timer beside them."""

import os
import re
import subprocess

import pytest

from lib.paths import CARILLON

BENCH = os.path.join(os.path.dirname(CARILLON), "bench-media")
SECONDS = 600
LOAD = 0.70


def run(*words, timeout):
    done = subprocess.run([BENCH, "--only", "two_way", "--rounds", "1", *map(str, words)], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
@pytest.mark.skipif(not os.path.exists(BENCH), reason="zig build bench makes it")
def test_ten_minutes_at_seventy_percent_of_a_core_lose_and_delay_nothing():
    cost_us = float(re.search(r"engine\s+([\d.]+) us", run("--legs", 600, "--seconds", 5, timeout=60)).group(1))
    legs = min(int(LOAD * 1e6 / cost_us), 5900)
    text = run("--legs", legs, "--seconds", SECONDS, timeout=2 * SECONDS + 120)
    engine = text[text.index("  engine"):]
    late, idle = (float(x) for x in re.findall(r"\(([\d.]+) %\)", engine)[:2])
    assert "slices skipped 0;" in engine and "missing at the far end 0" in engine, text
    assert late <= idle + 0.1, text
