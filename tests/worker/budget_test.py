"""A worker over its media budget takes no new calls, lets the old ones go on, and takes calls again when they are over."""

from lib.engine import wait_for

TALKS = 50


def test_a_worker_over_its_budget_refuses_new_calls_and_takes_them_again_later(engine, carrier):
    c = carrier(plan="match=* answer after=20ms sound=quiet\n")
    e = engine(slots=100, trunks={"acme": {"address": c.where, "cps": 200}}, media={"budget_percent": 1}, limits={"cps": 200})
    # Each of these is decoded and written to a file: some tenths of a percent of a core.
    e.write("scripts/talk.lua", """
for i = 1, tonumber(argv[1]) do
  local api = freeswitch.API()
  api:executeString("bgapi originate {RECORD_MIN_SEC=60,execute_on_answer='record_session %s/" .. i .. ".wav'}sofia/gateway/acme/121255501" ..
    string.format("%%02d", i) .. " &echo")
end""" % e.folder)
    e.api("lua", "talk.lua", str(TALKS))
    wait_for(lambda: e.counters().get("media_over_budget", 0) == 1, 15, "the budget is spent", e.all_text)
    active = e.counters()["calls_active"]
    refused = e.api("originate", "sofia/gateway/acme/12125550199", "&park")
    assert refused.startswith("-ERR"), refused
    wait_for(lambda: e.counters()["packets_received"] > 1000, 10, "those in progress go on")
    assert e.counters()["calls_active"] >= min(active, 10)
    stages = {name: value for name, value in e.counters().items() if name.startswith("media_") and name.endswith("_us")}
    assert all(stages["media_%s_us" % stage] > 0 for stage in ("busy", "receive", "read", "write", "taps", "send")), stages
    e.api("hupall")
    wait_for(lambda: e.counters().get("media_over_budget", 0) == 0, 15, "room again", e.all_text)
    assert e.api("originate", "sofia/gateway/acme/12125550199", "&park").startswith("+OK")
