"""REGISTER at a listener with users: who may, what is kept, and how it survives."""

import time

from lib import users
from lib.engine import wait_for
from lib.phone import challenge_of


def contact_of(e, user="1001"):
    return e.api("sofia_contact", "internal/%s@%s" % (user, users.DOMAIN)).strip()


def test_a_user_registers_with_its_password_and_is_found_by_every_command(engine, phone):
    e = users.start(engine)
    p = phone(e)
    assert contact_of(e) == "error/user_not_registered"
    answer = p.register(expires=600)
    assert answer.status == 200, answer.text + e.all_text()
    assert "<%s>;expires=600" % p.contact in answer.header("Contact") and answer.header("Date")
    url = "sofia/internal/" + p.contact
    assert e.api("sofia_presence_data", "user_agent", "1001@" + users.DOMAIN).strip() == "phone.py"
    assert e.api("sofia_presence_data", "list", "*/1001@" + users.DOMAIN) == (
        "status|rpid|user_agent|network_ip|network_port\nunknown|unknown|phone.py|127.0.0.1|%d\n+OK\n" % p.port)
    assert contact_of(e) == url
    assert e.api("sofia_contact", "1001@" + users.DOMAIN).strip() == url
    assert e.api("sofia_contact", "*/1001@" + users.DOMAIN).strip() == url
    assert e.api("sofia_contact", "1001").strip() == url  # the only domain
    assert e.api("sofia_count_reg", "internal/1001@" + users.DOMAIN).strip() == "1"
    assert e.api("sofia_count_reg", "1001@nowhere").strip() == "-1"
    assert e.api("sofia_username_of", "internal/1001@" + users.DOMAIN).strip() == "1001"
    listed = e.api("show", "registrations")
    assert listed.startswith("reg_user,realm,token,url,expires,network_ip,network_port,network_proto,hostname,metadata\n1001,example.test,%s,%s," % (p.call_id, url))
    assert listed.endswith("\n\n1 total.\n")
    status = e.api("sofia", "status", "profile", "internal", "reg")
    assert "User:       \t1001@example.test\n" in status and "Status:     \tRegistered(UDP)(unknown) EXP(" in status, status
    whole = e.api("sofia", "status", "profile", "internal")
    assert "\nSIP-IP           \t127.0.0.1\n" in whole and whole.endswith("\nREGISTRATIONS    \t1\n"), whole
    assert e.api("sofia", "status", "profile", "nobody") == "Invalid Profile!\n"
    assert "MWI-Account:\t1001@example.test\n" in status and "Total items returned: 1\n" in status
    assert url in e.api("list_users", "user", "1001")
    # gone
    assert p.register(expires=0).status == 200
    assert contact_of(e) == "error/user_not_registered"
    assert e.api("show", "registrations") == "\n0 total.\n"


def test_wrong_passwords_are_refused_logged_for_fail2ban_and_soon_not_heard(engine, phone):
    e = users.start(engine)
    p = phone(e)
    assert p.register(password="wrong").status == 403
    e.wait_log(r"SIP auth failure \(REGISTER\) on sofia profile 'internal' for \[1001@example\.test\] from ip 127\.0\.0\.1")
    assert phone(e, "9999").register().status == 403                # nobody of that name
    assert phone(e, "1003").register(password="").status == 403     # a user without a password
    assert phone(e, "1004").register().status == 403                # may call, not register
    assert phone(e, "1001").register(user="1002").status == 403     # 1002's password does not register 1001
    assert phone(e, "1002").register().status == 200                # by its a1-hash
    assert phone(e, "2001").register(user="1001").status == 200     # by its alias: it is 1001
    assert contact_of(e).startswith("sofia/internal/sip:2001@")
    for _ in range(10):
        p.register(password="wrong")
    assert p.register().status == 403                               # right at last, but one guess too many
    assert phone(e, "1002").register().status == 200                # others from that address are heard


def test_old_and_used_nonces_are_stale_and_the_same_one_serves_while_its_count_grows(engine, phone):
    e = users.start(engine, {"nonce_s": 2})
    p = phone(e)
    lines = ["Contact: <%s>" % p.contact, "Expires: 600"]

    def again(challenge, **auth):
        mine = "Authorization: " + p.credentials("REGISTER", "sip:" + p.domain, challenge, **auth)
        return p.response("REGISTER", p.send("REGISTER", headers=lines + [mine]))

    challenge = challenge_of(p.response("REGISTER", p.send("REGISTER", headers=lines)))
    assert challenge["realm"] == "example.test" and challenge["qop"] == "auth" and challenge["algorithm"] == "MD5" and "stale" not in challenge
    assert again(challenge).status == 200
    assert again(challenge).status == 200
    replayed = again(challenge, nc=2)
    assert replayed.status == 401 and challenge_of(replayed)["stale"] == "true"
    forged = again(challenge, nonce="0" * 64)
    assert forged.status == 401 and challenge_of(forged)["stale"] == "true"
    time.sleep(3.2)
    old = again(challenge, nonce=challenge["nonce"], nc=9)
    assert old.status == 401 and challenge_of(old)["stale"] == "true"
    assert again(challenge_of(old)).status == 200


def test_several_contacts_their_times_and_the_star(engine, phone):
    e = users.start(engine, {"expires_min_s": 30, "expires_max_s": 900, "contacts": 3})
    p = phone(e)
    one, two, three, four = ["sip:1001@127.0.0.1:%d" % port for port in (40001, 40002, 40003, 40004)]
    assert p.register(contacts=[one, two]).status == 200
    answer = p.request("REGISTER", headers=["Contact: <%s>;expires=90" % three, "Contact: <%s>;expires=0" % two, "Expires: 600"])
    assert sorted(c.split(";expires=")[0] for c in answer.headers("Contact")) == ["<%s>" % one, "<%s>" % three]
    # nothing asked, nothing changed: the list
    assert len(p.request("REGISTER").headers("Contact")) == 2
    short = p.register(expires=5, contacts=[four])
    assert short.status == 423 and short.header("Min-Expires") == "30"
    assert any(c.endswith(";expires=900") for c in p.register(expires=7200, contacts=[two]).headers("Contact"))
    # one too many: the one that expires first makes room
    answer = p.register(contacts=[four])
    assert answer.status == 200 and sorted(c[1:].split(">")[0] for c in answer.headers("Contact")) == [one, two, four]
    assert p.register(contacts=["tel:+15550100"]).status == 400
    assert p.request("REGISTER", headers=["Contact: *", "Expires: 60"]).status == 400
    assert len(contact_of(e).split(",")) == 3
    assert p.request("REGISTER", headers=["Contact: *", "Expires: 0"]).status == 200
    assert contact_of(e) == "error/user_not_registered"


def test_a_request_that_was_overtaken_changes_nothing(engine, phone):
    e = users.start(engine)
    p = phone(e)
    assert p.register().status == 200
    p.cseq = 0
    p.responses.clear()
    assert p.register(expires=0).status == 500
    assert contact_of(e) == "sofia/internal/" + p.contact


def test_a_telephone_behind_a_nat_is_reached_where_it_registered_from(engine, phone):
    e = users.start(engine)
    p = phone(e, contact="sip:1001@192.168.7.9:5060;transport=udp;fs_path=sip%3Aelsewhere.example")
    assert p.register().status == 200
    assert contact_of(e) == ("sofia/internal/sip:1001@192.168.7.9:5060;transport=udp;fs_nat=yes;fs_path=sip%%3A1001%%40127.0.0.1%%3A%d%%3Btransport%%3Dudp" % p.port)
    assert "Registered(UDP-NAT)" in e.api("sofia", "status", "profile", "internal", "reg")
    reply = e.api("originate", "user/1001@example.test", "&park")
    assert reply.startswith("+OK "), reply + e.all_text()[-2000:]
    invite = p.wait("INVITE")
    assert invite.uri == "sip:1001@192.168.7.9:5060;transport=udp"
    p.wait("ACK")
    e.api("uuid_kill", reply.split()[1])
    p.wait("BYE")


def test_registrations_survive_a_killed_broker_and_a_killed_engine(engine, phone):
    e = users.start(engine)
    p = phone(e)
    assert p.register().status == 200
    e.kill("broker")
    e.wait_log(r"1 telephones are registered from before")
    wait_for(lambda: contact_of(e) == "sofia/internal/" + p.contact, 10, "the contact after the broker's death", e.all_text)
    assert p.register().status == 200  # its nonce is of another broker: stale, and once more
    e.kill_all()
    e.start()
    assert contact_of(e) == "sofia/internal/" + p.contact
    assert e.api("originate", "user/1001@example.test", "&park").startswith("+OK ")


def test_contacts_end_by_time_and_events_tell_all_of_it(engine, phone):
    e = users.start(engine, {"expires_min_s": 1})
    e.write("scripts/watch.lua", """
      local c = freeswitch.EventConsumer("CUSTOM")
      while true do
        local ev = c:pop(1, 20000)
        if not ev then return end
        local name = ev:getHeader("Event-Subclass") or ""
        if name:match("^sofia::") then
          freeswitch.consoleLog("notice", "EVENT " .. name .. " " .. tostring(ev:getHeader("from-user") or ev:getHeader("to-user") or ev:getHeader("user")) .. " " ..
            tostring(ev:getHeader("auth-result")) .. " " .. tostring(ev:getHeader("contact")) .. " " .. tostring(ev:getHeader("accountcode")) .. "\\n")
        end
      end""")
    e.api("luarun", "watch.lua")
    time.sleep(0.5)
    p = phone(e)
    assert p.register(password="wrong").status == 403
    assert p.register(expires=2).status == 200
    e.wait_log(r'EVENT sofia::pre_register 1001 nil "" <sip:1001@127\.0\.0\.1:\d+> nil')
    e.wait_log(r'EVENT sofia::register_attempt 1001 FORBIDDEN "" <sip:1001@')
    e.wait_log(r"EVENT sofia::register_failure 1001")
    e.wait_log(r"EVENT sofia::register_attempt 1001 SUCCESS")
    e.wait_log(r'EVENT sofia::register 1001 nil "" <sip:1001@127\.0\.0\.1:\d+> A1001')
    e.wait_log(r'EVENT sofia::expire 1001 nil "" <sip:1001@')
    assert contact_of(e) == "error/user_not_registered"
    assert p.register().status == 200 and p.register(expires=0).status == 200
    e.wait_log(r"EVENT sofia::unregister 1001")


def test_a_telephone_that_answers_no_options_is_forgotten(engine, phone):
    e = users.start(engine, {"ping_s": 1})
    p, q = phone(e), phone(e, "1002")
    assert p.register().status == 200 and q.register().status == 200
    p.wait("OPTIONS", 2)
    p.silent = True
    e.wait_log(r"1001@example\.test at sip:1001@[^ ]+: Unreachable", 10)
    e.wait_log(r"1001@example\.test is no more at", 15)
    assert contact_of(e) == "error/user_not_registered" and contact_of(e, "1002").endswith(q.contact)
    assert "Ping-Status:\tReachable" in e.api("sofia", "status", "profile", "internal", "reg")


def test_sha256_is_asked_for_where_it_is_configured(engine, phone):
    e = users.start(engine, {"algorithms": ["SHA-256", "MD5"]})
    p = phone(e)
    first = p.response("REGISTER", p.send("REGISTER"))
    assert [challenge_line.split("algorithm=")[1].split(",")[0] for challenge_line in first.headers("WWW-Authenticate")] == ["SHA-256", "MD5"]
    assert p.register().status == 200
    assert phone(e, "1002").request("REGISTER").status == 403  # an a1-hash is one of MD5


def test_a_flood_of_requests_is_dropped_and_a_forced_domain_is_everybodys(engine, phone):
    e = users.start(engine, {"requests_per_s": 5, "domain": users.DOMAIN})
    p = phone(e)
    p.domain = "127.0.0.1"  # as a telephone that knows no domain
    assert p.register().status == 200
    assert contact_of(e) == "sofia/internal/" + p.contact
    before = e.counters()["sip_dropped"]
    for _ in range(60):
        p.send("REGISTER")
    wait_for(lambda: e.counters()["sip_dropped"] - before > 20, 5, "dropped requests")


def test_a_script_may_make_the_directory_and_is_told_who_asks(engine, phone):
    e = users.start(engine, start=False)
    e.write("freeswitch/lua.conf.xml", """<configuration name="lua.conf"><settings>
      <param name="xml-handler-script" value="made.lua"/><param name="xml-handler-bindings" value="directory"/></settings></configuration>""")
    e.write("scripts/made.lua", """
      if params:getHeader("action") ~= "sip_auth" or params:getHeader("sip_profile") ~= "internal" or params:getHeader("ip") ~= "127.0.0.1" then return end
      XML_STRING = ([[<document type="freeswitch/xml"><section name="directory"><domain name="made.test"><user id="%s">
        <params><param name="password" value="of %s"/><param name="sip-allow-multiple-registrations" value="false"/></params></user></domain></section></document>]])
        :format(params:getHeader("user"), params:getHeader("sip_auth_username"))""")
    e.start()
    p, q = [phone(e, "77", password="of 77") for _ in range(2)]
    p.domain = q.domain = "made.test"
    assert p.register().status == 200, e.all_text()
    assert q.register().status == 200
    assert e.api("sofia_contact", "internal/77@made.test").strip() == "sofia/internal/" + q.contact  # one telephone only: the later one
    assert p.register(password="wrong").status == 403


def test_deaths_of_broker_and_worker_cost_no_telephone_its_calls_or_its_place(engine, phone):
    e = users.start(engine)
    p, q = phone(e, contact="sip:1001@192.168.7.9:5060"), phone(e, "1002")
    assert p.register().status == 200 and q.register().status == 200
    uuid = e.api("originate", "user/1001@example.test", "&park").split()[1]
    p.wait("ACK")
    e.kill("broker")
    e.wait_log(r"2 telephones are registered from before")
    wait_for(lambda: uuid in e.api("show", "channels"), 10, "the call after the broker's death", e.all_text)
    wait_for(lambda: "+OK" in e.api("uuid_kill", uuid), 10, "uuid_kill")
    assert p.wait("BYE").uri == "sip:1001@127.0.0.1:%d" % p.port  # the NAT's way is known to the new broker
    e.kill("worker 0")
    wait_for(lambda: q.register().status == 200, 15, "REGISTER after the worker's death", e.all_text)  # 503 while nobody knows the directory
    wait_for(lambda: contact_of(e, "1002") == "sofia/internal/" + q.contact, 10, "the contact", e.all_text)
