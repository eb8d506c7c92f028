"""A campaign's leads by REST and by the command line, and calls that nobody took over."""

import json

from lib import books
from lib.campaign import write_campaign
from tests.control.http_test import VIEWER, Web


def make(engine, carrier, **more):
    far = carrier(plan="match=*4 answer after=20ms talk=2s\nmatch=* busy after=20ms")
    web = Web(engine, trunks={"acme": {"address": far.where, "cps": 50, "concurrent": 20}}, campaigns_dir="campaigns", sounds_dir="sounds")
    return web, web.engine


def test_leads_are_listed_filtered_paged_and_added(engine, carrier):
    web, e = make(engine, carrier)
    write_campaign(e, "spring", leads=7, retry={"USER_BUSY": {"after": "1h", "tries": 2}})
    e.cli("campaign", "import", "spring", check=True)
    page = web.ask("/v1/campaigns/spring/leads?limit=3").json
    assert [lead["number"] for lead in page["leads"]] == ["15552000000", "15552000001", "15552000002"]
    assert page["leads"][0]["variables"]["name"] == "Lead, no. 0" and page["leads"][0]["state"] == "pending" and page["leads"][0]["tries"] == 0
    rest = web.ask("/v1/campaigns/spring/leads?limit=100&after=%d" % page["next"]).json
    assert len(rest["leads"]) == 4
    assert web.ask("/v1/campaigns/spring/leads?after=%d" % rest["next"]).json == {"leads": [], "next": None}
    one = web.ask("/v1/campaigns/spring/leads?number=%2B1-555-200-0005").json
    assert [lead["number"] for lead in one["leads"]] == ["15552000005"]
    # One more, by JSON and by a form; the second time it is known.
    assert web.ask("/v1/campaigns/spring/leads", "POST", data={"number": "+1 (555) 200-0099", "zone": "America/New_York", "name": "Zoe"}).json == {"added": 1, "known": 0}
    assert web.ask("/v1/campaigns/spring/leads", "POST", data={"number": "15552000099"}).json == {"added": 0, "known": 1}
    zoe = web.ask("/v1/campaigns/spring/leads?number=15552000099").json["leads"][0]
    assert zoe["zone"] == "America/New_York" and zoe["variables"] == {"name": "Zoe"}
    # Wrong words are refused, and so is a viewer who adds.
    assert web.ask("/v1/campaigns/spring/leads", "POST", data={"number": "nobody"}).status == 400
    assert web.ask("/v1/campaigns/spring/leads", "POST", data={"-c": "/etc/passwd"}).status == 400
    assert web.ask("/v1/campaigns/none/leads").status == 404
    assert web.ask("/v1/campaigns/spring/leads?colour=blue").status == 404
    assert web.ask("/v1/campaigns/spring/leads", "POST", data={"number": "15552000098"}, user=VIEWER).status == 403
    assert "campaign add spring" in web.ask("/v1/audit").text
    # The same at the command line.
    assert "15552000099" in e.cli("campaign", "leads", "spring", "number=15552000099", check=True).stdout
    assert json.loads(e.cli("campaign", "leads", "spring", "state=done", "--json", check=True).stdout) == {"leads": [], "next": None}
    assert e.cli("campaign", "add", "spring", "number=15552000100", "name=Yan", check=True).stdout == "added\n"
    assert "already" in e.cli("campaign", "add", "spring", "number=15552000100", check=True).stdout
    assert e.cli("campaign", "add", "spring").returncode == 1 and e.cli("campaign", "leads", "spring", "colour=blue").returncode != 0


def test_a_call_that_nobody_took_over_counts_as_abandoned(engine, carrier):
    web, e = make(engine, carrier)
    write_campaign(e, "c", leads=20, retry={"USER_BUSY": False}, script='session:setVariable("disposition", "abandoned") session:hangup()')
    e.cli("campaign", "run", "c", check=True, timeout=60)
    progress = web.ask("/v1/campaigns/c").json
    assert progress["answered"] == progress["abandoned"] == 2
    assert sum(lead["disposition"] == "abandoned" for lead in books.leads(e)) == 2
