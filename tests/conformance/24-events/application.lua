-- The application event: its own headers in front of the channel's, and the variables only in types that carry them.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local s = T.null()
local con = freeswitch.EventConsumer("CUSTOM")
con:bind("CHANNEL_APPLICATION")
local function fires(data)
  s:execute("event", data)
  local e = T.event(con, function(e) return e:serialize():find(s.uuid, 1, true) ~= nil end, 2000)
  if not e then return T.show(data, nil) end
  local names = {}
  for line in e:serialize():gmatch("[^\n]+") do
    local name = line:match("^[^:]+")
    names[#names + 1] = name
    if name == "Channel-State" then break end
  end
  local from
  for i, name in ipairs(names) do if name == "Event-Sequence" then from = i end end
  T.show(data, e:getType(), names[1], table.concat(names, " ", from), e:getHeader("variable_uuid") ~= nil)
end
fires("Event-Name=CUSTOM,Event-Subclass=probe::app,X=1,Y = two words ")
fires("X=1,X=2")
fires("event-name=custom,Unique-ID=mine")
fires("Event-Name=nope,Z=")
fires("no value")
s:hangup()
