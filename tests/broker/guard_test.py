"""What is not let in: unknown sources, sources that ask too often, everybody while the engine is overloaded. Calls in progress are not touched."""

import os
import re
import signal
import time

from lib.engine import wait_for
from lib.far import header
from lib.paths import ROOT
from lib.ports import free_port


def filter_lines():
    """deploy/fail2ban's expressions, as fail2ban reads them."""
    text = open(os.path.join(ROOT, "deploy", "fail2ban", "carillon.conf"), encoding="utf-8").read()
    block = re.search(r"^failregex = (.*?)^ignoreregex", text, re.M | re.S).group(1)
    return [re.compile(line.strip().replace("<HOST>", r"(?P<host>[\d.:a-f]+)")) for line in block.splitlines() if line.strip()]


def statuses(f, call_ids):
    first = {}
    for _, text in f.came:
        if text.startswith("SIP/2.0 ") and header(text, "Call-ID") in call_ids and not text.startswith("SIP/2.0 1"):
            first.setdefault(header(text, "Call-ID"), text)
    return [first[c].split(" ")[1] if c in first else None for c in call_ids], first


def burst(e, f, count, name):
    ids = ["%s%d@far" % (name, n) for n in range(count)]
    for call_id in ids:
        f.invite(("127.0.0.1", e.sip_port), call_id=call_id)
    return ids


def test_an_unknown_source_hears_nothing_is_counted_and_named_in_a_line_that_fail2ban_reads(engine, far):
    stranger, friend = far("127.0.0.9"), far()
    e = engine(trunks={"acme": {"address": friend.where}})
    burst(e, stranger, 12, "scan")
    wait_for(lambda: e.counters()["sip_dropped"] >= 12, 5, "counted", e.status)
    assert stranger.came == []
    found = [m for line in e.all_text().splitlines() for m in [next((m for m in (r.search(line) for r in filter_lines()) if m), None)] if m]
    assert 1 <= len(found) <= 3 and {m.group("host") for m in found} == {"127.0.0.9"}, e.all_text()


def test_a_source_that_calls_too_often_gets_503_and_its_call_in_progress_goes_on(engine, far):
    f = far()
    e = engine(sip={"source_cps": 2, "listen": [{"name": "internal", "address": "127.0.0.1", "port": free_port(), "script": "in.lua"}]})
    e.sip_port = e.config["sip"]["listen"][0]["port"]
    e.write("scripts/in.lua", "session:answer() session:sleep(20000)")
    there = ("127.0.0.1", e.sip_port)
    f.invite(there, call_id="first@far")
    tag = header(f.wait_response(200, "1 INVITE"), "To").split("tag=")[1]
    f.invite(there, call_id="first@far", method="ACK", sdp="", to_tag=tag)
    ids = burst(e, f, 6, "more")
    wait_for(lambda: None not in statuses(f, ids)[0], 5, "all answered", e.all_text)
    codes, texts = statuses(f, ids)
    refused = [texts[c] for c in ids if " 503 " in texts[c].split("\r\n")[0]]
    assert 4 <= codes.count("503") <= 5 and all(5 <= int(header(t, "Retry-After")) <= 15 for t in refused), codes
    assert e.counters()["sip_refused"] == codes.count("503")
    f.invite(there, call_id="first@far", method="BYE", cseq=2, sdp="", to_tag=tag)
    f.wait_response(200, "2 BYE")


def test_an_overloaded_engine_refuses_new_calls_until_it_has_recovered(engine, far):
    f = far()
    e = engine(trunks={"acme": {"address": f.where, "inbound": {"script": "in.lua"}, "concurrent": 100}})
    e.write("scripts/in.lua", "session:answer() session:sleep(500)")
    broker = e.pid("broker")
    os.kill(broker, signal.SIGSTOP)
    time.sleep(4)
    os.kill(broker, signal.SIGCONT)
    ids = []
    for n in range(15):
        ids += burst(e, f, 1, "late%d-" % n)
        time.sleep(0.02)
    wait_for(lambda: "503" in statuses(f, ids)[0], 5, "a refusal", e.all_text)
    assert "overload" in e.all_text()
    time.sleep(1.5)
    after = burst(e, f, 1, "after")
    wait_for(lambda: statuses(f, after)[0] == ["200"], 5, "an answer", e.all_text)
