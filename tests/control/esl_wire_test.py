"""The event socket's bytes, against a running engine: framing, replies, api, events, as the reference says them."""

import json
import re
import socket
import threading
import time
import uuid
import xml.etree.ElementTree as ElementTree

import pytest
from lib.esl_wire import Wire
from lib.ports import free_port

GOODBYE = b"Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
NOTICE = b"Content-Type: text/disconnect-notice\nContent-Length: %d\n\n" % len(GOODBYE) + GOODBYE
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@pytest.fixture
def esl(engine):
    port = free_port()
    made = engine(event_socket={"port": port})
    made.esl_port = port
    return made


def reply(text):
    return b"Content-Type: command/reply\nReply-Text: " + text.encode() + b"\n\n"


def park(wire, address="null/x"):
    return re.match(r"\+OK (%s)\n$" % UUID, wire.api("originate %s &park()" % address)).group(1)


# --- authentication ---


def test_wrong_password_is_refused_slowly_and_logged_in_one_line(esl):
    first = time.monotonic()
    w = Wire(esl.esl_port)
    assert w.take().raw == b"Content-Type: auth/request\n\n"
    w.put("auth wrong\n\napi status\n\n")
    assert w.end() == reply("-ERR invalid") + NOTICE
    once = time.monotonic() - first
    w = Wire(esl.esl_port)
    w.take()
    w.put("auth wrong\n\n")
    w.end()
    twice = time.monotonic() - first - once
    assert 0.9 < once < 1.8 and 1.9 < twice < 2.8
    assert re.search(r"WARNING control .* event socket: authentication failure from 127\.0\.0\.1 \(attempt 2\)\n", esl.log())
    Wire(esl.esl_port).auth()  # the right one is not delayed


def test_before_authentication_nothing_works(esl):
    w = Wire(esl.esl_port)
    w.take()
    assert w.ask("api status").raw == reply("-ERR command not found")
    assert w.ask("event plain all").raw == reply("-ERR command not found")
    w.put("exit\n\n")
    assert w.end() == reply("+OK bye") + NOTICE


def test_source_outside_the_networks_is_rejected_rudely(engine):
    port = free_port()
    engine(event_socket={"port": port, "networks": ["192.0.2.0/24", "2001:db8::/32"]})
    body = b"Access Denied, go away.\n"
    assert Wire(port).end() == b"Content-Type: text/rude-rejection\nContent-Length: %d\n\n" % len(body) + body


def test_outside_loopback_a_password_of_ones_own_is_needed(engine):
    e = engine(start=False, event_socket={"address": "0.0.0.0", "port": free_port()})
    e.start(wait=0)
    e.wait_log(r"event_socket\.password: on 0\.0\.0\.0, which is not loopback, it must be given")
    assert e.process.wait(15) != 0


def test_userauth_takes_a_user_of_the_directory(engine):
    port = free_port()
    e = engine(start=False, event_socket={"port": port})
    e.write("freeswitch/directory/default.xml", """<include><domain name="example.com"><groups><group name="default"><users>
      <user id="ann"><params><param name="esl-password" value="s3cret:x"/><param name="esl-allowed-events" value="HEARTBEAT, CHANNEL_ANSWER"/>
      <param name="esl-allowed-api" value="echo bgapi"/><param name="esl-allowed-log" value="false"/></params></user>
      <user id="bob"><params/></user></users></group></groups></domain></include>""")
    e.start()
    w = Wire(port)
    w.take()
    assert w.ask("userauth ann@example.com:s3cret:x").raw == reply(
        "+OK accepted\nAllowed-Events: HEARTBEAT, CHANNEL_ANSWER\nAllowed-API: echo bgapi\nAllowed-LOG: false")
    assert w.api("echo hi") == "hi"
    assert w.ask("api status").raw == reply("-ERR permission denied")
    assert w.ask("event plain CHANNEL_HANGUP").raw == reply("-ERR permission denied")
    assert w.ask("event plain HEARTBEAT").raw == reply("+OK event listener enabled plain")
    assert w.ask("log debug").raw == reply("-ERR permission denied")
    for bad in ("bob@example.com:", "bob@example.com:x", "nobody@example.com:x"):
        v = Wire(port)
        v.take()
        v.put("userauth %s\n\n" % bad)
        assert v.end(20) == reply("-ERR invalid") + NOTICE


# --- framing ---


def test_crlf_blank_lines_and_any_case_are_accepted(esl):
    w = Wire(esl.esl_port)
    w.take()
    w.put("\r\n\n\nAUTH ClueCon\r\n\r\n")
    assert w.take().raw == reply("+OK accepted")
    w.put("API echo one\r\n\r\n\n\napi echo two\n\n")
    assert [w.take().body, w.take().body] == ["one", "two"]
    assert w.ask("exitfoo").raw == reply("+OK bye")
    assert w.end() == NOTICE


def test_a_request_may_come_byte_by_byte(esl):
    w = Wire(esl.esl_port).auth()
    for c in "api echo slow\nX: y\n\n":
        w.put(c)
        time.sleep(0.002)
    assert w.take().body == "slow"


def test_bad_lengths_end_the_connection(esl):
    for length in ("-1", "99999999", "99999999999999999999"):
        w = Wire(esl.esl_port).auth()
        w.put("sendevent CUSTOM\nContent-Length: %s\n\n" % length)
        assert w.end() == b""
    w = Wire(esl.esl_port)
    w.take()
    w.put("a" * 5000)
    try:
        assert w.end() == b""
    except ConnectionResetError:
        pass


def test_unknown_commands_and_errors(esl):
    w = Wire(esl.esl_port).auth()
    for command, text in [
        ("nonsense", "-ERR command not found"), ("connect", "-ERR command not found"), ("getvar x", "-ERR command not found"),
        ("linger", "-ERR not controlling a session"), ("nolinger", "-ERR not controlling a session"),
        ("divert_events on", "-ERR not controlling a session."), ("noevents", "-ERR not listening for events"),
        ("event plain", "-ERR no keywords supplied"), ("event", "-ERR no keywords supplied"), ("event plain NOSUCH", "-ERR no keywords supplied"),
        ("nolog", "-ERR not loging"), ("log nosuch", "-ERR invalid log level"), ("log warning", "+OK log level warning [4]"), ("log", "+OK log level  [7]"),
        ("nolog", "+OK no longer logging"), ("filter", "-ERR command not found"), ("filter a", "-ERR invalid syntax"),
        ("filter a b c", "+OK filter added. [a]=[b c]"), ("filter add a b", "+OK filter added. [a]=[b]"), ("filter delete a b", "+OK filter deleted. [a][b]"),
        ("filter delete all", "+OK filter deleted. [all][]"), ("myevents", "-ERR command not found"), ("myevents nosuch", "-ERR invalid uuid"),
        ("sendmsg x", "-ERR invalid session id [x]"), ("event json ALL", "+OK event listener enabled json"), ("events xml DTMF", "+OK event listener enabled xml"),
        ("nixevent DTMF", "+OK events nixed"), ("noevents", "+OK no longer listening for events"),
    ]:
        assert w.ask(command).raw == reply(text), command
    nobody = str(uuid.uuid4())
    assert w.ask("sendmsg " + nobody, "call-command: hangup").raw == reply("-ERR invalid session id [%s]" % nobody)
    assert w.ask("myevents " + nobody).raw == reply("-ERR invalid uuid")


# --- api ---


def test_api_answers_verbatim(esl):
    w = Wire(esl.esl_port).auth()
    assert w.ask("api echo  a b ").raw == b"Content-Type: api/response\nContent-Length: 3\n\na b"
    assert w.api("nosuch thing") == "-ERR nosuch Command not found!\n"
    assert w.api("echo") == "-ERR no reply\n"
    assert w.ask("api echo a;;echo b").body == "a;;echo b"
    assert w.ask("api echo a;;echo b", "console_execute: true").body == "ab"


def test_pipelined_commands_are_answered_in_order(esl):
    w = Wire(esl.esl_port).auth()
    w.put("".join("api echo %d\n\n" % i for i in range(500)))
    assert [w.take().body for _ in range(500)] == [str(i) for i in range(500)]


def test_commands_wait_while_their_replies_are_not_read(esl):
    w = Wire(esl.esl_port, receive_buffer=65536).auth()
    text = "y" * 100_000
    for _ in range(4):
        w.put("".join("api echo %s\n\n" % text for _ in range(10)))
    for _ in range(40):
        assert w.take().body == text
    many = 400  # 40 MB of replies: more than its queue holds
    sender = threading.Thread(target=lambda: [w.put("api echo %s\n\n" % text) for _ in range(many)])
    sender.start()
    time.sleep(2)
    assert Wire(esl.esl_port).auth().api("echo others go on") == "others go on"
    for _ in range(many):
        assert w.take(30).body == text
    sender.join()


def test_a_call_whose_worker_died_ends_its_connection(esl):
    w, other = Wire(esl.esl_port).auth(), Wire(esl.esl_port).auth()
    w.ask("myevents " + park(other))
    esl.kill("worker 0")
    assert w.end(45).endswith(GOODBYE)


def test_a_long_command_blocks_its_own_client_only(esl):
    slow, quick = Wire(esl.esl_port).auth(), Wire(esl.esl_port).auth()
    begin = time.monotonic()
    slow.put("api msleep 1500\n\napi echo after\n\n")
    assert quick.api("echo hi") == "hi" and time.monotonic() - begin < 1.0
    assert slow.take().body.strip() == "+OK" and time.monotonic() - begin >= 1.4
    assert slow.take().body == "after"


def test_bgapi_replies_first_and_then_sends_its_event(esl):
    w = Wire(esl.esl_port).auth()
    w.ask("event plain BACKGROUND_JOB")
    answer = w.ask("bgapi echo hello world")
    job = answer.headers["Job-UUID"]
    assert answer.raw == b"Content-Type: command/reply\nReply-Text: +OK Job-UUID: %s\nJob-UUID: %s\n\n" % (job.encode(), job.encode())
    assert w.waiting == []
    message = w.take()
    assert [name for name, _ in message.pairs] == ["Content-Length", "Content-Type"] and message.type == "text/event-plain"
    event = message.event()
    assert (event["Job-UUID"], event["Job-Command"], event["Job-Command-Arg"], event["_body"]) == (job, "echo", "hello world", "hello world")
    assert w.ask("bgapi echo x", "Job-UUID: mine-1").raw == reply("+OK Job-UUID: mine-1\nJob-UUID: mine-1")
    assert w.event()["Job-UUID"] == "mine-1"


def test_output_beyond_an_event_log_s_record_comes_whole(esl):
    w = Wire(esl.esl_port).auth()
    w.ask("event plain BACKGROUND_JOB")
    long = "x" * 300_000
    assert w.api("echo " + long) == long
    w.ask("bgapi echo " + long)
    assert w.event()["_body"] == long


# --- events ---


def test_every_event_begins_with_the_headers_that_clients_key_on(esl):
    w = Wire(esl.esl_port).auth()
    w.ask("event plain CUSTOM a::b")
    sent = w.ask("sendevent CUSTOM", "Event-Subclass: a::b", "Odd: 100%, \"a\" <b>", body="body\n")
    event_id = re.match(r"\+OK (%s)$" % UUID, sent.reply).group(1)
    message = w.take()
    assert re.match(
        r"Event-Name: CUSTOM\nCore-UUID: %s\nFreeSWITCH-Hostname: \S+\nFreeSWITCH-Switchname: \S+\nFreeSWITCH-IPv4: \S+\nFreeSWITCH-IPv6: \S+\n"
        r"Event-Date-Local: \d{4}-\d\d-\d\d%%20\d\d%%3A\d\d%%3A\d\d\nEvent-Date-GMT: \w{3},%%20\d\d%%20\w{3}%%20\d{4}%%20\S+%%20GMT\n"
        r"Event-Date-Timestamp: \d{16}\nEvent-Calling-File: \S+\nEvent-Calling-Function: \S+\nEvent-Calling-Line-Number: \d+\nEvent-Sequence: \d+\n"
        r"Event-Subclass: a%%3A%%3Ab\nCommand: sendevent%%20CUSTOM\nOdd: 100%%25,%%20%%22a%%22%%20%%3Cb%%3E\nEvent-UUID: %s\nEvent-Position: 2%%3A\d+\n"
        r"Content-Length: 5\n\nbody\n$" % (UUID, event_id), message.body), message.body


def test_all_processes_give_the_same_core_uuid(esl):
    w = Wire(esl.esl_port).auth()
    w.ask("event plain ALL")
    call = park(w)
    created = w.event(lambda e: e["Event-Name"] == "CHANNEL_CREATE" and e["Unique-ID"] == call)
    w.ask("sendevent TEXT")
    assert w.named("TEXT")["Core-UUID"] == created["Core-UUID"] == w.api("global_getvar core_uuid").strip()


def test_subclasses_of_custom_are_chosen_by_name(esl):
    w = Wire(esl.esl_port).auth()
    w.ask("event plain MESSAGE CUSTOM a::b c::d")
    for subclass in ("a::b", "x::y", "c::d"):
        w.ask("sendevent CUSTOM", "Event-Subclass: " + subclass)
    assert [w.event()["Event-Subclass"] for _ in range(2)] == ["a::b", "c::d"]
    w.ask("nixevent CUSTOM a::b")
    for subclass in ("a::b", "c::d"):
        w.ask("sendevent CUSTOM", "Event-Subclass: " + subclass)
    assert w.event()["Event-Subclass"] == "c::d"
    assert w.quiet()


def test_json_and_xml_say_the_same_as_plain(esl):
    watchers = {f: Wire(esl.esl_port).auth() for f in ("plain", "json", "xml")}
    for form, w in watchers.items():
        w.ask("event %s CUSTOM a::b" % form)
    w = Wire(esl.esl_port).auth()
    w.ask("sendevent CUSTOM", "Event-Subclass: a::b", "Many: ARRAY::one|:two", "Quote: \"<&>", body="<b>\"\n")
    plain, js, xml = (watchers[f].take() for f in ("plain", "json", "xml"))
    assert (js.type, xml.type) == ("text/event-json", "text/event-xml")
    headers = plain.event()
    data = json.loads(js.body)
    assert data.pop("Many") == ["one", "two"] and headers.pop("Many") == "ARRAY::one|:two"
    assert data == headers and data["_body"] == "<b>\"\n" and data["Content-Length"] == "5"
    tree = ElementTree.fromstring(xml.body)
    assert [e.text for e in tree.findall("headers/Many")] == ["one", "two"]
    assert tree.findtext("headers/Quote") == "%22%3C%26%3E" and tree.findtext("body") == "<b>\"\n" and tree.findtext("Content-Length") == "5"


def test_filters_choose_among_what_is_subscribed(esl):
    w = Wire(esl.esl_port).auth()
    send = Wire(esl.esl_port).auth()

    def seen():
        for number in ("1001", "1002", "2001"):
            send.ask("sendevent CUSTOM", "Event-Subclass: t::t", "Number: " + number)
        send.ask("sendevent MESSAGE", "End: 1", "Number: 1001")
        out = []
        while True:
            e = w.event()
            if e["Event-Name"] == "MESSAGE":
                return out
            out.append(e["Number"])

    w.ask("event plain MESSAGE CUSTOM t::t")
    assert seen() == ["1001", "1002", "2001"]
    w.ask("filter end 1")  # any case; keeps the mark
    w.ask("filter Number 2001")
    assert seen() == ["2001"]
    w.ask("filter Number /^10\\d\\d$/")
    assert seen() == ["1001", "1002", "2001"]
    w.ask("filter Number -1002")
    assert seen() == ["1001", "2001"]
    w.ask("filter delete Number")
    assert seen() == []


def test_noevents_drops_what_waits_and_nixevent_one_type(esl):
    w = Wire(esl.esl_port).auth()
    w.ask("event plain ALL")
    w.ask("nixevent MESSAGE API")
    w.ask("sendevent MESSAGE")
    w.ask("sendevent TEXT")
    assert w.event(lambda e: e["Event-Name"] != "HEARTBEAT")["Event-Name"] == "TEXT"
    assert w.ask("noevents").raw == reply("+OK no longer listening for events")
    w.ask("sendevent TEXT")
    assert w.quiet()


# --- calls ---


def test_one_call_s_events_come_in_order(esl):
    w = Wire(esl.esl_port).auth()
    w.ask("event plain ALL")
    call = park(w)
    assert w.api("uuid_kill " + call) == "+OK\n"
    names = []
    while "CHANNEL_DESTROY" not in names:
        e = w.event(lambda e: e.get("Unique-ID") == call)
        names.append(e["Event-Name"])
    wanted = ["CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_PARK", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY"]
    assert [n for n in names if n in wanted] == wanted


def test_myevents_attaches_to_one_call_and_ends_with_it(esl):
    w, other = Wire(esl.esl_port).auth(), Wire(esl.esl_port).auth()
    call, stranger = park(other), park(other)
    assert w.ask("myevents " + call).raw == reply("+OK Events Enabled")
    assert w.ask("myevents " + call).raw == reply("-ERR aready enabled.")
    other.api("uuid_kill " + stranger)
    assert w.ask("sendmsg", "call-command: execute", "execute-app-name: set", "execute-app-arg: colour=blue").raw == reply("+OK")
    assert w.named("CHANNEL_EXECUTE_COMPLETE")["Application-Data"] == "colour=blue"
    assert w.ask("getvar colour").raw == reply("blue")
    assert w.ask("getvar nosuch").raw == reply("-ERR command not found")
    assert w.ask("sendmsg", "call-command: hangup", "hangup-cause: USER_BUSY").raw == reply("+OK")
    hangup = w.named("CHANNEL_HANGUP")
    assert (hangup["Unique-ID"], hangup["Hangup-Cause"]) == (call, "USER_BUSY")
    end = w.end()
    notice = (b"Content-Type: text/disconnect-notice\nControlled-Session-UUID: %s\nContent-Disposition: disconnect\nContent-Length: %d\n\n"
              % (call.encode(), len(GOODBYE)) + GOODBYE)
    assert end.endswith(notice)


def test_linger_keeps_the_connection_for_the_last_events(esl):
    w, other = Wire(esl.esl_port).auth(), Wire(esl.esl_port).auth()
    call = park(other)
    w.ask("myevents " + call)
    assert w.ask("linger 3").raw == reply("+OK will linger 3 seconds")
    other.api("uuid_kill " + call)
    notice = None
    while notice is None:
        message = w.take()
        if message.type == "text/disconnect-notice":
            notice = message
    assert notice.raw == (b"Content-Type: text/disconnect-notice\nControlled-Session-UUID: %s\nContent-Disposition: linger\nLinger-Time: 3\nContent-Length: 0\n\n"
                          % call.encode())
    assert w.named("CHANNEL_HANGUP_COMPLETE")["Unique-ID"] == call
    assert w.end().endswith(GOODBYE)


def test_sendmsg_names_its_call_in_three_ways(esl):
    w = Wire(esl.esl_port).auth()
    w.ask("event plain CHANNEL_EXECUTE_COMPLETE")
    call = park(w)
    for command, headers in [("sendmsg " + call, []), ("sendmsg", ["session-id: " + call])]:
        assert w.ask(command, "call-command: execute", "execute-app-name: set", "event-lock: true", "Event-UUID: my-7", *headers,
                     body="long=a b").raw == reply("+OK")
        done = w.event(lambda e: e.get("Application") == "set")
        assert (done["Application-Data"], done["Application-UUID"], done["Unique-ID"]) == ("long=a b", "my-7", call)
    assert w.ask("sendmsg " + call, "x: y").raw == reply("+OK")  # no call-command: logged, not refused
    assert w.ask("sendmsg " + call, "call-command: unicast", "remote-port: 9000").raw == reply("+OK")
    esl.wait_log(r"unicast: not supported, no audio goes to 127\.0\.0\.1:9000")


def test_log_lines_come_live(esl):
    w, other = Wire(esl.esl_port).auth(), Wire(esl.esl_port).auth()
    w.ask("log info")
    other.api("log WARNING a line to see")
    until = time.monotonic() + 5
    while time.monotonic() < until:
        message = w.take()
        if "a line to see" in message.body:
            break
    assert [n for n, _ in message.pairs] == ["Content-Type", "Content-Length", "Log-Level", "Text-Channel", "Log-File", "Log-Func", "Log-Line", "User-Data"]
    assert message.type == "log/data" and message.headers["Log-Level"] == "4" and message.body.endswith("\n")


def test_heartbeat_has_its_headers(esl):
    w = Wire(esl.esl_port).auth()
    w.ask("event plain HEARTBEAT")
    beat = w.named("HEARTBEAT", timeout=25)
    assert beat["Event-Info"] == "System Ready" and re.match(r"0 years, 0 days, 0 hours, \d+ minutes", beat["Up-Time"])
    assert beat["Session-Count"] == "0" and int(beat["Uptime-msec"]) > 0


def test_a_port_that_is_taken_does_not_stop_the_engine(engine):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        e = engine(event_socket={"port": port})
        e.wait_log(r"event socket: cannot listen at 127\.0\.0\.1 port %d" % port)
    Wire(port).auth()
