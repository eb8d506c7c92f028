-- What is scheduled, told by events; and how an application is named in those that it makes.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local s = T.null()
local u = s.uuid
local con = freeswitch.EventConsumer("ADD_SCHEDULE")
con:bind("DEL_SCHEDULE")
con:bind("RE_SCHEDULE")
local function told(what, group, last)
  local e
  repeat
    e = con:pop(1, 3000)
    if e and e:getHeader("Task-Group") == group then
      T.show(what, e:getType(), e:getHeader("Task-Desc"), tonumber(e:getHeader("Task-ID")) ~= nil, tonumber(e:getHeader("Task-Runtime")) >= 0)
    end
  until not e or e:getType() == last and e:getHeader("Task-Group") == group
end
T.api("sched_hangup +60 " .. u .. " USER_BUSY")
told("hangup", u, "ADD_SCHEDULE")
T.api("sched_transfer +60 " .. u .. " 1 XML far")
told("transfer", u, "ADD_SCHEDULE")
T.api("sched_broadcast +60 " .. u .. " x.wav aleg")
told("broadcast", u, "ADD_SCHEDULE")
local group = "again" .. u:sub(1, 8)
T.api("sched_api @1 " .. group .. " echo x")
told("repeated", group, "RE_SCHEDULE")
T.api("sched_del " .. group)
told("deleted", group, "DEL_SCHEDULE")
local executed = freeswitch.EventConsumer("CHANNEL_EXECUTE")
executed:bind("CHANNEL_EXECUTE_COMPLETE")
s:setVariable("app_uuid", "an-id")
s:setVariable("app_uuid_name", "a-name")
s:execute("set", "x=1")
s:execute("set", "x=2")
for _ = 1, 4 do
  local e = T.event(executed, function(e) return e:getHeader("Unique-ID") == u end)
  local id = e:getHeader("Application-UUID")
  T.show(e:getHeader("Application-Data"), e:getType(), #id == 36 and "<uuid>" or id, e:getHeader("Application-UUID-Name"))
end
s:hangup()
for _ = 1, 3 do told("the call is gone", u, "DEL_SCHEDULE") end
