-- The events of both legs of a bridge, of a transfer out of it and of the park behind it: their order, and the state that each tells.
-- Channel-State is what the call was last seen to run in, Channel-State-Number where it is sent.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local con = freeswitch.EventConsumer("CHANNEL_CREATE")
for _, n in ipairs({ "CHANNEL_OUTGOING", "CHANNEL_ORIGINATE", "CHANNEL_STATE", "CHANNEL_ANSWER", "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE", "CHANNEL_EXECUTE", "CHANNEL_EXECUTE_COMPLETE",
  "CHANNEL_PARK", "CHANNEL_UNPARK", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY" }) do con:bind(n) end
local name = {}
local function told(title, who, till)
  local seen = {}
  repeat
    local e = con:pop(1, 3000)
    local u = e and e:getHeader("Unique-ID")
    local what = e and e:getType():gsub("^CHANNEL_", "")
    if e and name[u] == who then
      T.show(title, who, what, e:getHeader("Channel-State"), e:getHeader("Channel-State-Number"), e:getHeader("Answer-State"), e:getHeader("Application"))
      seen = what .. " " .. e:getHeader("Channel-State")
    end
  until not e or seen == till
end
local a = T.null()
name[a.uuid] = "a"
told("birth", "a", "STATE CS_SOFT_EXECUTE")
local b = T.null()
name[b.uuid] = "b"
told("birth", "b", "STATE CS_SOFT_EXECUTE")
T.api("uuid_bridge " .. a.uuid .. " " .. b.uuid)
T.wait(function() return a:bridged() and b:bridged() end, 3000)
T.show("before", T.api("uuid_getvar " .. a.uuid .. " original_destination_number"), T.api("uuid_getvar " .. b.uuid .. " transfer_source"):match(":uuid_br:(.*)") == a.uuid)
T.show("beside", T.api("uuid_dump " .. b.uuid):match("Channel%-State: (%S+)"))
T.api("uuid_transfer " .. a.uuid .. " parked XML far")
T.wait(function() return T.api("uuid_dump " .. a.uuid):find("variable_current_application: park\n", 1, true) end, 3000)
T.api("uuid_kill " .. a.uuid)
told("a's", "a", "STATE CS_DESTROY")
b:hangup()
