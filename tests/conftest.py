"""Fixtures of all Python tests.

    def test_x(engine, carrier, postgres):
        c = carrier(plan="match=* answer after=100ms")          # a simulated carrier; any number of them
        e = engine(trunks={"acme": {"address": c.where}})       # an engine, started and ready; any number of them
        url = postgres                                          # a fresh database
        server = postgres_server                                # the server: stop(), start(), sql()

All of it ends with the test. CARILLON_KEEP=1 keeps the folders. Marks: @pytest.mark.long, @pytest.mark.soak.
"""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lib import paths  # noqa: E402
from lib.carrier import Carrier  # noqa: E402
from lib.engine import Engine  # noqa: E402
from lib.postgres import Postgres, find_bin  # noqa: E402

LEVELS = ["short", "long", "soak"]


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes minutes; run by ./run test --long")
    config.addinivalue_line("markers", "soak: takes hours; run by ./run test --soak")


def pytest_collection_modifyitems(config, items):
    level = LEVELS.index(os.environ.get("CARILLON_TEST", "short"))
    for item in items:
        for name in LEVELS[1:]:
            if item.get_closest_marker(name) and LEVELS.index(name) > level:
                item.add_marker(pytest.mark.skip(reason="only with ./run test --" + name))


def closing(make, program):
    """A factory whose products are closed at the test's end, the last one first."""
    made = []

    def factory(*args, **options):
        if not os.path.exists(program):
            pytest.skip(program + " is not built")
        one = make(*args, **options)
        made.append(one)
        return one

    return factory, made


def close_all(made):
    errors = []
    for one in reversed(made):
        try:
            one.close()
        except Exception as error:  # the others must be closed, too
            errors.append(error)
    if errors:
        raise errors[0]


@pytest.fixture
def engine():
    factory, made = closing(Engine, paths.CARILLON)
    yield factory
    close_all(made)


@pytest.fixture
def carrier():
    factory, made = closing(Carrier, paths.CARRIER)
    yield factory
    close_all(made)


@pytest.fixture(scope="session")
def postgres_server():
    if find_bin() is None:
        pytest.skip("PostgreSQL is not installed")
    server = Postgres()
    yield server
    server.close()


@pytest.fixture
def postgres(postgres_server):
    return postgres_server.new_database()
