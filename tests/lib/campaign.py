"""A campaign in an engine's folder: its file, its leads, its script; and the carrier's plan for the usual mix of people."""

import os
import time

from . import sounds
from .lua import lua, merge

# What a list of numbers is like: some answer and press keys, some are busy, some are not there.
PEOPLE = """
weight=34  answer after=200..900ms talk=2500..3500ms digits=1@900..1200ms
weight=12  answer after=200..900ms talk=4s digits=27@900..1200ms
weight=8   answer after=300..600ms talk=400..900ms
weight=8   answer after=200..500ms sound=voicemail
weight=12  busy after=100..300ms
weight=10  noanswer
weight=4   reject 404
weight=4   reject 480
weight=4   reject 503
weight=2   reject 603
weight=2   late200
"""

# One key of any number's, two for those that press two; then a second of sound and a hangup by us, unless the far end was first.
SCRIPT = """
local first = session:playAndGetDigits(1, 2, 1, 2500, "#", "ask.wav", "", "\\\\d+")
session:setVariable("pressed", first)
if session:ready() then session:streamFile("bye.wav") end
session:hangup()
"""


def write_leads(path, count, first=15552000000, bad=()):
    """A CSV; `bad` are lines put in between, as they are."""
    with open(path, "w", encoding="utf-8") as f:
        f.write("number,name,amount\n")
        for i in range(count):
            f.write('%d,"Lead, no. %d",%d.%02d\n' % (first + i, i, i % 300, i % 100))
            if i < len(bad):
                f.write(bad[i] + "\n")
    return path


def write_campaign(engine, name="c", leads=100, script=SCRIPT, first=15552000000, **changes):
    """campaigns/NAME.lua, scripts/NAME.lua, NAME.csv and two sounds; returns the campaign file's path."""
    for sound, seconds in (("ask.wav", 0.4), ("bye.wav", 0.5)):
        if not os.path.exists(engine.path("sounds", sound)):
            sounds.tone(engine.path("sounds", sound), seconds)
    engine.write("scripts/%s.lua" % name, script)
    if isinstance(leads, int):
        leads = write_leads(engine.path(name + ".csv"), leads, first)
    table = merge(
        {
            "leads": leads, "trunks": ["acme"], "script": name + ".lua", "window": "always", "ring_timeout": "3s", "short_ring": True,
            "retry": {"USER_BUSY": {"after": "2s", "tries": 2}, "NO_ANSWER": False, "NORMAL_TEMPORARY_FAILURE": False, "NO_USER_RESPONSE": False},
        },
        changes,
    )
    return engine.write("campaigns/%s.lua" % name, "return " + lua(table) + "\n")


def settings(carrier, cps, concurrent, slots, **more):
    """An engine's settings for one trunk `acme` to that carrier."""
    return merge(
        {
            "slots": slots, "addresses": -(-slots // 250),  # short blocks of RTP ports are found sooner
            "trunks": {"acme": {"address": carrier.where, "cps": cps, "concurrent": concurrent, "caller_id": "15550100"}},
            "limits": {"concurrent": slots, "cps": 2 * cps, "drain_s": 60},
            "campaigns_dir": "campaigns", "sounds_dir": "sounds",
        },
        more,
    )


def error_lines(engine):
    return [line for line in engine.all_text().splitlines() if " ERR " in line or " CRIT " in line or " ALERT " in line]


def wait_carrier_idle(carrier, seconds=60.0):
    """Until each INVITE's call is in the book (a call that got no end waits for the carrier's own timers)."""
    until = time.monotonic() + seconds
    while True:
        missing = {i["call_id"] for i in carrier.invites()} - {c["call_id"] for c in carrier.book()}
        if not missing or time.monotonic() > until:
            return missing
        time.sleep(0.2)
