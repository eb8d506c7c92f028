"""The caps as the carrier's own log shows them: INVITEs with credentials and those of a failover count like all others."""

from collections import Counter

from lib import books
from lib.campaign import error_lines, settings, wait_carrier_idle, write_campaign

LEADS, CPS = 60, 20


def test_credentials_count_for_the_cap(carrier, engine):
    c = carrier("--auth", "acme:secret:407", plan="match=* answer after=50ms talk=200ms sound=none\n")
    e = engine(**settings(c, CPS, 100, 300, trunks={"acme": {"user": "acme", "password": "secret"}}))
    write_campaign(e, leads=LEADS, script="session:sleep(5000)")
    e.cli("campaign", "run", "c", timeout=120, check=True)
    assert not wait_carrier_idle(c)
    invites = c.invites()
    assert Counter(invite["credentials"] for invite in invites) == {False: LEADS, True: LEADS}
    assert books.most_in_window(invites) <= CPS + 1
    rows = books.attempts(e)
    assert len(rows) == LEADS and all(row["answer_us"] and row["sip_status"] == 200 for row in rows)
    assert error_lines(e) == []


def test_failovers_count_for_the_cap_of_the_trunk_they_go_to(carrier, engine):
    broken, good = carrier(plan="match=* reject 500 after=20ms\n"), carrier(plan="match=* answer after=50ms talk=200ms sound=none\n")
    e = engine(**settings(broken, 2 * CPS, 100, 300, trunks={"acme": {"failover": ["good"]}, "good": {"address": good.where, "cps": CPS, "concurrent": 100}}))
    write_campaign(e, leads=LEADS, script="session:sleep(5000)")
    e.cli("campaign", "run", "c", timeout=120, check=True)
    assert not wait_carrier_idle(good)
    assert books.most_in_window(broken.invites()) <= 2 * CPS + 1
    assert books.most_in_window(good.invites()) <= CPS + 1
    assert {call["number"] for call in good.book()} == {call["number"] for call in broken.book()}
    assert Counter(row["disposition"] for row in books.attempts(e) if row["sip_status"] == 200) == {"answered": LEADS}
    assert error_lines(e) == []
