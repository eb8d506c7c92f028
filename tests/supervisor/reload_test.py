"""`carillon reload`: what may change live does so at once, what cannot is named, and a mistake changes nothing."""

import os
import signal

from lib import books
from lib.campaign import settings
from lib.engine import wait_for

GOOD = "15552000001"


def cause(e, number=GOOD):
    return e.lua('local s = freeswitch.Session("sofia/gateway/acme/%s") stream:write(s:hangupCause())' % number).strip()


def start(engine, carrier, **more):
    far = carrier(plan="match=* busy after=20ms")
    e = engine(start=False, **settings(far, cps=100, concurrent=50, slots=50, **more))
    e.start()
    return e, far


def test_caps_codecs_and_permits_change_while_the_engine_runs(engine, carrier):
    e, far = start(engine, carrier)
    pids = e.pids()
    assert cause(e) == "USER_BUSY"
    assert e.cli("reload", check=True).stdout == "nothing has changed\n"
    e.write("rates.csv", "1,9\n")
    e.write("dnc.txt", "15552000009\n")
    e.config["trunks"]["acme"].update(cps=7, concurrent=3, rates="rates.csv")
    e.config["numbers"].update(own=["15552000005"], do_not_call=["dnc.txt"])
    e.config["log"]["level"] = "debug"
    e.write_config()
    said = e.cli("reload", check=True).stdout
    for key in ("trunks.acme.cps", "trunks.acme.concurrent", "trunks.acme.rates", "numbers.own", "numbers.do_not_call", "log.level"):
        assert key in said
    assert "restart" not in said
    row = wait_for(lambda: [l.split("\t") for l in e.cli("trunk", "list").stdout.splitlines() if l.startswith("acme\t") and "\t3\t7\t" in l], 5, "the new caps")
    assert row
    wait_for(lambda: cause(e, "15552000005") == "OUTGOING_CALL_BARRED", 5, "an own number")
    wait_for(lambda: cause(e, "15552000009") == "OUTGOING_CALL_BARRED", 5, "a listed number")
    assert cause(e) == "USER_BUSY"
    # A ceiling below the price of everything; then the file itself becomes cheaper, its name stays.
    e.config["limits"]["max_price"] = 1
    e.write_config()
    assert "limits.max_price" in e.cli("reload", check=True).stdout
    wait_for(lambda: cause(e) == "OUTGOING_CALL_BARRED", 5, "too dear")
    e.write("rates.csv", "1,0.5\n")
    e.cli("reload", check=True)
    wait_for(lambda: cause(e) == "USER_BUSY", 5, "the new price")
    # A rates file with a mistake: the old prices hold, and the log names the line.
    e.write("rates.csv", "1,cheap\n")
    e.cli("reload", check=True)
    e.wait_log(r"trunks.acme.rates: .*rates.csv:1: .*stay in force")
    assert cause(e) == "USER_BUSY"
    assert e.pids() == pids


def test_what_cannot_change_live_is_named_and_stays(engine, carrier):
    e, far = start(engine, carrier)
    e.config["slots"] = 60
    e.config["trunks"]["other"] = {"address": far.where}
    e.config["trunks"]["acme"]["cps"] = 20
    e.config["sip"]["listen"][0]["port"] += 1
    e.write_config()
    said = e.cli("reload", check=True).stdout.splitlines()
    assert said[0] == "in force now: trunks.acme.cps"
    assert said[1].startswith("Only after a restart") and all(key in said[1] for key in ("slots", "trunks.other", "sip.listen.1.port"))
    # Also a child that is started again sees what the others see.
    e.kill("broker")
    e.wait_log(r"broker is started again")
    wait_for(lambda: cause(e) == "USER_BUSY", 10, "calls by the new broker")
    text = e.cli("trunk", "list").stdout
    assert "\t20\t" in text and "other" not in text


def test_a_mistake_changes_nothing_and_is_told_with_its_line(engine, carrier):
    e, far = start(engine, carrier)
    e.config["trunks"]["acme"].update(cps="fast", concurrent=3)
    e.write_config()
    done = e.cli("reload")
    assert done.returncode == 1 and "trunks.acme.cps" in done.stderr
    # By name it is the engine itself that reads the file.
    done = e.cli("reload", "-n", e.name)
    assert done.returncode == 1 and "nothing was changed" in done.stderr and "carillon.lua:" in done.stderr and "trunks.acme.cps" in done.stderr
    assert "\t50\t100\t" in e.cli("trunk", "--socket", e.path("run", "control.sock"), "list").stdout


def test_numbers_in_the_log_are_masked_on_wish_and_the_file_is_opened_again_on_SIGHUP(engine, carrier):
    e, far = start(engine, carrier)
    e.config["numbers"]["own"] = [GOOD]
    e.config["log"]["mask_numbers"] = True
    e.write_config()
    e.cli("reload", check=True)
    wait_for(lambda: cause(e) == "OUTGOING_CALL_BARRED", 5, "the refusal")
    e.wait_log(r"call to 155\*{6}01 refused: own_number")
    assert GOOD not in e.log().split("the new configuration is in force")[-1]
    os.rename(e.log_path, e.log_path + ".1")
    e.send_signal(signal.SIGHUP)
    wait_for(lambda: "log file opened again" in e.log(), 5, "the new file")
