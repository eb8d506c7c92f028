"""Offers, answers and refreshes in the middle of things: session timers (RFC 4028), PRACK (RFC 3262), UPDATE (RFC 3311), forks, glare."""

import time

from lib.engine import wait_for
from lib.far import body, header, trunk


def originate(e, options=""):
    reply = e.api("originate", options + "sofia/gateway/acme/15551234567", "&park")
    assert reply.startswith("+OK "), reply
    return reply.split()[1]


def origin(text):
    return next(line for line in body(text).split("\r\n") if line.startswith("o="))


ALLOW = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE"
INBOUND = {"script": "in.lua"}


# --- session timers ---


def test_we_refresh_in_time_by_update_where_it_is_allowed_also_after_a_dead_broker(engine, far):
    def on(f, text, peer):
        if text.startswith(("INVITE", "UPDATE")):
            f.reply(text, peer, "200 OK", text.startswith("INVITE"), headers=[ALLOW, "Session-Expires: 6;refresher=uac"])
            return True

    f = far(on=on)
    e = engine(trunks={"acme": trunk(f.where, session_timer_s=1800)})
    originate(e)
    invite = f.wait("INVITE")
    assert header(invite, "Session-Expires") == "1800" and header(invite, "Min-SE") == "90" and "timer" in header(invite, "Supported")
    update = f.wait("UPDATE", seconds=4.5)
    assert header(update, "Session-Expires") == "6;refresher=uac" and body(update) == ""
    e.kill("broker")
    f.wait("UPDATE", 2, seconds=7)
    f.wait("UPDATE", 3, seconds=5)
    assert f.all("BYE") == []


def test_we_refresh_by_a_re_invite_that_changes_nothing_where_update_is_not_allowed(engine, far):
    def on(f, text, peer):
        if text.startswith("INVITE"):
            f.reply(text, peer, "200 OK", True, headers=["Session-Expires: 4;refresher=uac"])
            return True

    f = far(on=on)
    e = engine(trunks={"acme": trunk(f.where, session_timer_s=1800)})
    originate(e)
    again = f.wait("INVITE", 2, seconds=4)
    assert origin(again) == origin(f.wait("INVITE"))
    f.wait("ACK", 2)


def test_a_session_that_they_do_not_refresh_is_ended(engine, far):
    def on(f, text, peer):
        if text.startswith("INVITE"):
            f.reply(text, peer, "200 OK", True, headers=["Session-Expires: 3;refresher=uas"])
            return True

    f = far(on=on)
    e = engine(trunks={"acme": trunk(f.where)})
    began = time.monotonic()
    originate(e)
    bye = f.wait("BYE", seconds=5)
    assert 1.5 < time.monotonic() - began < 4 and "cause=102" in header(bye, "Reason")


def test_422_is_asked_again_with_its_min_se(engine, far):
    def on(f, text, peer):
        if text.startswith("INVITE") and header(text, "Session-Expires") == "600":
            f.reply(text, peer, "422 Session Interval Too Small", headers=["Min-SE: 3600"])
            return True

    f = far(on=on)
    e = engine(trunks={"acme": trunk(f.where, session_timer_s=600)})
    originate(e)
    first, second = f.wait("INVITE"), f.wait("INVITE", 2)
    assert header(second, "Session-Expires") == "3600" and header(second, "Min-SE") == "3600" and header(first, "Call-ID") == header(second, "Call-ID")


def test_a_callers_session_timer_is_answered_and_one_that_is_too_short_gets_422(engine, far):
    f = far()
    e = engine(trunks={"acme": trunk(f.where, inbound=INBOUND)})
    e.write("scripts/in.lua", "session:answer() session:sleep(5000)")
    there = ("127.0.0.1", e.sip_port)
    f.invite(there, call_id="short@far", headers=["Supported: timer", "Session-Expires: 30"])
    assert header(f.wait_response(422, "1 INVITE"), "Min-SE") == "90"
    f.came.clear()
    f.invite(there, call_id="long@far", headers=["Supported: timer", "Session-Expires: 1800"])
    ok = f.wait_response(200, "1 INVITE")
    assert header(ok, "Session-Expires") == "1800;refresher=uac" and "timer" in header(ok, "Require")


# --- PRACK and early dialogs ---


def test_reliable_responses_get_one_prack_each_in_order_and_the_200_may_be_silent(engine, far):
    def on(f, text, peer):
        if text.startswith("INVITE"):
            f.peer = peer
            rel = ["Require: 100rel"]
            f.reply(text, peer, "180 Ringing", headers=rel + ["RSeq: 7"])
            f.reply(text, peer, "180 Ringing", headers=rel + ["RSeq: 7"])
            f.reply(text, peer, "183 Session Progress", True, headers=rel + ["RSeq: 9"])
            return True

    f = far(on=on)
    e = engine(trunks={"acme": trunk(f.where, reliable="required")})
    e.api("bgapi", "originate", "{ignore_early_media=true}sofia/gateway/acme/15551234567", "&park")
    invite = f.wait("INVITE")
    assert "100rel" in header(invite, "Supported") and header(invite, "Require") == "100rel"
    assert header(f.wait("PRACK"), "RAck") == "7 %s" % header(invite, "CSeq")
    f.reply(invite, f.peer, "183 Session Progress", True, headers=["Require: 100rel", "RSeq: 8", ALLOW])
    second = f.wait("PRACK", 2)
    assert header(second, "RAck").startswith("8 ") and ";tag=far" in header(second, "To") and second.startswith("PRACK sip:%s " % f.where)
    f.request(invite, "UPDATE", 5, sdp=f._sdp(""))
    assert "m=audio" in body(f.wait_response(200, "5 UPDATE"))
    f.reply(invite, f.peer, "200 OK")
    f.wait("ACK")
    time.sleep(0.3)
    assert len(f.all("PRACK")) == 2 and "1 total" in e.api("show", "channels")
    numbers = [int(header(text, "CSeq").split()[0]) for text in f.all("PRACK")]
    assert numbers == sorted(set(numbers)) and header(f.wait("ACK"), "CSeq").split()[0] == header(invite, "CSeq").split()[0]
    e.api("hupall")
    assert int(header(f.wait("BYE"), "CSeq").split()[0]) > numbers[-1]


def test_of_several_early_dialogs_the_first_that_answers_is_the_call_and_the_others_get_bye(engine, far):
    def on(f, text, peer):
        if text.startswith("INVITE"):
            f.reply(text, peer, "180 Ringing", tag="one")
            f.reply(text, peer, "183 Session Progress", True, tag="two")
            f.reply(text, peer, "200 OK", True, tag="three")
            f.reply(text, peer, "200 OK", True, tag="one")
            return True

    f = far(on=on)
    e = engine(trunks={"acme": trunk(f.where)})
    uuid = originate(e)
    wait_for(lambda: {header(a, "To").split("tag=")[1] for a in f.all("ACK")} == {"one", "three"}, 5, "both acknowledged")
    assert "tag=one" in header(f.wait("BYE"), "To")
    e.api("uuid_kill", uuid)
    assert "tag=three" in header(f.wait("BYE", 2), "To")


def test_a_caller_who_wants_prack_gets_reliable_responses(engine, far):
    f = far()
    e = engine(trunks={"acme": trunk(f.where, reliable="supported", inbound=INBOUND)})
    e.write("scripts/in.lua", 'session:preAnswer() session:sleep(300) session:answer() session:sleep(5000)')
    there = ("127.0.0.1", e.sip_port)
    f.invite(there, headers=["Supported: 100rel"])
    early = f.wait_response(183, "1 INVITE")
    assert "100rel" in header(early, "Require") and "m=audio" in body(early)
    time.sleep(0.6)
    assert not [r for r in f.responses("1 INVITE") if r.startswith("SIP/2.0 200")]  # waits for the PRACK: the answer was in the 183
    tag = header(early, "To").split("tag=")[1]
    f.invite(there, method="PRACK", cseq=2, sdp="", to_tag=tag, headers=["RAck: %s 1 INVITE" % header(early, "RSeq")])
    f.wait_response(200, "2 PRACK")
    assert body(f.wait_response(200, "1 INVITE")) == ""
    f.invite(there, method="ACK", cseq=1, sdp="", to_tag=tag)
    time.sleep(0.1)
    came = len(f.responses("1 INVITE"))
    time.sleep(0.7)
    assert len(f.responses("1 INVITE")) == came and "1 total" in e.api("show", "channels")  # the ACK was taken, the call goes on


def test_an_offerless_caller_who_requires_prack_gets_our_offer_in_the_first_response(engine, far):
    f = far()
    e = engine(trunks={"acme": trunk(f.where, inbound=INBOUND)})
    e.write("scripts/in.lua", 'session:execute("ring_ready") session:sleep(500) session:answer() session:sleep(5000)')
    there = ("127.0.0.1", e.sip_port)
    f.invite(there, headers=["Require: 100rel"], sdp="")
    ringing = f.wait_response(180, "1 INVITE")
    assert "m=audio" in body(ringing)
    tag = header(ringing, "To").split("tag=")[1]
    f.invite(there, method="PRACK", cseq=2, sdp=True, to_tag=tag, headers=["RAck: %s 1 INVITE" % header(ringing, "RSeq")])
    f.wait_response(200, "2 PRACK")
    assert body(f.wait_response(200, "1 INVITE")) == ""
    f.invite(there, method="ACK", cseq=1, sdp="", to_tag=tag)
    time.sleep(0.1)
    came = len(f.responses("1 INVITE"))
    time.sleep(0.7)
    assert len(f.responses("1 INVITE")) == came and "1 total" in e.api("show", "channels")  # the ACK was taken, the call goes on


def test_183_without_sdp_and_an_answer_without_telephone_event_make_a_call(engine, far):
    def on(f, text, peer):
        if text.startswith("INVITE"):
            f.reply(text, peer, "183 Session Progress")
            f.reply(text, peer, "200 OK", "v=0\r\no=far 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 0\r\n" % f.rtp.getsockname()[1])
            return True

    f = far(on=on)
    e = engine(trunks={"acme": trunk(f.where)})
    uuid = originate(e)
    f.wait("ACK")
    e.api("uuid_broadcast", uuid, "tone_stream://%(400,0,440)")
    payloads = {f.rtp.recvfrom(2048)[0][1] & 0x7f for _ in range(10)}
    assert payloads == {0} and "1 total" in e.api("show", "channels")


# --- glare ---


def test_a_491_is_tried_again_after_the_time_of_who_made_the_call_id_and_theirs_gets_491_meanwhile(engine, far):
    mood = {"glare": 1}

    def on(f, text, peer):
        if text.startswith("INVITE") and "a=sendonly" in body(text) and mood["glare"]:
            mood["glare"] = 0
            f.request(f.wait("INVITE"), "INVITE", 11, sdp=f._sdp(""))
            f.reply(text, peer, "100 Trying")
            f.later = (text, peer)
            return True

    f = far(on=on)
    e = engine(trunks={"acme": trunk(f.where)})
    uuid = originate(e)
    f.wait("ACK")
    e.api("bgapi", "uuid_hold", uuid)
    f.wait("INVITE", 2)
    f.wait_response(491, "11 INVITE")
    at = time.monotonic()
    f.reply(*f.later, "491 Request Pending")
    third = f.wait("INVITE", 3, seconds=6)
    assert 2.0 < time.monotonic() - at < 4.5 and "a=sendonly" in body(third)
    f.wait("ACK", 3)


# --- what is turned away ---


def test_no_hops_left_and_unknown_extensions_are_refused(engine, far):
    f = far()
    e = engine(trunks={"acme": trunk(f.where, inbound=INBOUND)})
    e.write("scripts/in.lua", "session:answer() session:sleep(3000)")
    there = ("127.0.0.1", e.sip_port)
    f.invite(there, call_id="hops@far", forwards=0)
    f.wait_response(483, "1 INVITE")
    f.invite(there, call_id="ext@far", cseq=2, headers=["Require: timer, telepathy"])
    assert header(f.wait_response(420, "2 INVITE"), "Unsupported") == "telepathy"
