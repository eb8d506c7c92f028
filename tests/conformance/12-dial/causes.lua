-- Each way a call fails over SIP, as the caller sees it.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
for _, c in ipairs({ "USER_BUSY", "NO_ANSWER", "CALL_REJECTED", "NO_ROUTE_DESTINATION", "UNALLOCATED_NUMBER", "NORMAL_TEMPORARY_FAILURE", "INCOMPATIBLE_DESTINATION",
    "INVALID_NUMBER_FORMAT", "NUMBER_CHANGED", "SUBSCRIBER_ABSENT", "17", "nonsense" }) do
  T.show(c, T.far("cause-" .. c):hangupCause())
end
for _, code in ipairs({ 400, 403, 404, 408, 410, 480, 484, 486, 487, 488, 500, 501, 502, 503, 504, 600, 603, 604, 606, 607 }) do
  T.show(tostring(code), T.far("status-" .. code, "disable_q850_reason=true"):hangupCause())
end
