-- Answers examples/ping.lua, in the background, until it is asked to stop.
--   luarun examples/pong.lua
local questions = freeswitch.EventConsumer("CUSTOM", "ping::anybody")
questions:bind("CUSTOM", "ping::stop")
freeswitch.setGlobalVariable("pong_is_there", "true")
while freeswitch.running() do
  local event = questions:pop(1, 1000)
  if event then
    if event:getHeader("Event-Subclass") == "ping::stop" then break end
    local answer = freeswitch.Event("CUSTOM", "ping::alive")
    answer:addHeader("Answered-By", "pong.lua")
    answer:fire()
  end
end
freeswitch.setGlobalVariable("pong_is_there", nil)
