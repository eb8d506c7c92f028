"""A client that does not read fills its own queue and nothing else; it learns exactly what it missed, and gets it again while the
event logs still hold it."""

import re
import threading
import time

import pytest
from lib.esl_wire import Wire
from lib.ports import free_port

MANY = 450  # of 60 kB, 27 MB together: more than a client's queue (16 MB) and what the kernel buffers, the rest less than an event log (16 MB)


SCRIPT = """
for number = tonumber(argv[1]), tonumber(argv[2]) do
  local e = freeswitch.Event("CUSTOM", "t::big")
  e:addHeader("Number", tostring(number))
  e:addBody(string.rep("x", 60000))
  e:fire()
end
stream:write("+OK")
"""


@pytest.fixture
def esl(engine):
    port = free_port()
    made = engine(event_socket={"port": port})
    made.esl_port = port
    made.write("scripts/big.lua", SCRIPT)
    return made


class Reader(threading.Thread):
    """A client that reads as it should; counts what it got."""

    def __init__(self, port, last, first=0):
        super().__init__(daemon=True)
        self.wire = Wire(port).auth()
        self.wire.ask("event plain CUSTOM t::big")
        self.numbers, self.numbers_from, self.last = [], first, last
        self.start()

    def run(self):
        while not self.numbers or self.numbers[-1] != self.last:
            event = self.wire.event(timeout=60)
            assert "Number" in event, str(event)[-700:]
            self.numbers.append(int(event["Number"]))


def send(wire, first, last, reader=None):
    """Events of a worker: its log is 16 MB."""
    for number in range(first, last, 15):
        # Python parses more slowly than the engine sends: a reader that is to lose nothing is waited for.
        while reader and reader.is_alive() and number - reader.numbers_from - len(reader.numbers) > 60:
            time.sleep(0.01)
        assert wire.api("lua big.lua %d %d" % (number, min(number + 14, last - 1))) == "+OK"


def until_gap(stopped):
    got = []
    while True:
        event = stopped.event(timeout=30)
        if event.get("Event-Subclass") == "carillon::gap":
            return got, event
        got.append(int(event["Number"]))


def test_a_stopped_client_harms_nobody_and_gets_what_it_missed(esl):
    stopped = Wire(esl.esl_port, receive_buffer=65536).auth()
    stopped.ask("event plain CUSTOM t::big")
    reader, sender = Reader(esl.esl_port, MANY - 1), Wire(esl.esl_port).auth()
    send(sender, 0, MANY, reader)
    reader.join(30)
    assert reader.numbers == list(range(MANY))
    begin = time.monotonic()
    assert sender.api("echo still quick") == "still quick" and time.monotonic() - begin < 1

    got, gap = until_gap(stopped)
    missed = int(gap["Gap-Count"])
    assert got == list(range(len(got))) and missed > 50 and len(got) + missed == MANY
    ranges = gap["Gap-Range"]
    assert re.fullmatch(r"3:\d+-\d+", ranges)
    # After the notice it is live again …
    send(sender, MANY, MANY + 1)
    assert stopped.event()["Number"] == str(MANY)
    # … and what it missed comes when it asks, no more and no less.
    assert stopped.ask("event resume " + ranges).raw == b"Content-Type: command/reply\nReply-Text: +OK resuming\n\n"
    again = [int(stopped.event()["Number"]) for _ in range(missed)]
    assert again == list(range(len(got), MANY))
    over = stopped.named("carillon::resumed")
    assert (over["Resumed-Count"], over["Lost-Count"]) == (str(missed), "0")
    assert stopped.quiet()


def test_what_no_log_holds_any_more_cannot_be_resumed(esl):
    stopped = Wire(esl.esl_port, receive_buffer=65536).auth()
    stopped.ask("event plain CUSTOM t::big")
    sender = Wire(esl.esl_port).auth()
    send(sender, 0, MANY)
    _, gap = until_gap(stopped)
    stopped.ask("noevents")
    keeper = Reader(esl.esl_port, 2 * MANY - 1, MANY)  # somebody must want them, or they are not published at all
    send(sender, MANY, 2 * MANY, keeper)
    keeper.join(30)
    stopped.ask("event plain CUSTOM t::big")
    answer = stopped.ask("event resume " + gap["Gap-Range"])
    assert answer.reply == "-ERR %s is no longer held" % gap["Gap-Range"]


def test_a_client_that_comes_back_gets_what_it_missed_meanwhile(esl):
    first, sender = Wire(esl.esl_port).auth(), Wire(esl.esl_port).auth()
    first.ask("event plain CUSTOM t::small")

    def small(n):
        sender.ask("sendevent CUSTOM", "Event-Subclass: t::small", "Number: %d" % n)

    small(1)
    seen = first.event()
    assert seen["Number"] == "1"
    first.close()
    for n in (2, 3, 4):
        small(n)
    second = Wire(esl.esl_port).auth()
    second.ask("event json CUSTOM t::small")
    second.ask("event plain CUSTOM t::small")
    small(5)
    assert second.event()["Number"] == "5"
    second.ask("event resume " + seen["Event-Position"])
    assert [second.event()["Number"] for _ in range(3)] == ["2", "3", "4"]
    assert second.named("carillon::resumed")["Resumed-Count"] == "3"


def test_nonsense_is_not_resumed(esl):
    w = Wire(esl.esl_port).auth()
    assert w.ask("event resume 2:1").reply == "-ERR not listening for events"
    w.ask("event plain ALL")
    for words in ("", "x", "2", "2:", ":1", "2:1-", "2:1-x", "99:1", "2:-1", "2:1 y", "2:99999999999999999999999"):
        assert w.ask("event resume " + words).reply == "-ERR invalid syntax", words
    assert w.ask("event resume 2:999999").reply == "+OK resuming"
    assert w.named("carillon::resumed")["Resumed-Count"] == "0"
