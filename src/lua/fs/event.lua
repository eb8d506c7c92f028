-- event.lua: events: how one is made and published, and the class Event. Its headers: event_headers.lua; its forms: event_forms.lua.
--
-- An event's state: list of headers in order, its type number and name, subclass, body, borrowed = may not be fired.
local core = ...
local fs = core.fs
local class, types, event = fs.class, fs.event_types, fs.event

local floor, format, lower = math.floor, string.format, string.lower

-- --- the headers that every event carries from the start ---

-- The engine's own id: the global `core_uuid`; whoever needs it first makes it.
local function core_uuid()
  local id = core.global_get("core_uuid")
  if not id then
    id = core.uuid()
    core.global_set("core_uuid", id)
  end
  return id
end
event.core_uuid = core_uuid

local sequence, second, local_text, gmt_text = 0, -1, "", ""
local function standard(e, where)
  local us = core.utc_us()
  local now = floor(us / 1000000)
  if now ~= second then
    second = now
    local_text = core.strftime("%Y-%m-%d %H:%M:%S", now)
    gmt_text = core.strftime("%a, %d %b %Y %H:%M:%S GMT", now, "UTC")
  end
  sequence = sequence + 1
  local list, n = e.list, #e.list
  list[n + 1] = { "Core-UUID", core_uuid() }
  list[n + 2] = { "FreeSWITCH-Hostname", core.global_get("hostname") or "localhost" }
  list[n + 3] = { "FreeSWITCH-Switchname", core.global_get("switchname") or core.global_get("hostname") or "localhost" }
  list[n + 4] = { "FreeSWITCH-IPv4", core.global_get("local_ip_v4") or "127.0.0.1" }
  list[n + 5] = { "FreeSWITCH-IPv6", core.global_get("local_ip_v6") or "::1" }
  list[n + 6] = { "Event-Date-Local", local_text }
  list[n + 7] = { "Event-Date-GMT", gmt_text }
  list[n + 8] = { "Event-Date-Timestamp", format("%.0f", us) }
  list[n + 9] = { "Event-Calling-File", where or "event.lua" }
  list[n + 10] = { "Event-Calling-Function", "event" }
  list[n + 11] = { "Event-Calling-Line-Number", "1" }
  list[n + 12] = { "Event-Sequence", format("%d", sequence) }
end

-- A new event of a type name.
function event.make(name, subclass, where)
  local e = event.bare(name)
  e.list[1] = { "Event-Name", name }
  standard(e, where)
  if subclass then
    e.list[#e.list + 1] = { "Event-Subclass", subclass }
    e.subclass = subclass
  end
  return e
end

-- Type and subclass of a list of pairs: looked up once, then they stand in the list.
function event.kind(list)
  if not list.name then
    for i = 1, #list do
      local header = list[i][1]
      if header == "Event-Name" then list.name = list.name or list[i][2]
      elseif header == "Event-Subclass" then list.subclass = list.subclass or list[i][2] end
    end
    list.name = list.name or "CUSTOM"
  end
  return list.name, list.subclass
end

-- From an event of the bus or a list of pairs.
function event.from_pairs(list)
  local name, subclass = event.kind(list)
  local e = event.bare(name)
  e.subclass = subclass
  for i = 1, #list do
    local header, value = list[i][1], list[i][2]
    if header == "_body" then
      e.body = value
    elseif string.sub(value, 1, 7) == "ARRAY::" then
      event.add(e, header, value)
    else
      e.list[#e.list + 1] = { header, value }
    end
  end
  return e
end

-- Publishes a copy, its subclass in front as FreeSWITCH's copies have it; `ch` orders it among its call's events.
function event.fire(e, ch)
  local copy = event.bare(e.name)
  if e.subclass then copy.list[1] = { "Event-Subclass", e.subclass } end
  for i = 1, #e.list do
    local header = e.list[i]
    if header[3] then
      for k = 1, #header[3] do event.push(copy, header[1], header[3][k]) end
      event.mark_array(copy, header[1])
    elseif not (e.subclass and header[1] == "Event-Subclass") then
      copy.list[#copy.list + 1] = header
    end
  end
  if e.body then copy.list[#copy.list + 1] = { "_body", e.body } end
  core.publish(e.type, ch, copy.list)
end

function event.wanted(name) return core.event_wanted(types.number[name]) end

-- --- the class ---

local C = class.define("Event")
event.class = C

function event.object(e, borrowed)
  e.borrowed = borrowed
  return class.object(C, e)
end

-- An object without an event.
local function absent()
  local e = event.bare("CUSTOM")
  e.name, e.absent = "invalid", true
  return e
end

class.overloaded_new(C, { "S", "SS" }, function(name, subclass)
  local number, upper = types.find(name)
  if subclass == "" and upper ~= "CUSTOM" then
    core.log(3, "Failed to create event!\n")
    return class.object(C, absent())
  end
  subclass = fs.util.some(subclass)
  if subclass and name and lower(name) == "json" then return class.object(C, event.from_json(subclass) or absent()) end
  if subclass and upper ~= "CUSTOM" then
    core.log(4, "Changing event type to custom because you specified a subclass name!\n")
    upper = "CUSTOM"
  elseif not number then
    upper = "MESSAGE"
  end
  return class.object(C, event.make(upper, subclass, "switch_cpp.cpp"))
end)

C.get.mine = function(e) return e.borrowed and 0 or 1 end
C.get.serialized_string = function(e) return e.serialized end

class.method(C, "serialize", "Event::serialize", "S", 0, 1, function(e, form)
  if e.absent then return "" end
  form = form and lower(form)
  e.serialized = form == "xml" and event.xml(e) or form == "json" and event.json(e) or event.text(e)
  return e.serialized
end)
class.method(C, "setPriority", "Event::setPriority", "p", 0, 1, function(e)
  if e.absent then return false end
  event.add(e, "priority", "NORMAL", true)
  return true
end)
class.method(C, "getHeader", "Event::getHeader", "S", 1, 1, function(e, name)
  if not name or name == "" then
    core.log(3, "Trying to getHeader an invalid header!\n")
    return nil
  end
  return event.get(e, name)
end)
class.method(C, "getBody", "Event::getBody", "", 0, 0, function(e) return e.body end)
class.method(C, "getType", "Event::getType", "", 0, 0, function(e) return e.name end)
class.method(C, "addBody", "Event::addBody", "S", 1, 1, function(e, text)
  if e.absent then return false end
  e.body = text
  return text ~= nil
end)
class.method(C, "addHeader", "Event::addHeader", "SS", 2, 2, function(e, name, value)
  if not name or value == nil or e.absent then return false end
  event.add(e, name, value)
  return true
end)
class.method(C, "delHeader", "Event::delHeader", "S", 1, 1, function(e, name)
  if name and name ~= "" then return event.del(e, name) end
  core.log(3, "Trying to delHeader an invalid header!\n")
  return false
end)
class.method(C, "fire", "Event::fire", "", 0, 0, function(e)
  if e.borrowed or e.absent then
    core.log(3, e.absent and "Trying to fire an event that does not exist!\n" or "Not My event!\n")
    return false
  end
  event.fire(e)
  return true
end)
class.method(C, "merge", "Event::merge", "E", 1, 1, function(e, other)
  if e.absent or not other or other.absent then
    core.log(3, "Trying to merge from an event that does not exist!\n")
    return false
  end
  if other ~= e then event.merge(e, other) end
  return true
end)
class.method(C, "chat_execute", "Event::chat_execute", "SS", 1, 2, function(e, app, data)
  return fs.chat and fs.chat.execute(e, app, data) or -1
end)
class.method(C, "chat_send", "Event::chat_send", "S", 0, 1, function(e, proto)
  return fs.chat and fs.chat.send(e, proto) or -1
end)
-- Names of older versions.
C.fn.add_body, C.fn.get_body = C.fn.addBody, C.fn.getBody
