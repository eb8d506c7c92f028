"""A carrier sends us elsewhere: 3xx to an INVITE, REFER within a call."""

from lib.engine import wait_for
from lib.far import body, header, trunk


def test_a_3xx_is_followed_by_q_to_allowed_hosts_and_permitted_numbers_only(engine, far):
    other, contacts = far("127.0.0.2"), []

    def on(f, text, peer):
        if text.startswith("INVITE") and ":15551234567@" in text.split("\r\n")[0]:
            f.reply(text, peer, "302 Moved Temporarily", headers=["Contact: " + ", ".join(contacts)])
            return True

    f = far(on=on)
    e = engine(trunks={"acme": trunk(f.where, redirect="follow"), "strict": trunk(f.where)}, sip={"uri_hosts": ["127.0.0.2"]})
    # Not ours to call, not permitted, less wanted, wanted.
    contacts[:] = ["<sip:15550000001@192.0.2.1>;q=1.0", "<sip:+4420123@%s>;q=0.95" % f.where, "<sip:4420123@%s>;q=0.9" % f.where,
                   "<sip:15550000002@%s>;q=0.2" % f.where,
                   "<sip:15550000003@%s?X-Evil=1>;q=0.8" % other.where]
    reply = e.api("originate", "sofia/gateway/acme/15551234567", "&park")
    assert reply.startswith("+OK"), reply + e.all_text()
    first, second = f.wait("INVITE"), other.wait("INVITE")
    assert second.startswith("INVITE sip:15550000003@%s SIP/2.0" % other.where) and "X-Evil" not in second
    assert header(first, "Call-ID") == header(second, "Call-ID") and header(first, "To") == header(second, "To")
    assert int(header(second, "CSeq").split()[0]) > int(header(first, "CSeq").split()[0])
    other.wait("ACK")
    e.api("hupall")
    other.wait("BYE")
    reply = e.api("originate", "sofia/gateway/strict/15551234567", "&park")
    assert reply.startswith("-ERR") and len(f.all("INVITE")) == 2
    contacts[:] = ["<sip:15551234567@%s>" % f.where]  # round and round
    assert e.api("originate", "sofia/gateway/acme/15551234567", "&park").startswith("-ERR")
    assert len(f.all("INVITE")) == 2 + 6


def test_a_transfer_by_the_far_end_moves_its_partner_and_is_told_how_it_went(engine, far):
    a, b = far(), far()
    e = engine(start=False, trunks={"one": trunk(a.where, refer_context="transfers"), "two": trunk(b.where)}, freeswitch_dir="fs")
    e.write("fs/dialplan/transfers.xml", '''<include><context name="transfers"><extension name="x"><condition field="destination_number" expression="^100$">
        <action application="set" data="transferred=yes"/><action application="park"/></condition></extension></context></include>''')
    e.start()
    reply = e.api("originate", "sofia/gateway/one/15551234567", "&bridge(sofia/gateway/two/15557654321)")
    assert reply.startswith("+OK"), reply + e.all_text()
    invite = a.wait("INVITE")
    b.wait("ACK")
    a.request(invite, "REFER", 21, headers=["Refer-To: <sip:100@example.com>"])
    a.wait_response(202, "21 REFER")
    assert body(a.wait("NOTIFY")) == "SIP/2.0 100 Trying\r\n" and header(a.wait("NOTIFY"), "Event") == "refer;id=21"
    last = a.wait("NOTIFY", 2)
    assert body(last) == "SIP/2.0 200 OK\r\n" and header(last, "Subscription-State").startswith("terminated"), e.all_text()
    wait_for(lambda: '15557654321' in e.api("show", "channels") and "park" in e.api("show", "channels"), 5, "the partner parks", e.all_text)


def test_a_transfer_without_a_partner_or_a_context_is_refused(engine, far):
    a, b = far(), far()
    e = engine(trunks={"one": trunk(a.where, refer_context="transfers"), "two": trunk(b.where)})
    for name in ("one", "two"):
        assert e.api("originate", "sofia/gateway/%s/15551234567" % name, "&park").startswith("+OK")
    b.request(b.wait("INVITE"), "REFER", 21, headers=["Refer-To: <sip:100@example.com>"])
    b.wait_response(603, "21 REFER")
    a.request(a.wait("INVITE"), "REFER", 21, headers=["Refer-To: <sip:100@example.com>"])
    assert body(a.wait("NOTIFY", 2)) == "SIP/2.0 403 Forbidden\r\n"
    a.request(a.wait("INVITE"), "REFER", 22, headers=["Refer-To: <sip:100%20&x@example.com>"])
    a.wait_response(400, "22 REFER")
