"""Who presses a key and hangs up at once was heard: the key stands in the row, whatever the script was doing."""

from lib import books
from lib.campaign import settings, wait_carrier_idle, write_campaign

BUSY_SCRIPT = 'while session:ready() do session:sleep(1000) end'


def test_a_key_pressed_just_before_the_hangup_is_in_the_row(carrier, engine):
    c = carrier(plan="match=* answer after=20..60ms talk=640ms digits=5@300ms")
    e = engine(**settings(c, 60, 200, 400))
    write_campaign(e, leads=120, script=BUSY_SCRIPT)
    e.cli("campaign", "run", "c", timeout=120, check=True)
    assert not wait_carrier_idle(c)
    pressed = {call["call_id"] for call in c.book() if "5" in (call.get("digits_out") or "")}
    rows = {row["id"]: row["digits"] for row in books.attempts(e)}
    assert len(pressed) > 100  # the carrier really pressed it before its BYE
    assert [call for call in pressed if rows[call] != "5"] == []
