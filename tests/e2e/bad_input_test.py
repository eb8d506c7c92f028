"""What users do wrong: each time one clear error that says where and what to do; nothing is lost."""

import json
import os
import re
import socket
import subprocess

import pytest

from lib import books
from lib.campaign import error_lines, settings, wait_carrier_idle, write_campaign
from lib.engine import wait_for
from lib.paths import CARILLON

ANSWER = "match=* answer after=100ms talk=5s\n"


def start(e):
    """Its exit code and what it said; it must end by itself."""
    return subprocess.run([CARILLON, "start", "-c", e.config_path], capture_output=True, text=True, timeout=40, cwd=e.folder)


def one_error(e, done, pattern):
    """It ended with 1; the reason is said once."""
    text = done.stderr + e.log()
    assert done.returncode == 1, text
    found = [line for line in text.splitlines() if re.search(pattern, line)]
    assert len(found) == 1, text


def test_a_wrong_configuration(engine):
    e = engine(start=False)
    e.write_config('return {\n  name = "x",\n  slots = "many",\n  trunks = { acme = { adress = "127.0.0.1" } },\n}\n')
    done = start(e)
    assert done.returncode != 0
    assert re.search(r"carillon\.lua:3: slots: found the text \"many\"; allowed: a whole number", done.stderr)
    assert re.search(r"carillon\.lua:4: trunks\.acme\.adress: unknown key; did you mean `address`", done.stderr)
    assert "traceback" not in done.stderr.lower()


@pytest.mark.parametrize("kind", ["sip", "rtp"])
def test_a_port_in_use(engine, kind):
    e = engine(start=False)
    port = e.sip_port if kind == "sip" else e.ports.first + 10
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", port))
        one_error(e, start(e), r"cannot (listen on|bind) 127\.0\.0\.1:%d.*Address already in use.*(free the port|choose another)" % port)
    e.start()  # and with the port free it starts


@pytest.mark.parametrize("url, words", [
    ("postgresql://nobody@127.0.0.1:1/nothing", r"cannot open database postgresql://nobody@127\.0\.0\.1:1/nothing: .*Connection refused.*is PostgreSQL running there"),
    ("sqlite:///nonexistent/ledger.db", r"cannot open database /nonexistent/ledger\.db: .*does its folder exist"),
])
def test_a_database_that_refuses(engine, url, words):
    e = engine(start=False)
    e.config["database"] = url
    e.write_config()
    one_error(e, start(e), words)
    write_campaign(e, leads=[{"number": "12125550100"}])
    e.config["trunks"] = {"acme": {"address": "127.0.0.1:9"}}
    e.write_config()
    done = e.cli("campaign", "import", "c")
    assert done.returncode == 1 and re.search(words, done.stderr), done.stderr


def test_a_campaign_file_with_mistakes(engine):
    e = engine(start=False, trunks={"acme": {"address": "127.0.0.1:9"}})
    e.write("campaigns/c.lua", 'return {\n  leads = { { number = "12125550100" } },\n  trunks = { "acme", "nope" },\n  script = "missing.lua",\n'
            '  rign_timeout = "20s",\n}\n')
    for command in ("check", "import", "run"):
        done = e.cli("campaign", command, "c")
        assert done.returncode == 1
        assert re.search(r'c\.lua:3: trunks: no trunk "nope" in the engine\'s configuration', done.stderr), done.stderr
        assert re.search(r'c\.lua:4: script: cannot read "missing\.lua"; looked at .*/scripts/missing\.lua', done.stderr), done.stderr
        assert re.search(r"c\.lua:5: rign_timeout: unknown key; there are: .*ring_timeout", done.stderr), done.stderr
    done = e.cli("campaign", "run", "other")
    assert done.returncode == 1 and "other.lua" in done.stderr


def test_a_broken_csv_costs_its_bad_rows_alone(engine):
    e = engine(start=False, trunks={"acme": {"address": "127.0.0.1:9"}})
    csv = e.write("c.csv", 'number,name\n12125550100,Ann\n"never closed,Ben\n12125550101,Cleo\n12,Dora\n12125550102,Emil,too,many\n+1 (212) 555-0103,Fay\n'
                  "12125550100,Ann again\n15550000000,no such number\n")
    write_campaign(e, leads=csv)
    done = e.cli("campaign", "import", "c")
    for line, reason in ((3, "a quoted field is not closed"), (5, "too short"), (6, "more fields than columns"), (9, "no such North American number")):
        assert "c.csv:%d: %s" % (line, reason) in done.stderr, done.stderr
    assert "3 added, 0 already there, 1 repeated in the file, 4 bad" in done.stdout
    again = e.cli("campaign", "import", "c")
    assert re.search(r"0 added, 4 already there, 0 repeated|0 added, 3 already there, 1 repeated", again.stdout), again.stdout
    assert sorted(lead["number"] for lead in books.leads(e)) == ["12125550100", "12125550101", "12125550103"]
    done = e.cli("campaign", "import", "c", e.path("nothing.csv"))
    assert done.returncode == 1 and "nothing.csv" in done.stderr


def test_a_lua_error_in_the_campaigns_script(carrier, engine):
    c = carrier(plan=ANSWER)
    e = engine(**settings(c, 50, 50, 100))
    write_campaign(e, leads=6, script='local function ask(s)\n  s:answer()\n  return s.nothing.more\nend\nask(session)\n')
    e.cli("campaign", "run", "c", check=True)
    assert not wait_carrier_idle(c)
    rows, leads = books.attempts(e), books.leads(e)
    assert [lead["disposition"] for lead in leads] == ["script_error"] * 6
    assert all(row["disposition"] == "script_error" and "c.lua:3:" in row["error"] and row["end_us"] for row in rows), rows
    assert all(call["end"] == "bye-in" for call in c.book())  # ended by us
    e.wait_log(r"c\.lua:3: attempt to index .*'nothing'", 5)
    assert re.search(r"stack traceback:\n\s+.*c\.lua(:3)?: in function 'ask'\n\s+.*c\.lua:5:", e.log()), e.log()[-2000:]
    report = json.loads(e.cli("campaign", "report", "c", "--json", check=True).stdout)
    assert "script_error" in json.dumps(report["dispositions"])


def test_a_syntax_error_in_the_campaigns_script(carrier, engine):
    c = carrier(plan=ANSWER)
    e = engine(**settings(c, 50, 50, 100))
    write_campaign(e, leads=3, script="session:answer()\nif then\n")
    e.cli("campaign", "run", "c", check=True)
    e.wait_log(r"c\.lua:2: unexpected symbol near 'then'", 5)
    assert [lead["disposition"] for lead in books.leads(e)] == ["script_error"] * 3
    assert not wait_carrier_idle(c)


def test_a_script_that_is_empty_just_hangs_up(carrier, engine):
    c = carrier(plan=ANSWER)
    e = engine(**settings(c, 50, 50, 100))
    write_campaign(e, leads=2)
    os.truncate(e.path("scripts", "c.lua"), 0)
    e.cli("campaign", "run", "c", check=True)
    assert not wait_carrier_idle(c)
    assert all(lead["state"] == "done" for lead in books.leads(e))
    wait_for(lambda: e.counters()["calls_active"] == 0, 10, "no call left", e.all_text)


def test_an_unknown_trunk_in_a_script(engine):
    e = engine()
    said = e.lua('local s = freeswitch.Session("sofia/gateway/nope/12125550100")\nstream:write(tostring(s:ready()) .. " " .. s:hangupCause())\n')
    assert said.strip() == "false INVALID_GATEWAY", said
    e.wait_log(r"ERR .*Invalid Gateway .nope.: the configuration has no trunk of that name", 5)


def test_commands_without_an_engine(engine):
    e = engine(start=False)
    for words in (("api", "status"), ("luarun", "x.lua"), ("stop",), ("trunk", "list")):
        done = e.cli(*words)
        assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1, (words, done.stderr)
        assert re.search(r"no engine|does not run|not running|cannot read", done.stderr), (words, done.stderr)
