-- What the application bridge does with the first leg when nobody answers: goes on, goes elsewhere, ends.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local function try(what, cause, variables)
  local s = T.null()
  for name, value in pairs(variables) do s:setVariable(name, value) end
  s:execute("bridge", "error/" .. cause)
  T.show(what, s:ready(), s:ready() and "up" or s:hangupCause(), s:getVariable("originate_failed_cause"))
  if s:ready() then s:hangup() end
end
try("busy", "USER_BUSY", {})
try("no answer goes on", "NO_ANSWER", {})
try("no answer is not listed", "NO_ANSWER", { continue_on_fail = "USER_BUSY" })
try("false", "NO_ANSWER", { continue_on_fail = "false" })
try("listed by name", "USER_BUSY", { continue_on_fail = "no_answer,user_busy" })
try("listed by number", "USER_BUSY", { continue_on_fail = "17" })
try("true", "USER_BUSY", { continue_on_fail = "true" })
try("failure cause", "USER_BUSY", { failure_causes = "USER_BUSY" })
try("no failure cause", "USER_BUSY", { failure_causes = "CALL_REJECTED" })
try("transfer_on_fail true goes on", "USER_BUSY", { transfer_on_fail = "true" })
for _, target in ipairs({ "USER_BUSY mark-tof XML far", "USER_BUSY auto_cause XML far" }) do
  T.api("hash delete/marks/tof")
  local r = T.api("originate {transfer_on_fail='" .. target .. "'}null/x &bridge(error/USER_BUSY)")
  local uuid = r:match("%+OK (%S+)")
  if target:find("mark-tof", 1, true) then
    T.show("transfer_on_fail", T.wait(function() local v = T.api("hash select/marks/tof") return v ~= "" and v:match("^far:mark%-tof") end))
  else
    local where = T.wait(function() return T.api("uuid_exists " .. uuid) == "false" end)
    T.show("auto_cause has no extension here", where)
  end
  T.api("uuid_kill " .. uuid)
end
