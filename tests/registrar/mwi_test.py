"""Message waiting: MESSAGE_WAITING, whoever fires it, becomes NOTIFY to telephones (RFC 3842, RFC 6665)."""

import re
import shutil
import socket
import time

from lib import users
from lib.paths import ROOT
from lib.ports import free_port

EVENT = ["Event: message-summary", "Accept: application/simple-message-summary"]


def waiting(e, account, value="yes", count="1/2 (0/0)", more=""):
    e.lua("""local ev = freeswitch.Event("message_waiting")
             ev:addHeader("MWI-Messages-Waiting", "%s")
             ev:addHeader("MWI-Message-Account", "%s")
             ev:addHeader("MWI-Voice-Message", "%s")
             %s
             ev:fire()""" % (value, account, count, more))


def subscribe(p, expires=600, **where):
    return p.request("SUBSCRIBE", "sip:%s@%s" % (p.user, p.domain), EVENT + ["Contact: <%s>" % p.contact, "Expires: %d" % expires], **where)


def test_the_seeds_toggle_lights_the_lamp_of_a_registered_telephone_and_puts_it_out(engine, phone):
    e = users.start(engine)
    shutil.copy(ROOT + "/conf/scripts/examples/mwi.lua", e.path("scripts", "mwi.lua"))
    p, other = phone(e), phone(e, "1002")
    assert p.register().status == 200 and other.register().status == 200
    e.api("luarun", "mwi.lua", "1001@example.test", "yes")
    lit = p.wait("NOTIFY")
    assert lit.header("Event") == "message-summary" and lit.header("Content-Type") == "application/simple-message-summary"
    assert lit.header("Subscription-State") == "terminated;reason=noresource" and lit.uri == p.contact
    assert "Messages-Waiting: yes\r\n" in lit.body and "Message-Account: sip:1001@example.test\r\n" in lit.body
    e.api("luarun", "mwi.lua", "1001@", "no")  # the seed's own form: no domain
    assert "Messages-Waiting: no\r\n" in p.wait("NOTIFY", 2).body
    assert not other.all("NOTIFY")


def test_a_subscription_is_told_at_once_then_of_each_change_until_it_ends(engine, phone):
    e = users.start(engine)
    p = phone(e)
    answer = subscribe(p)
    assert answer.status == 200 and answer.header("Expires") == "600", answer.text + e.all_text()[-2000:]
    first = p.wait("NOTIFY")
    assert first.body.startswith("Messages-Waiting: no\r\n") and re.match(r"active;expires=(600|599)$", first.header("Subscription-State"))
    tag = re.search(r";tag=[^;>]+", answer.header("To")).group(0)
    assert tag in first.header("From") and "tag=" + p.tag in first.header("To") and first.header("Call-ID") == p.call_id
    waiting(e, "1001@example.test")
    second = p.wait("NOTIFY", 2)
    assert second.body == "Messages-Waiting: yes\r\nMessage-Account: sip:1001@example.test\r\nVoice-Message: 1/2 (0/0)\r\n\r\n"
    assert int(second.header("CSeq").split()[0]) == int(first.header("CSeq").split()[0]) + 1
    # refreshed within the dialog
    target = re.search(r"<(sip:[^>]+)>", answer.header("Contact")).group(1)
    again = p.request("SUBSCRIBE", target, EVENT + ["Contact: <%s>" % p.contact, "Expires: 300"], to_tag=tag)
    assert again.status == 200 and again.header("Expires") == "300"
    assert "Messages-Waiting: yes" in p.wait("NOTIFY", 3).body
    # ended
    end = p.request("SUBSCRIBE", target, EVENT + ["Contact: <%s>" % p.contact, "Expires: 0"], to_tag=tag)
    assert end.status == 200
    assert p.wait("NOTIFY", 4).header("Subscription-State").startswith("terminated")
    waiting(e, "1001@example.test", "no")
    time.sleep(0.5)
    assert len(p.all("NOTIFY")) == 4
    assert p.request("SUBSCRIBE", target, EVENT + ["Contact: <%s>" % p.contact, "Expires: 300"], to_tag=tag).status == 481


def test_a_subscription_ends_by_time_and_one_whose_telephone_knows_it_no_more_is_dropped(engine, phone):
    e = users.start(engine)
    p = phone(e)
    assert subscribe(p, expires=10).status == 200
    assert p.wait("NOTIFY", 2, seconds=15).header("Subscription-State") == "terminated;reason=timeout"
    q = phone(e)
    q.reply_notify = 481
    assert subscribe(q).status == 200
    q.wait("NOTIFY")
    time.sleep(0.5)
    waiting(e, "1001@example.test")
    time.sleep(0.5)
    assert len(q.all("NOTIFY")) == 1


def test_who_may_subscribe_and_to_what(engine, phone):
    e = users.start(engine)
    p = phone(e)
    assert subscribe(p, password="wrong").status == 403
    assert p.request("SUBSCRIBE", headers=["Event: presence", "Contact: <%s>" % p.contact]).status == 489
    assert subscribe(p, expires=5).status == 423
    # another one's account
    assert p.request("SUBSCRIBE", headers=EVENT + ["Contact: <%s>" % p.contact], to="sip:1002@example.test").status == 403
    assert not p.all("NOTIFY")


def test_what_was_said_is_told_to_telephones_that_come_later_and_a_call_id_means_one(engine, phone):
    e = users.start(engine)
    waiting(e, "1001@example.test", count="3/0 (0/0)")
    one, two = phone(e), phone(e)
    assert one.register().status == 200
    assert "Voice-Message: 3/0 (0/0)" in one.wait("NOTIFY").body
    assert two.register().status == 200
    two.wait("NOTIFY")
    waiting(e, "1001@example.test", "no", more='ev:addHeader("call-id", "%s")' % two.call_id)
    assert "Messages-Waiting: no" in two.wait("NOTIFY", 2).body
    time.sleep(0.3)
    assert len(one.all("NOTIFY")) == 1


def test_an_event_socket_client_may_fire_it_and_the_first_telephone_asks_for_what_waits(engine, phone):
    port = free_port()
    e = users.start(engine, event_socket={"port": port, "password": "ClueCon"})
    e.write("scripts/query.lua", """
      local c = freeswitch.EventConsumer("MESSAGE_QUERY")
      local ev = c:pop(1, 20000)
      freeswitch.consoleLog("notice", "QUERY " .. ev:getHeader("Message-Account") .. " " .. ev:getHeader("VM-Sofia-Profile") .. " " .. ev:getHeader("VM-Call-ID") .. "\\n")""")
    e.api("luarun", "query.lua")
    time.sleep(0.5)
    p = phone(e)
    assert p.register().status == 200
    e.wait_log(r"QUERY sip:1001@example\.test internal %s" % re.escape(p.call_id))
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(b"auth ClueCon\n\nsendevent MESSAGE_WAITING\nMWI-Messages-Waiting: yes\nMWI-Message-Account: 1001@example.test\n\n")
        assert "Messages-Waiting: yes" in p.wait("NOTIFY").body
