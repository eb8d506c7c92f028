"""SIGKILL in the middle of a campaign: of a worker, of the broker, of everything. No INVITE without its row, no lead lost or called twice for the same try."""

import os
import signal
import subprocess
import time
from collections import Counter, defaultdict

import pytest

from lib import books
from lib.campaign import PEOPLE, settings, wait_carrier_idle, write_campaign
from lib.engine import wait_for
from lib.paths import CARILLON

LONG = os.environ.get("CARILLON_LONG") == "1" or os.environ.get("CARILLON_TEST") in ("long", "soak")
LEADS, CPS, SLOTS = (10000, 300, 3900) if LONG else (900, 100, 1400)
RETRY = {"INTERRUPTED": {"after": "1s", "tries": 5}, "CRASH": {"after": "1s", "tries": 5}}


class Run:
    """A campaign under way, in the middle of which things happen."""

    def __init__(self, carrier, engine, database=None):
        self.carrier = carrier(plan=PEOPLE)
        more = {"database": database} if database else {}
        self.engine = engine(**settings(self.carrier, CPS, SLOTS * 2 // 5, SLOTS, **more))
        write_campaign(self.engine, leads=LEADS, retry=RETRY, max_attempts=6)
        self.command = None
        self.deaths = []

    def begin(self):
        env = dict(self.engine.env, CARILLON_CONFIG=self.engine.config_path)
        with open(self.engine.path("run.txt"), "ab") as out:
            self.command = subprocess.Popen([CARILLON, "campaign", "run", "c"], stdout=out, stderr=out, env=env)

    def leave(self):
        """Ctrl-C to the command line alone: the engine goes on."""
        if self.command.poll() is None:
            self.command.send_signal(signal.SIGINT)
        self.command.wait(20)

    def until_dialled(self, share, seconds=60):
        wait_for(lambda: len(self.carrier.invites()) >= share * LEADS, seconds, "%d INVITEs" % (share * LEADS), self.engine.all_text)

    def to_the_end(self, seconds=170):
        try:
            self.command.wait(seconds)
        except subprocess.TimeoutExpired:
            self.command.kill()
            self.command.wait()
            raise AssertionError("the campaign does not end:\n%s\n%s" % (self.shown()[-1500:], self.engine.all_text()[-3000:]))
        assert self.command.returncode == 0, self.shown()[-1500:] + self.engine.all_text()[-3000:]
        assert not wait_carrier_idle(self.carrier), "calls that never ended at the carrier"

    def shown(self):
        with open(self.engine.path("run.txt"), encoding="utf-8") as f:
            return f.read()


def check(run, rows, leads):
    """What must hold after any death, at the campaign's end."""
    problems = books.joined(rows, run.carrier, run.deaths)
    assert not problems, "%d problems, %d rows:\n%s" % (len(problems), len(rows), "\n".join(problems[:20]))
    assert Counter(row["state"] for row in rows)["claimed"] == 0
    assert len(leads) == LEADS and all(lead["state"] == "done" and lead["disposition"] for lead in leads)
    mine = defaultdict(list)
    for row in rows:
        if row["state"] != "refused":
            mine[row["lead"]].append(row)
    for lead in leads:
        tries = sorted(mine[lead["id"]], key=lambda row: row["claimed_us"])
        assert lead["tries"] == len(tries), (lead, tries)
        for before, after in zip(tries, tries[1:]):
            # The next try follows an ending that asks for one.
            assert before["disposition"] in ("busy", "interrupted", "failed"), (before, after)
            assert before["end_us"] <= after["claimed_us"], (before, after)
    assert books.most_in_window(run.carrier.invites()) <= CPS + 1


def test_a_worker_killed_in_the_middle(carrier, engine):
    run = Run(carrier, engine)
    run.begin()
    run.until_dialled(0.4)
    run.deaths.append(books.death("worker", lambda: run.engine.kill("worker 0"), lambda: run.engine.wait_log(r"worker 0 .*(died|killed|signal 9|SIGKILL)", 10)))
    run.to_the_end()
    rows = books.attempts(run.engine)
    check(run, rows, books.leads(run.engine))
    assert Counter(row["disposition"] for row in rows)["interrupted"] >= 5  # its calls; they were called again
    assert [c for c in run.carrier.book() if c["end"] == "bye-in"], "no call was ended by us"


def test_the_broker_killed_in_the_middle(carrier, engine):
    run = Run(carrier, engine)
    run.begin()
    run.until_dialled(0.4)
    at_us = time.time_ns() // 1000
    run.deaths.append(books.death("broker", lambda: run.engine.kill("broker"), lambda: run.engine.wait_log(r"adopted \d+ calls", 10)))
    run.to_the_end()
    rows = books.attempts(run.engine)
    check(run, rows, books.leads(run.engine))
    # Answered calls lived on: begun before, ended in order after it.
    lived = [row for row in rows if row["state"] == "done" and row["answer_us"] and row["answer_us"] < at_us < row["end_us"]]
    assert len(lived) >= 5, len(lived)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_everything_killed_in_the_middle(carrier, engine, request, kind):
    server = request.getfixturevalue("postgres_server") if kind == "postgresql" else None
    url = request.getfixturevalue("postgres") if kind == "postgresql" else None
    run = Run(carrier, engine, url)
    run.begin()
    run.until_dialled(0.4)
    died_us = time.time_ns() // 1000
    run.engine.kill_all()
    run.command.kill()
    run.command.wait()
    time.sleep(0.5)
    # As the death left it: every INVITE has its row, written before it; no lead is lost.
    rows, leads = books.attempts(run.engine, server, url), books.leads(run.engine, server, url)
    ids = {row["id"]: row for row in rows}
    invites = run.carrier.invites()
    assert len(invites) >= 0.4 * LEADS
    for invite in invites:
        assert invite["call_id"] in ids, "an INVITE without a row: %s" % invite
        assert ids[invite["call_id"]]["claimed_us"] <= invite["t_us"]
    known = {invite["call_id"] for invite in invites}
    for row in rows:
        assert row["id"] in known or row["state"] in ("claimed", "interrupted", "refused"), row
    assert len(leads) == LEADS
    for lead in leads:
        assert lead["state"] in ("pending", "claimed", "dialling", "done")
        assert lead["state"] != "done" or lead["disposition"]
    run.engine.start()
    run.deaths.append(books.Death("everything", died_us, time.time_ns() // 1000 + books.ENDING_US))
    run.begin()
    run.to_the_end()
    rows = books.attempts(run.engine, server, url)
    check(run, rows, books.leads(run.engine, server, url))
    assert Counter(row["disposition"] for row in rows)["interrupted"] >= 5
