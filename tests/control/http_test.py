"""HTTP: who comes in, FreeSWITCH's web interface, REST, events, metrics, the page."""

import base64
import http.client
import json
import os
import re
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from lib import books
from lib.ports import free_port

OPERATOR, VIEWER = ("olga", "operator-secret"), ("vera", "viewer-secret")
TOKEN = "a-token-of-sixteen"

# lua/api.lua of FreeSWITCH's page on mod_lua, as it stands there.
PORTAL = r'''-- lua/api.lua
-- enable mod_xml_rpc and try in your webbrowser
stream:write("Content-Type: text/html\n\n");
stream:write("<title>FreeSWITCH Command Portal</title>");
stream:write("<h2>FreeSWITCH Command Portal</h2>");
stream:write("<form method=post><input name=command size=40> ");
stream:write("<input type=submit value=\"Execute\">");
stream:write("</form><hr noshade size=1><br>");
command = env:getHeader("command");
if (command) then
   api = freeswitch.API();
   reply = api:executeString(command);
   if (reply) then
      stream:write("<br><B>Command Result</b><br><pre>" .. reply .. "</pre>\n");
   end
end
env:addHeader("cool", "true");
stream:write(env:serialize() .. "\n\n");
'''


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.text = status, headers, body.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.text)


class Web:
    def __init__(self, engine, **changes):
        self.port = free_port()
        users = {
            "olga": {"password": OPERATOR[1], "token": TOKEN, "role": "operator"},
            "vera": {"password": VIEWER[1]},
        }
        self.engine = engine(http=dict({"port": self.port, "users": users}, **changes.pop("http", {})), **changes)
        self.url = "http://127.0.0.1:%d" % self.port

    def ask(self, path, method=None, user=OPERATOR, token=None, form=None, data=None, timeout=30, **headers):
        request = urllib.request.Request(self.url + path, method=method)
        if token:
            request.add_header("Authorization", "Bearer " + token)
        elif user:
            request.add_header("Authorization", "Basic " + base64.b64encode(":".join(user).encode()).decode())
        if form is not None:
            request.data = urllib.parse.urlencode(form).encode()
        if data is not None:
            request.data = json.dumps(data).encode()
            request.add_header("Content-Type", "application/json")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as reply:
                return Reply(reply.status, reply.headers, reply.read())
        except urllib.error.HTTPError as error:
            return Reply(error.code, error.headers, error.read())


@pytest.fixture
def web(engine):
    return Web(engine)


# --- who comes in ---


def test_without_a_port_nothing_listens_and_without_users_it_does_not_start(engine):
    port = free_port()
    e = engine(http={"address": "127.0.0.1"})
    assert "http:" not in e.all_text()
    with pytest.raises(AssertionError, match="nobody may come in"):
        engine(http={"port": port})


def test_health_needs_nobody_and_all_else_needs_somebody(web):
    assert web.ask("/healthz", user=None).text == "ok\n"
    for path in ("/v1/status", "/v1/calls", "/metrics", "/events", "/webapi/status", "/txtapi/status", "/api/status"):
        reply = web.ask(path, user=None)
        assert reply.status == 401, path
        challenges = " ".join(reply.headers.get_all("WWW-Authenticate"))
        assert "Basic" in challenges and "Digest" in challenges
    assert web.ask("/nothing", user=None).status == 404


def test_basic_digest_and_tokens_open_the_door(web):
    assert web.ask("/v1/whoami").json == {"user": "olga", "role": "operator"}
    assert web.ask("/v1/whoami", user=VIEWER).json == {"user": "vera", "role": "viewer"}
    assert web.ask("/v1/whoami", token=TOKEN).json["user"] == "olga"
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    passwords.add_password(None, web.url, *OPERATOR)
    opener = urllib.request.build_opener(urllib.request.HTTPDigestAuthHandler(passwords))
    for _ in range(3):
        assert "UP " in opener.open(web.url + "/txtapi/status?", timeout=20).read().decode()


def test_a_wrong_password_is_slowed_down_and_logged_in_one_line(web):
    began = time.monotonic()
    assert web.ask("/v1/status", user=("olga", "wrong-wrong")).status == 401
    first = time.monotonic() - began
    assert web.ask("/v1/status", token="not-the-token-at-all").status == 401
    second = time.monotonic() - began - first
    assert first > 0.9 and second > 1.9
    assert web.engine.wait_log(r"http: authentication failure from 127\.0\.0\.1 \(attempt 2\)")
    began = time.monotonic()
    assert web.ask("/v1/status").status == 200 and time.monotonic() - began < 1


def test_who_guesses_on_many_connections_is_sent_away(web):
    statuses = []
    threads = [threading.Thread(target=lambda: statuses.append(web.ask("/v1/status", user=("olga", "wrong-wrong")).status)) for _ in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert 429 in statuses and set(statuses) <= {401, 429}


def test_a_viewer_looks_and_changes_nothing(web):
    assert web.ask("/v1/status", user=VIEWER).status == 200
    for path, method in (("/txtapi/status", "GET"), ("/v1/campaigns/x/pause", "POST"), ("/v1/trunks/x", "PATCH"), ("/v1/calls", "POST"), ("/v1/audit", "GET")):
        assert web.ask(path, method, user=VIEWER, form={} if method != "GET" else None).status == 403, path


def test_the_page_logs_in_by_cookie_and_other_sites_cannot_use_it(web):
    reply = web.ask("/v1/login", "POST", user=None, data={"user": OPERATOR[0], "password": OPERATOR[1]})
    assert reply.json["role"] == "operator"
    cookie = reply.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    cookie = cookie.split(";")[0]
    assert web.ask("/v1/whoami", user=None, Cookie=cookie).status == 200
    assert web.ask("/v1/whoami", user=None, Cookie=cookie, Sec_Fetch_Site="cross-site").status == 403
    assert web.ask("/v1/campaigns/x/pause", "POST", user=None, form={}, Cookie=cookie).status == 403
    assert web.ask("/v1/campaigns/x/pause", "POST", user=None, form={}, Cookie=cookie, X_Carillon="1").status == 400
    assert web.ask("/v1/logout", "POST", user=None, form={}, Cookie=cookie, X_Carillon="1").status == 200
    reply = web.ask("/v1/whoami", user=None, Cookie=cookie, X_Carillon="1")
    assert reply.status == 401 and reply.headers["WWW-Authenticate"] is None


# --- FreeSWITCH's web interface ---


def test_the_portal_script_runs_unchanged(web):
    web.engine.write("scripts/api.lua", PORTAL)
    reply = web.ask("/webapi/lua?api.lua")
    assert reply.headers["Content-Type"] == "text/html" and reply.text.startswith("<title>FreeSWITCH Command Portal</title>")
    assert "cool: true" in reply.text and "Command Result" not in reply.text and "Event-Name: API" in reply.text
    reply = web.ask("/webapi/lua?api.lua", form={"command": "toupper a+b"})
    assert "<pre>A+B" in reply.text and "HTTP-METHOD: POST" in reply.text
    assert "<pre>X Y" in web.ask("/webapi/lua?api.lua&command=toupper+x%20y").text


def test_env_has_the_requests_facts_and_no_secrets(web):
    web.engine.write("scripts/env.lua", 'stream:write(env:serialize()) stream:write("\\n" .. tostring(env:getHeader("HTTP-USER")) .. "|" .. tostring(env:getHeader("a")))')
    text = web.ask("/txtapi/lua/some/path?env.lua&a=1%262&HTTP-USER=root", X_Mine="yes").text
    assert text.endswith("\nolga|1&2")
    assert "HTTP-X-MINE: yes" in text and "HTTP-USER-AGENT: Python" in text and "http-path-info: some/path" in text
    assert OPERATOR[1] not in text and base64.b64encode(":".join(OPERATOR).encode()).decode() not in text


def test_a_script_reads_the_posted_body_and_sets_status_and_headers(web):
    web.engine.write("scripts/body.lua", 'local t, n = stream:read() stream:write("Status: 202 Accepted\\nContent-Type: application/json\\nX-Own: 1\\n\\n" .. tostring(t))')
    reply = web.ask("/webapi/lua?body.lua", "POST", data={"a": "ü"})
    assert reply.status == 202 and reply.headers["Content-Type"] == "application/json" and reply.headers["X-Own"] == "1"
    assert reply.json == {"a": "ü"}


def test_a_failing_script_says_so_as_freeswitchs_does(web):
    web.engine.write("scripts/bad.lua", 'stream:write("so far") error("no further")')
    for path in ("/webapi/lua?bad.lua", "/api/lua?bad.lua"):
        assert web.ask(path).text == "so far<H2>Error Executing Script</H2>"
    assert web.ask("/txtapi/lua?bad.lua").text == "so far-ERR Cannot execute script\n"


def test_commands_answer_as_text_page_and_xml(web):
    assert web.ask("/txtapi/toupper?abc%20d").text.strip() == "ABC D"
    assert web.ask("/api/toupper?abc").headers["Content-Type"].startswith("text/plain")
    assert web.ask("/webapi/toupper?abc").headers["Content-Type"].startswith("text/html")
    assert web.ask("/xmlapi/toupper?abc").headers["Content-Type"].startswith("text/xml")
    assert "-ERR" in web.ask("/txtapi/no_such_command").text
    assert web.ask("/txtapi/").status == 404
    assert web.ask("/txtapi/status", "DELETE").status == 405


def test_a_long_script_holds_up_nobody_else(web):
    web.engine.write("scripts/slow.lua", 'freeswitch.msleep(3000) stream:write("done")')
    out = []
    slow = threading.Thread(target=lambda: out.append(web.ask("/txtapi/lua?slow.lua").text))
    slow.start()
    for _ in range(20):
        began = time.monotonic()
        assert web.ask("/v1/status").status == 200
        assert time.monotonic() - began < 1
    slow.join()
    assert out == ["done"]


# --- REST ---


def test_a_call_is_listed_and_hung_up(engine, carrier):
    c = carrier(plan="match=* answer after=50ms")
    web = Web(engine, trunks={"acme": {"address": c.where}})
    reply = web.ask("/v1/calls", "POST", data={"dial": "sofia/gateway/acme/15550100", "to": "&park()"})
    assert reply.json["ok"], reply.text
    uuid = reply.json["text"]
    listed = web.ask("/v1/calls?search=15550100").json
    assert listed["total"] == 1 and listed["calls"][0]["uuid"] == uuid and listed["calls"][0]["trunk"] == "acme" and listed["calls"][0]["state"] == "talking"
    assert web.ask("/v1/calls?search=nobody").json == {"total": 0, "calls": []}
    assert web.ask("/v1/calls/" + uuid).json["number"] == "15550100"
    assert web.ask("/v1/calls/" + uuid, "DELETE").json["ok"]
    until = time.monotonic() + 10
    while web.ask("/v1/calls").json["total"] and time.monotonic() < until:
        time.sleep(0.1)
    assert web.ask("/v1/calls").json["total"] == 0
    assert web.ask("/v1/calls/" + uuid).status == 404
    actions = [line["action"] for line in web.ask("/v1/audit").json]
    assert "hangup %s MANAGER_REQUEST" % uuid in actions and any(a.startswith("originate ") for a in actions)


def test_trunks_are_listed_and_their_caps_change(engine):
    web = Web(engine, trunks={"acme": {"address": "127.0.0.1:9", "cps": 7, "concurrent": 30}})
    (trunk,) = web.ask("/v1/trunks").json
    assert trunk["name"] == "acme" and trunk["cps"] == 7 and trunk["concurrent"] == 30 and trunk["state"] == "up"
    assert web.ask("/v1/trunks/acme", "PATCH", data={"cps": 12.5, "concurrent": 40}).json["ok"]
    (trunk,) = web.ask("/v1/trunks").json
    assert trunk["cps"] == 12.5 and trunk["concurrent"] == 40
    assert web.ask("/v1/trunks/acme", "PATCH", data={"enabled": False}).json["ok"]
    assert web.ask("/v1/trunks").json[0]["state"] == "disabled"
    assert web.ask("/v1/trunks/acme", "PATCH", data={"cps": "many"}).status == 400
    assert web.ask("/v1/trunks/none", "PATCH", data={"cps": 1}).status == 404
    assert web.ask("/v1/trunks/acme", "PATCH", data={}).status == 400
    with open(web.engine.path("data", "audit.log"), encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    assert any(line["user"] == "olga" and line["action"] == "trunk cap acme cps=12.5 concurrent=40" and line["result"].startswith("+OK") for line in lines)


def test_what_is_changed_is_a_row_of_the_ledger_whoever_did_it(engine):
    web = Web(engine, trunks={"acme": {"address": "127.0.0.1:9", "cps": 7}})
    e = web.engine

    def rows():
        return [tuple(row[k] for k in ("who", "role", "origin", "what", "argument", "result")) for row in sorted(books.table(e, "audit"), key=lambda row: row["id"])]

    began = time.time()
    assert web.ask("/v1/trunks/acme", "PATCH", user=OPERATOR, data={"cps": 5}).json["ok"]
    assert web.ask("/v1/trunks/acme", "PATCH", user=OPERATOR, data={"cps": "many"}).status == 400
    assert web.ask("/txtapi/echo?caf%E9").status == 200  # no UTF-8: no database takes it as it is
    for words in (("trunk", "list"), ("trunk", "cap", "acme", "cps=3"), ("dnc", "add", "15552010001"), ("campaign", "stop", "none"), ("api", "status"), ("reload",)):
        e.cli(*words)
    # Nobody is there to make a row of it at this moment.
    e.kill("broker")
    web.ask("/v1/login", "POST", user=None, form={"user": "vera", "password": VIEWER[1]})
    me, shell = "uid %d" % os.getuid(), "control.sock"
    wanted = [
        ("olga", "operator", "127.0.0.1", "trunk cap", "acme cps=5", "+OK acme cps=5 concurrent="),
        ("olga", "operator", "127.0.0.1", "trunk cap", "acme cps=many", '-ERR "cps=many": expected'),
        ("olga", "operator", "127.0.0.1", "api echo", "caf?", "caf"),
        (me, "shell", shell, "trunk cap", "acme cps=3", "+OK acme cps=3"),
        (me, "shell", shell, "dnc add", "15552010001 -", "+OK 15552010001"),
        (me, "shell", shell, "campaign stop", "none", "-ERR"),
        (me, "shell", shell, "reload", None, "+OK"),
        ("vera", "viewer", "127.0.0.1", "login", None, "+OK"),
    ]
    until = time.monotonic() + 20
    while len(rows()) < len(wanted) and time.monotonic() < until:
        time.sleep(0.1)
    found = rows()
    assert [row[:5] for row in found] == [row[:5] for row in wanted]
    assert all(row[5].startswith(want[5]) for row, want in zip(found, wanted)), found
    assert all(began - 1 < row["time_us"] / 1e6 < time.time() + 1 for row in books.table(e, "audit"))
    # The page's list has the same.
    listed = web.ask("/v1/audit").json
    assert [(line["user"], line["role"], line["from"], line["action"]) for line in listed] == [
        (who, role, origin, what + (" " + argument if argument else "")) for who, role, origin, what, argument, _ in found]


def test_a_trunk_says_why_its_calls_ended(engine, carrier):
    c = carrier(plan="match=*9 busy after=20ms\nmatch=*8 reject 404 after=20ms\nmatch=* answer after=20ms")
    web = Web(engine, trunks={"acme": {"address": c.where}, "idle": {"address": "127.0.0.1:9"}})
    for number in ("15550109", "15550119", "15550108", "15550100"):
        uuid = web.engine.api("originate sofia/gateway/acme/%s &park()" % number)
        if uuid.startswith("+OK"):
            web.engine.api("uuid_kill " + uuid.split()[1])
    wanted = [("NORMAL_CLEARING", 1, 1), ("UNALLOCATED_NUMBER", 1, 1), ("USER_BUSY", 2, 2)]
    until = time.monotonic() + 10
    while True:
        acme, idle = web.ask("/v1/trunks").json
        found = sorted((c["cause"], c["recent"], c["total"]) for c in acme["causes"])
        if found == wanted or time.monotonic() > until:
            break
        time.sleep(0.1)
    assert found == wanted and acme["causes"][0]["cause"] == "USER_BUSY" and idle["causes"] == []
    assert "cause\tUSER_BUSY\t2\t2\n" in web.engine.cli("trunk", "show", "acme").stdout
    assert 'carillon_trunk_causes_total{trunk="acme",cause="USER_BUSY"} 2' in web.ask("/metrics", user=VIEWER).text


def test_a_campaign_runs_pauses_resumes_stops_and_reports(engine, carrier):
    c = carrier(plan="match=* answer after=50ms")
    web = Web(engine, trunks={"acme": {"address": c.where, "cps": 20}})
    e = web.engine
    e.write("scripts/hello.lua", "session:answer() session:hangup()")
    e.write("campaigns/demo.lua", 'return { script = "hello.lua", leads = "leads.csv", trunks = { "acme" }, caller_ids = { "15550000" }, window = "always" }')
    e.write("campaigns/leads.csv", "number\n" + "".join("1555%07d\n" % (2000000 + n) for n in range(300)))
    done = e.cli("campaign", "import", "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    reply = web.ask("/v1/campaigns/demo/run", "POST", form={})
    assert reply.status == 200, reply.text

    def progress():
        return web.ask("/v1/campaigns/demo").json

    until = time.monotonic() + 15
    while progress()["dialled"] < 5 and time.monotonic() < until:
        time.sleep(0.1)
    assert web.ask("/v1/campaigns").json[0]["name"] == "demo"
    assert web.ask("/v1/campaigns/demo/pause", "POST", form={}).json["ok"]
    assert progress()["state"] == "paused"
    time.sleep(1)
    before = progress()["dialled"]
    time.sleep(1)
    assert progress()["dialled"] == before >= 5
    assert web.ask("/v1/campaigns/demo/resume", "POST", form={}).json["ok"]
    until = time.monotonic() + 15
    while progress()["dialled"] == before and time.monotonic() < until:
        time.sleep(0.1)
    assert progress()["dialled"] > before
    assert web.ask("/v1/campaigns/demo/stop", "POST", data={"now": True}).json["ok"]
    report = web.ask("/v1/campaigns/demo/report")
    assert report.status == 200, report.text
    assert web.ask("/v1/campaigns/none").status == 404
    assert web.ask("/v1/campaigns/none/report").status == 404
    assert web.ask("/v1/campaigns/a%20b/pause", "POST", form={}).status == 400


def test_what_cannot_be_read_is_refused_and_harms_nobody(web):
    for body in (b"{", b'{"a":[]}', b'{"a":1}x', b'{"a":"\\ud800"}', b"[]", b'{"":1}', b'{"a":tru}', b"\xff\xfe"):
        request = urllib.request.Request(web.url + "/v1/trunks/x", data=body, method="PATCH")
        request.add_header("Authorization", "Bearer " + TOKEN)
        request.add_header("Content-Type", "application/json")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=20)
        assert caught.value.code == 400, body
    assert web.ask("/v1/login", "POST", user=None, form={"user": "x" * 100000}).status == 413
    assert web.ask("/" + "x" * 5000).status in (404, 414)
    for junk in (b"\0" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", web.port), 5) as s:
            s.sendall(junk)
    assert web.ask("/healthz").status == 200


# --- metrics ---


def test_metrics_have_every_counter_of_every_process(engine):
    web = Web(engine, trunks={"acme": {"address": "127.0.0.1:9", "cps": 7}})
    text = web.ask("/metrics", user=VIEWER).text
    for line in text.splitlines():
        assert re.match(r'^(# (HELP|TYPE) carillon_\w+ .+|carillon_\w+(\{\w+="[\w-]+"(,le="(\+Inf|[0-9.e+-]+)")?\})? -?[0-9.e+-]+)$', line), line
    names = [name for name in web.engine.counters() if "_" in name]
    assert len(names) > 20
    for name in names:
        assert re.search(r'^carillon_%s(_total)?\{process="worker0"\} ' % name, text, re.M), name
    assert 'carillon_process_up{process="broker"} 1' in text
    assert 'carillon_trunk_cps_cap{trunk="acme"} 7' in text


def test_histograms_count_what_happened(engine, carrier):
    c = carrier(plan="match=* answer after=200ms ring=50ms")
    web = Web(engine, trunks={"acme": {"address": c.where}})
    web.engine.write("scripts/query.lua", """
      local dbh = freeswitch.Dbh("sqlite://" .. argv[1])
      for i = 1, 3 do dbh:query("select 1", function() end) end
      session = freeswitch.Session("sofia/gateway/acme/15550123")
      session:sleep(300)
      session:hangup()
      stream:write("done")""")
    assert web.engine.api("lua query.lua " + web.engine.path("x.db")) == "done\n"

    def figures(name, process):
        text = web.ask("/metrics", user=VIEWER).text
        pattern = r'^carillon_%s_%%s\{process="%s"%%s\} (\S+)$' % (name, process)
        buckets = [(float(le), int(n)) for le, n in re.findall(pattern % ("bucket", ',le="([^"]+)"'), text, re.M)]
        assert "# TYPE carillon_%s histogram" % name in text and len(buckets) == 16
        assert buckets == sorted(buckets) and [n for _, n in buckets] == sorted(n for _, n in buckets) and buckets[-1][0] == float("inf")
        count = int(re.search(pattern % ("count", ""), text, re.M)[1])
        assert buckets[-1][1] == count
        return count, float(re.search(pattern % ("sum", ""), text, re.M)[1]), dict(buckets)

    count, total, buckets = figures("post_dial_delay_seconds", "broker")
    assert count == 1 and 0.04 < total < 10 and buckets[0.02] == 0
    count, total, buckets = figures("answer_delay_seconds", "broker")
    assert count == 1 and 0.19 < total < 10 and buckets[0.05] == 0
    assert figures("tick_lateness_seconds", "worker0")[0] > 2
    until = time.monotonic() + 10
    while figures("ring_depth_records", "worker0")[0] < 2:  # a start and a stop
        assert time.monotonic() < until
        time.sleep(0.05)
    assert figures("query_time_seconds", "worker0")[0] == 3


def test_health_tells_of_a_stopped_worker(web):
    import signal

    web.engine.kill("worker 0", signal.SIGSTOP)
    try:
        until = time.monotonic() + 15
        while web.ask("/healthz", user=None).status == 200 and time.monotonic() < until:
            time.sleep(0.2)
        reply = web.ask("/healthz", user=None)
        assert reply.status == 503 and "worker 0" in reply.text
    finally:
        web.engine.kill("worker 0", signal.SIGCONT)


# --- events ---


class Events:
    def __init__(self, web, query="", last=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=20)
        headers = {"Authorization": "Bearer " + TOKEN}
        if last:
            headers["Last-Event-ID"] = last
        self.connection.request("GET", "/events" + query, headers=headers)
        self.reply = self.connection.getresponse()
        assert self.reply.status == 200 and self.reply.headers["Content-Type"] == "text/event-stream"
        self.last = None

    def next(self):
        event = {}
        while True:
            line = self.reply.readline().decode().rstrip("\n")
            if line == "" and "data" in event:
                self.last = event["id"]
                return event["event"], json.loads(event["data"])
            if ": " in line:
                name, value = line.split(": ", 1)
                event[name] = value

    def until(self, job):
        """Numbers of the events `crl::n` until that one."""
        out = []
        while not out or out[-1] != job:
            name, data = self.next()
            out.append(int(data["N"]) if name == "CUSTOM" else name)
        return out

    def close(self):
        self.connection.close()


FIRE = '''for i = tonumber(argv[1]), tonumber(argv[2]) do
  local e = freeswitch.Event("CUSTOM", "crl::n") e:addHeader("N", tostring(i)) e:addBody(string.rep("x", tonumber(argv[3] or 1))) e:fire()
end'''


def test_events_come_live_and_a_reader_that_comes_back_gets_what_it_missed(web):
    web.engine.write("scripts/fire.lua", FIRE)
    events = Events(web, "?types=CUSTOM")
    web.engine.api("lua", "fire.lua 1 20")
    assert events.until(20) == list(range(1, 21))
    last = events.last
    events.close()
    time.sleep(0.5)
    web.engine.api("lua", "fire.lua 21 40")
    events = Events(web, "?types=CUSTOM", last)
    assert events.until(40) == list(range(21, 41))
    web.engine.api("lua", "fire.lua 41 41")
    assert events.until(41) == [41]
    events.close()
    events = Events(web, "?types=CUSTOM", "1234.1.2.3.4")
    assert events.next() == ("gap", {"missed": None})


def test_a_reader_that_does_not_read_is_told_of_a_gap_and_harms_nobody(web):
    web.engine.write("scripts/fire.lua", FIRE)
    sleeper, reader = Events(web, "?types=CUSTOM"), Events(web, "?types=CUSTOM")
    got = []
    follow = threading.Thread(target=lambda: got.extend(reader.until(6000)))
    follow.start()
    for n in range(6):
        web.engine.api("lua", "fire.lua %d %d 8000" % (n * 1000 + 1, n * 1000 + 1000))
        began = time.monotonic()
        assert web.ask("/v1/status").status == 200 and time.monotonic() - began < 1
    follow.join(60)
    assert [n for n in got if isinstance(n, int)][-1] == 6000
    seen, missed = 0, 0
    while True:
        name, data = sleeper.next()
        if name == "gap":
            missed += data["missed"]
        else:
            seen += 1
            if data["N"] == "6000":
                break
    assert missed > 0 and seen > 0


def test_wrong_types_are_refused(web):
    assert web.ask("/events?types=NO_SUCH").status == 400


# --- the page ---


def test_the_page_and_its_parts_come_from_the_binary_and_name_no_other_host(web):
    page = web.ask("/", user=None)
    assert page.status == 200 and "default-src 'none'" in page.headers["Content-Security-Policy"]
    parts = re.findall(r'(?:src|href)="([^"#]+)"', page.text)
    assert parts
    for part in parts:
        reply = web.ask("/" + part.lstrip("/"), user=None)
        assert reply.status == 200, part
        assert not re.search(r"https?://(?!www\.w3\.org)", reply.text), part


def test_control_dies_and_the_web_comes_back(web):
    web.engine.kill("control")
    until = time.monotonic() + 15
    while time.monotonic() < until:
        try:
            if web.ask("/v1/status").status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("no web after control's death")
