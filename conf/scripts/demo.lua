-- demo.lua: what an answered call of the demo campaign hears. Plain FreeSWITCH Lua: `session` is answered, each column of the lead is a
-- channel variable, and what is set in `disposition` becomes the lead's.
local name = session:getVariable("name") or "there"
freeswitch.consoleLog("info", "calling " .. name .. "\n")

session:setAutoHangup(false)
session:sleep(300)

-- Two short tones for a prompt, then one digit out of 1, 2 and 9: two tries of 4 seconds each. A recording of yours goes here as
-- "welcome.wav" (looked up in sounds_dir).
local prompt = "tone_stream://%(180,80,660);%(180,80,880)"
local digit = session:playAndGetDigits(1, 1, 2, 4000, "", prompt, "", "[129]")

if digit == "1" then
  session:setVariable("disposition", "interested")
  session:streamFile("tone_stream://%(400,100,880)")
elseif digit == "2" then
  session:setVariable("disposition", "callback")
  session:streamFile("tone_stream://%(200,100,660);loops=2")
elseif digit == "9" then
  session:setVariable("disposition", "do_not_call")
elseif session:ready() then
  session:setVariable("disposition", "no_digit")
end

session:hangup("NORMAL_CLEARING")
