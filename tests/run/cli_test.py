"""The command line without an engine: help, mistakes, the configuration's errors."""

import os
import re
import subprocess

import pytest

from lib.paths import CARILLON, ROOT

pytestmark = pytest.mark.skipif(not os.path.exists(CARILLON), reason=CARILLON + " is not built")
COMMANDS = ["start", "stop", "status", "top", "check", "api", "cli", "luarun", "campaign", "trace", "trunk"]
GOOD = """return { name = "x", numbers = { countries = { "1" } }, media = { addresses = { "127.0.0.1" } },
  sip = { listen = { { name = "a", address = "127.0.0.1" } } },
%s }"""


def cli(*words, **options):
    return subprocess.run([CARILLON, *words], capture_output=True, text=True, timeout=20, **options)


def check(tmp_path, text):
    path = tmp_path / "c.lua"
    path.write_text(text)
    return cli("check", str(path))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    done = cli(command, "--help")
    assert done.returncode == 0 and done.stdout.startswith("usage: carillon " + command)
    assert cli("help", command).stdout == done.stdout
    assert cli(command, "--frobnicate").returncode == 2


def test_help_lists_every_command():
    done = cli("help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert re.search(r"^  %s\s" % command, done.stdout, re.M)
    assert cli().returncode == 2
    unknown = cli("dial")
    assert unknown.returncode == 2 and "there is no command `dial`" in unknown.stderr
    assert cli("version").stdout.startswith("Carillon ")


def test_the_shipped_configuration_has_nothing_wrong():
    done = cli("check", "conf/carillon.lua", cwd=ROOT)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "line, expected",
    [
        ("slots = 'many'", r"c\.lua:3: slots: found the text \"many\"; allowed: a whole number from 1 to 65536"),
        ("slto = 1", r"c\.lua:3: slto: unknown key; did you mean `slots`\?"),
        ("trunks = { t = { address = 'h', cps = 0 } }", r"c\.lua:3: trunks\.t\.cps: found the number 0; allowed: a number from 0\.1 to 10000"),
        ("trunks = { t = { address = 'h', failover = { 'u' } } }", r"c\.lua:3: trunks\.t\.failover\.1: found \"u\", but there is no such trunk"),
        ("x = os.getenv('HOME')", r"c\.lua:3: .*only env\(NAME\[, otherwise\]\), secret\(FILE\) and include\(FILE\) exist here"),
        ("slots = = 5", r"c\.lua:3: unexpected symbol"),
    ],
)
def test_a_mistake_is_told_by_line_key_and_what_is_allowed(tmp_path, line, expected):
    done = check(tmp_path, GOOD % line)
    assert done.returncode == 1
    assert re.search(expected, done.stderr), done.stderr


def test_a_wrong_configuration_does_not_start(tmp_path):
    (tmp_path / "c.lua").write_text("return { slots = 0, nmae = 'x' }")
    done = cli("start", "-c", str(tmp_path / "c.lua"))
    assert done.returncode == 1
    assert "slots: found the number 0" in done.stderr and "did you mean `name`?" in done.stderr


def test_a_missing_configuration_is_said(tmp_path):
    done = cli("start", cwd=tmp_path)
    assert done.returncode == 1 and "-c FILE" in done.stderr
    done = cli("start", "-c", "none.lua", cwd=tmp_path)
    assert done.returncode == 1 and "none.lua" in done.stderr and "No such file" in done.stderr


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "c.lua").write_text(GOOD % "data_dir = '/proc/none', name = 'cli-test-none'")
    done = cli("start", "-c", str(tmp_path / "c.lua"))
    assert done.returncode == 1 and "data_dir" in done.stderr


def test_documentation_of_the_configuration_is_what_the_binary_says():
    with open(os.path.join(ROOT, "docs", "configuration.md"), encoding="utf-8") as f:
        assert cli("check", "--document").stdout == f.read()


def test_a_dump_is_a_configuration(tmp_path):
    (tmp_path / "c.lua").write_text(GOOD % "trunks = { t = { address = 'h' } }")
    dump = cli("check", "--dump", str(tmp_path / "c.lua"))
    assert dump.returncode == 0
    assert check(tmp_path, dump.stdout).returncode == 0


def test_the_engine_must_be_named_to_be_seen():
    done = cli("status", "-n", "no-such-engine")
    assert done.returncode == 1 and "no engine of the name no-such-engine" in done.stderr
    assert cli("stop", "-n", "no-such-engine").returncode == 1


def test_campaign_asks_what_is_meant():
    assert cli("campaign").returncode == 2
    assert cli("campaign", "dail", "x", cwd=ROOT).returncode == 2
    assert cli("campaign", "pause", cwd=ROOT).returncode == 2
