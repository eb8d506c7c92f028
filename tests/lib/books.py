"""Two independent books, joined: the carrier's (what came over the wire) and the engine's ledger (SQLite or PostgreSQL).

    rows = attempts(engine)                       # dicts, also from PostgreSQL: attempts(engine, postgres_server, url)
    problems = joined(rows, carrier)              # texts; [] if every INVITE has its row and every row its INVITE
    assert most_in_window(carrier.invites()) <= cps + 1
"""

import json
import sqlite3
import time
from collections import Counter

TIMES = ["claimed_us", "invite_us", "ring_us", "answer_us", "end_us"]
NEAR_US = 100_000
ENDING_US = 500_000  # after a death: all its calls are ended by then
LAST_WORD_US = 1_000_000  # from a call's end to its script's last word, on a busy machine
# FreeSWITCH's hangup cause of each final status that the plans use (RFC 3398 §7.2.4.1 as FreeSWITCH has it).
CAUSES = {
    404: "UNALLOCATED_NUMBER", 408: "RECOVERY_ON_TIMER_EXPIRE", 480: "NO_USER_RESPONSE", 486: "USER_BUSY",
    487: ("ORIGINATOR_CANCEL", "NO_ANSWER"), 500: "NORMAL_TEMPORARY_FAILURE", 503: "NORMAL_TEMPORARY_FAILURE", 603: "CALL_REJECTED",
}


def table(engine, name, server=None, url=None):
    """All rows of a table as dicts."""
    if url is None:
        connection = sqlite3.connect("file:%s?mode=ro" % engine.ledger_path, uri=True, timeout=30)
        try:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute("select * from " + name)]
        finally:
            connection.close()
    rows = server.sql(url, "select coalesce(json_agg(t), '[]'::json) from %s t" % name)
    return json.loads("\n".join(row[0] for row in rows))


def attempts(engine, server=None, url=None):
    return table(engine, "attempt", server, url)


def leads(engine, server=None, url=None):
    return table(engine, "lead", server, url)


def most_in_window(invites, window_us=1_000_000):
    """The largest number of INVITEs within any window of that length, half open."""
    times = sorted(i["t_us"] for i in invites)
    most = first = 0
    for last, t in enumerate(times):
        while t - times[first] >= window_us:
            first += 1
        most = max(most, last - first + 1)
    return most


def most_at_a_time(book):
    """The largest number of calls that the carrier had at one moment."""
    steps = []
    for call in book:
        steps += [(call["invite_us"], 1), (call["end_us"] or call["final_us"], -1)]
    steps.sort()
    now = most = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


class Death:
    """Somebody was killed: what ("worker", "broker", "everything") and from when until when (µs) nobody was in its place."""

    def __init__(self, what, from_us, until_us):
        self.what, self.from_us, self.until_us = what, from_us, until_us

    def covers(self, t_us, before_us=0):
        return t_us is not None and self.from_us - before_us <= t_us <= self.until_us


def death(what, kill, up):
    """kill() it; up() comes back when it is in its place again."""
    from_us = time.time_ns() // 1000
    kill()
    up()
    return Death(what, from_us, time.time_ns() // 1000 + ENDING_US)


def _times(row, call, deaths=()):
    """Each time that both saw must be near; what the engine wrote must ascend. What came while there was no broker is noted by the next one;
    while a worker's hundreds of calls are ended at once, nothing else is."""
    out = []
    # A 200 that crossed our CANCEL is acknowledged and ended; it answers nothing.
    answered = call["ack_us"] and call["status"] == 200 and not call["cancel_us"]
    pairs = [("invite_us", call["invite_us"]), ("answer_us", call["answer_us"] if answered else None)]
    if call["provisional_us"] and row["ring_us"]:
        pairs.append(("ring_us", call["provisional_us"]))
    for name, theirs in pairs:
        if row[name] is None and theirs is None:
            continue
        if row[name] is None or theirs is None:
            out.append("%s: ours %s, theirs %s" % (name, row[name], theirs))
        elif abs(row[name] - theirs) > NEAR_US and not any(death.covers(theirs, NEAR_US) for death in deaths):
            out.append("%s: %+d ms apart" % (name, (row[name] - theirs) // 1000))
    seen = [row[name] for name in TIMES if row[name] is not None]
    if seen != sorted(seen):
        out.append("times run backwards: %s" % seen)
    return out


def _died_untold(row, call, deaths):
    """A worker that was killed while the call was ending took with it what its script had heard and not yet told."""
    end_us = min(t for t in (call["bye_in_us"], call["bye_out_us"], call["end_us"]) if t)
    return not row["digits"] and any(death.what != "broker" and death.covers(end_us, LAST_WORD_US) for death in deaths)


def _end(row, call):
    """SIP status, cause and digits."""
    out = []
    if call["status"] and row["sip_status"] != call["status"]:
        out.append("status: ours %s, theirs %s" % (row["sip_status"], call["status"]))
    if call["status"] in CAUSES and row["cause"] not in CAUSES[call["status"]]:
        out.append("cause %s for %d" % (row["cause"], call["status"]))
    usual = "NO_ANSWER" if call["cancel_us"] else "NORMAL_CLEARING"
    if call["end"] in ("bye-in", "bye-out", "bye-both") and row["cause"] != usual:
        out.append("cause %s for %s" % (row["cause"], call["end"]))
    if call["ack_us"] and call["status"] == 200 and (row["digits"] or "") != (call["digits_out"] or ""):
        # A key that is pressed at the moment of our hangup may reach either book only.
        last = max([p["t_us"] for p in call["presses_out"]], default=0)
        if not (call["bye_in_us"] and last > call["bye_in_us"] - 400_000):
            out.append("digits: ours %r, theirs %r" % (row["digits"], call["digits_out"]))
    return out


def _came_to_nobody(row, call, deaths):
    """A final status that came while there was no broker."""
    return row["sip_status"] is None and any(death.what != "worker" and death.covers(call["final_us"], NEAR_US) for death in deaths)


def joined(rows, carrier, deaths=()):
    """What does not agree, as texts. After deaths: rows that say `interrupted` need no times and no end, and rows without an INVITE are allowed to
    be claimed, interrupted or refused."""
    out = []
    interrupted = bool(deaths)
    book = carrier.book()
    by_id = {}
    for call in book:
        by_id.setdefault(call["call_id"], []).append(call)
    invites = Counter(i["call_id"] for i in carrier.invites())
    row_of = {row["id"]: row for row in rows}
    if len(row_of) != len(rows):
        out.append("%d rows have an id twice" % (len(rows) - len(row_of)))
    for call_id, n in invites.items():
        if call_id not in row_of:
            out.append("INVITE %s has no row" % call_id)
        if n != 1:
            out.append("INVITE %s came %d times" % (call_id, n))
    for call_id, row in row_of.items():
        if call_id not in invites:
            allowed = ("claimed", "interrupted", "refused") if interrupted else ("refused",)
            if row["state"] not in allowed:
                out.append("row %s (%s) has no INVITE" % (call_id, row["state"]))
            continue
        calls = by_id.get(call_id)
        if calls is None:
            out.append("row %s: the carrier's call never ended" % call_id)
            continue
        call = calls[0]
        if row["number"] != call["number"].lstrip("+"):
            out.append("row %s: number %s, theirs %s" % (call_id, row["number"], call["number"]))
        if row["claimed_us"] > call["invite_us"]:
            out.append("row %s is younger than its INVITE" % call_id)
        if interrupted and row["state"] in ("interrupted", "claimed"):
            continue
        if row["state"] != "done":
            out.append("row %s: state %s" % (call_id, row["state"]))
        problems = _end(row, call) + _times(row, call, deaths)
        if _died_untold(row, call, deaths):
            problems = [p for p in problems if not p.startswith("digits: ")]
        if _came_to_nobody(row, call, deaths):
            problems = [p for p in problems if not p.startswith("status: ")]
        for problem in problems:
            out.append("row %s (%s, %s): %s" % (call_id, call["behaviour"], call["end"], problem))
    return out
