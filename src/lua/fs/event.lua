-- event.lua: events: an ordered list of headers and a body, the Event class, its text, XML and JSON forms, and publishing.
local core = ...
local fs = core.fs
local util, class, types = fs.util, fs.class, fs.event_types

local concat, find, format, gmatch, gsub, insert, lower, match, remove, sub, tostring, type =
  table.concat, string.find, string.format, string.gmatch, string.gsub, table.insert, string.lower, string.match, table.remove, string.sub, tostring, type
local floor = math.floor

local event = {}
fs.event = event

-- An event's state: list of {name, value} in order, its type number and name, body, borrowed = may not be fired.
-- --- headers ---

local function find_header(e, name)
  local key = lower(name)
  local list = e.list
  for i = 1, #list do
    if lower(list[i][1]) == key then return i end
  end
end

function event.get(e, name)
  if not name or name == "" then return nil end
  if name == "_body" then return e.body end
  local index = match(name, "%[(%d+)%]$")
  if index then
    local all = event.get(e, (gsub(name, "%[%d+%]$", "")))
    if not all then return nil end
    return fs.variables and fs.variables.array_item(all, tonumber(index)) or (index == "0" and all or nil)
  end
  local i = find_header(e, name)
  return i and e.list[i][2]
end

function event.add(e, name, value)
  if value == nil then return end
  e.list[#e.list + 1] = { name, tostring(value) }
end

function event.del(e, name)
  local key, list, found = lower(name), e.list, false
  for i = #list, 1, -1 do
    if lower(list[i][1]) == key then
      remove(list, i)
      found = true
    end
  end
  return found
end

function event.set(e, name, value)
  event.del(e, name)
  event.add(e, name, value)
end

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

-- A new event of a type number or name.
function event.make(name, subclass, where)
  local number = types.number[name] or 0
  local e = { list = { { "Event-Name", name } }, type = number, name = name }
  standard(e, where)
  if subclass then
    e.list[#e.list + 1] = { "Event-Subclass", subclass }
    e.subclass = subclass
  end
  return e
end

-- From an event of the bus or a list of pairs.
function event.from_pairs(list)
  local e = { list = {}, type = 0, name = "CUSTOM" }
  for i = 1, #list do
    local name, value = list[i][1], list[i][2]
    if name == "_body" then e.body = value
    else
      e.list[#e.list + 1] = { name, value }
      if name == "Event-Name" then
        e.name = value
        e.type = types.number[value] or 0
      elseif name == "Event-Subclass" then e.subclass = value end
    end
  end
  return e
end

-- Publishes a copy; `ch` orders it among its call's events.
function event.fire(e, ch)
  local list = {}
  for i = 1, #e.list do list[i] = e.list[i] end
  if e.body then list[#list + 1] = { "_body", e.body } end
  core.publish(e.type, ch, list)
end

function event.wanted(name) return core.event_wanted(types.number[name]) end

-- --- the three forms ---

function event.text(e)
  local out = {}
  for i = 1, #e.list do
    local value = e.list[i][2]
    out[i] = e.list[i][1] .. ": " .. (value == "" and "" or util.url_encode(value)) .. "\n"
  end
  if e.body then out[#out + 1] = format("Content-Length: %d\n\n%s", #e.body, e.body)
  else out[#out + 1] = "\n" end
  return concat(out)
end

function event.xml(e)
  local out = { "<event>\n  <headers>\n" }
  for i = 1, #e.list do
    local name, value = e.list[i][1], util.xml_escape(util.url_encode(e.list[i][2]))
    if value == "" then out[#out + 1] = format("    <%s/>\n", name)
    else out[#out + 1] = "    <" .. name .. ">" .. value .. "</" .. name .. ">\n" end
  end
  out[#out + 1] = "  </headers>\n"
  if e.body then
    out[#out + 1] = format("  <Content-Length>%d</Content-Length>\n  <body>", #e.body)
    out[#out + 1] = util.xml_escape(e.body)
    out[#out + 1] = "</body>\n"
  end
  out[#out + 1] = "</event>\n"
  return concat(out)
end

function event.json(e)
  local out = {}
  for i = 1, #e.list do out[i] = util.json_text(e.list[i][1]) .. ":" .. util.json_text(e.list[i][2]) end
  if e.body then
    out[#out + 1] = format('"Content-Length":"%d"', #e.body)
    out[#out + 1] = '"_body":' .. util.json_text(e.body)
  end
  return "{" .. concat(out, ",") .. "}"
end

local string_escapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }
local function utf8(n)
  if n < 0x80 then return string.char(n) end
  if n < 0x800 then return string.char(0xC0 + floor(n / 64), 0x80 + n % 64) end
  return string.char(0xE0 + floor(n / 4096), 0x80 + floor(n / 64) % 64, 0x80 + n % 64)
end
-- One JSON string from `at` (behind its opening quote): text and the place behind the closing quote.
local function json_string(text, at)
  local out = {}
  while true do
    local stop = find(text, '["\\]', at)
    if not stop then return nil end
    out[#out + 1] = sub(text, at, stop - 1)
    if sub(text, stop, stop) == '"' then return concat(out), stop + 1 end
    local c = sub(text, stop + 1, stop + 1)
    if c == "u" then
      out[#out + 1] = utf8(tonumber(sub(text, stop + 2, stop + 5), 16) or 63)
      at = stop + 6
    else
      out[#out + 1] = string_escapes[c] or c
      at = stop + 2
    end
  end
end

-- An event from a flat JSON object of names and scalars (arrays of strings repeat a header); nil if it is none.
function event.from_json(text)
  local at = match(text or "", "^%s*{()")
  if not at then return nil end
  local pairs_list = {}
  while true do
    at = match(text, "^[%s,]*()", at)
    if sub(text, at, at) == "}" then break end
    if sub(text, at, at) ~= '"' then return nil end
    local name, value
    name, at = json_string(text, at + 1)
    if not name then return nil end
    at = match(text, "^%s*:%s*()", at)
    if not at then return nil end
    local function scalar()
      if sub(text, at, at) == '"' then
        value, at = json_string(text, at + 1)
      else
        value, at = match(text, "^([^,%]}%s]+)()", at)
        if value == "null" then value = nil end
      end
    end
    if sub(text, at, at) == "[" then
      at = at + 1
      while at and sub(text, at, at) ~= "]" do
        at = match(text, "^[%s,]*()", at)
        if sub(text, at, at) == "]" then break end
        scalar()
        if not at then return nil end
        if value then pairs_list[#pairs_list + 1] = { name, value } end
        at = match(text, "^%s*()", at)
      end
      at = at and at + 1
    else
      scalar()
      if not at then return nil end
      if value and lower(name) ~= "content-length" then pairs_list[#pairs_list + 1] = { name, value } end
    end
    if not at then return nil end
  end
  local e = event.from_pairs(pairs_list)
  local number, name = types.find(e.name)
  e.type, e.name = number or types.number.MESSAGE, number and name or "MESSAGE"
  return e
end

-- --- the class ---

local C = class.define("Event")
event.class = C

function event.object(e, borrowed)
  e.borrowed = borrowed
  return class.object(C, e)
end

class.overloaded_new(C, { "S", "SS" }, function(name, subclass)
  if name and lower(name) == "json" then
    local e = subclass and subclass ~= "" and event.from_json(subclass)
    if not e then -- an object without an event
      e = event.make("CUSTOM")
      e.list, e.name, e.absent = {}, "invalid", true
    end
    return class.object(C, e)
  end
  local number, upper = types.find(name)
  if subclass and upper ~= "CUSTOM" then
    core.log(4, "Changing event type to custom because you specified a subclass name!\n")
    number, upper = 0, "CUSTOM"
  elseif not number then
    number, upper = types.number.MESSAGE, "MESSAGE"
  end
  return class.object(C, event.make(upper, subclass, "switch_cpp.cpp"))
end)

class.method(C, "serialize", "Event::serialize", "S", 0, 1, function(e, form)
  if e.absent then return "" end
  form = form and lower(form)
  if form == "xml" then return event.xml(e) end
  if form == "json" then return event.json(e) end
  return event.text(e)
end)
class.method(C, "setPriority", "Event::setPriority", "p", 0, 1, function(e)
  event.set(e, "priority", "NORMAL")
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
  if value == "" then
    event.del(e, name)
    return true
  end
  event.add(e, name, value)
  return true
end)
class.method(C, "delHeader", "Event::delHeader", "S", 1, 1, function(e, name) return name ~= nil and event.del(e, name) end)
class.method(C, "fire", "Event::fire", "", 0, 0, function(e)
  if e.borrowed or e.absent then
    core.log(3, e.absent and "Trying to fire an event that does not exist!\n" or "Not My event!\n")
    return false
  end
  event.fire(e)
  return true
end)
class.method(C, "merge", "Event::merge", "E", 1, 1, function(e, other)
  if not other then return false end
  local n = #other.list
  for i = 1, n do insert(e.list, { other.list[i][1], other.list[i][2] }) end
  if other.body then e.body = other.body end
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
