-- Dials a number over two gateways in turn until one gets through, at most three times in all; busy and the like are final.
--   luarun examples/retry_gateways.lua NUMBER GATEWAY GATEWAY
local number, gateways = argv[1], { argv[2] or "first", argv[3] or "second" }
local again = {
  NO_ROUTE_DESTINATION = true, RECOVERY_ON_TIMER_EXPIRE = true, INCOMPATIBLE_DESTINATION = true, CALL_REJECTED = true, NORMAL_TEMPORARY_FAILURE = true,
  INVALID_GATEWAY = true, GATEWAY_DOWN = true,
}
local most, tries = 3, 0
local call, cause
repeat
  tries = tries + 1
  local gateway = gateways[(tries - 1) % #gateways + 1]
  freeswitch.consoleLog("notice", ("try %d: %s over %s\n"):format(tries, number, gateway))
  call = freeswitch.Session(("{ignore_early_media=true,originate_timeout=20}sofia/gateway/%s/%s"):format(gateway, number))
  cause = call:hangupCause()
  freeswitch.consoleLog("notice", ("try %d: %s\n"):format(tries, cause))
until call:ready() or not again[cause] or tries == most

if call:ready() then
  call:streamFile("tone_stream://%(200,0,660)")
  call:hangup()
end
if stream then stream:write(("%s after %d tries\n"):format(cause, tries)) end
