"""A campaign through all processes, over real SIP and RTP: the carrier's book and the ledger say the same."""

import json
import os
from collections import Counter

import pytest

from lib import books
from lib.campaign import PEOPLE, error_lines, settings, wait_carrier_idle, write_campaign

LONG = os.environ.get("CARILLON_LONG") == "1" or os.environ.get("CARILLON_TEST") in ("long", "soak")
LEADS, CPS, SLOTS = (10000, 300, 3900) if LONG else (1200, 120, 1400)


def check_ledger(rows, leads, count):
    assert len(leads) == count
    assert Counter(lead["state"] for lead in leads) == {"done": count}
    assert all(lead["disposition"] for lead in leads)
    tries = Counter(row["lead"] for row in rows)
    assert {lead["id"]: lead["tries"] for lead in leads} == dict(tries)


def run(carrier, engine, database=None, server=None):
    c = carrier(plan=PEOPLE)
    concurrent = SLOTS * 2 // 5
    more = {"database": database} if database else {}
    e = engine(**settings(c, CPS, concurrent, SLOTS, **more))
    write_campaign(e, leads=LEADS)
    done = e.cli("campaign", "run", "c", timeout=180, check=True)
    assert not wait_carrier_idle(c)
    rows, leads = books.attempts(e, server, database), books.leads(e, server, database)
    problems = books.joined(rows, c)
    assert not problems, "%d of %d rows disagree:\n%s" % (len(problems), len(rows), "\n".join(problems[:20]))
    check_ledger(rows, leads, LEADS)
    assert books.most_in_window(c.invites()) <= CPS + 1
    assert books.most_at_a_time(c.book()) <= concurrent
    assert error_lines(e) == []
    report = json.loads(e.cli("campaign", "report", "c", "--json", check=True).stdout)
    assert report["leads"]["total"] == report["leads"]["done"] == LEADS
    assert "answered" in done.stdout
    return c, rows


def test_every_invite_has_its_row_and_every_row_its_invite(carrier, engine):
    c, rows = run(carrier, engine)
    ends = Counter(call["behaviour"] for call in c.book())
    assert len(ends) >= 5, ends  # the mix was really dialled
    pressed = Counter(row["digits"] for row in rows if row["digits"])
    assert pressed["1"] > LEADS / 5 and pressed["27"] > LEADS / 20


def test_the_same_in_postgresql(carrier, engine, postgres_server, postgres):
    run(carrier, engine, postgres, postgres_server)
