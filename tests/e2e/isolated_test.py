"""Isolated scripts (docs/lua-api.md): a script with C modules has a state and a thread of its own, and on a real call the same API: media,
digits, callbacks, hooks, databases. Beside it others go on."""

import re
import sqlite3

from lib import books, sounds
from lib.campaign import error_lines, settings, wait_carrier_idle, write_campaign
from lib.engine import wait_for

PLAN = """
match=*1 answer after=100ms talk=8s digits=12@500ms
match=*2 answer after=100ms talk=1s
match=* answer after=100ms talk=20s digits=7@300ms
"""
# What it heard goes into a database; every kind of thing that a script may be called back for, and handles of every class.
SCRIPT = """
local lfs, json, socket = require("lfs"), require "cjson", require("socket")
local db = freeswitch.Dbh("sqlite://%(db)s")
local function note(what, value)
  db:query(string.format("insert into said values ('%%s', '%%s')", what, (tostring(value):gsub("'", "''"))))
end
db:query("create table if not exists said (what text, value text)")

local keys = {}
function on_key(s, kind, data, arg)
  keys[#keys + 1] = kind .. data.digit .. tostring(s == session) .. tostring(arg)
  s:setVariable("last_key", data.digit)
  if #keys == 2 then return "break" end
end
function on_hangup(s, status, arg)
  note("hook", status .. tostring(s:ready()) .. tostring(arg))
end
some_global = "an argument"

session = freeswitch.Session("{ignore_early_media=true}sofia/gateway/acme/" .. argv[1])
note("ready", session:ready())
note("uuid", #session:get_uuid())
if argv[1]:match("1$") then
  session:setInputCallback("on_key", "some_global")
  session:streamFile("long.wav")
  session:unsetInputCallback()
  note("keys", table.concat(keys, " "))
  note("variable", session:getVariable("last_key"))
  note("json", json.encode({ session:getVariable("last_key"), lfs.attributes("/tmp", "mode") }))
  session:sleep(100)
  session:execute("set", "isolated=yes")
  note("execute", session:getVariable("isolated"))
  note("api", freeswitch.API():execute("uuid_getvar", session:get_uuid() .. " isolated"))
  local rows = {}
  db:query("select value from said where what = 'ready'", function(row) rows[#rows + 1] = row.value end)
  note("rows", table.concat(rows, " "))
  local ok, why = pcall(function() session:setVariable() end)
  note("error", why)
  session:recordFile("%(wav)s", 1, 500, 1)
  note("recorded", (lfs.attributes("%(wav)s", "size") or 0) > 44)
  session:hangup("CALL_REJECTED")
  note("cause", session:hangupCause())
else
  session:setHangupHook("on_hangup", "some_global")
  while session:ready() do session:sleep(100) end
  note("ended", session:answered())
end
db:release()
freeswitch.consoleLog("notice", "isolated: done " .. argv[1] .. "\\n")
"""


def test_a_real_call_with_c_modules(carrier, engine):
    c = carrier(plan=PLAN)
    e = engine(**settings(c, 20, 50, 100))
    sounds.tone(e.path("sounds", "long.wav"), 6)
    db = e.path("said.db")
    script = e.write("scripts/isolated.lua", SCRIPT % {"db": db, "wav": e.path("recorded.wav")})
    assert e.cli("luarun", script, "15552000001").stdout.startswith("+OK")
    e.wait_log("isolated: done 15552000001", 60)
    said = sqlite3.connect(db).execute("select what, value from said").fetchall()
    expected = [("ready", "true"), ("uuid", "36"), ("keys", "dtmf1truean argument dtmf2truean argument"), ("variable", "2"), ("json", '["2","directory"]'),
                ("execute", "yes"), ("api", "yes"), ("rows", "true"), ("recorded", "true"), ("cause", "SUCCESS")]
    assert [pair for pair in said if pair[0] != "error"] == expected, (said, e.all_text())
    error = dict(said)["error"]
    assert re.search(r"isolated\.lua:\d+: Error in CoreSession::setVariable expected 3\.\.3 args, got 1", error), error

    assert e.cli("luarun", script, "15552000002").stdout.startswith("+OK")
    e.wait_log("isolated: done 15552000002", 60)
    said = sqlite3.connect(db).execute("select what, value from said").fetchall()[len(expected) + 1:]
    assert said == [("ready", "true"), ("uuid", "36"), ("hook", "hangupfalsean argument"), ("ended", "true")]

    assert not wait_carrier_idle(c)
    wait_for(lambda: e.counters()["calls_active"] == 0 and e.counters()["scripts_active"] == 0, 10, "nothing left", e.all_text)
    rows = wait_for(lambda: [r for r in books.attempts(e) if r["state"] == "done"][1:] and books.attempts(e), 10, "rows closed")
    assert {row["id"] for row in rows} == {call["call_id"] for call in c.book()}
    assert error_lines(e) == []


STUCK = """
local socket = require("socket")
local s = freeswitch.Session("sofia/gateway/acme/15552000009")
freeswitch.consoleLog("notice", "stuck: in\\n")
socket.sleep(tonumber(argv[1]))
freeswitch.consoleLog("notice", "stuck: out " .. tostring(s:ready()) .. "\\n")
"""
QUICK = """
local s = freeswitch.Session("sofia/gateway/acme/15552000009")
local digit = s:getDigits(1, "", 3000)
s:hangup()
freeswitch.consoleLog("notice", "quick: " .. digit .. "\\n")
"""


def test_a_module_that_blocks_stops_nobody_and_its_worker_can_be_stopped(carrier, engine):
    c = carrier(plan=PLAN)
    e = engine(**settings(c, 20, 50, 100))
    stuck, quick = e.write("scripts/stuck.lua", STUCK), e.write("scripts/quick.lua", QUICK)
    e.cli("luarun", stuck, "4")
    e.wait_log("stuck: in", 20)
    for _ in range(3):
        e.cli("luarun", quick)
    wait_for(lambda: e.all_text().count("quick: 7") == 3, 15, "three others", e.all_text)
    e.wait_log("stuck: out true", 20)
    e.cli("luarun", stuck, "60")
    wait_for(lambda: e.all_text().count("stuck: in") == 2, 15, "stuck again", e.all_text)
    assert e.stop(timeout=30) == 0
    assert re.search(r"stuck\.lua: its script was ended, but its thread is stuck in a C module", e.all_text())
    assert not wait_carrier_idle(c)
    assert [call["end"] for call in c.book()].count("timeout") == 0


CAMPAIGN = """
local json = require("cjson")
local first = session:playAndGetDigits(1, 2, 1, 2500, "#", "ask.wav", "", "\\\\d+")
session:setVariable("disposition", json.decode('{"pressed":"keyed"}').pressed)
if first == "7" then error("no seven") end
if session:ready() then session:streamFile("bye.wav") end
"""


def test_a_campaign_whose_script_is_isolated(carrier, engine):
    c = carrier(plan="match=*7 answer after=100ms talk=8s digits=7@900ms\nmatch=* answer after=100..300ms talk=8s digits=15@900..1200ms\n")
    e = engine(**settings(c, 40, 100, 200))
    said = e.lua('local lfs = require("lfs") stream:write(lfs.attributes("/", "mode") .. " " .. argv[1] .. " " .. tostring(session) .. " " .. env:getType())', "x")
    assert said.strip() == "directory x nil API", said
    write_campaign(e, leads=40, script=CAMPAIGN)
    e.cli("campaign", "run", "c", timeout=120, check=True)
    assert not wait_carrier_idle(c)
    rows = books.attempts(e)
    assert books.joined(rows, c) == []
    wrong = [row for row in rows if row["number"].endswith("7")]
    assert wrong and all(row["disposition"] == "script_error" and re.search(r"scripts/c\.lua:5: no seven", row["error"]) for row in wrong), wrong
    assert {row["disposition"] for row in rows if row not in wrong} == {"keyed"}
    assert len(error_lines(e)) == len(wrong) and all("c.lua:5: no seven" in line for line in error_lines(e)), error_lines(e)
