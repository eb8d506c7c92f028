"""The far end of the broker's tests: a carrier of a few lines that a test steers (lib/far.py); any number of them."""

import pytest

from lib.far import Far


@pytest.fixture
def far():
    made = []

    def factory(*args, **options):
        made.append(Far(*args, **options))
        return made[-1]

    yield factory
    for one in made:
        one.close()
