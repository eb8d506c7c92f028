"""`./run demo` as a user types it, on a fresh clone; on SQLite and on PostgreSQL; and what README says to do afterwards."""

import os
import re
import shutil
import subprocess

import pytest

from lib.paths import CARILLON, CARRIER, ROOT
from lib.ports import PortBlock

LONG = os.environ.get("CARILLON_LONG") == "1" or os.environ.get("CARILLON_TEST") in ("long", "soak")
LEADS = 1000 if LONG else 300
pytestmark = pytest.mark.skipif(not (os.path.exists(CARILLON) and os.path.exists(CARRIER)), reason="not built")


@pytest.fixture
def clone(tmp_path):
    """A fresh clone. The short test lends it our programs, so that it need not build."""
    folder = str(tmp_path / "carillon")
    done = subprocess.run(["git", "clone", "-q", ROOT, folder], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("this is no git repository: " + done.stderr)
    if not LONG:
        os.makedirs(os.path.join(folder, "zig-out", "bin"))
        os.makedirs(os.path.join(folder, ".carillon"))
        for program in (CARILLON, CARRIER):
            shutil.copy(program, os.path.join(folder, "zig-out", "bin"))
        with open(os.path.join(folder, ".carillon", "built"), "w"):
            pass  # newer than the sources
    return folder


def demo(clone, *words):
    ports = PortBlock(8000)
    try:
        env = dict(os.environ, CARILLON_RTP_FIRST=str(ports.first), CARILLON_RTP_LAST=str(ports.last))
        return subprocess.run(["./run", "demo", "--leads", str(LEADS), *words], cwd=clone, env=env, capture_output=True, text=True, timeout=900)
    finally:
        ports.release()


def check(done):
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert re.search(r"dialled \d+, in progress \d+, answered \d+, done \d+ of %d" % LEADS, done.stdout), done.stdout[:2000]
    report = done.stdout[done.stdout.index("Campaign demo: done"):]
    assert re.search(r"total %d, done %d \(100\.0 %%\)" % (LEADS, LEADS), report), report
    for part in ("ASR", "ACD", "PDD", "late by more than 5 ms", "USER_BUSY", "interested", "Digits pressed"):
        assert part in report, (part, report)
    return int(re.search(r"Digits pressed\n  1 +(\d+) ", report).group(1))


def again(clone, env=None):
    done = subprocess.run(["zig-out/bin/carillon", "campaign", "report", "demo"], cwd=clone, capture_output=True, text=True, env=env, timeout=30)
    assert done.returncode == 0, done.stderr
    assert re.search(r"total %d, done %d " % (LEADS, LEADS), done.stdout)


def test_the_demo_on_a_fresh_clone(clone):
    pressed = check(demo(clone))
    assert pressed > LEADS / 5
    again(clone)
    with open(os.path.join(clone, "README.md"), encoding="utf-8") as f:
        line = re.search(r"^ +(sqlite3 .*how many pressed 1\?)$", f.read(), re.M).group(1)
    done = subprocess.run(["sh", "-c", line.split(" -- ")[0]], cwd=clone, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and int(done.stdout) == pressed, (line, done)


def test_the_demo_with_postgresql(clone, postgres_server, postgres):
    pressed = check(demo(clone, "--database", postgres))
    again(clone, dict(os.environ, CARILLON_DATABASE=postgres))
    assert postgres_server.sql(postgres, "select count(*) from attempt where digits like '1%'") == [[str(pressed)]]
    assert not os.path.exists(os.path.join(clone, ".carillon", "data", "ledger.db"))


def test_the_demo_says_what_is_wrong_with_a_database(clone):
    done = demo(clone, "--database", "postgresql://nobody@127.0.0.1:1/nothing")
    assert done.returncode == 1
    assert "127.0.0.1" in done.stderr and "Traceback" not in done.stderr, done.stderr
