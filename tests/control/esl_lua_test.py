"""The module ESL for Lua: in plain lua5.1, in luajit, and inside scripts of the engine, where it holds up nobody."""

import os
import re
import shutil
import socket
import subprocess
import time

import pytest

from lib.paths import CARILLON, ROOT
from lib.ports import free_port

HERE = os.path.join(ROOT, "tests", "control", "esl_lua")
MODULE = os.path.join(os.path.dirname(os.path.dirname(CARILLON)), "lib", "lua", "5.1", "?.so")
EXPECTED = [
    ("text", r"Event-Name: CUSTOM\nEvent-Subclass: my%3A%3Athing\nName: a%20b%3Ac\nList: ARRAY%3A%3Aone%7C%3Atwo%7C%3Athree\npriority: HIGH\nContent-Length: 8\n\nthe body"),
    ("json", r'\{"Event-Name":"CUSTOM","Event-Subclass":"my::thing","Name":"a b:c","List":\["one","two","three"\],"priority":"HIGH","Content-Length":"8","_body":"the body"\}'),
    ("names", "Event-Name Event-Subclass Name List priority"),
    ("wrong", "0"), ("connected", "1"), ("api", "hello there"), ("type", "SOCKET_DATA"), ("appended", "<as a text>"), ("sendrecv", "raw"), ("send", "0"),
    ("later", "later"), ("events", "0"), ("job", "11111111-2222-3333-4444-555555555555"), ("done", "BACKGROUND_JOB 11111111-2222-3333-4444-555555555555 from a job"),
    ("sent", "true"), ("back", "my::thing 50% & more two\nlines"), ("nothing", "nil"), ("filter", r"\+OK filter added\. \[Name\]=\[other\]"), ("filtered", "nil"),
    ("async", "1010"), ("execute", r"\+OK"), ("var", "blue"), ("sendmsg", "0"), ("cause", "USER_BUSY"), ("number", "5"),
    ("mistake", r".*Error in ESLconnection::api \(arg 2\), expected 'char const \*' got 'table'"), ("disconnect", "0 0"), ("user", "0"),
]
PATTERN = "\n".join("%s=%s" % pair for pair in EXPECTED) + "\n"


@pytest.fixture
def live(engine):
    port = free_port()
    made = engine(event_socket={"port": port})
    made.esl_port = port
    return made


def lua(name, *words, **options):
    if not shutil.which(name):
        pytest.skip(name + " is not installed")
    return subprocess.run([name, *words], capture_output=True, text=True, timeout=60, env=dict(os.environ, LUA_CPATH=MODULE), **options)


@pytest.mark.parametrize("name", ["lua5.1", "luajit"])
def test_every_method_in_plain_lua(live, tmp_path, name):
    result = tmp_path / "result"
    done = lua(name, os.path.join(HERE, "methods.lua"), str(live.esl_port), str(result))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert re.fullmatch(PATTERN, result.read_text()), result.read_text()


def test_every_method_inside_a_script_and_nobody_waits_for_it(live, tmp_path):
    result = tmp_path / "result"
    live.api("luarun %s %d %s" % (os.path.join(HERE, "methods.lua"), live.esl_port, result))
    until = time.monotonic() + 30
    while not result.exists():
        assert time.monotonic() < until, live.log()
        started = time.monotonic()
        assert live.api("echo awake") == "awake\n"  # the one worker that runs the script
        time.sleep(0.05)
    assert re.fullmatch(PATTERN, result.read_text()), result.read_text()
    # What a script leaves open is closed at its end; what one does to the module is not another's.
    live.write("scripts/open.lua", 'require "ESL"; ESL.mine = 1; con = ESL.ESLconnection("127.0.0.1", "%d", "ClueCon"); stream:write(con:connected())' % live.esl_port)
    live.write("scripts/other.lua", 'stream:write(tostring(ESL) .. tostring(require("ESL").mine))')
    assert live.api("lua open.lua") == "1\n"
    assert live.api("lua other.lua") == "nilnil\n"
    pid = live.pid("worker 0")

    def connections():
        mine = {os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid)}
        lines = [line.split() for line in open("/proc/net/tcp")][1:]
        return [c for c in lines if int(c[2].split(":")[1], 16) == live.esl_port and "socket:[%s]" % c[9] in mine]

    until = time.monotonic() + 5
    while connections():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.parametrize("name", ["lua5.1", "luajit"])
def test_the_seed_pages_script_runs(live, tmp_path, name):
    script = tmp_path / "esl.lua"
    script.write_text(open(os.path.join(HERE, "seed.lua")).read().replace("PORT", str(live.esl_port)))
    done = lua(name, str(script))
    assert done.returncode == 0 and done.stderr == ""
    assert re.fullmatch(r"connected!\nYour FS version is: FreeSWITCH Version \S+ .*\n+", done.stdout)
    live.wait_log("NOTICE .*Lua ESL connected")
    live.wait_log("NOTICE .*FreeSWITCH Version")


def test_an_outbound_connection_by_its_descriptor(live):
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    call = live.api("bgapi originate null/x '&socket(127.0.0.1:%d async full)'" % port)
    server.settimeout(10)
    conn, _ = server.accept()
    script = """
      require("ESL")
      local con = ESL.ESLconnection(tonumber(arg[1]))
      local info = con:getInfo()
      print(con:connected(), info:getHeader("Event-Name"), info:getHeader("variable_direction"), info:getHeader("Reply-Text"))
      con:events("plain", "CHANNEL_EXECUTE_COMPLETE")
      con:execute("set", "colour=green")
      local e
      repeat e = con:recvEvent() until e:getType() == "CHANNEL_EXECUTE_COMPLETE" or con:connected() == 0
      print(e:getHeader("Application"), e:getHeader("variable_colour"))
      con:execute("hangup", "USER_BUSY")
      repeat e = con:recvEvent() until con:connected() == 0
      print(e:getType())
    """
    conn.setblocking(True)
    done = lua("luajit", "-", str(conn.fileno()), input=script, pass_fds=[conn.fileno()])
    conn.close()
    server.close()
    assert done.stderr == "", call
    assert done.stdout == "1\tCHANNEL_DATA\toutbound\t+OK\n\nset\tgreen\nSERVER_DISCONNECTED\n"
