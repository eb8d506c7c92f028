"""Nobody is called without a permit, by whatever way in: what is refused has a row with its reason and never reaches the carrier."""

import datetime
import json
import os
import random
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
import zoneinfo

import pytest

from lib import books, paths
from lib.campaign import settings, write_campaign
from lib.engine import wait_for
from lib.esl_wire import Wire
from lib.ports import free_port

GOOD = "15552000001"
OWN, FILED, TABLED, DEAR, UNPRICED, FOREIGN, EMERGENCY = "15552000100", "15552000200", "15552000201", "15559000300", "4930123456", "+442071234567", "911"
REASONS = {OWN: "own_number", FILED: "do_not_call", TABLED: "do_not_call", DEAR: "price", UNPRICED: "price", FOREIGN: "country", EMERGENCY: "emergency"}
DIALPLAN = """<include><context name="default">
  <extension name="out"><condition field="destination_number" expression="^out-(.+)$"><action application="bridge" data="sofia/gateway/acme/$1"/></condition></extension>
  <extension name="park"><condition field="destination_number" expression="^park$"><action application="answer"/><action application="park"/></condition></extension>
</context></include>"""


@pytest.fixture
def guarded(engine, carrier):
    """An engine with every rule of a permit that does not depend on the time of the day."""
    far = carrier(plan="match=* answer after=50ms talk=300ms")
    e = engine(start=False, **settings(far, cps=100, concurrent=50, slots=100,
                                       numbers={"countries": ["1", "49"], "own": [OWN], "do_not_call": ["dnc.txt"]}, limits={"max_price": 0.05},
                                       trunks={"acme": {"rates": "rates.csv"}}, event_socket={"port": free_port(), "password": "x1y2z3"},
                                       http={"port": free_port(), "users": {"op": {"token": "0123456789abcdef", "role": "operator"}}}))
    e.write("dnc.txt", "number,why\n# those who said no\n+1 (555) 200-0200,asked\n")
    e.write("rates.csv", "prefix,price\n1,0.01\n1555900,2.50\n")
    e.write("freeswitch/dialplan/default.xml", DIALPLAN)
    e.start()
    assert "+OK" in e.cli("dnc", "add", TABLED, "said so", check=True).stdout
    return e, far


def rest(e, number):
    request = urllib.request.Request("http://127.0.0.1:%d/v1/calls" % e.config["http"]["port"], method="POST",
                                     data=json.dumps({"dial": "sofia/gateway/acme/" + number, "application": "park"}).encode(),
                                     headers={"Authorization": "Bearer 0123456789abcdef", "Content-Type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=20).read()
    except urllib.error.HTTPError:
        pass


def esl_bgapi(e, number):
    client = Wire(e.config["event_socket"]["port"])
    client.auth(e.config["event_socket"]["password"])
    client.ask("bgapi originate {ignore_early_media=true}sofia/gateway/acme/%s &park" % number)
    client.close()


def campaign(e, number):
    name = "c%d" % random.randrange(10**9)
    e.write(name + ".csv", "number\n%s\n" % number)
    write_campaign(e, name, leads=e.path(name + ".csv"))
    e.cli("campaign", "run", name, timeout=60)


WAYS = {
    "Session": lambda e, n: e.lua('local s = freeswitch.Session("sofia/gateway/acme/%s") s:hangup()' % n),
    "Session with an A leg": lambda e, n: e.lua('local a = freeswitch.Session("null/x") local s = freeswitch.Session("sofia/gateway/acme/%s", a) a:hangup()' % n),
    "fork and failover": lambda e, n: e.lua('local s = freeswitch.Session("error/USER_BUSY|sofia/gateway/acme/%s,error/NO_ANSWER") s:hangup()' % n),
    "bridge application": lambda e, n: e.lua('local a = freeswitch.Session("null/x") a:execute("bridge", "sofia/gateway/acme/%s") a:hangup()' % n),
    "execute_on_answer": lambda e, n: e.lua('local a = freeswitch.Session("{execute_on_answer=\'bridge sofia/gateway/acme/%s\'}loopback/park/default") freeswitch.msleep(300) a:hangup()' % n),
    "api originate": lambda e, n: e.api("originate", "sofia/gateway/acme/" + n, "&park"),
    "bgapi from a script": lambda e, n: e.lua('freeswitch.API():executeString("bgapi originate sofia/gateway/acme/%s &park") freeswitch.msleep(300)' % n),
    "event socket bgapi": esl_bgapi,
    "dialplan by loopback": lambda e, n: e.api("originate", "loopback/out-%s/default" % n, "&park"),
    "uuid_transfer": lambda e, n: e.lua('local a = freeswitch.Session("loopback/park/default") freeswitch.API():executeString("uuid_transfer " .. a:get_uuid() .. " out-%s XML default") '
                                        'freeswitch.msleep(500) a:hangup()' % n),
    "sched_api": lambda e, n: e.api("sched_api", "+0", "none", "originate", "sofia/gateway/acme/" + n, "&park"),
    "enterprise originate": lambda e, n: e.api("originate", "error/USER_BUSY:_:sofia/gateway/acme/" + n, "&park"),
    "REST": rest,
    "campaign": campaign,
}


def spellings(number):
    """As people, and people who try to get around a list, write it."""
    yield number
    if number[0] != "+" and len(number) > 4:
        yield "+" + number
        yield "00" + number
        yield "+" + number[0] + "-" + number[1:4] + "." + number[4:]
        if number[0] == "1":
            yield number[1:]


def rows(e):
    return books.attempts(e)


def refusals(e):
    return [row["refused"] for row in rows(e) if row["state"] == "refused"]


def test_no_way_in_gets_an_INVITE_out_without_a_permit(guarded):
    e, far = guarded
    chosen = random.Random(11)
    numbers = list(REASONS)
    tried = 0
    for name, way in WAYS.items():
        for number in chosen.sample(numbers, 3) if way is not campaign else [OWN, FILED, DEAR]:
            written = chosen.choice(list(spellings(number)))
            before = len(rows(e))
            way(e, written)
            wait_for(lambda: len(rows(e)) > before, 10, "a row for %s by %s" % (written, name), e.all_text)
            tried += 1
    refused = rows(e)
    assert len(refused) >= tried
    assert all(row["state"] == "refused" and row["invite_us"] is None for row in refused)
    assert {row["refused"] for row in refused} == set(REASONS.values())
    assert far.invites() == []
    # And the door is not simply shut.
    assert "+OK" in e.api("originate", "sofia/gateway/acme/" + GOOD, "&park")
    assert [i["number"] for i in far.invites()] == [GOOD]


def test_each_refusal_has_its_reason_and_a_cause_for_the_script(guarded):
    e, far = guarded
    for number, reason in REASONS.items():
        cause = e.lua('local s = freeswitch.Session("sofia/gateway/acme/%s") stream:write(s:hangupCause())' % number)
        assert cause.strip() == "OUTGOING_CALL_BARRED", number
    wait_for(lambda: len(rows(e)) == len(REASONS), 5, "all rows")
    assert {row["number"]: row["refused"] for row in rows(e)} == REASONS
    assert far.invites() == []


def test_lists_change_while_the_engine_runs(guarded):
    e, far = guarded
    assert "listed: it is not called" in e.api("dnc", "check", FILED)
    assert "not listed" in e.api("dnc", "check", GOOD)
    # By a script, as an opt-out by key would; in force at once, and in the table.
    assert "+OK" in e.lua('stream:write(freeswitch.API():execute("dnc", "add +%s - pressed 9"))' % GOOD)
    assert "-ERR" in e.api("originate", "sofia/gateway/acme/" + GOOD, "&park")
    wait_for(lambda: ("pressed 9",) in sqlite3.connect(e.ledger_path).execute("select reason from do_not_call").fetchall(), 5, "the row")
    assert "+OK" in e.cli("dnc", "remove", GOOD, check=True).stdout
    assert "+OK" in e.api("originate", "sofia/gateway/acme/" + GOOD, "&park")
    # A file is read again when it changes; a broken line costs only itself.
    e.write("dnc.txt", "%s\nnobody\n15552000777\n" % FILED)
    e.api("dnc", "reload")
    e.wait_log(r"1 entries are no numbers and were left out: .*dnc.txt:2")
    wait_for(lambda: "listed: it" in e.api("dnc", "check", "15552000777"), 10, "the new line")
    assert "stands in a file" in e.cli("dnc", "remove", FILED).stderr
    # A file that is gone changes nothing but the log.
    os.unlink(e.path("dnc.txt"))
    e.api("dnc", "reload")
    e.wait_log(r"the list as it was stays in force")
    assert "listed: it" in e.api("dnc", "check", "15552000777")


def test_an_imported_list_holds_for_everybody_or_for_one_campaign(guarded):
    e, far = guarded
    e.write("more.csv", "phone\n15552003001\n15552003002\nx\n15552003001\n")
    text = e.cli("dnc", "import", "more.csv", check=True)
    assert "3 numbers: 2 added, 1 already there, 1 bad" in text.stdout and "more.csv:4" in text.stderr
    e.write("own.csv", "15552003005\n")
    e.cli("dnc", "--campaign", "spring", "import", "own.csv", check=True)
    wait_for(lambda: "listed: it" in e.api("dnc", "check", "15552003002"), 10, "the table's reading")
    assert "not listed" in e.api("dnc", "check", "15552003005")
    assert "listed: it" in e.api("dnc", "check", "15552003005", "spring")
    e.write("spring.csv", "number\n15552003001\n15552003005\n15552003006\n")
    write_campaign(e, "spring", leads=e.path("spring.csv"))
    e.cli("campaign", "run", "spring", timeout=60)
    assert [i["number"] for i in far.invites()] == ["15552003006"]
    fates = {row["number"]: (row["state"], row["disposition"]) for row in books.leads(e)}
    assert fates["15552003001"] == fates["15552003005"] == ("done", "refused")


def test_a_number_is_called_only_so_often_a_day_also_after_a_restart(engine, carrier):
    far = carrier(plan="match=* busy after=20ms")
    e = engine(**settings(far, cps=100, concurrent=50, slots=50, numbers={"attempts_per_day": 2}))
    dial = lambda number: e.lua('local s = freeswitch.Session("sofia/gateway/acme/%s") stream:write(s:hangupCause())' % number).strip()
    assert [dial(GOOD), dial("+1 555 2000001".replace(" ", "")), dial(GOOD)] == ["USER_BUSY", "USER_BUSY", "OUTGOING_CALL_BARRED"]
    assert dial("15552000002") == "USER_BUSY"
    e.kill("broker")
    wait_for(lambda: "running" in [l for l in e.status().splitlines() if l.startswith("broker")][0], 10, "a new broker")
    assert dial(GOOD) == "OUTGOING_CALL_BARRED"
    e.stop()
    e.start()
    assert dial(GOOD) == "OUTGOING_CALL_BARRED"
    assert dial("15552000002") == "USER_BUSY"
    wait_for(lambda: len(far.invites()) == 4, 5, "four INVITEs")
    wait_for(lambda: refusals(e) == ["attempts"] * 3, 5, "three refusals")


def test_a_closed_window_lets_nobody_be_called_whose_clock_is_outside(engine, carrier):
    far = carrier(plan="match=* busy after=20ms")
    # German and New York clocks differ by 5 or 6 hours: a window of four hours around the time in New York is closed in Berlin.
    there = datetime.datetime.now(zoneinfo.ZoneInfo("America/New_York"))
    at = there.hour * 60 + there.minute
    text = lambda m: "%02d:%02d" % (m % 1440 // 60, m % 60)
    e = engine(**settings(far, cps=100, concurrent=50, slots=50, numbers={"countries": ["1", "49"], "window": {"from": text(at - 120), "to": text(at + 120)}}))
    dial = lambda number: e.lua('local s = freeswitch.Session("sofia/gateway/acme/%s") stream:write(s:hangupCause())' % number).strip()
    assert dial("12125550100") == "USER_BUSY"
    assert dial("4930123456") == "OUTGOING_CALL_BARRED"
    wait_for(lambda: refusals(e) == ["window"], 5, "the refusal's row")
    # A campaign whose own window is open waits, and writes no row for it.
    e.write("w.csv", "number,zone\n+4930123457,\n+4930123458,America/New_York\n")
    write_campaign(e, "w", leads=e.path("w.csv"))
    with subprocess.Popen([paths.CARILLON, "campaign", "run", "w"], cwd=e.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          env=dict(e.env, CARILLON_CONFIG=e.config_path)) as run:
        try:
            wait_for(lambda: "4930123458" in [i["number"] for i in far.invites()], 10, "the lead that lives in New York")
            put_off = lambda: [row for row in books.leads(e) if row["number"] == "4930123457" and row["next_us"] > time.time() * 1e6]
            lead = wait_for(put_off, 10, "the other one put off")
            assert lead[0]["state"] == "pending" and lead[0]["tries"] == 0
        finally:
            run.terminate()
    assert "4930123457" not in [i["number"] for i in far.invites()]


def test_the_breaker_stops_new_calls_when_the_day_costs_too_much(engine, carrier):
    far = carrier(plan="match=* answer after=20ms talk=10s")
    e = engine(start=False, **settings(far, cps=100, concurrent=50, slots=50, limits={"spend_per_day": 1.0}, trunks={"acme": {"rates": "rates.csv"}}))
    e.write("rates.csv", "1,0.60,0.4,60,60\n")
    e.start()
    call = 'local s = freeswitch.Session("sofia/gateway/acme/%s") stream:write(s:hangupCause()) s:sleep(300) s:hangup()'
    assert e.lua(call % GOOD).strip() == "SUCCESS"  # a minute and the setup: 1.00
    wait_for(lambda: [row["cost"] for row in rows(e)] == [1.0], 5, "its cost in the row")
    assert e.lua(call % "15552000002").strip() == "OUTGOING_CALL_BARRED"
    wait_for(lambda: refusals(e) == ["spend"], 5, "the refusal's row")
    assert e.all_text().count("limits.spend_per_day is 1") == 1
    e.stop()
    e.start()
    assert e.lua(call % "15552000003").strip() == "OUTGOING_CALL_BARRED"
    # With a higher limit it goes on.
    e.stop()
    e.config["limits"]["spend_per_day"] = 5
    e.write_config()
    e.start()
    assert e.lua(call % "15552000004").strip() == "SUCCESS"
    wait_for(lambda: len(far.invites()) == 2, 5, "two INVITEs")


def test_bad_lists_and_prices_are_named_at_the_start(engine, carrier):
    far = carrier(plan="match=* busy")
    for changes, files, words in (
            ({"numbers": {"do_not_call": ["gone.txt"]}}, {}, "numbers.do_not_call: .*gone.txt: No such file"),
            ({"trunks": {"acme": {"rates": "r.csv"}}}, {"r.csv": "1,free\n"}, "trunks.acme.rates: .*r.csv:1: expected prefix,price"),
            ({"limits": {"max_price": 1}}, {}, "trunks.acme.rates: is missing; limits.max_price"),
            ({"numbers": {"window": {"from": "8 am"}}}, {}, "numbers.window.from")):
        e = engine(start=False, **settings(far, cps=10, concurrent=5, slots=10, **changes))
        for name, text in files.items():
            e.write(name, text)
        e.start(wait=0)
        e.process.wait(20)
        assert e.process.returncode != 0
        e.wait_log(words, 2)
