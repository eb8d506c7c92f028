-- Early media, ringing, timeouts and retries, on SIP calls.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local function dial(label, variables, target, f)
  local t = T.now()
  local s = freeswitch.Session("{" .. variables .. "}" .. target)
  local took = T.now() - t
  T.show(label, s:ready(), s:hangupCause(), f and f(s))
  if s:ready() then s:hangup() end
  return took
end
local function sip(number) return "sofia/internal/" .. number .. "@" .. T.sip end
dial("early media is success", "x=1", sip("early-5000"), function(s) return s:answered() end)
dial("but not if ignored", "ignore_early_media=true", sip("early-300"), function(s) return s:answered() end)
dial("ignored, then refused", "ignore_early_media=true", sip("early-200-USER_BUSY"))
dial("return_ring_ready", "return_ring_ready=true", sip("rings"), function(s) return s:answered() end)
dial("rings, then answers", "x=1", sip("rings-200"), function(s) return s:answered() end)
T.between("originate_timeout", dial("timeout", "originate_timeout=2", sip("rings")), 900, 5000)
T.between("leg_timeout", dial("leg timeout", "leg_timeout=2", sip("rings")), 900, 5000)
dial("progress_timeout", "progress_timeout=1", sip("waits-6000"))
dial("no more forks after a timeout", "originate_timeout=2", sip("rings") .. "|null/x")
dial("unless asked to go on", "originate_timeout=2,originate_continue_on_timeout=true", sip("rings") .. "|null/x")
dial("the first that answers wins", "ignore_early_media=true", sip("rings") .. "," .. sip("rings-100"), function(s) return s:getVariable("destination_number") end)
dial("all fail", "x=1", sip("cause-USER_BUSY") .. "," .. sip("rings-300-USER_BUSY"))
T.between("retries", dial("busy each time", "originate_retries=3,originate_retry_sleep_ms=500", "error/USER_BUSY"), 900, 6000)
T.between("leg_delay_start", dial("delayed", "x=1", "[leg_delay_start=1]" .. sip("parked")), 500, 5000)
