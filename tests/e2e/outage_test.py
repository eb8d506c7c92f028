"""What dies, stops, fills up or is away in the middle of a campaign, beside the deaths of kill_test.py: nothing is lost, nobody is called twice."""

import os
import signal
import subprocess
import threading
import time
from collections import Counter, defaultdict

import pytest

from lib import books
from lib.campaign import PEOPLE, settings, wait_carrier_idle, write_campaign
from lib.engine import wait_for
from lib.paths import CARILLON
from lib.shim import Shim

LONG = os.environ.get("CARILLON_TEST") in ("long", "soak")
LEADS, CPS, SLOTS = (6000, 200, 2000) if LONG else (240, 60, 300)
RETRY = {"USER_BUSY": False, "NO_ANSWER": False, "NORMAL_TEMPORARY_FAILURE": False, "NO_USER_RESPONSE": False, "INTERRUPTED": {"after": "1s", "tries": 5}}


class Run:
    """A campaign under way."""

    def __init__(self, carrier, engine, server=None, leads=LEADS, plan=PEOPLE, cps=CPS, script=None, **more):
        self.leads, self.server, self.url = leads, server, server.new_database() if server else None
        self.carrier = carrier(plan=plan)
        prepare = more.pop("prepare", None)
        if self.url:
            more["database"] = self.url
        self.engine = engine(start=False, **settings(self.carrier, cps, SLOTS // 2, SLOTS, **more))
        if prepare:
            prepare(self.engine)
        self.engine.start()
        write_campaign(self.engine, leads=leads, retry=RETRY, max_attempts=6, **({"script": script} if script else {}))
        self.out = open(self.engine.path("run.txt"), "ab")
        self.begin()

    def begin(self):
        self.command = subprocess.Popen([CARILLON, "campaign", "run", "c"], stdout=self.out, stderr=self.out, cwd=self.engine.folder,
                                        env=dict(os.environ, CARILLON_CONFIG=self.engine.config_path))

    def until_dialled(self, share, seconds=60):
        wait_for(lambda: len(self.carrier.invites()) >= share * self.leads, seconds, "%d INVITEs" % (share * self.leads), self.engine.all_text)

    def to_the_end(self, seconds=120):
        try:
            self.command.wait(seconds)
        finally:
            if self.command.poll() is None:
                self.command.kill()
                self.command.wait()
        assert not wait_carrier_idle(self.carrier), "calls that never ended at the carrier"

    def check(self, deaths=(), times=True):
        """Both books agree, each lead has its end, nobody who was reached was called again."""
        rows, leads = books.attempts(self.engine, self.server, self.url), books.leads(self.engine, self.server, self.url)
        if times:
            problems = books.joined(rows, self.carrier, list(deaths))
            assert not problems, "%d problems:\n%s" % (len(problems), "\n".join(problems[:20]))
        row_of = {row["id"]: row for row in rows}
        for invite in self.carrier.invites():
            assert invite["call_id"] in row_of, "an INVITE without a row: %s" % invite
        for row in rows:
            seen = [row[name] for name in books.TIMES if row[name] is not None]
            assert seen == sorted(seen), row
        assert Counter(row["state"] for row in rows)["claimed"] == 0
        assert len(leads) == self.leads and all(lead["state"] == "done" for lead in leads), Counter(lead["state"] for lead in leads)
        tries = defaultdict(list)
        for row in sorted((row for row in rows if row["state"] != "refused"), key=lambda row: row["id"]):
            tries[row["lead"]].append(row)
        again = [own for own in tries.values() if any(row["state"] == "done" for row in own[:-1])]
        assert not again, again[:3]
        return rows


def test_the_supervisor_killed_in_the_middle_and_a_new_start_goes_on(carrier, engine):
    run = Run(carrier, engine)
    run.until_dialled(0.4)

    def kill():
        old = run.engine.pids()
        run.engine.process.kill()
        run.engine.process.wait()
        wait_for(lambda: not any(os.path.exists("/proc/%d" % pid) for pid in old.values()), 15, "its children leave", run.engine.all_text)

    death = books.death("everything", kill, run.engine.start)
    run.command.wait(20)
    run.begin()
    run.to_the_end()
    rows = run.check([death])
    assert Counter(row["disposition"] for row in rows)["interrupted"] >= 3
    # They left in order: each call that was up had its BYE from us at once.
    up = [call for call in run.carrier.book() if call["ack_us"] and call["ack_us"] < death.from_us < (call["end_us"] or 0)]
    assert up and all(call["end"] in ("bye-in", "bye-both", "bye-out") for call in up), Counter(call["end"] for call in up)


def test_control_killed_in_the_middle_is_noticed_by_no_call(carrier, engine):
    run = Run(carrier, engine)
    for share in (0.2, 0.4, 0.6):
        run.until_dialled(share)
        run.engine.kill("control")
        wait_for(lambda: "control" in run.engine.pids(), 10, "a new one", run.engine.all_text)
    # Its client was cut off: the campaign goes on, and whoever asks again sees it.
    wait_for(lambda: '"state": "done"' in run.engine.cli("campaign", "status", "c", "--json").stdout.replace('":"', '": "'), 90, "done", run.engine.all_text)
    run.to_the_end()
    rows = run.check()
    assert len(rows) == LEADS and not [row for row in rows if row["state"] == "interrupted"]


@pytest.mark.parametrize("seconds", [6, pytest.param(60, marks=pytest.mark.long), pytest.param(600, marks=pytest.mark.long)])
def test_postgresql_away_for_a_while(carrier, engine, postgres_server, seconds):
    run = Run(carrier, engine, postgres_server)
    run.until_dialled(0.3)
    before = len(run.carrier.invites())
    postgres_server.stop()
    try:
        time.sleep(seconds / 2)
        # What was claimed is dialled, through the spool; nobody waits for the database.
        assert run.engine.cli("api", "status").stdout.startswith("UP")
        time.sleep(seconds / 2)
    finally:
        postgres_server.start()
    assert len(run.carrier.invites()) > before
    run.to_the_end(seconds=180)
    rows = run.check()
    assert len(rows) == LEADS


def test_postgresql_restarted_again_and_again_in_the_middle_of_commits(carrier, engine, postgres_server):
    run = Run(carrier, engine, postgres_server)
    for share in (0.15, 0.3, 0.45, 0.6):
        run.until_dialled(share)
        postgres_server.stop("immediate")
        postgres_server.start()
    run.to_the_end()
    rows = run.check()
    assert len(rows) == LEADS


def test_a_long_reading_transaction_does_not_slow_the_claims(carrier, engine, postgres_server):
    run = Run(carrier, engine, postgres_server)
    report = subprocess.Popen([os.path.join(postgres_server.bin, "psql"), "-X", "-q", "-d", run.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        report.stdin.write("BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT count(*) FROM attempt;\n")
        report.stdin.flush()
        run.to_the_end()
        report.stdin.write("SELECT count(*) FROM attempt;\nCOMMIT;\n")
        out, _ = report.communicate(timeout=20)
    finally:
        report.kill()
    counts = [line.strip() for line in out.splitlines() if line.strip().isdigit()]
    assert len(counts) == 2 and counts[0] == counts[1] != str(LEADS)  # the report saw its own moment all along
    run.check()
    # At the full rate all along: the INVITEs of each third of the run are about as dense.
    times = sorted(i["t_us"] for i in run.carrier.invites())
    third = len(times) // 3
    spans = [times[third] - times[0], times[2 * third] - times[third], times[3 * third - 1] - times[2 * third]]
    assert max(spans) < 3 * min(spans), spans


class SmallDisk:
    """A file system of a few megabytes in a folder of the engine, which can be filled and emptied."""

    def __init__(self, path, size="8m"):
        self.path, self.filler = path, os.path.join(path, "filler")
        os.makedirs(path, exist_ok=True)
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs", path], capture_output=True).returncode != 0:
            pytest.skip("no file system of our own can be mounted here")
        open(self.filler, "wb").close()

    def fill(self):
        fd = os.open(self.filler, os.O_WRONLY | os.O_APPEND)
        try:
            while os.write(fd, b"\0" * 4096):
                pass
        except OSError:
            pass
        finally:
            os.close(fd)

    def empty(self):
        os.truncate(self.filler, 0)

    def close(self):
        subprocess.run(["umount", "-l", self.path], check=False)


@pytest.fixture
def disks():
    made = []

    def factory(*args, **options):
        made.append(SmallDisk(*args, **options))
        return made[-1]

    yield factory
    for disk in made:
        disk.close()


def keep_full(disk, seconds):
    """Whatever is freed meanwhile is taken again."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        disk.fill()
        time.sleep(0.1)


def test_a_full_disk_under_ledger_and_spool_stops_the_dialling_with_an_alarm_and_it_resumes_by_itself(carrier, engine, disks):
    held = []
    run = Run(carrier, engine, prepare=lambda e: held.append(disks(e.path("data"))))
    run.until_dialled(0.3)
    keep_full(held[0], 4)
    stopped = len(run.carrier.invites())
    time.sleep(1.5)
    assert len(run.carrier.invites()) - stopped <= 2
    assert stopped < 0.95 * LEADS, "it was over before the disk was full"
    alarms = [line for line in run.engine.log().splitlines() if ("CRIT" in line or "ERR" in line) and ("disk" in line.lower() or "space" in line.lower())]
    assert 1 <= len(alarms) <= 10, run.engine.log()[-2000:]
    held[0].empty()
    run.to_the_end()
    run.check(times=False)


def test_a_full_disk_under_the_spool_while_postgresql_is_away(carrier, engine, postgres_server, disks):
    held = []
    run = Run(carrier, engine, postgres_server, prepare=lambda e: held.append(disks(e.path("data"))))
    run.until_dialled(0.3)
    postgres_server.stop()
    try:
        keep_full(held[0], 4)
        stopped = len(run.carrier.invites())
        time.sleep(1.0)
        assert len(run.carrier.invites()) - stopped <= 2
    finally:
        held[0].empty()
        postgres_server.start()
    run.to_the_end()
    run.check(times=False)


def test_a_full_disk_under_a_recording_cuts_the_recording_and_not_the_call(carrier, engine, disks):
    far = carrier(plan="match=* answer after=20ms sound=tone:440 talk=8s")
    e = engine(**settings(far, 10, 10, 20))
    disk = disks(e.path("recordings"), size="256k")
    disk.fill()
    os.truncate(disk.filler, os.path.getsize(disk.filler) - 40960)
    out = e.lua('local s = freeswitch.Session("sofia/gateway/acme/15552000001") s:execute("record_session", "%s") s:streamFile("silence_stream://5000") '
                'stream:write(tostring(s:ready()) .. " " .. tostring(s:getVariable("record_failed"))) s:hangup()'
                % os.path.join(disk.path, "r.wav"), timeout=30)
    assert out.startswith("true ") and out.split()[1] == "disk", out
    call = far.wait_book(1)[0]
    assert call["rtp"]["missing"] == 0 and call["end"] == "bye-in"
    assert [line for line in e.log().splitlines() if "r.wav" in line and ("ERR" in line or "WARNING" in line)]


def test_the_wall_clock_steps_by_an_hour_in_both_directions(carrier, engine, tmp_path):
    shim = Shim(tmp_path)
    run = Run(carrier, engine, env=shim.env)
    run.until_dialled(0.3)
    shim.step(3600)
    run.until_dialled(0.6)
    shim.step(-7200)
    run.to_the_end()
    rows = run.check(times=False)
    assert len(rows) == LEADS and not [row for row in rows if row["state"] == "interrupted"]
    # No call was shortened or stretched by it.
    row_of = {row["id"]: row for row in rows}
    for call in run.carrier.book():
        if call["status"] == 200 and call["ack_us"] and call["end_us"] and not call["cancel_us"]:
            ours, theirs = row_of[call["call_id"]]["billsec_ms"], (call["end_us"] - call["answer_us"]) / 1000
            assert abs(ours - theirs) < 500 or abs(ours - theirs - 3600000) < 500 or ours == 0, (row_of[call["call_id"]], call)


@pytest.mark.parametrize("name", ["worker 0", "broker", "control"])
def test_a_process_that_is_stopped_for_a_while_goes_on(carrier, engine, name):
    run = Run(carrier, engine, leads=LEADS // 2)
    run.until_dialled(0.4)
    pid = run.engine.pid(name)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(2.5)
    os.kill(pid, signal.SIGCONT)
    run.to_the_end()
    assert run.engine.pid(name) == pid
    rows = run.check(times=name == "control")
    assert len(rows) == LEADS // 2


@pytest.mark.long
@pytest.mark.parametrize("name", ["worker-0", "broker", "control"])
def test_a_process_that_spins_is_reported_and_replaced(carrier, engine, tmp_path, name):
    shim = Shim(tmp_path)
    run = Run(carrier, engine, leads=3000, cps=40, env=shim.env)
    run.until_dialled(0.1)
    shown = name.replace("-", " ")
    pid = run.engine.pid(shown)
    from_us = time.time_ns() // 1000
    shim.spin(name)
    run.engine.wait_log(r"%s .*gave no sign of life for 10 s: it computes" % shown, 20)
    wait_for(lambda: not os.path.exists("/proc/%d" % pid), 40, "it is killed", run.engine.all_text)
    shim.spin(None)
    wait_for(lambda: run.engine.pids().get(shown, pid) != pid, 20, "a new one", run.engine.all_text)
    death = books.Death("everything" if name == "worker-0" else shown, from_us, time.time_ns() // 1000 + 1000000)
    run.to_the_end(300)
    run.check([death], times=False)


def hold_calls(carrier, engine, talking, ringing):
    """So many calls that play, and so many that ring, all from one script each."""
    far = carrier(plan="match=1555200* answer after=50ms sound=tone:440 talk=60s\nmatch=1555300* noanswer\n")
    e = engine(**settings(far, 400, talking + ringing, 2 * (talking + ringing)))
    script = e.write("scripts/hold.lua", 'local s = freeswitch.Session("{originate_timeout=50}sofia/gateway/acme/" .. argv[1]) '
                                         'while s:ready() do s:streamFile("tone_stream://%(60000,0,440)") end')
    threads = [threading.Thread(target=e.api, args=("luarun", script, "%s%06d" % (prefix, i))) for prefix, count in (("15552", talking), ("15553", ringing)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    e.wait_counter("calls_answered", talking, 60)
    wait_for(lambda: len(far.invites()) >= talking + ringing, 60, "all INVITEs", e.all_text)
    return e, far


@pytest.mark.parametrize("talking, ringing", [(40, 40), pytest.param(1000, 1000, marks=pytest.mark.long)])
def test_the_broker_killed_leaves_every_talking_call_its_audio_and_cancels_every_ringing_one(carrier, engine, talking, ringing):
    e, far = hold_calls(carrier, engine, talking, ringing)
    time.sleep(1.0)
    e.kill("broker")
    adopted = e.wait_log(r"adopted (\d+) calls", 10)
    assert int(adopted.group(1)) >= talking
    ended = far.wait_book(ringing, 40)
    assert Counter(call["end"] for call in ended) == {"cancelled": ringing}
    time.sleep(2.0)
    # Their dialogs are the new broker's: it ends them by BYE, each with its audio whole.
    assert "+OK" in e.api("hupall")
    book = far.wait_book(talking + ringing, 40)
    spoken = [call for call in book if call["status"] == 200]
    assert len(spoken) == talking and {call["end"] for call in spoken} == {"bye-in"}
    assert sum(call["rtp"]["missing"] for call in spoken) == 0
    rows = wait_for(lambda: (lambda r: r if all(row["state"] != "claimed" for row in r) else None)(books.attempts(e)), 20, "all rows closed")
    assert Counter(row["state"] for row in rows) == {"done": talking, "interrupted": ringing}
