"""Who presses a key was heard, whatever the script thread was doing: the key stands in the row."""

import subprocess
import time

import pytest

from lib import books
from lib.campaign import settings, wait_carrier_idle, write_campaign
from lib.engine import wait_for
from lib.freeze import frozen
from lib.paths import CARILLON

BUSY_SCRIPT = 'freeswitch.consoleLog("notice", "begun\\n") while session:ready() do session:sleep(1000) end'
LEADS = 40


class Calls:
    """A campaign whose calls all press 5 and hang up."""

    def __init__(self, carrier, engine, plan):
        self.carrier = carrier(plan=plan)
        self.engine = engine(**settings(self.carrier, 100, 200, 400))
        write_campaign(self.engine, leads=LEADS, script=BUSY_SCRIPT)
        self.script_thread = self.engine.pid("worker 0")
        env = dict(self.engine.env, CARILLON_CONFIG=self.engine.config_path)
        self.command = subprocess.Popen([CARILLON, "campaign", "run", "c"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)

    def unheard(self):
        """At the campaign's end: calls whose key is not in their row."""
        assert self.command.wait(60) == 0
        assert not wait_carrier_idle(self.carrier)
        pressed = [call["call_id"] for call in self.carrier.book() if call["digits_out"] == "5"]
        assert len(pressed) == LEADS  # the carrier really pressed it
        rows = {row["id"]: row["digits"] for row in books.attempts(self.engine)}
        return [call for call in pressed if rows[call] != "5"]


def all_ended(calls):
    wait_for(lambda: len(calls.carrier.book()) == LEADS, 20, "all calls at their end", calls.engine.all_text)
    time.sleep(0.3)  # broker and media thread have told it all to the one who does not listen


def test_a_key_pressed_before_the_script_thread_knew_of_the_call(carrier, engine):
    calls = Calls(carrier, engine, "match=* answer after=20..60ms talk=640ms digits=5@300ms")
    with frozen(calls.script_thread):
        all_ended(calls)
    assert calls.unheard() == []


@pytest.mark.parametrize("key", ["300ms", "560ms"])  # 560: it is still down when the call ends
def test_a_key_and_a_hangup_that_the_script_thread_sees_at_once(carrier, engine, key):
    calls = Calls(carrier, engine, "match=* answer after=20..60ms talk=2600..2640ms digits=5@" + key.replace("300", "2300").replace("560", "2560"))
    wait_for(lambda: calls.engine.all_text().count("begun") == LEADS, 10, "all scripts", calls.engine.all_text)
    with frozen(calls.script_thread):
        all_ended(calls)
    assert calls.unheard() == []
