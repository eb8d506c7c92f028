"""A ledger that an older Carillon left is brought forward at the start, with all that stands in it."""

import glob
import os
import sqlite3

import pytest

from lib import books
from lib.campaign import settings, write_campaign

SCHEMAS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "schemas")
RELEASED = sorted(int(os.path.basename(p).split("-")[0]) for p in glob.glob(SCHEMAS + "/*-sqlite.sql"))


def dump(version, kind):
    with open("%s/%d-%s.sql" % (SCHEMAS, version, kind), encoding="utf-8") as f:
        return f.read()



def goes_on(engine, carrier, url=None, prepare=None, read=None):
    far = carrier(plan="match=* busy after=20ms")
    more = {"database": url} if url else {}
    e = engine(start=False, **settings(far, cps=50, concurrent=20, slots=20, **more))
    prepare(e)
    e.start()
    before = read(e, "attempt")
    assert {row["number"]: row["digits"] for row in before} == {"15552000001": "1", "15552000002": None}
    assert all("cost" in row and row["cost"] is None for row in before)
    # The old campaign dials what it had left, and an old lead's history counts.
    e.write("spring.csv", "number\n15552000001\n")
    write_campaign(e, "spring", leads=e.path("spring.csv"), retry={"USER_BUSY": {"after": "1s", "tries": 2}})
    e.cli("campaign", "run", "spring", timeout=60)
    leads = {row["number"]: row for row in read(e, "lead")}
    assert leads["15552000002"]["state"] == "done" and leads["15552000002"]["history"] == "USER_BUSY=2"
    assert leads["15552000003"]["tries"] == 2
    assert len(read(e, "attempt")) == 5
    assert read(e, "do_not_call") == []
    assert [(row["what"], row["argument"].split()[0], row["who"]) for row in read(e, "audit")] == [("campaign run", "spring", "uid %d" % os.getuid())]
    return e


@pytest.mark.parametrize("version", RELEASED)
def test_a_sqlite_ledger_of_each_released_schema_is_brought_forward(engine, carrier, version):
    def prepare(e):
        os.makedirs(os.path.dirname(e.ledger_path), exist_ok=True)
        with sqlite3.connect(e.ledger_path) as db:
            db.executescript(dump(version, "sqlite"))
        db.close()

    goes_on(engine, carrier, prepare=prepare, read=lambda e, name: books.table(e, name))


@pytest.mark.parametrize("version", RELEASED)
def test_a_postgresql_ledger_of_each_released_schema_is_brought_forward(engine, carrier, postgres_server, version):
    url = postgres_server.new_database()
    goes_on(engine, carrier, url=url, prepare=lambda e: postgres_server.sql(url, dump(version, "postgresql")),
            read=lambda e, name: books.table(e, name, postgres_server, url))
