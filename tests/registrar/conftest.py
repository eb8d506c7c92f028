"""A user's telephone of a few lines that a test steers (lib/phone.py); any number of them."""

import pytest

from lib import users
from lib.phone import Phone


@pytest.fixture
def phone():
    made = []

    def factory(e, user="1001", **options):
        made.append(Phone(e.sip_port, user, domain=users.DOMAIN, **options))
        return made[-1]

    yield factory
    for one in made:
        one.close()
