-- lua.conf's event hook runs a script for each event of its kind, with the event as a global.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local function ask(type_name, subclass, question, body)
  local e = subclass and freeswitch.Event(type_name, subclass) or freeswitch.Event(type_name)
  e:addHeader("Question", question)
  if body then e:addBody(body) end
  e:fire()
end
ask("CUSTOM", "probe::other", "wrong")
ask("MESSAGE", nil, "type")
ask("CUSTOM", "probe::hooked", "right", "with body")
T.show("right", T.wait(function() return freeswitch.getGlobalVariable("hooked_right") end))
T.show("wrong subclass", freeswitch.getGlobalVariable("hooked_wrong"))
T.show("wrong type", freeswitch.getGlobalVariable("hooked_type"))
