"""All probes of this folder: what each prints is its .expected file."""

import difflib
import os
import re
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
AT_ONCE = 8


class Probe:
    def __init__(self, path):
        self.path = path
        self.name = os.path.relpath(path, HERE)[:-4]
        self.expected = path[:-4] + ".expected"
        with open(path, encoding="utf-8") as f:
            head = f.read(400)
        self.alone = re.search(r"^-- alone\b", head, re.M) is not None


def find():
    out = []
    for topic in sorted(os.listdir(HERE)):
        if re.match(r"\d\d-", topic):
            for name in sorted(os.listdir(os.path.join(HERE, topic))):
                if name.endswith(".lua"):
                    out.append(Probe(os.path.join(HERE, topic, name)))
    wanted = os.environ.get("CARILLON_PROBES", "")
    return [p for p in out if wanted in p.name]


PROBES = find()


class Runs:
    """All probes, several at a time; the lonely ones after the others."""

    def __init__(self, conformance):
        self.conformance = conformance
        self.pool = ThreadPoolExecutor(AT_ONCE)
        self.results = {p.name: self.pool.submit(self.one, p) for p in PROBES if not p.alone}
        self.lock = threading.Lock()

    def one(self, probe):
        try:
            return self.conformance.run(probe.path, self.conformance.work(), self.conformance.sounds, self.conformance.sip, timeout=60.0)
        except subprocess.TimeoutExpired:
            return "<no answer>\n"

    def result(self, probe):
        if probe.alone:
            for other in self.results.values():
                other.exception()
            with self.lock:
                return self.one(probe)
        return self.results[probe.name].result()


@pytest.fixture(scope="module")
def runs(conformance):
    all_runs = Runs(conformance)
    yield all_runs
    all_runs.pool.shutdown(wait=True, cancel_futures=True)


@pytest.mark.parametrize("probe", PROBES, ids=lambda p: p.name)
def test_probe(runs, probe):
    printed = runs.result(probe)
    if os.environ.get("CARILLON_PROBES_WRITE"):
        with open(probe.path[:-4] + ".printed", "w", encoding="utf-8") as f:
            f.write(printed)
    with open(probe.expected, encoding="utf-8") as f:
        expected = f.read()
    if printed != expected:
        diff = difflib.unified_diff(expected.splitlines(), printed.splitlines(), "expected", "printed", lineterm="", n=1)
        pytest.fail("%s\n%s" % (probe.path, "\n".join(diff)), pytrace=False)
