"""How a trunk's requests find their way: DNS, outbound proxy, TCP for large messages, TLS, advertised addresses."""

import os
import socket
import ssl

import pytest

from lib.certificates import Certificates
from lib.dns import Dns
from lib.engine import wait_for
from lib.far import Far, body, header
from lib.far_stream import StreamFar
from lib.ports import free_port


@pytest.fixture
def made():
    things = []

    def keep(thing):
        things.append(thing)
        return thing

    yield keep
    for one in reversed(things):
        one.close()


def trunk(where, **more):
    return dict({"address": where, "cps": 50, "concurrent": 20, "caller_id": "15550100", "domain": "carrier.test"}, **more)


def originate(e, name="acme", options=""):
    reply = e.api("originate", options + "sofia/gateway/%s/15551234567" % name, "&park")
    assert reply.startswith("+OK "), reply + e.all_text()[-2000:]
    return reply.split()[1]


def port(far):
    return int(far.where.rsplit(":", 1)[1])


def test_srv_records_lead_to_the_best_carrier_and_past_a_dead_and_a_refusing_one_and_are_cached(engine, made):
    """RFC 3263 §4.3, RFC 2782: a port nobody listens on, then one that answers 503, then one that answers; names are asked once."""
    refusing = made(Far(on=lambda f, text, peer: text.startswith("INVITE") and (f.reply(text, peer, "503 Service Unavailable") or True)))
    good, dns = made(Far()), made(Dns())
    dns.add("_sip._udp.carrier.test", "SRV", 10, 0, free_port(), "dead.carrier.test")
    dns.add("_sip._udp.carrier.test", "SRV", 20, 0, port(good), "good.carrier.test")
    dns.add("_sip._udp.busy.test", "SRV", 10, 0, port(refusing), "good.carrier.test")
    for name in ("dead", "good"):
        dns.add(name + ".carrier.test", "A", "127.0.0.1")
    e = engine(trunks={"acme": trunk("carrier.test"), "busy": trunk("busy.test", failover=["acme"])}, sip={"nameservers": [dns.where]})
    originate(e)
    assert "@carrier.test" in good.wait("INVITE").split("\r\n")[0]
    asked = len(dns.asked)
    assert ("_sip._udp.carrier.test", "SRV") in dns.asked
    originate(e)
    good.wait("INVITE", 2)
    assert len(dns.asked) == asked, dns.asked
    good.invite(("127.0.0.1", e.sip_port), call_id="back@far")
    good.wait_response(403, "1 INVITE")  # no stranger: DNS led there; the trunk has no `inbound`
    originate(e, "busy")
    assert len(refusing.all("INVITE")) == 1 and good.wait("INVITE", 3)


def test_naptr_chooses_tcp_for_a_trunk_that_leaves_it_to_dns(engine, made):
    f, dns = made(StreamFar()), made(Dns())
    dns.add("carrier.test", "NAPTR", 10, 10, "s", "SIP+D2T", "", "_sip._tcp.carrier.test")
    dns.add("_sip._tcp.carrier.test", "SRV", 10, 0, port(f), "a.carrier.test")
    dns.add("a.carrier.test", "A", "127.0.0.1")
    e = engine(trunks={"acme": trunk("carrier.test", transport="auto")}, sip={"nameservers": [dns.where]})
    uuid = originate(e)
    assert "SIP/2.0/TCP" in header(f.wait("INVITE"), "Via")
    e.api("uuid_kill", uuid)
    f.wait("BYE")


def test_an_outbound_proxy_gets_the_request_with_a_route_and_the_carriers_name(engine, made):
    f = made(Far())
    e = engine(trunks={"acme": trunk("carrier.test", proxy=f.where)})
    originate(e)
    invite = f.wait("INVITE")
    assert invite.startswith("INVITE sip:15551234567@carrier.test ")
    assert header(invite, "Route") == "<sip:%s;transport=udp;lr>" % f.where
    f.wait("ACK")


def test_a_message_too_large_for_udp_goes_by_tcp(engine, made):
    f = made(StreamFar())
    e = engine(trunks={"acme": trunk(f.where)})
    uuid = originate(e, options="{sip_h_X-Long=%s}" % ("x" * 900 + "y" * 500))
    invite = f.wait("INVITE")
    assert "SIP/2.0/TCP" in header(invite, "Via") and header(invite, "X-Long").endswith("yyy")
    e.api("uuid_kill", uuid)
    f.wait("BYE")


def test_addresses_are_advertised_as_configured(engine, made):
    f = made(Far())
    port = free_port()
    e = engine(trunks={"acme": trunk(f.where)}, addresses=2, sip={"listen": [{"name": "internal", "address": "127.0.0.1", "port": port, "external": "192.0.2.9"}]},
               media={"external": ["192.0.2.10", "192.0.2.11"]})
    originate(e)
    invite = f.wait("INVITE")
    assert "192.0.2.9:%d" % port in header(invite, "Contact") and "192.0.2.9:%d" % port in header(invite, "Via") and "maddr" not in header(invite, "Via")
    assert "c=IN IP4 192.0.2.10\r\n" in body(invite)


def test_each_trunk_has_its_own_listener_and_media_addresses_of_both_families(engine, made):
    four, own, six = made(Far()), made(Far()), made(Far("::1"))
    ports = [free_port(), free_port("::1")]
    listen = [{"name": "four", "address": "127.0.0.1", "port": ports[0]}, {"name": "six", "address": "::1", "port": ports[1]}]
    e = engine(trunks={"four": trunk(four.where), "own": trunk(own.where, media=["127.0.0.3"]), "six": trunk(six.where, listen="six")},
               sip={"listen": listen}, media={"addresses": ["127.0.0.1", "127.0.0.2", "127.0.0.3", "::1"]})
    for name in ("four", "own", "six") * 4:
        originate(e, name)

    def said(far):
        return {next(line for line in body(i).split("\r\n") if line.startswith("c=")) for i in far.all("INVITE")}

    assert said(four) <= {"c=IN IP4 127.0.0.%d" % n for n in (1, 2, 3)} and len(said(four)) > 1
    assert said(own) == {"c=IN IP4 127.0.0.3"} and said(six) == {"c=IN IP6 ::1"}
    assert "[::1]:%d" % ports[1] in header(six.wait("INVITE"), "Via")
    data, source = own.rtp.recvfrom(2048) if e.api("uuid_broadcast", originate(e, "own"), "tone_stream://%(1000,0,400)") else (b"", ("", 0))
    assert source[0] == "127.0.0.3"


def test_forty_thousand_slots_fit_on_five_media_addresses_and_not_on_four(engine):
    for count, good in ((5, True), (4, False)):
        e = engine(start=False)
        e.config["slots"] = 40000
        e.config["media"] = {"addresses": ["127.0.0.%d" % (n + 1) for n in range(count)], "port_first": 16384, "port_last": 32767}
        e.write_config()
        done = e.cli("check", e.config_path)
        assert (done.returncode == 0) == good, done.stdout + done.stderr
        assert good or "pairs, but there are 40000 slots" in done.stdout + done.stderr


def test_tls_calls_the_right_name_only_on_one_connection_with_our_own_certificate(engine, made, tmp_path):
    certificates = Certificates(str(tmp_path / "tls"))
    ours = certificates.make("engine", "127.0.0.1")
    certificates.make("carrier", "good.carrier.test")
    f, dns = made(StreamFar(context=certificates.context("carrier", verify=True))), made(Dns())
    for name in ("good", "other"):
        dns.add(name + ".carrier.test", "A", "127.0.0.1")
    listen = {"name": "internal", "address": "127.0.0.1", "port": free_port(), "transports": ["udp", "tcp", "tls"], "tls_port": free_port(), "tls_folder": ours}
    e = engine(trunks={"acme": trunk("good.carrier.test:%d" % port(f), transport="tls"), "wrong": trunk("other.carrier.test:%d" % port(f), transport="tls")},
               sip={"nameservers": [dns.where], "listen": [listen]})
    assert e.api("originate", "{originate_timeout=3}sofia/gateway/wrong/15551234567", "&park").startswith("-ERR")
    assert f.all("INVITE") == []
    before = f.connections
    first, second = originate(e), originate(e)
    assert "SIP/2.0/TLS" in header(f.wait("INVITE", 2), "Via") and ";transport=tls" in header(f.wait("INVITE"), "Contact")
    for uuid in (first, second):
        e.api("uuid_kill", uuid)
    f.wait("BYE", 2)
    assert f.connections == before + 1


def test_a_caller_by_tls_is_answered_on_its_connection_if_its_certificate_is_trusted(engine, made, tmp_path):
    certificates = Certificates(str(tmp_path / "tls"))
    ours, theirs = certificates.make("engine", "127.0.0.1"), certificates.make("caller", "127.0.0.1")
    listen = {"name": "internal", "address": "127.0.0.1", "port": free_port(), "transports": ["udp", "tls"], "tls_port": free_port(), "tls_folder": ours, "tls_verify_callers": True}
    e = engine(trunks={"acme": trunk("127.0.0.1:5999")}, sip={"listen": [listen]})
    text = ("OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:5998;branch=z9hG4bKtls;rport\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@c>\r\nCall-ID: tls1\r\n"
            "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n")

    def ask(certificate):
        context = ssl.create_default_context(cafile=os.path.join(ours, "cafile.pem"))
        if certificate:
            context.load_cert_chain(os.path.join(theirs, "agent.pem"))
        try:
            with context.wrap_socket(socket.create_connection(("127.0.0.1", listen["tls_port"]), 5), server_hostname="127.0.0.1") as stream:
                stream.sendall(text.encode())
                return stream.recv(4096).decode()
        except OSError:
            return ""

    assert ask(True).startswith("SIP/2.0 200") and not ask(False).startswith("SIP/2.0")
    assert e.pids()["broker"]


def test_a_listener_without_its_certificate_names_file_and_mend(engine, tmp_path):
    e = engine(start=False, sip={"listen": [{"name": "internal", "address": "127.0.0.1", "port": 0, "transports": ["tls"], "tls_folder": str(tmp_path)}]})
    e.start(wait=0)
    wait_for(lambda: "agent.pem cannot be read" in e.all_text(), 10, "the line", e.all_text)
