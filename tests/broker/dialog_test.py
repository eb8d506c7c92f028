"""What a call does beyond INVITE and BYE, and what operators do with trunks, each seen from the far end."""

import subprocess
import time

from lib import books, sounds
from lib.campaign import settings, write_campaign
from lib.engine import wait_for
from lib.far import body, header, trunk
from lib.paths import CARILLON


def originate(e, where="sofia/gateway/acme/15551234567"):
    reply = e.api("originate", where, "&park")
    assert reply.startswith("+OK "), reply
    return reply.split()[1]


def test_hold_and_unhold_are_offered_to_the_far_end(engine, far):
    f = far()
    e = engine(trunks={"acme": trunk(f.where)})
    uuid = originate(e)
    assert "a=sendonly" not in body(f.wait("INVITE"))
    assert e.api("uuid_hold", uuid).startswith("+OK")
    held = f.wait("INVITE", 2)
    assert "a=sendonly" in body(held)
    assert header(held, "Call-ID") == header(f.wait("INVITE"), "Call-ID")
    assert e.api("uuid_hold", "off", uuid).startswith("+OK")
    again = f.wait("INVITE", 3)
    assert "a=sendonly" not in body(again)
    sessions = [header(i, "CSeq") for i in f.all("INVITE")]
    assert len(set(sessions)) == 3
    f.wait("ACK", 3)
    e.api("uuid_kill", uuid)
    f.wait("BYE")


def test_info_and_refer_reach_the_far_end(engine, far):
    f = far()
    e = engine(trunks={"acme": trunk(f.where)})
    uuid = originate(e)
    e.api("uuid_send_info", uuid, "text", "plain", "hello far end")
    info = f.wait("INFO")
    assert "hello far end" in body(info) and header(info, "Content-Type") == "text/plain"
    e.api("uuid_deflect", uuid, "sip:100@192.0.2.1")
    refer = f.wait("REFER")
    assert header(refer, "Refer-To") == "<sip:100@192.0.2.1>"
    wait_for(lambda: any(text.startswith("SIP/2.0 200") and "NOTIFY" in header(text, "CSeq") for _, text in f.came), 5, "our answer to NOTIFY")
    e.api("uuid_kill", uuid)
    f.wait("BYE")


def test_a_silent_trunk_is_left_for_the_next_one_and_the_call_is_one_row(engine, far):
    silent, f = far(answers=False), far()
    e = engine(trunks={"acme": trunk(silent.where, failover=["second"]), "second": trunk(f.where)})
    began = time.monotonic()
    originate(e)
    assert 4 < time.monotonic() - began < 9
    assert silent.all("INVITE") and f.all("INVITE")
    assert e.api("hupall").startswith("+OK")
    rows = wait_for(lambda: [r for r in books.attempts(e) if r["state"] == "done"], 5, "the row")
    assert len(rows) == 1 and rows[0]["trunk"] == "second" and rows[0]["answer_us"]


def test_a_call_ends_after_the_longest_duration(engine, far):
    f = far()
    e = engine(trunks={"acme": trunk(f.where)}, limits={"max_call_s": 2})
    began = time.monotonic()
    originate(e)
    f.wait("BYE", seconds=6)
    assert 1.9 < time.monotonic() - began < 4
    rows = wait_for(lambda: [r for r in books.attempts(e) if r["state"] == "done"], 5, "the row")
    assert rows[0]["cause"] == "ALLOTTED_TIMEOUT" and abs(rows[0]["billsec_ms"] - 2000) < 200


def test_trunk_disable_and_enable_hold_at_once(engine, far):
    f = far()
    e = engine(trunks={"acme": trunk(f.where)})
    e.cli("trunk", "disable", "acme", check=True)
    assert e.api("originate", "sofia/gateway/acme/15551234567", "&park").startswith("-ERR")
    assert f.all("INVITE") == []
    assert "disabled" in e.cli("trunk", "list", check=True).stdout
    e.cli("trunk", "enable", "acme", check=True)
    originate(e)


def test_a_changed_cap_holds_within_a_second(carrier, engine):
    c = carrier(plan="match=* busy after=20ms\n")
    e = engine(**settings(c, 60, 100, 300))
    write_campaign(e, leads=400, retry={"USER_BUSY": False})
    e.cli("campaign", "import", "c", check=True)
    run = subprocess.Popen([CARILLON, "campaign", "run", "c", "--no-import"], cwd=e.folder, stdout=subprocess.DEVNULL,
                           env=dict(e.env, CARILLON_CONFIG=e.config_path))
    try:
        wait_for(lambda: len(c.invites()) > 60, 10, "calls", e.all_text)
        e.cli("trunk", "cap", "acme", "cps=5", check=True)
        changed = time.time() * 1e6
        time.sleep(5)
        after = [i for i in c.invites() if i["t_us"] > changed + 1e6]
        assert 10 <= len(after) and books.most_in_window(after) <= 6
        e.cli("trunk", "cap", "acme", "cps=200", check=True)
        wait_for(lambda: len(c.invites()) == 400, 15, "the rest at the new pace", e.all_text)
    finally:
        run.wait(20)


def test_ipv6_signalling_and_audio(engine, far):
    f = far("::1")
    e = engine(trunks={"acme": trunk(f.where)}, sip={"listen": [{"name": "internal", "address": "::1", "port": 0}]}, media={"addresses": ["::1"]}, sounds_dir="sounds")
    sounds.tone(e.path("sounds", "a.wav"), 1.0)
    reply = e.api("originate", "sofia/gateway/acme/15551234567", "&playback(a.wav)")
    assert reply.startswith("+OK"), reply
    offer = f.wait("INVITE")
    assert "c=IN IP6 ::1" in body(offer) and "[::1]" in header(offer, "Contact")
    data, source = f.rtp.recvfrom(2048)
    assert source[0] == "::1" and len(data) == 172 and data[1] & 0x7f == 0
    f.wait("BYE", seconds=5)


def invite_to(e, f):
    sdp = "v=0\r\no=far 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 0\r\n" % f.rtp.getsockname()[1]
    text = "\r\n".join([
        "INVITE sip:100@%s SIP/2.0" % e.sip_address, "Via: SIP/2.0/UDP %s;branch=z9hG4bKin1;rport" % f.where, "From: <sip:4711@%s>;tag=caller" % f.where,
        "To: <sip:100@%s>" % e.sip_address, "Call-ID: in-1@far", "CSeq: 1 INVITE", "Max-Forwards: 70", "Contact: <sip:4711@%s>" % f.where,
        "Content-Type: application/sdp", "Content-Length: %d" % len(sdp), "", sdp])
    f.sock.sendto(text.encode(), ("127.0.0.1", e.sip_port))


def test_a_caller_who_waits_when_the_broker_dies_is_refused_by_the_next_one_and_no_slot_leaks(engine, far):
    f = far()
    e = engine(trunks={"acme": trunk(f.where, inbound={"script": "ring.lua"})})
    e.write("scripts/ring.lua", 'session:execute("ring_ready") session:sleep(20000)')
    invite_to(e, f)
    wait_for(lambda: any(text.startswith("SIP/2.0 180") for _, text in f.came), 5, "180", e.all_text)
    e.kill("broker")
    refused = wait_for(lambda: [text for _, text in f.came if text.startswith("SIP/2.0 503")], 8, "503", e.all_text)[0]
    assert header(refused, "CSeq") == "1 INVITE" and "branch=z9hG4bKin1" in header(refused, "Via") and header(refused, "Retry-After")
    wait_for(lambda: e.counters().get("calls_active", 0) == 0, 10, "its slot is free", e.status)
