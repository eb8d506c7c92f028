"""The FreeSWITCH way: `carillon luarun FILE` starts a script that dials by itself in a loop and writes what it heard with freeswitch.Dbh."""

import re
import sqlite3

import pytest

from lib import books, sounds
from lib.campaign import error_lines, settings, wait_carrier_idle
from lib.engine import wait_for

CALLS = 8
PLAN = """
match=1555200??0* busy after=100ms
match=1555200??5* answer after=300ms talk=5s digits=7@1200ms
match=* answer after=200..500ms talk=5s digits=1@1s
"""
# As somebody wrote it for FreeSWITCH; `argv` is the DSN and how many.
DIALER = """
local dbh = freeswitch.Dbh(argv[1])
assert(dbh:connected())
dbh:query("CREATE TABLE IF NOT EXISTS heard (number TEXT, cause TEXT, digits TEXT)")
dbh:query("CREATE TABLE IF NOT EXISTS todo (number TEXT)")
for i = 1, tonumber(argv[2]) do
  dbh:query("INSERT INTO todo VALUES ('" .. 15552001000 + i * 11 .. "')")
end

local numbers = {}
dbh:query("SELECT number FROM todo ORDER BY number", function(row) numbers[#numbers + 1] = row.number end)
for _, number in ipairs(numbers) do
  local session = freeswitch.Session("{origination_caller_id_number=15550100,ignore_early_media=true}sofia/gateway/acme/" .. number)
  local digits = ""
  local cause = session:hangupCause()
  if session:ready() then
    digits = session:playAndGetDigits(1, 1, 1, 3000, "#", "ask.wav", "", "\\\\d")
    session:hangup()
    session:destroy()
  end
  dbh:query(string.format("INSERT INTO heard VALUES ('%s', '%s', '%s')", number, cause, digits))
  assert(dbh:affected_rows() == 1)
end
dbh:release()
freeswitch.consoleLog("notice", "dialler: all done\\n")
"""


def expected(i):
    number = str(15552001000 + i * 11)
    if re.match(r"1555200..0", number):
        return (number, "USER_BUSY", "")
    return (number, "SUCCESS", "7" if re.match(r"1555200..5", number) else "1")


@pytest.mark.parametrize("kind", ["sqlite", "pgsql", "postgresql"])
def test_a_script_that_dials_and_writes(carrier, engine, request, kind):
    c = carrier(plan=PLAN)
    e = engine(**settings(c, 20, 50, 100))
    sounds.tone(e.path("sounds", "ask.wav"), 0.5)
    server = url = None
    if kind == "sqlite":
        dsn = "sqlite://" + e.path("heard.db")
    else:
        server, url = request.getfixturevalue("postgres_server"), request.getfixturevalue("postgres")
        dsn = url if kind == "postgresql" else "pgsql://host=127.0.0.1 port=%d dbname=%s user=carillon" % (server.port, url.rsplit("/", 1)[1])
    script = e.write("scripts/dialer.lua", DIALER)
    dsn = "'%s'" % dsn if " " in dsn else dsn
    done = e.cli("luarun", script, dsn, CALLS)
    assert done.returncode == 0 and done.stdout.startswith("+OK"), done
    e.wait_log("dialler: all done", 120)
    if server:
        heard = [tuple((row + [""])[:3]) for row in server.sql(url, "select number, cause, digits from heard order by number")]
    else:
        heard = sqlite3.connect(e.path("heard.db")).execute("select number, cause, digits from heard order by number").fetchall()
    assert heard == sorted(expected(i) for i in range(1, CALLS + 1))
    assert not wait_carrier_idle(c)
    wait_for(lambda: e.counters()["calls_active"] == 0 and e.counters()["scripts_active"] == 0, 10, "nothing left", e.all_text)

    def closed():
        rows = books.attempts(e)
        return rows if all(row["state"] == "done" for row in rows) else None

    rows = wait_for(closed, 10, "rows closed")
    assert len(rows) == CALLS and all(row["campaign"] is None for row in rows)
    assert books.joined(rows, c) == []
    assert error_lines(e) == []


def test_a_script_that_cannot_be_found_or_is_wrong_says_so(engine):
    e = engine()
    done = e.cli("luarun", e.path("scripts", "nothing.lua"))
    assert done.returncode == 1 and "cannot read the script" in done.stderr and "nothing.lua" in done.stderr
    wrong = e.write("scripts/wrong.lua", "local x = 1\nx = x..nil\n")
    assert e.cli("luarun", wrong).stdout.startswith("+OK")
    e.wait_log(r"wrong\.lua:2: attempt to concatenate", 5)
    e.wait_log(r"stack traceback", 5)
