-- Is somebody there? Fires an event and waits half a second for the answering one; examples/pong.lua answers.
--   lua examples/ping.lua
local replies = freeswitch.EventConsumer("CUSTOM", "ping::alive")
local question = freeswitch.Event("CUSTOM", "ping::anybody")
question:addHeader("Asked-By", "ping.lua")
question:fire()
local reply = replies:pop(1, tonumber(argv[1] or 500))
stream:write(reply and "answered by " .. (reply:getHeader("Answered-By") or "?") .. "\n" or "nobody answered\n")
