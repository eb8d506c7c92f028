"""An IVR of 24 steps ends in the right place, whichever way the keys come."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))

#         menus   two tries  read  number  getDigits  ten answers    codes     last
KEYS = "21839" + "15" + "4" + "12#" + "7#" + "1234567890" + "215#99" + "*"

HEARD = """5 menu: ARRAY::accounts-1|:accounts-8|:main-3 success
7 pattern: 5 after 1
8 read: 4 success
9 to the terminator: 12 #
10 getDigits: 7
""" + "".join("%d after %d: %d\n" % (10 + i, 11 * i, i % 10) for i in range(1, 11)) + """23 codes: code-1 success
24 last: *
"""

FORMS = {"rfc4733": "15550000001", "info": "15550000002", "info-dtmf": "15550000003", "inband": "15550000004"}


def test_an_ivr_of_24_steps_understands_keys_in_every_form(engine, carrier):
    plan = "".join("match=%s answer after=100ms digits=%s@1s digits-by=%s\n" % (number, KEYS, form) for form, number in FORMS.items())
    c = carrier(plan=plan)
    e = engine(slots=20, trunks={"acme": {"address": c.where}})
    shutil.copy(os.path.join(HERE, "scripts", "twenty_four_steps.lua"), e.path("scripts"))
    with ThreadPoolExecutor(len(FORMS)) as pool:
        calls = {form: pool.submit(e.api, "lua", "twenty_four_steps.lua", "sofia/gateway/acme/" + number, form) for form, number in FORMS.items()}
        heard = {form: call.result() for form, call in calls.items()}
    assert heard == {form: HEARD for form in FORMS}
