"""Calls of two workers that are joined: whatever works on one worker works across two, and what is heard is what was said.

The carrier's far ends send a tone each; the calls are recorded, and the recordings judged for frequency and level.
"""

import math
import struct
import time
import wave

import pytest

from lib.engine import wait_for
from worker.remote_test import HEAD, Two

PLAN = ("match=*333 answer after=30ms sound=quiet digits=7@3500ms\nmatch=*440 answer after=30ms tone=440\n"
        "match=*700 answer after=30ms tone=700\nmatch=*9990000 busy\nmatch=* answer after=30ms silence")


class Joined(Two):
    def __init__(self, engine, carrier):
        self.carrier = carrier(plan=PLAN)
        self.engine = engine(workers=2, slots=100, trunks={"acme": {"address": self.carrier.where}})

    def pair(self):
        """A call of worker 0 whose far end sends 440 Hz, and one of worker 1 with 700 Hz."""
        return self.sip(0, "15550440"), self.sip(1, "15550700")

    def variable(self, uuid, name):
        return self.engine.api("uuid_getvar", uuid + " " + name).strip()

    def bridged(self, a, b):
        wait_for(lambda: self.variable(a, "bridge_uuid") == b and self.variable(b, "bridge_uuid") == a, 5, "the bridge", self.engine.all_text)

    def parted(self, *uuids):
        wait_for(lambda: all(self.variable(u, "bridge_uuid") in ("_undef_", "") for u in uuids if self.exists(u)), 5, "the end of the bridge")

    def hears(self, uuid, seconds=1.0, settle=0.3):
        """What the call's far end is sent, as levels at 440, 700 and 1000 Hz (amplitudes)."""
        time.sleep(settle)
        path = self.engine.path("hears-%d.wav" % time.monotonic_ns())
        self.engine.api("uuid_setvar_multi", uuid + " RECORD_STEREO=true;RECORD_MIN_SEC=0")
        assert self.engine.api("uuid_record", "%s start %s" % (uuid, path)).startswith("+OK")
        time.sleep(seconds)
        assert self.engine.api("uuid_record", "%s stop %s" % (uuid, path)).startswith("+OK")
        return wait_for(lambda: levels(path), 5, "the recording")

    def text(self, path):
        try:
            with open(path) as f:
                return f.read()
        except OSError:
            return ""


def amplitude(samples, hz, rate):
    """Of a sine of that frequency in there (Goertzel)."""
    w = 2 * math.pi * hz / rate
    s1 = s2 = 0.0
    for x in samples:
        s1, s2 = x + 2 * math.cos(w) * s1 - s2, s1
    return 2 * math.sqrt(max(0.0, s1 * s1 + s2 * s2 - 2 * math.cos(w) * s1 * s2)) / len(samples)


def levels(path, side=1, channels=2):
    try:
        with wave.open(path) as f:
            rate, found, n = f.getframerate(), f.getnchannels(), f.getnframes()
            data = struct.unpack("<%dh" % (n * found), f.readframes(n))
    except (OSError, EOFError, wave.Error):
        return None
    if found != channels or n < rate // 2:
        return None
    samples = data[side if channels == 2 else 0::channels][rate // 10:]
    return {hz: amplitude(samples, hz, rate) for hz in (440, 700, 1000)}


def heard(level):
    return {hz for hz, a in level.items() if a > 1000}


@pytest.fixture
def two(engine, carrier):
    return Joined(engine, carrier)


def test_calls_of_two_workers_are_bridged_and_hear_each_other(two):
    a, b = two.pair()
    before = two.hears(a)
    assert heard(before) == set()
    assert two.on(0, "uuid_bridge", a + " " + b) == "+OK %s\n" % b
    two.bridged(a, b)
    at_a, at_b = two.hears(a), two.hears(b)
    assert heard(at_a) == {700} and heard(at_b) == {440}
    # One trip through the rings changes no level: 1 dB is mu-law's, and a frame lost now and then.
    assert 0.8 < at_a[700] / at_b[440] < 1.25
    assert two.engine.api("uuid_kill", a) == "+OK\n"
    two.gone(a)
    two.parted(b)
    assert two.variable(b, "last_bridge_hangup_cause") == "NORMAL_CLEARING"
    assert two.exists(b)


@pytest.mark.parametrize("other_worker", [0, 1])
def test_keys_go_through_a_bridge_once(two, other_worker):
    a, b = two.sip(0, "15550333"), two.sip(other_worker, "15550700")
    two.on(0, "uuid_bridge", a + " " + b)
    two.bridged(a, b)
    two.engine.api("uuid_recv_dtmf", b + " 12")
    time.sleep(4.5)  # the far end of a presses 7 after 3.5 s
    two.engine.api("uuid_kill", a)
    two.engine.api("uuid_kill", b)
    book = {row["number"]: row["digits_in"] for row in two.carrier.wait_book(2)}
    assert book == {"15550333": "12", "15550700": "7"}


def test_variables_and_a_transfer_of_the_lent_call_are_what_they_are_on_one_worker(two):
    a, b = two.pair()
    two.on(0, "uuid_bridge", a + " " + b)
    two.bridged(a, b)
    two.on(1, "uuid_setvar", b + " colour blue")
    assert two.on(0, "uuid_getvar", b + " colour").strip() == "blue"
    assert two.variable(a, "last_bridge_to") == b and two.variable(b, "signal_bond") == a
    # The lent call goes elsewhere: its partner stays and is parked.
    assert two.on(0, "uuid_transfer", b + " park inline") == "+OK\n"
    two.parted(a, b)
    wait_for(lambda: two.variable(b, "current_application") == "park" and two.variable(a, "current_application") == "park", 5, "both parked")
    # And again, the other way about: nothing of the first time is left.
    assert two.on(1, "uuid_bridge", b + " " + a).startswith("+OK")
    two.bridged(a, b)
    assert heard(two.hears(a)) == {700} and heard(two.hears(b)) == {440}
    assert two.on(1, "uuid_transfer", b + " -both park inline") == "+OK\n"
    two.parted(a, b)
    wait_for(lambda: two.variable(b, "current_application") == "park" and two.variable(a, "current_application") == "park", 5, "both parked")


@pytest.mark.parametrize("dies", [0, 1])
def test_a_worker_killed_in_a_bridge_is_its_partners_hangup_and_leaks_no_link(two, dies):
    for _ in range(2):
        a, b = two.pair()
        assert two.on(0, "uuid_bridge", a + " " + b).startswith("+OK")
        two.bridged(a, b)
        stays = (b, a)[dies]
        name = "worker %d" % dies
        dead, before = two.engine.pids()[name], two.engine.log().count("%s takes calls" % name)
        two.engine.kill(name)
        wait_for(lambda: two.engine.pids().get(name, dead) != dead, 10, "a new worker", two.engine.all_text)
        wait_for(lambda: two.engine.log().count("%s takes calls" % name) > before, 10, "that it takes calls", two.engine.all_text)
        two.gone((a, b)[dies])
        two.parted(stays)
        assert two.variable(stays, "last_bridge_hangup_cause") == "DESTINATION_OUT_OF_ORDER"
        assert two.exists(stays)
        assert two.engine.api("uuid_kill", stays) == "+OK\n"
        two.gone(stays)


def test_freeswitch_bridge_of_a_local_and_a_remote_session(two):
    a, b = two.pair()
    path = two.engine.path("bridged.txt")
    script = two.engine.write("scripts/bridge.lua", HEAD + """
      local there, here = freeswitch.Session(argv[1]:sub(6)), freeswitch.Session(argv[2]:sub(6))
      local pressed = ""
      function key(s, type, object) pressed = pressed .. object.digit .. s:getVariable("colour"); return object.digit == "9" and "break" or "true" end
      function gone(s, status) freeswitch.consoleLog("notice", "hook " .. status .. "\\n") end
      there:setVariable("colour", "red")
      there:setInputCallback("key", "")
      there:setHangupHook("gone")
      freeswitch.bridge(there, here)
      local f = io.open(argv[3], "w"); f:write(pressed, " ", tostring(there:ready()), " ", tostring(here:ready())); f:close()
    """)
    two.on(1, "luarun", "%s call:%s call:%s %s" % (script, a, b, path))
    two.bridged(a, b)
    assert heard(two.hears(a)) == {700} and heard(two.hears(b)) == {440}
    two.engine.api("uuid_recv_dtmf", a + " 19")
    wait_for(lambda: two.text(path), 5, "the script's end", two.engine.all_text)
    assert two.text(path) == "1red9red true false"  # the second leg is hung up, as on one worker
    two.gone(b)
    assert two.exists(a)


def test_eavesdrop_hears_both_sides_whispers_and_barges_in_across_workers(two):
    a, b = two.pair()
    two.on(0, "uuid_bridge", a + " " + b)
    two.bridged(a, b)
    alone = two.hears(a)[700]
    spy = two.sip(1, "15551000")
    two.on(1, "uuid_transfer", "%s eavesdrop:%s inline" % (spy, a))
    assert heard(two.hears(spy, settle=0.6)) == {440, 700}
    talker = two.sip(1, "15551700")  # at 700 Hz, as b: together they are louder or softer, never alike
    two.on(1, "uuid_transfer", "%s three_way:%s inline" % (talker, a))
    both = two.hears(a, settle=0.6)
    assert heard(both) == {700} and abs(both[700] - alone) > 0.1 * alone
    two.engine.api("uuid_kill", a)
    two.gone(a)
    wait_for(lambda: two.variable(spy, "current_application") in ("", "_undef_") or not two.exists(spy), 5, "the spy lets go")


@pytest.mark.parametrize("from_worker", [0, 1])
def test_intercept_takes_a_call_from_its_partner_wherever_each_lives(two, from_worker):
    a, b = two.pair()
    two.on(0, "uuid_bridge", a + " " + b)
    two.bridged(a, b)
    c = two.sip(from_worker, "15551440")
    two.on(from_worker, "uuid_transfer", "%s intercept:%s inline" % (c, b))
    two.gone(a)
    two.bridged(c, b)
    assert heard(two.hears(c, settle=0.6)) == {700} and heard(two.hears(b)) == {440}


def test_parties_of_both_workers_meet_in_one_conference_and_hear_all_others(two):
    a, b = two.pair()
    c = two.sip(1, "15551000")
    for u in (a, b, c):
        two.engine.api("uuid_transfer", u + " conference:meeting inline")
    wait_for(lambda: all(two.variable(u, "conference_member_id").isdigit() for u in (a, b, c)), 5, "all members", two.engine.all_text)
    assert heard(two.hears(a, settle=0.6)) == {700} and heard(two.hears(b)) == {440} and heard(two.hears(c)) == {440, 700}
    assert sorted(two.variable(u, "conference_member_id") for u in (a, b, c)) == ["1", "2", "3"]
    two.engine.api("uuid_recv_dtmf", a + " #")
    two.gone(a)  # it leaves, and its dialplan is at its end
    assert heard(two.hears(c, settle=0.4)) == {700}


def test_a_parked_or_queued_call_is_fetched_from_any_worker(two):
    a, b = two.pair()
    two.engine.api("uuid_transfer", a + " valet_park:'lot 1' inline")
    wait_for(lambda: two.variable(a, "valet_extension") == "1", 5, "the lot", two.engine.all_text)
    two.engine.api("uuid_transfer", b + " valet_park:'lot 1' inline")
    two.bridged(b, a)
    assert heard(two.hears(a)) == {700} and heard(two.hears(b)) == {440}
    two.engine.api("uuid_kill", b)
    two.gone(a)
    a, b = two.pair()
    two.engine.api("uuid_transfer", a + " fifo:'sales in' inline")
    time.sleep(0.3)
    two.engine.api("uuid_transfer", b + " fifo:'sales out nowait' inline")
    two.bridged(b, a)
    assert heard(two.hears(a)) == {700} and heard(two.hears(b)) == {440}


def test_both_legs_of_a_bridge_are_played_to_and_shown_once(two):
    a, b = two.pair()
    two.on(0, "uuid_bridge", a + " " + b)
    two.bridged(a, b)
    shown = two.engine.api("show", "bridged_calls")
    assert "1 total." in shown and a in shown and b in shown, shown
    assert "1 total." in two.engine.api("show", "calls")
    for uuid in (a, b):  # asked at either call
        two.engine.api("uuid_broadcast", "%s tone_stream://%%(9000,0,1000) both" % uuid)
        at = two.hears(a, seconds=0.8), two.hears(b, seconds=0.8, settle=0)
        assert 1000 in heard(at[0]) and 1000 in heard(at[1])
        two.engine.api("uuid_break", a + " all")
        two.engine.api("uuid_break", b + " all")
    assert heard(two.hears(b)) == {440}


def test_an_attended_transfer_joins_the_lent_partner_with_the_third(two):
    a, b = two.sip(0, "15551000"), two.sip(1, "15550700")
    two.on(0, "uuid_bridge", a + " " + b)
    two.bridged(a, b)
    two.engine.api("uuid_broadcast", a + " att_xfer::sofia/gateway/acme/15550440")
    wait_for(lambda: "3 total." in two.engine.api("show", "channels"), 5, "the third call", two.engine.all_text)
    assert heard(two.hears(a, settle=0.6)) == {440}  # it talks to the third alone
    two.engine.api("uuid_kill", a)
    two.gone(a)
    c = wait_for(lambda: two.variable(b, "bridge_uuid") not in ("", "_undef_", a) and two.variable(b, "bridge_uuid"), 5, "the join", two.engine.all_text)
    assert heard(two.hears(b, settle=0.6)) == {440} and heard(two.hears(c)) == {700}
    two.engine.api("uuid_kill", c)
    two.gone(c)


def test_when_no_link_is_free_an_application_says_so_and_every_link_comes_back(two):
    room = next(name for name in "abcdefgh" if two.on(1, "conference", name + " dial null/x") and "1 member" in two.on(0, "carillon_here", "conference list"))
    two.on(0, "hupall", "NORMAL_CLEARING")
    wait_for(lambda: two.engine.api("conference", "list") == "+OK No active conferences.\n", 5, "an empty room", two.engine.all_text)
    for _ in range(2):  # rooms of that name are on worker 0; worker 1 has 25 links
        calls = [two.null(1, "&conference(%s)" % room) for _ in range(27)]
        wait_for(lambda: two.engine.api("conference", room + " count").strip() == "25", 10, "25 members", two.engine.all_text)
        two.engine.wait_log("with a call of another worker: no audio link is free")
        assert sum(two.exists(u) for u in calls) <= 25  # the others' dialplans went on, to their end
        two.on(1, "hupall", "NORMAL_CLEARING")
        wait_for(lambda: two.engine.api("conference", "list") == "+OK No active conferences.\n", 10, "an empty room", two.engine.all_text)
