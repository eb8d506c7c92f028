"""A campaign that judges who answered: before its script begins, or within it; the disposition stands in the row."""

from collections import Counter

from lib import books
from lib.campaign import settings, write_campaign

PLAN = """
match=*0 answer after=50ms sound=voicemail
match=*1 answer after=50ms sound=voicemail
match=* answer after=50ms sound=hello
"""
BEFORE = 'session:setVariable("disposition", "amd-" .. tostring(session:getVariable("AMDSTATUS")))\nsession:hangup()\n'
WITHIN = 'session:execute("amd")\n' + BEFORE


def test_a_campaign_knows_people_from_machines(engine, carrier):
    c = carrier(plan=PLAN)
    e = engine(**settings(c, 50, 50, 100))
    for name, script, changes in (("before", BEFORE, {"variables": {"execute_on_answer": "amd"}}), ("within", WITHIN, {})):
        write_campaign(e, name=name, leads=10, script=script, first=15552000000 + (100 if name == "within" else 0), **changes)
        assert e.cli("campaign", "run", name, timeout=60).returncode == 0
    rows = books.attempts(e)
    for first in ("1555200000", "1555200010"):
        found = Counter(row["disposition"] for row in rows if row["number"].lstrip("+").startswith(first))
        assert found == {"amd-HUMAN": 8, "amd-MACHINE": 2}, (found, e.all_text()[-3000:])
