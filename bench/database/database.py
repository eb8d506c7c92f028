#!/usr/bin/env python3
"""freeswitch.Dbh on PostgreSQL beside pgbench with the same statement on the same server: one script alone, and many on one worker.

    bench/database/database.py [--queries 2000] [--scripts 100] [--rounds 5] [--json]

The statement reads one row by its key. pgbench speaks the extended protocol with as many clients as there are scripts, on one thread. The figures are
statements a second: the larger the better, so a ratio below 1 means that we are slower.
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import kit  # noqa: E402
from lib.postgres import Postgres  # noqa: E402

SCRIPT = """
local dbh = freeswitch.Dbh(argv[1])
local n, from, seen = tonumber(argv[2]), tonumber(argv[3]), 0
for i = 1, n do
  dbh:query("SELECT abalance FROM pgbench_accounts WHERE aid = " .. (from + i) % 100000 + 1, function(row) seen = seen + 1 end)
end
dbh:release()
freeswitch.setGlobalVariable("bench_" .. argv[4], tostring(seen))
"""
RUN = """
local api, began = freeswitch.API(), freeswitch.API():getTime()
local scripts, each = tonumber(argv[2]), math.floor(tonumber(argv[3]) / tonumber(argv[2]))
for i = 1, scripts do
  freeswitch.setGlobalVariable("bench_" .. i, "wait")
  api:executeString("luarun query.lua " .. argv[1] .. " " .. each .. " " .. i * 977 .. " " .. i)
end
for i = 1, scripts do
  while freeswitch.getGlobalVariable("bench_" .. i) == "wait" do freeswitch.msleep(2) end
  assert(freeswitch.getGlobalVariable("bench_" .. i) == tostring(each))
end
stream:write(string.format("%.1f", scripts * each * 1000 / (api:getTime() - began)))
"""


def floor(server, url, clients, queries):
    script = os.path.join(server.folder, "one.sql")
    with open(script, "w") as f:
        f.write("\\set aid random(1, 100000)\nSELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n")
    os.chmod(script, 0o644)
    out = subprocess.run([os.path.join(server.bin, "pgbench"), "-n", "-M", "extended", "-f", script, "-c", str(clients), "-j", "1", "-t", str(max(1, queries // clients)), url],
                         capture_output=True, text=True, check=True, timeout=300).stdout
    return float(re.search(r"tps = ([0-9.]+)", out).group(1))


def main():
    parser = kit.options(__doc__, queries=2000, scripts=100, rounds=5)
    options = parser.parse_args()
    report, server = kit.Report(options.json), Postgres()
    engine = kit.Engine(slots=20, scripts={"database_connections": 32})
    try:
        os.chmod(server.folder, 0o755)
        url = server.new_database()
        subprocess.run([os.path.join(server.bin, "pgbench"), "-i", "-q", url], capture_output=True, check=True)
        engine.write("scripts/query.lua", SCRIPT)
        run = engine.write("scripts/run.lua", RUN)
        for name, scripts in (("database_one_script", 1), ("database_%d_scripts" % options.scripts, options.scripts)):
            queries = options.queries if scripts == 1 else options.queries * 5
            values, floors = [], []
            for _ in range(options.rounds):
                floors.append(floor(server, url, min(scripts, 32), queries))
                answer = engine.api("lua", run, url, scripts, queries, timeout=300)
                if answer.startswith("-ERR"):
                    raise SystemExit(answer + engine.all_text()[-2000:])
                values.append(float(answer))
            report.tell(name, values, "queries/s", floors)
    finally:
        engine.close()
        server.close()


if __name__ == "__main__":
    main()
