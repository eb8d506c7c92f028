"""Many clients under load, one of them stopped: nobody else loses anything, and it learns the exact number of what it missed. One call's events are in order
though two processes write them. `status` says how far the logs reach."""

import os
import re
import selectors
import signal
import subprocess
import sys
import threading
import time

import pytest
from lib.esl_wire import Wire
from lib.paths import ROOT
from lib.ports import free_port

# A client of its own process, to be stopped: prints how many events it got and what the gap notice says, when it has read to the end.
STOPPED = """
import sys
sys.path.insert(0, %r)
from lib.esl_wire import Wire
w = Wire(int(sys.argv[1]), receive_buffer=65536).auth()
w.ask("event plain all")
print("ready", flush=True)
got = missed = 0
while True:
    e = w.event(timeout=120)
    if e.get("Event-Subclass") == "carillon::gap":
        missed += int(e["Gap-Count"])
        print("gap", e["Gap-Range"], flush=True)
    elif e.get("Event-Subclass") == "t::over":
        print(got, missed, flush=True)
        break
    else:
        got += 1
""" % os.path.join(ROOT, "tests")


class Crowd(threading.Thread):
    """Reads from all its clients; counts events by their names in the raw bytes."""

    def __init__(self, port, everything, filtered):
        super().__init__(daemon=True)
        self.port, self.selector, self.over = port, selectors.DefaultSelector(), False
        self.clients = []
        for n in range(everything + filtered):
            w = Wire(port).auth()
            assert w.ask("event plain all" if n < everything else "event plain CHANNEL_HANGUP_COMPLETE CUSTOM t::over").reply.startswith("+OK")
            w.sock.setblocking(False)
            client = {"sock": w.sock, "tail": b"", "events": 0, "hangups": 0, "over": 0, "all": n < everything}
            self.count(client, w.data)
            self.selector.register(w.sock, selectors.EVENT_READ, client)
            self.clients.append(client)
        self.start()

    @staticmethod
    def count(client, data):
        data, words = client["tail"] + data, (("events", b"\nEvent-Name: "), ("hangups", b"\nEvent-Name: CHANNEL_HANGUP_COMPLETE\n"), ("over", b"\nEvent-Subclass: t%3A%3Aover\n"))
        for name, word in words:
            client[name] += data.count(word)
        keep = max(len(word) for _, word in words) - 1
        tail = data[-keep:]
        for name, word in words:  # what lies whole in the tail was counted
            client[name] -= tail.count(word)
        client["tail"] = tail

    def run(self):
        while not self.over:
            for key, _ in self.selector.select(0.2):
                try:
                    data = key.fileobj.recv(1 << 20)
                except BlockingIOError:
                    continue
                assert data, "the engine closed a connection"
                self.count(key.data, data)

    def seen(self, name, client):
        return client[name] + client["tail"].count({"events": b"\nEvent-Name: ", "hangups": b"\nEvent-Name: CHANNEL_HANGUP_COMPLETE\n", "over": b"\nEvent-Subclass: t%3A%3Aover\n"}[name])

    def wait_over(self, times, seconds=60):
        until = time.monotonic() + seconds
        while not all(self.seen("over", c) == times for c in self.clients):
            assert time.monotonic() < until, [self.seen("over", c) for c in self.clients]
            time.sleep(0.05)


@pytest.mark.parametrize("calls, stopped_s, everything, filtered",
                         [(600, 0, 3, 30), pytest.param(1500, 300, 20, 180, marks=pytest.mark.long)])
def test_a_stopped_client_in_a_crowd_harms_nobody(engine, calls, stopped_s, everything, filtered):
    port = free_port()
    e = engine(event_socket={"port": port}, workers=2)
    crowd = Crowd(port, everything, filtered)
    process = subprocess.Popen([sys.executable, "-c", STOPPED, str(port)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGSTOP)
        stopped_at = time.monotonic()
        before = crowd.seen("events", crowd.clients[0])
        sender = Wire(port).auth()
        for n in range(calls):
            # Python reads more slowly than the engine sends: the crowd is waited for, the stopped one is not.
            while min(crowd.seen("hangups", c) for c in crowd.clients) < n - 100:
                time.sleep(0.01)
            # The call itself goes on: its answer comes.
            assert sender.api("originate null/x &set(n=%d)" % n, timeout=30).startswith("+OK")
        while time.monotonic() - stopped_at < stopped_s:
            assert sender.api("echo awake") == "awake"
            time.sleep(1)
        sender.ask("sendevent CUSTOM", "Event-Subclass: t::over")
        crowd.wait_over(1)
        process.send_signal(signal.SIGCONT)
        assert re.fullmatch(r"gap [\d:, -]+\n", process.stdout.readline())  # the first one was lost with the rest; now it is live again
        sender.ask("sendevent CUSTOM", "Event-Subclass: t::over")
        crowd.wait_over(2)
        out = process.communicate(timeout=60)[0].split("\n")
    finally:
        process.kill()
        process.wait()
        crowd.over = True
        crowd.join()
    assert not [line for line in out if line.startswith("gap ")], out  # one notice, not several
    got, missed = map(int, out[-2].split())
    for client in crowd.clients:
        assert crowd.seen("hangups", client) == calls
    events = {crowd.seen("events", c) for c in crowd.clients if c["all"]}
    assert len(events) == 1, events
    # It subscribed last: all that came from then on, but for the last one, it got or was told of. (A HEARTBEAT may have come in between.)
    assert 0 <= events.pop() - before - 1 - (got + missed) <= 1
    assert missed > 100
    reach = e.cli("status").stdout
    assert re.search(r"^events +worker 0: \d+ of \d+ in the log, back to \d{2}:\d{2}:\d{2} \(\d+ s\)$", reach, re.M), reach


ORDER = ["CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY"]


def test_one_calls_events_are_in_order_though_two_processes_write_them(engine, carrier):
    c = carrier(plan="match=*5 answer after=20ms hangup=100ms\nmatch=* answer after=20ms")
    port = free_port()
    engine(event_socket={"port": port}, workers=2, trunks={"acme": {"address": c.where, "cps": 200}})
    w = Wire(port).auth()
    w.ask("event plain " + " ".join(ORDER) + " CHANNEL_STATE CHANNEL_CALLSTATE CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE")
    for n in range(40):
        w.ask("bgapi originate sofia/gateway/acme/155501%05d &sleep(%d)" % (n, 500 if n % 10 == 5 else 50))
    calls, over = {}, 0
    while over < 40:
        event = w.event(timeout=20)
        calls.setdefault(event["Unique-ID"], []).append((event["Event-Name"], event["Event-Date-Timestamp"]))
        over += event["Event-Name"] == "CHANNEL_DESTROY"
    assert len(calls) == 40
    for seen in calls.values():
        names = [name for name, _ in seen]
        assert [name for name in names if name in ORDER] == ORDER, names
        # Behind it comes only its last state, CS_DESTROY, as with FreeSWITCH.
        assert [name for name in names if name != "CHANNEL_STATE"][-1] == "CHANNEL_DESTROY"
        assert names.index("CHANNEL_EXECUTE") > names.index("CHANNEL_ANSWER")
        assert [at for _, at in seen] == sorted(at for _, at in seen)
