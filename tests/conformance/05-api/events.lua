-- alone
-- Each command is an event of type API, and a script's env is that event.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
T.show("env", env:getType(), env:getHeader("API-Command"), (env:getHeader("API-Command-Argument"):match("[^/ ]+%.lua")))
local con, api = freeswitch.EventConsumer("API"), freeswitch.API()
T.show("blanks around a name", api:execute(" toupper ", "  a b "))
T.show("known or not", api:executeString("no_such_command with words"))
local seen = {}
while true do
  local e = con:pop(1, 400)
  if not e then break end
  T.show("event", e:getHeader("API-Command"), e:getHeader("API-Command-Argument"))
end
