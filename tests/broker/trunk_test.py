"""What a trunk is known to be outside of calls, and how a caller is named: seen from the carrier's side."""

import re
import time

from lib.engine import wait_for
from lib.far import header, trunk


def originate(e, where="sofia/gateway/acme/15551234567", options=""):
    reply = e.api("originate", options + where, "&park")
    assert reply.startswith("+OK "), reply
    return reply.split()[1]


def row(e, name="acme"):
    lines = [line.split("\t") for line in e.cli("trunk", "list", check=True).stdout.splitlines()]
    return dict(zip(lines[0], next(line for line in lines if line[0] == name)))


class Registrar:
    """Wants digest, at least 20 s, and grants a few seconds; `mood` is another answer."""

    def __init__(self, granted=4, mood=None):
        self.granted, self.mood = granted, mood

    def __call__(self, f, text, peer):
        if not text.startswith("REGISTER"):
            return False
        if self.mood:
            f.reply(text, peer, self.mood)
        elif "Authorization" not in text:
            f.reply(text, peer, "401 Unauthorized", headers=['WWW-Authenticate: Digest realm="acme", nonce="n1", algorithm=MD5, qop="auth"'])
        elif 0 < int(header(text, "Expires")) < 20:
            f.reply(text, peer, "423 Interval Too Brief", headers=["Min-Expires: 20"])
        else:
            f.reply(text, peer, "200 OK", headers=["Contact: %s;expires=%d" % (header(text, "Contact"), self.granted)])
        return True


def test_a_trunk_registers_refreshes_in_time_and_leaves_and_each_change_is_an_event(engine, far):
    registrar = Registrar()
    f = far(on=registrar)
    e = engine(trunks={"acme": trunk(f.where, user="u7", password="secret", register={"expires_s": 10, "retry_s": 1})})
    wait_for(lambda: row(e)["registration"] == "REGED" and row(e)["state"] == "up", 5, "registered", e.all_text)
    registers = f.all("REGISTER")
    assert [header(r, "Expires") for r in registers[:3]] == ["10", "10", "20"]
    assert len({header(r, "Call-ID") for r in registers}) == 1 and [header(r, "CSeq").split()[0] for r in registers] == sorted({header(r, "CSeq").split()[0] for r in registers}, key=int)
    assert re.match(r"<sip:u7@127\.0\.0\.1:\d+>", header(registers[-1], "Contact"))
    before = len(registers)
    wait_for(lambda: len(f.all("REGISTER")) > before, 4, "a refresh before the 4 s are over")
    assert "State   \tREGED" in e.api("sofia", "status", "gateway", "acme")
    registrar.mood = "403 Forbidden"
    events = e.lua('''
        local con = freeswitch.EventConsumer("CUSTOM", "sofia::gateway_state")
        local e = con:pop(1, 12000)
        stream:write(e and (e:getHeader("Gateway") .. " " .. e:getHeader("State") .. " " .. e:getHeader("Status") .. " " .. e:getHeader("Ping-Status")) or "none")
    ''')
    assert events.strip() in ("acme TRYING 403 UP", "acme FAILED 403 UP"), events
    wait_for(lambda: row(e)["state"] == "unregistered", 8, "not registered any more", e.all_text)
    assert e.api("originate", "sofia/gateway/acme/15551234567", "&park").startswith("-ERR GATEWAY_DOWN")
    registrar.mood = None
    wait_for(lambda: row(e)["state"] == "up", 10, "registered again", e.all_text)
    e.stop()
    assert header(f.all("REGISTER")[-1], "Expires") == "0"


def test_the_next_registrar_is_asked_when_one_fails(engine, far):
    refusing, f = far(on=Registrar(mood="500 Server Internal Error")), far(on=Registrar(600))
    e = engine(trunks={"acme": trunk(f.where, user="u7", password="secret", register={"registrars": [refusing.where, f.where]})})
    wait_for(lambda: row(e)["registration"] == "REGED", 5, "registered", e.all_text)
    assert len(refusing.all("REGISTER")) == 1


def test_a_trunk_that_does_not_answer_options_is_down_until_it_does(engine, far):
    f, second = far(), far()
    e = engine(trunks={"acme": trunk(f.where, ping_s=1, ping_failures=2, failover=["second"]), "second": trunk(second.where)})
    wait_for(lambda: len(f.all("OPTIONS")) >= 1 and row(e)["state"] == "up", 5, "a ping", e.all_text)
    f.answers = False
    wait_for(lambda: row(e)["state"] == "down", 6, "down", e.all_text)
    originate(e)
    assert len(second.all("INVITE")) == 1 and f.all("INVITE") == []
    f.answers = True
    wait_for(lambda: row(e)["state"] == "up", 4, "up", e.all_text)


def test_the_caller_is_named_as_the_trunk_wants_it(engine, far):
    f = far()
    e = engine(trunks={"acme": trunk(f.where, domain="carrier.test", identity="both", from_user="account7", diversion="15550199", caller_name="Acme \"Co\""),
                       "plain": trunk(f.where)})
    calls = [("acme", ""), ("acme", "{origination_privacy=hide_name:hide_number}"), ("acme", "{sip_cid_type=rpid}"), ("plain", ""), ("plain", "{sip_cid_type=pid}")]
    for n, (name, options) in enumerate(calls):
        originate(e, "sofia/gateway/%s/1555123456%d" % (name, n), options)
    named, hidden, rpid, plain, pid = [f.wait("INVITE", n + 1) for n in range(len(calls))]
    assert header(named, "From").startswith('"Acme Co" <sip:account7@carrier.test>;tag=')
    assert header(named, "P-Asserted-Identity") == '"Acme Co" <sip:15550100@carrier.test>'
    assert header(named, "Remote-Party-ID") == '"Acme Co" <sip:15550100@carrier.test>;party=calling;screen=yes;privacy=off'
    assert header(named, "Diversion") == "<sip:15550199@carrier.test>;reason=unconditional" and not header(named, "Privacy")
    assert header(hidden, "From").startswith('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=') and header(hidden, "Privacy") == "id"
    assert "15550100" in header(hidden, "P-Asserted-Identity") and "privacy=full" in header(hidden, "Remote-Party-ID")
    assert header(rpid, "Remote-Party-ID") and not header(rpid, "P-Asserted-Identity")
    assert not any(header(plain, name) for name in ("P-Asserted-Identity", "Remote-Party-ID", "Privacy", "Diversion"))
    assert header(pid, "P-Asserted-Identity") == "<sip:15550100@%s>" % f.where


def test_a_group_calls_the_cheapest_trunk_first_and_passes_over_one_that_does_badly(engine, far):
    bad = far(on=lambda f, text, peer: text.startswith("INVITE") and (f.reply(text, peer, "500 Server Internal Error") or True))
    good = far()
    e = engine(start=False, trunks={"cheap": trunk(bad.where, rates="cheap.csv", quality={"calls_min": 3, "window_s": 60}), "dear": trunk(good.where, rates="dear.csv")},
               trunk_groups={"us": {"trunks": ["dear", "cheap"], "choose": "cost"}})
    e.write("cheap.csv", "1,0.002\n")
    e.write("dear.csv", "1,0.009\n")
    e.start()
    for n in range(5):
        originate(e, "sofia/gateway/us/1555123456%d" % n)
    assert len(bad.all("INVITE")) == 3 and len(good.all("INVITE")) == 5
    assert row(e, "cheap")["quality"] == "bad" and row(e, "cheap")["failure"] == "1.00" and row(e, "dear")["quality"] == "good" and row(e, "dear")["asr"] == "1.00"
    e.cli("trunk", "disable", "dear", check=True)
    assert e.api("originate", "sofia/gateway/us/15551234569", "&park").startswith("-ERR")  # a bad trunk is better than none
    assert len(bad.all("INVITE")) == 4
