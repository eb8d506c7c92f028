-- What a leg learns of the other one: from a dial that failed, and from a bridge that either side ended.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local con = freeswitch.EventConsumer("CHANNEL_HANGUP_COMPLETE")
local names = { "bridge_hangup_cause", "last_bridge_hangup_cause", "last_bridge_role", "last_bridge_proto_specific_hangup_cause", "sip_invite_failure_status",
  "sip_invite_failure_phrase", "originate_signal_bond" }
local function known(what, get)
  local values = {}
  for i, name in ipairs(names) do
    values[i] = get(name)
    if i == #names then values[i] = values[i] and "a leg" end
  end
  T.show(what, unpack(values, 1, #names))
end
local s = T.null("hangup_after_bridge=false,continue_on_fail=true")
local function of_s(name) return s:getVariable(name) end
s:execute("bridge", "error/CALL_REJECTED")
known("no leg", of_s)
s:execute("bridge", "loopback/cause-CALL_REJECTED/far")
known("a loopback", of_s)
s:execute("bridge", "sofia/internal/status-486@" .. T.sip)
known("refused", of_s)
s:execute("bridge", "sofia/internal/leaves-200-NORMAL_UNSPECIFIED@" .. T.sip)
known("the second left", of_s)
local b = T.event(con, function(e) return e:getHeader("variable_originator") == s.uuid and e:getHeader("variable_billsec") ~= "0" or e:getHeader("variable_last_bridge_role") end)
known("of itself", function(name) return b:getHeader("variable_" .. name) end)
T.show("bonds", b:getHeader("variable_signal_bond") == s.uuid, s:getVariable("signal_bond") == b:getHeader("Unique-ID"))
s:hangup()
local a = T.null()
T.background([[freeswitch.msleep(400) freeswitch.API():executeString("uuid_kill " .. argv[1] .. " CALL_REJECTED")]], a.uuid)
a:execute("bridge", "loopback/hush/far")
local ended = {}
T.event(con, function(e)
  if e:getHeader("Unique-ID") == a.uuid then ended.first = e
  elseif e:getHeader("variable_originator") == a.uuid then ended.second = e end
  return ended.first and ended.second
end)
for _, who in ipairs({ "first", "second" }) do
  known("the first left, the " .. who, function(name) return ended[who] and ended[who]:getHeader("variable_" .. name) end)
end
