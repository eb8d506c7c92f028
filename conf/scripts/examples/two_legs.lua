-- Calls one party, then the other, and joins them; each step looks whether the first is still there.
--   luarun examples/two_legs.lua DIALSTRING_A DIALSTRING_B
local function wait_for_answer(leg, while_ready)
  local disposition
  while leg:ready() and (not while_ready or while_ready:ready()) do
    disposition = leg:getVariable("endpoint_disposition")
    if disposition == "ANSWER" then return true end
    freeswitch.consoleLog("info", "disposition is " .. tostring(disposition) .. "\n")
    leg:sleep(200)
  end
  return false
end
local function say(text)
  freeswitch.consoleLog("notice", text .. "\n")
  if stream then stream:write(text .. "\n") end
end

local a = freeswitch.Session(argv[1])
if not wait_for_answer(a) then return say("the first party: " .. a:hangupCause()) end
local b = freeswitch.Session(argv[2], a)
if not wait_for_answer(b, a) then return say(a:ready() and "the second party: " .. b:hangupCause() or "the first party left") end
a:setVariable("hangup_after_bridge", "false")
freeswitch.bridge(a, b)
say("they talked; the first is " .. (a:ready() and "still there" or "gone"))
