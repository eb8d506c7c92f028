"""Keys bound to actions: in a bridge and outside of one, with realms, timeouts and meta keys, on one worker and over two."""

import time

import pytest

from lib.engine import wait_for
from worker.link_test import Joined


@pytest.fixture
def two(engine, carrier):
    return Joined(engine, carrier)


def run(two, uuid, *apps):
    for app in apps:
        assert two.engine.api("uuid_broadcast", "%s '%s'" % (uuid, app)).startswith("+OK")


def press(two, uuid, keys):
    two.engine.api("uuid_recv_dtmf", uuid + " " + keys)


def becomes(two, uuid, name, value, seconds=5):
    wait_for(lambda: two.variable(uuid, name) == value, seconds, "%s=%s" % (name, value), lambda: two.variable(uuid, name) + two.engine.all_text())


def test_bound_keys_work_on_a_call_that_is_parked_or_plays(two):
    u = two.null()
    run(two, u, "bind_digit_action::r,11,exec:set,hit=eleven", "bind_digit_action::r,1,exec:set,hit=one", "bind_digit_action::r,~^5\\d$,exec:set,hit=five",
        "bind_digit_action::other,2,api:uuid_setvar,%s by api" % u, "digit_action_set_realm::r")
    press(two, u, "11")
    becomes(two, u, "hit", "eleven")
    assert two.variable(u, "last_matching_digits") == "11"
    press(two, u, "1")  # also the begin of 11: told after the digit timeout
    time.sleep(0.5)
    assert two.variable(u, "hit") == "eleven"
    becomes(two, u, "hit", "one")
    press(two, u, "57")
    becomes(two, u, "hit", "five")
    two.engine.api("uuid_broadcast", u + " playback::tone_stream://%(20000,0,440)")
    press(two, u, "11")
    becomes(two, u, "last_matching_digits", "11")  # what it runs waits for the tone's end
    two.engine.api("uuid_break", u + " all")
    run(two, u, "digit_action_set_realm::other")
    press(two, u, "2")
    becomes(two, u, "by", "api")
    run(two, u, "clear_digit_action::other")
    press(two, u, "2")
    time.sleep(0.2)
    assert two.variable(u, "last_matching_digits") == "2"  # of before


def test_keys_that_match_nothing_go_on_to_whoever_collects(two):
    u = two.null(1)
    said = two.script("""
      local s = freeswitch.Session(argv[1]:sub(6))
      s:execute("bind_digit_action", "r,*1,exec:set,star=yes")
      api:execute("uuid_recv_dtmf", argv[1]:sub(6) .. " 4*15#")
      say("keys", s:getDigits(5, "#", 5000))
      say("star", s:getVariable("last_matching_digits"))
      s:execute("clear_digit_action", "all")
      api:execute("uuid_recv_dtmf", argv[1]:sub(6) .. " *1#")
      say("plain", s:getDigits(5, "#", 3000))
    """, "call:" + u)
    assert said == {"keys": "45", "star": "*1", "plain": "*1"}


@pytest.mark.parametrize("other", [0, 1])
def test_bound_and_meta_keys_work_in_a_bridge_on_either_side(two, other):
    a, b = two.null(0), two.null(other)
    run(two, a, "bind_digit_action::r,21,exec:set,on=a,self,self", "bind_digit_action::r,22,exec:set,on=b,self,peer", "bind_digit_action::r,23,exec:set,on=c,peer,self")
    run(two, a, "bind_meta_app::7 a s set::meta=same", "bind_meta_app::8 b o set::meta=opposite", "bind_meta_app::9 a a1 set::once=yes")
    assert two.on(0, "uuid_bridge", a + " " + b).startswith("+OK")
    two.bridged(a, b)
    press(two, a, "21")
    becomes(two, a, "on", "a")
    press(two, a, "22")
    becomes(two, b, "on", "b")
    press(two, b, "23")  # keys that the partner sends
    becomes(two, a, "on", "c")
    press(two, a, "*7")
    becomes(two, a, "meta", "same")
    press(two, b, "*8")
    becomes(two, a, "meta", "opposite")
    press(two, a, "*9")
    becomes(two, a, "once", "yes")
    two.engine.api("uuid_setvar", a + " once no")
    press(two, a, "*9")
    two.engine.wait_log("Ignoring meta digit '9' not mapped")
    assert two.variable(a, "once") == "no"
    # Outside of the bridge, the call's own still work.
    two.engine.api("uuid_kill", b)
    two.parted(a)
    press(two, a, "*7")
    two.engine.api("uuid_setvar", a + " meta none")
    press(two, a, "*7")
    becomes(two, a, "meta", "same")
