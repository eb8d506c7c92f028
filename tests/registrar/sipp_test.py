"""SIPp, whose digest is not ours."""

import os
import shutil
import subprocess

import pytest

from lib import users
from lib.paths import ROOT
from lib.ports import free_port

SCENARIOS = os.path.join(ROOT, "tests", "registrar", "sipp")


@pytest.mark.parametrize("transport", ["u1", "t1"])
def test_sipp_registers_twenty_times_and_takes_all_back_with_the_star(engine, tmp_path, transport):
    if not shutil.which("sipp"):
        pytest.skip("sipp is not installed")
    e = users.start(engine)
    done = subprocess.run(["sipp", "-sf", os.path.join(SCENARIOS, "register.xml"), e.sip_address, "-i", "127.0.0.1", "-p", str(free_port()), "-t", transport,
                           "-m", "20", "-l", "1", "-r", "20", "-timeout", "30s", "-nostdin", "-trace_err"], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    errors = "".join(p.read_text() for p in tmp_path.glob("*_errors.log"))
    assert done.returncode == 0, errors + done.stdout[-2000:] + e.all_text()[-2000:]
    assert e.api("show", "registrations") == "\n0 total.\n"
