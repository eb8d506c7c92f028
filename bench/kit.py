"""What the Python benches share: what a process used, how a figure is told, an engine and a carrier of their own.

A figure is one JSON object a line: name, value, unit, floor, ratio. `floor` is what the same work costs at least, measured in the same run (bench/README.md
says what each floor is); null where there is none.
"""
import argparse
import json
import os
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests"))
from lib import paths  # noqa: E402,F401
from lib.carrier import Carrier  # noqa: E402
from lib.engine import Engine, wait_for  # noqa: E402,F401


def cpu_us(pid):
    """Of all its threads, in microseconds."""
    total = 0
    for task in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/schedstat" % (pid, task)) as f:
                total += int(f.read().split()[0])
        except (FileNotFoundError, ProcessLookupError):  # a helper thread that ended
            pass
    return total / 1000


def usage(pids):
    """{"broker": µs, …}"""
    return {name: cpu_us(pid) for name, pid in pids.items()}


def pss_kb(pids):
    """Proportional set size of several processes together: shared pages count once."""
    total = 0
    for pid in pids.values():
        with open("/proc/%d/smaps_rollup" % pid) as f:
            total += next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
    return total


def idle_rate(pids, seconds=3.0):
    """What the processes use when nothing happens, in µs a second each."""
    before = usage(pids)
    time.sleep(seconds)
    after = usage(pids)
    return {name: (after[name] - before[name]) / seconds for name in pids}


def engine_for(carriers, slots=4000, cps=1000, **more):
    """An engine with a trunk for each carrier ({"name": carrier}), whose caps are in nobody's way."""
    trunks = {name: {"address": c.where, "cps": cps, "concurrent": slots, "caller_id": "15550100"} for name, c in carriers.items()}
    return Engine(slots=slots, addresses=min(16, -(-slots // 250)), trunks=trunks, limits={"concurrent": slots, "cps": 10000, "drain_s": 5}, **more)


def campaign_write(engine, name, trunk, calls, script, **more):
    """campaigns/NAME.lua with so many leads, imported; `script` is Lua text."""
    engine.write("scripts/%s.lua" % name, script)
    rows = ", ".join('{ number = "1555%07d" }' % (2000000 + i) for i in range(calls))
    rest = "".join(", %s = %s" % pair for pair in more.items())
    engine.write("campaigns/%s.lua" % name, 'return { leads = { %s }, trunks = { "%s" }, caller_ids = { "15550100" }, window = "always", retry = {}, '
                 'max_attempts = 1, script = "%s.lua"%s }' % (rows, trunk, name, rest))
    engine.cli("campaign", "import", name, check=True)


class Report:
    def __init__(self, as_json):
        self.as_json = as_json

    def tell(self, name, value, unit, floor=None, note=""):
        """One figure; `value` and `floor` may be lists of interleaved runs, of which the medians count."""
        value, floor = [statistics.median(x) if isinstance(x, list) else x for x in (value, floor)]
        ratio = round(value / floor, 3) if floor else None
        if self.as_json:
            print(json.dumps({"name": name, "value": float("%.5g" % value), "unit": unit, "floor": floor and float("%.5g" % floor), "ratio": ratio}), flush=True)
        else:
            print("%-40s %12.5g %-14s %s%s" % (name, value, unit, "floor %.5g, ratio %.2f  " % (floor, ratio) if floor else "", note), flush=True)


def options(doc, **numbers):
    """--json and, for each NAME=default, --NAME."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    for name, default in numbers.items():
        parser.add_argument("--" + name, type=type(default), default=default)
    return parser
