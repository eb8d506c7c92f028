"""The `socket` application: the engine connects out, and a program steers the call."""

import re
import socket
import time

import pytest
from lib.esl_wire import Wire
from lib.ports import free_port


@pytest.fixture
def esl(engine):
    port = free_port()
    made = engine(event_socket={"port": port})
    made.esl_port = port
    return made


class Server:
    def __init__(self):
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.sock.settimeout(10)
        self.port = self.sock.getsockname()[1]

    def accept(self):
        return Wire(0, sock=self.sock.accept()[0])


def start(esl, options="", server=None):
    server = server or Server()
    control = Wire(esl.esl_port).auth()
    control.ask("event plain ALL")
    control.put("bgapi originate null/x '&socket(127.0.0.1:%d%s)'\n\n" % (server.port, " " + options if options else ""))
    return control, server.accept()


def test_connect_is_answered_with_the_channel_s_data(esl):
    control, call = start(esl, "async full")
    answer = call.ask("connect")
    assert answer.raw.endswith(b"\nContent-Type: command/reply\nReply-Text: %2BOK%0A\nSocket-Mode: async\nControl: full\n\n")
    names = [n for n, _ in answer.pairs]
    assert names[0] == "Event-Name" and answer.headers["Event-Name"] == "CHANNEL_DATA"
    assert answer.headers["Channel-Unique-ID"] == answer.headers["Caller-Unique-ID"] == answer.headers["Unique-ID"]
    assert answer.headers["variable_socket_host"] == "127.0.0.1"
    call.put("exit\n\n")


def test_static_sendmsg_is_answered_when_the_application_has_run(esl):
    control, call = start(esl)
    connected = call.ask("connect")
    assert connected.headers["Socket-Mode"] == "static" and connected.headers["Control"] == "single-channel"
    begin = time.monotonic()
    assert call.ask("sendmsg", "call-command: execute", "execute-app-name: sleep", "execute-app-arg: 700").reply == "+OK"
    assert 0.6 < time.monotonic() - begin < 2
    assert call.ask("sendmsg", "call-command: execute", "execute-app-name: set", "execute-app-arg: a=b").reply == "+OK"
    assert call.ask("getvar a").reply == "b"
    assert call.ask("api status").reply == "-ERR command not found"  # without `full`
    assert call.ask("event plain all").reply == "-ERR command not found"
    assert call.ask("linger").reply == "-ERR command not found"
    call.ask("sendmsg", "call-command: hangup")
    assert b"Content-Disposition: disconnect\n" in call.end()


def test_async_commands_are_answered_at_once(esl):
    control, call = start(esl, "async full")
    uuid = call.ask("connect").headers["Unique-ID"]
    assert call.ask("myevents").reply == "+OK Events Enabled"
    begin = time.monotonic()
    for ms in ("400", "300"):
        assert call.ask("sendmsg", "call-command: execute", "execute-app-name: sleep", "execute-app-arg: " + ms, "event-lock: true").reply == "+OK"
    assert time.monotonic() - begin < 0.35
    done = [call.named("CHANNEL_EXECUTE_COMPLETE")["Application-Data"] for _ in range(2)]
    assert done == ["400", "300"] and time.monotonic() - begin > 0.65
    assert call.api("uuid_exists " + uuid) == "true"
    assert call.ask("event plain BACKGROUND_JOB").reply == "+OK event listener enabled plain"
    job = call.ask("bgapi echo mine").headers["Job-UUID"]
    event = call.named("BACKGROUND_JOB")
    assert event["Job-UUID"] == job and event["Job-Owner-UUID"] == uuid


def test_linger_brings_the_last_events(esl):
    control, call = start(esl, "async full")
    uuid = call.ask("connect").headers["Unique-ID"]
    call.ask("myevents")
    assert call.ask("linger").reply == "+OK will linger"
    call.ask("sendmsg", "call-command: hangup", "hangup-cause: CALL_REJECTED")
    complete = call.named("CHANNEL_HANGUP_COMPLETE")
    assert complete["Unique-ID"] == uuid and complete["Hangup-Cause"] == "CALL_REJECTED"
    assert call.ask("exit").reply == "+OK bye"


def test_when_the_program_leaves_the_call_goes_on_or_ends(esl):
    control, call = start(esl, "async full")
    uuid = call.ask("connect").headers["Unique-ID"]
    call.close()
    assert control.event(lambda e: e["Event-Name"] == "CHANNEL_HANGUP" and e["Unique-ID"] == uuid)


def test_a_second_host_is_tried_when_nobody_answers_at_the_first(esl):
    server, control = Server(), Wire(esl.esl_port).auth()
    control.put("bgapi originate null/x '&socket(127.0.0.1:%d|127.0.0.1:%d async full)'\n\n" % (free_port(), server.port))
    call = server.accept()
    assert call.ask("connect").headers["Socket-Mode"] == "async"
    esl.wait_log(r"event socket: cannot connect to 127\.0\.0\.1: Connection refused")


def test_nobody_answering_is_an_error_in_the_log(esl):
    control = Wire(esl.esl_port).auth()
    control.ask("event plain CHANNEL_HANGUP")
    assert re.match(r"\+OK ", control.api("originate null/x '&socket(127.0.0.1:%d)'" % free_port()))
    control.named("CHANNEL_HANGUP")
    esl.wait_log("Socket Error!")
