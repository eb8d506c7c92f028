"""`carillon ledger`: old rows go and copies are made, while the engine dials."""

import os
import sqlite3
import subprocess
import time

import pytest

from lib import books, paths
from lib.campaign import settings, write_campaign
from lib.engine import wait_for

DAY_US = 86400 * 1000000


def uuid7(utc_us, n):
    ms = utc_us // 1000
    return "%08x-%04x-7%03x-8000-%012x" % (ms >> 16, ms & 0xFFFF, n & 0xFFF, n)


def write_old(sql, count, age_days, state="done"):
    now = int(time.time() * 1e6)
    for first in range(0, count, 500):
        rows = []
        for i in range(first, min(first + 500, count)):
            at = now - age_days * DAY_US + i * 1000
            rows.append("('%s', 'old', '15550%06d', '%s', %d, 'answered')" % (uuid7(at, i), i, state, at))
        sql("INSERT INTO attempt (id, node, number, state, claimed_us, disposition) VALUES " + ",".join(rows))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_old_rows_go_in_small_steps_beside_a_running_campaign(engine, carrier, postgres_server, kind):
    url = postgres_server.new_database() if kind == "postgresql" else None
    far = carrier(plan="match=* busy after=20ms")
    e = engine(**settings(far, cps=40, concurrent=40, slots=40, **({"database": url} if url else {})))

    def sql(text):
        if url:
            return postgres_server.sql(url, text)
        with sqlite3.connect(e.ledger_path, timeout=30) as db:
            return db.execute(text).fetchall()

    write_old(sql, 2500, 100)
    write_old(sql, 300, 20)
    write_old(sql, 5, 101, "claimed")
    write_campaign(e, "now", leads=120, retry={"USER_BUSY": False})
    with subprocess.Popen([paths.CARILLON, "campaign", "run", "now"], cwd=e.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          env=dict(e.env, CARILLON_CONFIG=e.config_path)) as run:
        try:
            wait_for(lambda: len(far.invites()) > 5, 20, "calls")
            assert e.cli("ledger", "prune", "--older", "90d", "--dry-run", check=True).stdout == "would delete 2500 calls and 0 leads older than 90d\n"
            assert e.cli("ledger", "prune", "--older", "90d", check=True).stdout == "deleted 2500 calls and 0 leads older than 90d\n"
            assert e.cli("ledger", "prune", "--older", "90d", check=True).stdout.startswith("deleted 0 calls")
            run.wait(60)
        finally:
            run.terminate()
    rows = books.attempts(e, postgres_server, url) if url else books.attempts(e)
    assert sum(row["node"] == "old" and row["state"] == "done" for row in rows) == 300
    assert sum(row["state"] == "claimed" for row in rows) == 5  # open rows are the engine's, whatever their age
    assert sum(row["node"] != "old" for row in rows) == len(far.invites()) == 120
    # Leads go only on wish, when they are done and their campaign is over.
    sql("UPDATE lead SET updated_us = updated_us - %d" % (100 * DAY_US))
    assert "0 leads" in e.cli("ledger", "prune", "--older", "90d", check=True).stdout
    assert "120 leads" in e.cli("ledger", "prune", "--older", "90d", "--leads", check=True).stdout
    if url:
        assert "pg_dump" in e.cli("ledger", "backup", e.path("copy.db")).stderr


def test_a_copy_is_whole_and_an_engine_starts_from_it(engine, carrier):
    far = carrier(plan="match=* busy after=20ms")
    e = engine(**settings(far, cps=40, concurrent=40, slots=40))
    write_campaign(e, "now", leads=60, retry={"USER_BUSY": False, "INTERRUPTED": {"after": "1s", "tries": 2}})
    with subprocess.Popen([paths.CARILLON, "campaign", "run", "now"], cwd=e.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          env=dict(e.env, CARILLON_CONFIG=e.config_path)) as run:
        wait_for(lambda: len(far.invites()) > 10, 20, "calls")
        assert "copy.db holds the ledger" in e.cli("ledger", "backup", "copy.db", check=True).stdout
        run.wait(60)
    assert "exists already" in e.cli("ledger", "backup", "copy.db").stderr
    with sqlite3.connect(e.path("copy.db")) as db:
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert db.execute("select count(*) from lead").fetchall() == [(60,)]
    db.close()
    # The copy in the ledger's place: what was open in it is called again or marked; nobody is lost.
    e.stop()
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        if os.path.exists(e.path("data", name)):
            os.unlink(e.path("data", name))
    os.rename(e.path("copy.db"), e.ledger_path)
    e.start()
    e.cli("campaign", "run", "now", timeout=60)
    leads = books.leads(e)
    assert len(leads) == 60 and all(lead["state"] == "done" for lead in leads)


def test_wrong_words_are_told_what_is_missing(engine, carrier):
    e = engine(**settings(carrier(plan="match=* busy"), cps=1, concurrent=1, slots=4))
    for words in (("prune",), ("prune", "--older", "soon"), ("prune", "--older", "5m"), ("backup",), ("polish",), ()):
        done = e.cli("ledger", *words)
        assert done.returncode == 2 and "carillon ledger" in done.stderr, words
