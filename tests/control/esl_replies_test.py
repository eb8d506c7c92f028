"""The event socket's replies to the letter, form by form, as mod_event_socket gives them; one engine, one connection."""

import re
import socket

import pytest
from lib.esl_wire import Wire
from lib.ports import free_port

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
NOT_FOUND = "-ERR command not found"

INBOUND = [
    # (request, Reply-Text)
    ("nonsense", NOT_FOUND), ("api", NOT_FOUND), ("bgapi", NOT_FOUND), ("filter", NOT_FOUND), ("myevents", NOT_FOUND), ("auth ClueCon", NOT_FOUND),
    ("connect", NOT_FOUND), ("getvar x", NOT_FOUND), ("resume", NOT_FOUND),
    ("noevents", "-ERR not listening for events"), ("nolog", "-ERR not loging"), ("linger", "-ERR not controlling a session"),
    ("linger 5", "-ERR not controlling a session"), ("nolinger", "-ERR not controlling a session"),
    ("divert_events on", "-ERR not controlling a session."), ("divert_events", "-ERR not controlling a session."),
    ("event", "-ERR no keywords supplied"), ("event plain", "-ERR no keywords supplied"), ("event plain NONSENSE", "-ERR no keywords supplied"),
    ("event DTMF", "+OK event listener enabled plain"), ("events json dtmf", "+OK event listener enabled json"),
    ("EVENT XML switch_event_dtmf", "+OK event listener enabled xml"), ("event TALK nonsense", "+OK event listener enabled xml"),
    ("event plain CUSTOM", "+OK event listener enabled plain"), ("event plain CUSTOM a::b c::d", "+OK event listener enabled plain"),
    ("event plain all", "+OK event listener enabled plain"),
    ("nixevent", "-ERR no keywords supplied"), ("nixevent nonsense", "-ERR no keywords supplied"), ("nixevent CUSTOM a::b", "+OK events nixed"),
    ("nixevent all", "+OK events nixed"), ("noevents", "+OK no longer listening for events"), ("noevents", "-ERR not listening for events"),
    ("filter A", "-ERR invalid syntax"), ("filter delete", "-ERR invalid syntax"), ("filter A b", "+OK filter added. [A]=[b]"),
    ("filter add A b c", "+OK filter added. [A]=[b c]"), ("filter A -x", "+OK filter added. [A]=[-x]"), ("filter A /x.*/", "+OK filter added. [A]=[/x.*/]"),
    ("filter delete A b", "+OK filter deleted. [A][b]"), ("filter delete A", "+OK filter deleted. [A][]"), ("filter delete all", "+OK filter deleted. [all][]"),
    ("log", "+OK log level  [7]"), ("log 3", "+OK log level 3 [3]"), ("log WARNING", "+OK log level WARNING [4]"), ("log err now", "+OK log level err [3]"),
    ("log nonsense", "-ERR invalid log level"), ("nolog", "+OK no longer logging"), ("nolog", "-ERR not loging"),
    ("sendmsg", "-ERR invalid session id []"), ("sendmsg nobody", "-ERR invalid session id [nobody]"),
]


def test_inbound_replies(engine):
    port = free_port()
    engine(event_socket={"port": port})
    w = Wire(port).auth()
    for request, text in INBOUND:
        assert w.ask(request).raw == b"Content-Type: command/reply\nReply-Text: " + text.encode() + b"\n\n", request
    for request in ("sendevent HEARTBEAT", "sendevent NONSENSE", "sendevent", "sendevent CUSTOM"):
        assert re.fullmatch(r"\+OK " + UUID, w.ask(request).reply), request
    job = w.ask("bgapi echo x", "Job-UUID: mine")
    assert job.raw == b"Content-Type: command/reply\nReply-Text: +OK Job-UUID: mine\nJob-UUID: mine\n\n"
    assert re.fullmatch(rb"Content-Type: command/reply\nReply-Text: \+OK Job-UUID: (%s)\nJob-UUID: \1\n\n" % UUID.encode(), w.ask("bgapi echo x").raw)
    assert w.api("nonsense") == "-ERR nonsense Command not found!\n" and w.api("eval") == "-ERR no reply\n"
    w.put("api echo two\r\n\r\n\n\n\r\napi echo \r\n\r\n")
    assert w.answer().body == "two" and w.answer().type == "api/response"
    w.put("api echo ignored\nContent-Length: none\n\n")  # what is no number counts as nothing
    assert w.answer().body == "ignored"
    w.put("api echo x\nContent-Length: -1\n\n")
    w.end()  # dropped
    # A call by its uuid.
    w = Wire(port).auth()
    call = re.match(r"\+OK (%s)" % UUID, w.api("originate null/x &park()")).group(1)
    assert w.ask("myevents " + call + " json").reply == "+OK Events Enabled"
    assert w.ask("myevents " + call).reply == "-ERR aready enabled."
    assert w.ask("divert_events on").reply == "+OK events diverted" and w.ask("divert_events maybe").reply == "+OK events not diverted"
    assert w.ask("divert_events").reply == "-ERR missing value."
    assert w.ask("linger 7").reply == "+OK will linger 7 seconds" and w.ask("linger 0").reply == "+OK will linger 0 seconds"
    assert w.ask("linger").reply == "+OK will linger" and w.ask("nolinger").reply == "+OK will not linger"
    assert w.ask("getvar direction").reply == "outbound" and w.ask("getvar nothing").reply == NOT_FOUND and w.ask("getvar").reply == NOT_FOUND
    assert w.ask("sendmsg").reply == "+OK"  # no call-command: a line in the log, no more
    assert w.ask("sendmsg " + call, "call-command: hangup", "hangup-cause: USER_BUSY").reply == "+OK"
    bye = w.ask("exit")
    assert bye.reply == "+OK bye"


def test_outbound_replies_with_and_without_full(engine):
    port = free_port()
    engine(event_socket={"port": port})
    control = Wire(port).auth()
    for full in ("", " full"):
        server = socket.create_server(("127.0.0.1", 0))
        control.ask("bgapi originate null/x '&socket(127.0.0.1:%d async%s)'" % (server.getsockname()[1], full))
        server.settimeout(10)
        w = Wire(0, sock=server.accept()[0])
        connected = w.ask("connect")
        assert connected.pairs[-4:] == [("Content-Type", "command/reply"), ("Reply-Text", "%2BOK%0A"), ("Socket-Mode", "async"),
                                        ("Control", "full" if full else "single-channel")]
        assert connected.headers["Event-Name"] == "CHANNEL_DATA" and connected.headers["Channel-Unique-ID"] == connected.headers["Caller-Unique-ID"]
        for request, text in (("api echo x", None), ("bgapi echo x", None), ("event plain all", "+OK event listener enabled plain"), ("linger", "+OK will linger"),
                              ("log 3", "+OK log level 3 [3]"), ("nolog", "+OK no longer logging"), ("sendevent HEARTBEAT", None), ("noevents", None)):
            got = w.ask(request)
            if not full:
                assert got.reply == NOT_FOUND, request
            elif text:
                assert got.reply == text, request
            else:
                assert got.reply != NOT_FOUND, request
        assert w.ask("getvar direction").reply == "outbound" and w.ask("resume").reply == "+OK" and w.ask("myevents").reply == "+OK Events Enabled"
        assert w.ask("filter A b").reply == "+OK filter added. [A]=[b]" and w.ask("filter delete all").reply == "+OK filter deleted. [all][]" and w.ask("divert_events off").reply == "+OK events not diverted"
        # several at once, locked: each when the one before is through
        w.ask("sendmsg", "call-command: execute", "execute-app-name: set", "execute-app-arg: n=1", "event-lock: true", "loops: 2", "Event-UUID: first")
        w.ask("sendmsg", "call-command: execute", "execute-app-name: set", "execute-app-arg: n=2", "event-lock: true", "Event-UUID: second")
        seen = []
        while len(seen) < 6:
            e = w.event(lambda e: e["Event-Name"].startswith("CHANNEL_EXECUTE"))
            seen.append((e["Event-Name"][15:], e["Application-UUID"], e["Application-Data"]))
        assert seen == [("", "first", "n=1"), ("_COMPLETE", "first", "n=1")] * 2 + [("", "second", "n=2"), ("_COMPLETE", "second", "n=2")]
        w.ask("exit")
        server.close()
