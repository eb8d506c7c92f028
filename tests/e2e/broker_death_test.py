"""The broker dies in the middle of a campaign, and the whole engine does: nobody is called twice, no dialog is left up at the carrier."""

import json
import os
import subprocess
import time
from collections import Counter, defaultdict

from lib import books
from lib.campaign import PEOPLE, error_lines, settings, wait_carrier_idle, write_campaign
from lib.engine import wait_for
from lib.paths import CARILLON

LONG = os.environ.get("CARILLON_LONG") == "1" or os.environ.get("CARILLON_TEST") in ("long", "soak")
LEADS, CPS, SLOTS = (6000, 200, 3000) if LONG else (600, 80, 900)
RETRY = {"retry": {"USER_BUSY": False, "NO_ANSWER": False, "NORMAL_TEMPORARY_FAILURE": False, "NO_USER_RESPONSE": False,
                   "INTERRUPTED": {"after": "1s", "tries": 3}}}


def begin(carrier, engine, leads=LEADS, plan=PEOPLE):
    c = carrier(plan=plan)
    e = engine(**settings(c, CPS, SLOTS // 2, SLOTS))
    write_campaign(e, leads=leads, **RETRY)
    done = e.cli("campaign", "import", "c", check=True)
    assert str(leads) in done.stdout
    e.runner = subprocess.Popen([CARILLON, "campaign", "run", "c", "--no-import"], cwd=e.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                env=dict(e.env, CARILLON_CONFIG=e.config_path), text=True)
    return c, e


def state_of(e):
    return json.loads(e.cli("campaign", "status", "c", "--json").stdout)["state"]


def wait_done(e, seconds=90):
    wait_for(lambda: state_of(e) == "done", seconds, "the campaign is done", e.all_text)
    out, _ = e.runner.communicate(timeout=20)
    return e.runner.returncode, out


def again_though_reached(rows):
    """Leads that were called again after an attempt which was not interrupted."""
    by_lead = defaultdict(list)
    for row in sorted(rows, key=lambda r: r["claimed_us"]):
        by_lead[row["lead"]].append(row)
    return [(lead, [(r["state"], r["cause"]) for r in tries]) for lead, tries in by_lead.items() if any(r["state"] == "done" for r in tries[:-1])]


def check(c, e, death, leads=LEADS):
    assert not wait_carrier_idle(c, 40)
    rows = books.attempts(e)
    problems = books.joined(rows, c, [death])
    assert not problems, "%d of %d rows disagree:\n%s" % (len(problems), len(rows), "\n".join(problems[:20]))
    assert again_though_reached(rows) == []
    people = books.leads(e)
    assert Counter(lead["state"] for lead in people) == {"done": leads}
    assert {lead["id"]: lead["tries"] for lead in people} == dict(Counter(row["lead"] for row in rows))
    assert Counter(row["state"] for row in rows)["claimed"] == 0
    left = [call for call in c.book() if call["end"] in ("open", "timeout")]
    assert left == []
    return rows


def test_a_broker_that_dies_in_a_campaign_calls_nobody_twice_and_its_answered_calls_end_as_they_should(carrier, engine):
    c, e = begin(carrier, engine)
    time.sleep(3.5)
    death = books.death("broker", lambda: e.kill("broker"), lambda: e.wait_log(r"adopted \d+ calls"))
    died = death.from_us
    wait_done(e)
    rows = check(c, e, death)
    row_of = {row["id"]: row for row in rows}
    lived = [call for call in c.book() if call["ack_us"] and call["ack_us"] < died - 50000 and call["end_us"] > died + 500000 and call["status"] == 200]
    assert len(lived) > 10
    for call in lived:
        row = row_of[call["call_id"]]
        assert row["state"] == "done", (row, call)
        assert abs(row["billsec_ms"] - (call["end_us"] - call["answer_us"]) / 1000) < 250, (row, call)
    assert sum(row["digits"] == "1" for row in (row_of[call["call_id"]] for call in lived)) > 3
    rang = [row for row in rows if row["state"] == "interrupted" and row["invite_us"]]
    assert rang and all(row["answer_us"] is None for row in rang)


def test_an_engine_that_dies_whole_leaves_no_dialog_up_and_its_campaign_goes_on(carrier, engine):
    c, e = begin(carrier, engine)
    time.sleep(3.5)
    death = books.death("everything", e.kill_all, e.start)
    wait_for(lambda: not os.path.exists("/dev/shm/carillon-%s-old" % e.name), 10, "the old segment is removed", e.all_text)
    wait_done(e)
    rows = check(c, e, death)
    assert [row for row in rows if row["state"] == "interrupted" and row["answer_us"]]


def test_after_many_calls_all_slots_are_free(carrier, engine):
    count = 2000
    c = carrier(plan="weight=50 answer after=10ms talk=50ms sound=none\nweight=50 busy after=10ms\n")
    e = engine(**settings(c, 200, 400, 1000))
    write_campaign(e, leads=count, script="session:sleep(20) session:hangup()", retry={"USER_BUSY": False})
    e.cli("campaign", "run", "c", timeout=120, check=True)
    wait_for(lambda: e.counters().get("calls_active", 0) == 0, 40, "no call is active", e.status)
    counters = e.counters()
    assert counters["calls_started"] == counters["calls_answered"] + counters["calls_failed"] == count, counters
    assert counters["invites_sent"] == count
    assert counters.get("ring_stale", 0) == 0 and counters.get("ring_full", 0) == 0
    assert error_lines(e) == []
