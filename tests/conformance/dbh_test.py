"""freeswitch.Dbh: the same script prints the same on SQLite, PostgreSQL and ODBC, whichever way the DSN is written."""

import os
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.engine import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))


def tour(conformance, dsn):
    script = os.path.join(HERE, "dbh", "tour.lua")
    printed = conformance.run(script, conformance.work(), conformance.sounds, conformance.sip, dsn)
    with open(os.path.join(HERE, "dbh", "tour.expected"), encoding="utf-8") as f:
        assert printed == f.read()


def odbc(conformance, **settings):
    """A data source of its own in odbc.ini; its name."""
    name = "d" + uuid.uuid4().hex[:8]
    with open(conformance.odbc_ini, "a") as f:
        f.write("[%s]\n%s\n" % (name, "".join("%s = %s\n" % pair for pair in settings.items())))
    return name


def need(driver, what):
    if driver is None:
        pytest.skip(what + " is not installed")


@pytest.mark.parametrize("form", ["sqlite://%s", "core:%s", "%s", "sqlite://memory://%s"])
def test_sqlite(conformance, form):
    path = os.path.join(conformance.work(), "tour.db")
    tour(conformance, form % ("mem" + uuid.uuid4().hex[:6] if "memory" in form else path))


@pytest.mark.parametrize("form", ["url", "conninfo", "postgresql"])
def test_postgresql(conformance, postgres_server, form):
    url = postgres_server.new_database()
    rest = url.split("://", 1)[1]
    words = "'pgsql://hostaddr=127.0.0.1 port=%d dbname=%s user=carillon'" % (postgres_server.port, url.rsplit("/", 1)[1])
    tour(conformance, {"url": url, "conninfo": words, "postgresql": "postgresql://" + rest}[form])


@pytest.mark.parametrize("form", ["odbc://%s:carillon:", "%s:carillon:"])
def test_odbc_postgresql(conformance, postgres_server, form):
    need(conformance.postgres_driver, "odbc-postgresql")
    database = postgres_server.new_database().rsplit("/", 1)[1]
    name = odbc(conformance, Driver=conformance.postgres_driver, Servername="127.0.0.1", Port=postgres_server.port, Database=database, UserName="carillon")
    tour(conformance, form % name)


def test_odbc_sqlite(conformance):
    need(conformance.sqlite_driver, "libsqliteodbc")
    name = odbc(conformance, Driver=conformance.sqlite_driver, Database=os.path.join(conformance.work(), "odbc.db"), Timeout=2000)
    tour(conformance, "odbc://%s:user:word" % name)


def test_three_arguments_are_dsn_user_and_password(conformance):
    need(conformance.sqlite_driver, "libsqliteodbc")
    name = odbc(conformance, Driver=conformance.sqlite_driver, Database=os.path.join(conformance.work(), "odbc.db"))
    printed = conformance.engine.lua("""local d = freeswitch.Dbh(argv[1], 'user', 'word')
        stream:write(tostring(d:connected()) .. tostring(d:query('create table t (i integer)')))""", name)
    assert printed.strip() == "truetrue"


@pytest.mark.parametrize("dsn", ["sqlite:///no/such/folder/x", "'pgsql://hostaddr=127.0.0.1 port=1'", "postgresql://127.0.0.1:1/x", "odbc://no_such_source:a:b",
                                 "nothing://x", "no_such_source:user:word"])
def test_a_handle_that_cannot_connect_says_so_and_answers_false(conformance, dsn):
    printed = conformance.engine.lua("""local d = freeswitch.Dbh(argv[1])
        local ok, rows, why = d:query_rows('select 1')
        stream:write(tostring(d:connected()) .. tostring(d:query('select 1')) .. tostring(ok) .. why .. tostring(d:release()) .. d:affected_rows())""", dsn)
    assert printed.strip() == "falsefalsefalseDBH NOT Connected.false0"
    wait_for(lambda: "DBH NOT Connected." in conformance.engine.log(), 5, "the log's line")


@pytest.mark.parametrize("kind", ["sqlite", "pgsql"])
def test_affected_rows_are_those_of_the_driver(conformance, postgres_server, kind):
    dsn = postgres_server.new_database() if kind == "pgsql" else "sqlite://" + os.path.join(conformance.work(), "affected.db")
    printed = conformance.run(os.path.join(HERE, "dbh", "affected.lua"), conformance.work(), conformance.sounds, conformance.sip, dsn)
    with open(os.path.join(HERE, "dbh", "affected.%s.expected" % kind), encoding="utf-8") as f:
        assert printed == f.read()


def test_a_database_that_goes_away_and_comes_back(conformance, postgres_server):
    url = postgres_server.new_database()
    script = conformance.engine.write("scripts/outage.lua", """
        local folder = argv[2]
        local function exists(name) local f = io.open(folder .. "/" .. name) if f then f:close() return true end end
        local function mark(name) io.open(folder .. "/" .. name, "w"):close() end
        local function until_there(name) for i = 1, 600 do if exists(name) then return end freeswitch.msleep(50) end error("no " .. name) end
        local d = freeswitch.Dbh(argv[1])
        stream:write(tostring(d:query("create table t (i integer)")) .. " ")
        mark("ready") until_there("stopped")
        local api = freeswitch.API()
        local from = api:getTime()
        stream:write(tostring(d:query("insert into t values (1)")) .. " " .. type(d:last_error()) .. " " .. tostring(api:getTime() - from < 20000) .. " ")
        mark("failed") until_there("started")
        local ok
        for i = 1, 100 do
          ok = d:query("insert into t values (2)")
          if ok then break end
          freeswitch.msleep(100)
          if i % 10 == 0 then d:release() d = freeswitch.Dbh(argv[1]) end
        end
        stream:write(tostring(ok))
    """)
    folder = conformance.work()
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(conformance.run, script, url, folder)
        wait_file(os.path.join(folder, "ready"))
        postgres_server.stop()
        try:
            open(os.path.join(folder, "stopped"), "w").close()
            # Nobody else waits meanwhile.
            assert conformance.engine.lua("stream:write(1 + 1)").strip() == "2"
            wait_file(os.path.join(folder, "failed"))
        finally:
            postgres_server.start()
        open(os.path.join(folder, "started"), "w").close()
        assert result.result(60).strip() == "true false string true true"


def wait_file(path):
    wait_for(lambda: os.path.exists(path), 30, path)
