#!/usr/bin/env python3
"""Memory of a held, scripted call: the slope of all processes' PSS between few and many calls. Shared pages count once; SIP transactions that linger are over.

    bench/calls/memory.py [--few 500] [--many 3000] [--json]

Each call is an answered one of a campaign-like script that plays an endless tone. The answer lies 35 s back when the memory is read, so that the INVITE's
transactions (32 s) are gone.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import kit  # noqa: E402

LINGER_S = int(os.environ.get("BENCH_LINGER_S", "35"))
DIAL = """
local api = freeswitch.API()
for i = tonumber(argv[1]), tonumber(argv[2]) do
  api:executeString("bgapi originate {ignore_early_media=true}sofia/gateway/carrier/1555" .. string.format("%07d", i) .. " &lua(hold.lua)")
  if i % 4 == 0 then freeswitch.msleep(20) end
end
"""
HOLD = 'local name, n = session:getVariable("destination_number"), 0 while session:ready() do session:streamFile("tone_stream://%(60000,0,440)") n = n + 1 end'


def hold(engine, first, last):
    engine.cli("luarun", "dial.lua", str(first), str(last))
    engine.wait_counter("calls_answered", last, 120)
    time.sleep(LINGER_S)


def main():
    options = kit.options(__doc__, few=500, many=3000).parse_args()
    report = kit.Report(options.json)
    carrier = kit.Carrier("--media-ports", "16", plan="match=* answer after=20ms talk=600s sound=none")
    engine = kit.engine_for({"carrier": carrier}, slots=options.many + 100)
    try:
        engine.write("scripts/hold.lua", HOLD)
        engine.write("scripts/dial.lua", DIAL)
        hold(engine, 1, options.few)
        few = kit.pss_kb(engine.pids())
        hold(engine, options.few + 1, options.many)
        many = kit.pss_kb(engine.pids())
        if engine.counters().get("calls_active") != options.many:
            raise SystemExit("%s calls are up, not %d" % (engine.counters().get("calls_active"), options.many))
        report.tell("memory_per_held_call", (many - few) / (options.many - options.few), "KB", note="%d MB at %d calls" % (many / 1024, options.many))
    finally:
        engine.close()
        carrier.close()


if __name__ == "__main__":
    main()
