"""One engine for all of this folder: FreeSWITCH's XML of its own, a listener whose calls run the context `far`, sounds."""

import os
import shutil
import tempfile

import pytest

from lib import paths, sounds
from lib.engine import Engine
from lib.lua import merge

HERE = os.path.dirname(os.path.abspath(__file__))

ODBC_DRIVERS = """[CarillonPostgres]
Driver = {postgres}
[CarillonSqlite]
Driver = {sqlite}
"""


def odbc_driver(*names):
    for folder in ("/usr/lib/x86_64-linux-gnu/odbc", "/usr/lib/aarch64-linux-gnu/odbc", "/usr/lib64", "/usr/lib/odbc"):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.exists(path):
                return path
    return None


class Conformance:
    """The engine with its folders: run(script, *args) → what it wrote."""

    def __init__(self, **changes):
        self.folder = tempfile.mkdtemp(prefix="crl-conf-")
        self.sounds = os.path.join(self.folder, "sounds")
        os.mkdir(self.sounds)
        for name, seconds, hz in (("short", 0.2, 600), ("half", 0.5, 500), ("second", 1.0, 440), ("two", 2.0, 440), ("ten", 10.0, 440)):
            sounds.tone(os.path.join(self.sounds, name + ".wav"), seconds, hz)
        self.odbc = os.path.join(self.folder, "odbc")
        os.mkdir(self.odbc)
        self.postgres_driver = odbc_driver("psqlodbcw.so", "psqlodbca.so")
        self.sqlite_driver = odbc_driver("libsqlite3odbc.so")
        with open(os.path.join(self.odbc, "odbcinst.ini"), "w") as f:
            f.write(ODBC_DRIVERS.format(postgres=self.postgres_driver, sqlite=self.sqlite_driver))
        self.odbc_ini = os.path.join(self.odbc, "odbc.ini")
        open(self.odbc_ini, "w").close()
        self.engine = Engine(start=False, slots=400, addresses=2, env={"ODBCSYSINI": self.odbc, "ODBCINI": self.odbc_ini})
        e = self.engine
        self.sip = e.sip_address
        # The XML is copied: lua.conf names scripts of this run's folder.
        self.xml = e.path("freeswitch")
        shutil.copytree(os.path.join(HERE, "conf"), self.xml)
        shutil.copytree(os.path.join(HERE, "scripts"), e.path("scripts"), dirs_exist_ok=True)
        shutil.copytree(os.path.join(HERE, "scripts", "modules"), os.path.join(self.folder, "modules"))
        listener = {"name": "internal", "address": "127.0.0.1", "port": e.sip_port, "context": "far"}
        e.config = merge(e.config, {
            "sip": {"listen": [listener]},
            "globals": {"own_sip": self.sip, "run_folder": self.folder, "domain": "example.test"},
            "scripts": {"memory_mb": 64, "budget_ms": 1000},
            "log": {"level": "debug"},
        })
        e.config = merge(e.config, changes)
        e.write_config()
        e.start(wait=60.0)

    def work(self):
        return tempfile.mkdtemp(prefix="w", dir=self.folder)

    def run(self, script, *args, timeout=60.0):
        return self.engine.api("lua", script, *args, timeout=timeout)

    def close(self):
        try:
            self.engine.close()
        finally:
            if not os.environ.get("CARILLON_KEEP"):
                shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def conformance():
    if not os.path.exists(paths.CARILLON):
        pytest.skip(paths.CARILLON + " is not built")
    one = Conformance()
    yield one
    one.close()
