"""A call that hears nothing ends by its RTP timeout; one on hold by that of holds."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.carrier import Carrier
from lib.engine import Engine

PLAN = """
match=*01 answer after=50ms sound=none
match=*02 answer after=50ms sound=none reinvite=hold@300ms
match=* answer after=50ms sound=quiet
"""

DIAL = """
local s = freeswitch.Session("{" .. argv[1] .. "}sofia/gateway/acme/" .. argv[2])
if s:ready() then s:sleep(5000) end
stream:write((s:ready() and "alive" or "ended"))
s:hangup()
"""

CALLS = {
    "silent": ("rtp_timeout_sec=1", "12125550101", "ended"),
    "silent in ms": ("media_timeout=700", "12125550101", "ended"),
    "talking": ("rtp_timeout_sec=1", "12125550199", "alive"),
    "held, by default ten times as long": ("rtp_timeout_sec=1", "12125550102", "alive"),
    "held": ("rtp_timeout_sec=60,rtp_hold_timeout_sec=1", "12125550102", "ended"),
    "no limit of its own": ("a=b", "12125550101", "alive"),
}


@pytest.fixture(scope="module")
def ends():
    carrier = Carrier(plan=PLAN)
    engine = Engine(slots=40, trunks={"acme": {"address": carrier.where}})
    engine.write("scripts/dial.lua", DIAL)
    try:
        with ThreadPoolExecutor(len(CALLS)) as pool:
            ends = dict(zip(CALLS, pool.map(lambda name: engine.api("lua", "dial.lua", *CALLS[name][:2]), CALLS)))
        ends["log"] = engine.all_text()
        ends["ledger"] = sqlite3.connect(engine.ledger_path).execute("select count(*) from attempt where cause = 'MEDIA_TIMEOUT'").fetchone()[0]
        yield ends
    finally:
        engine.close()
        carrier.close()


@pytest.mark.parametrize("name", CALLS)
def test_a_call_ends_by_its_rtp_timeout(ends, name):
    assert ends[name].strip() == CALLS[name][2]


def test_the_log_and_the_ledger_say_why(ends):
    assert ends["log"].count("nothing was received for longer than its RTP timeout") == 3
    assert ends["ledger"] == 3
