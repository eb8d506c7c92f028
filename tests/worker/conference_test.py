"""Conferences: who hears whom, what the API command does to members, and what is told of it. Members live on both workers."""

import time

import pytest

from lib.engine import wait_for
from worker.link_test import Joined, heard, levels

LISTEN = """
local consumer = freeswitch.EventConsumer("CUSTOM", "conference::maintenance")
freeswitch.consoleLog("notice", "listening\\n")
local path = argv[1]
while true do
  local e = consumer:pop(1, 5000)
  if e then
    local f = io.open(path, "a")
    f:write(e:getHeader("Action") or "", " ", e:getHeader("Member-ID") or "-", " ", e:getHeader("Conference-Size") or "", " ", e:getHeader("Speak") or "-", " ",
      e:getHeader("New-ID") or "-", " ", e:getHeader("Member-Type") or "-", "\\n")
    f:close()
  end
end
"""


@pytest.fixture
def two(engine, carrier):
    return Joined(engine, carrier)


def enter(two, uuid, text="room"):
    two.engine.api("uuid_transfer", "%s 'conference:%s' inline" % (uuid, text))
    wait_for(lambda: two.variable(uuid, "conference_member_id").isdigit(), 5, "its member id", two.engine.all_text)
    return int(two.variable(uuid, "conference_member_id"))


def ask(two, text, worker=0):
    reply = two.on(worker, "conference", text)
    return reply[:-1] if reply[:1] not in "+-E" else reply  # the command line ends a reply that has no line break of its own


def test_members_are_listed_muted_deafened_gated_told_and_put_out(two):
    told = two.engine.path("told.txt")
    two.on(0, "luarun", two.engine.write("scripts/listen.lua", LISTEN) + " " + told)
    two.engine.wait_log("listening")
    assert ask(two, "list") == "+OK No active conferences.\n"
    assert ask(two, "room list") == "-ERR Conference room not found\n"
    a, b = two.pair()
    c = two.sip(1, "15551000")
    ids = [enter(two, a, "room+flags{moderator}"), enter(two, b), enter(two, c)]
    assert ids == [1, 2, 3]
    for worker in (0, 1):  # wherever one asks
        lines = ask(two, "list", worker).splitlines()
        assert lines[0] == "+OK Conference room (3 members rate: 8000 flags: running|answered|dynamic)"
        rows = {int(line.split(";")[0]): line.split(";") for line in lines[1:]}
        assert sorted(rows) == ids and rows[1][2] == a and rows[3][5] == "hear|speak" and rows[2][6:] == ["0", "0", "100"]
        assert "moderator" in rows[1][5].split("|")
    wait_for(lambda: "talking" in ask(two, "room list"), 5, "somebody talks")
    assert ask(two, "room count") == "3" and ask(two, "count") == "1" and ask(two, "room get-uuid 2") == b
    assert heard(two.hears(c)) == {440, 700}

    assert ask(two, "room mute 2") == "+OK mute 2\n"
    assert heard(two.hears(c)) == {440}
    assert ask(two, "room unmute 2") == "+OK unmute 2\n"
    assert ask(two, "room energy 2 30000") == "Energy 2 = 30000\n"  # nobody is that loud
    assert heard(two.hears(c, settle=1.2)) == {440}
    assert ask(two, "room energy 2 0") == "Energy 2 = 0\n"
    assert heard(two.hears(c)) == {440, 700}
    assert ask(two, "room volume_in 2 up") == "+OK Volume IN 2 = 1\n" and ask(two, "room volume_in 2 0") == "+OK Volume IN 2 = 0\n"
    assert ask(two, "room deaf 3") == "+OK deaf 3\n" and heard(two.hears(c)) == set()
    assert ask(two, "room undeaf 3") == "+OK undeaf 3\n"

    path = two.engine.path("room.wav")
    assert ask(two, "room record " + path) == "+OK Record file %s\n" % path
    assert ask(two, "room chkrecord") == "+OK Record file %s\n" % path
    assert ask(two, "room play tone_stream://%(4000,0,1000) async").startswith("+OK (play) Playing file")
    assert heard(two.hears(c)) == {440, 700, 1000}
    assert ask(two, "room stop async") == "+OK Stopped 1 files.\n"
    assert ask(two, "room norecord all") == "+OK Stopped recording 1 file\n"
    mixed = wait_for(lambda: levels(path, channels=1), 5, "the room's recording", two.engine.all_text)
    assert heard(mixed) >= {440, 700}

    assert ask(two, "room play /no/such.wav") == "-ERR (play) File: /no/such.wav not found.\n"
    assert ask(two, "room mute 9") == "-ERR Non-Existant ID 9\n" and ask(two, "room nonsense") == "-ERR Conference command 'nonsense' not found.\n"
    assert ask(two, "room lock") == "+OK room locked\n"
    two.engine.api("uuid_transfer", "%s 'conference:room,park' inline" % two.sip(0, "15551001"))
    time.sleep(0.3)
    assert ask(two, "room count") == "3"
    assert ask(two, "room unlock") == "+OK room unlocked\n"

    two.engine.api("uuid_recv_dtmf", c + " 0")  # the key that mutes oneself
    wait_for(lambda: ask(two, "room list").count("speak") == 2, 5, "that it is mute")
    two.engine.api("uuid_transfer", "%s 'conference:room,park' inline" % c)  # leaves and comes again
    wait_for(lambda: two.variable(c, "conference_member_id") == "4", 5, "a new id", two.engine.all_text)
    assert ask(two, "room kick 4") == "+OK kicked 4\n"
    wait_for(lambda: two.variable(c, "current_application") == "park", 5, "it goes on", two.engine.all_text)
    assert ask(two, "room hup non_moderator") == "+OK hup 2\n"
    two.gone(b)
    assert ask(two, "room list count") == "1"
    two.engine.api("uuid_kill", a)
    wait_for(lambda: ask(two, "list") == "+OK No active conferences.\n", 5, "the end of the room")

    def lines():
        return two.text(told).splitlines()
    wait_for(lambda: any(line.startswith("conference-destroy") for line in lines()), 5, "the last event", lambda: two.text(told))
    words = [line.split() for line in lines()]
    seen = [w[0] for w in words]
    assert seen[0] == "conference-create" and seen[-1] == "conference-destroy"
    for action in ("floor-change", "start-talking", "stop-talking", "mute-member", "unmute-member", "energy-level-member", "volume-in-member", "deaf-member", "undeaf-member",
                   "start-recording", "stop-recording", "play-file", "play-file-done", "lock", "unlock", "kick-member", "hup-member"):
        assert action in seen, (action, seen)
    assert [w[1:3] for w in words if w[0] == "add-member"] == [["1", "1"], ["2", "2"], ["3", "3"], ["4", "3"]]
    assert [w[3] for w in words if w[0] == "mute-member"][0] == "false"
    assert next(w for w in words if w[0] == "add-member")[5] == "moderator"


def test_the_death_of_a_rooms_worker_lets_its_members_of_other_workers_go_on(two):
    calls = [two.sip(0, "15550440"), two.sip(1, "15550700")]
    for u in calls:
        two.engine.api("uuid_transfer", "%s 'conference:room,park' inline" % u)
        wait_for(lambda: two.variable(u, "conference_member_id").isdigit(), 5, "its member id")
    where = 0 if "1 member" not in two.on(0, "carillon_here", "conference list") and "member" in two.on(0, "carillon_here", "conference list") else 1
    before = two.engine.log().count("worker %d takes calls" % where)
    two.engine.kill("worker %d" % where)
    stays = calls[1 - where]
    wait_for(lambda: two.engine.log().count("worker %d takes calls" % where) > before, 10, "a new worker", two.engine.all_text)
    wait_for(lambda: two.variable(stays, "current_application") == "park", 5, "it goes on", two.engine.all_text)
