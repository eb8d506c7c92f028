-- esl.lua: the module ESL: connections to an event socket, as FreeSWITCH's library offers them to Lua.
--
-- The same file serves scripts of the engine, where waiting suspends the script alone (esl_module.lua), and plain Lua (src/esl/ESL.c). What
-- differs is in core.tcp: connect(host, port) → connection | nil, attach(descriptor) → connection | nil, send(c, text) → true | nil,
-- receive(c, ms | nil) → text | false (closed) | nil (the time is over), descriptor(c), close(c).
local core = ...
local tcp, types = core.tcp, core.fs.event_types

local byte, char, concat, find, floor, format, gmatch, gsub, insert, ipairs, lower, match, remove, sub, upper = string.byte, string.char, table.concat,
  string.find, math.floor, string.format, string.gmatch, string.gsub, table.insert, ipairs, string.lower, string.match, table.remove, string.sub, string.upper
local error, select, setmetatable, tonumber, tostring, type = error, select, setmetatable, tonumber, tostring, type

local function decode(text)
  return (gsub(text, "%%(%x%x)", function(hex) return char(tonumber(hex, 16)) end))
end
local function encode(text)
  return (gsub(text, '[%z\1-\32\127-\255"#%%&+:;<=>?@%[\\%]^`{|}]', function(c) return format("%%%02X", byte(c)) end))
end
local function truth(value) return value ~= nil and find("|true|yes|on|enable|enabled|active|allow|t|1|", "|" .. lower(tostring(value)) .. "|", 1, true) ~= nil end

-- An argument as SWIG takes it: a text, or a number as one; nil where it may be.
local function text_of(value, where, at, optional)
  if value == nil and optional then return nil end
  if type(value) == "number" then return value == floor(value) and format("%d", value) or tostring(value) end
  if type(value) ~= "string" then error(format("Error in %s (arg %d), expected 'char const *' got '%s'", where, at, value == nil and "nil" or type(value)), 3) end
  return value
end

-- --- events ---

local Event = {}
Event.__index = Event

-- state: list of { name, value | list of values }, type name, body
local function event_new(name) return setmetatable({ list = {}, name = name, at = 0 }, Event) end

local function place(e, name)
  local key = lower(name)
  for i = 1, #e.list do if lower(e.list[i][1]) == key then return i end end
end

local function joined(value)
  if type(value) ~= "table" then return value end
  return #value == 1 and value[1] or "ARRAY::" .. concat(value, "|:")
end

local function add(e, name, value)
  local array = match(value, "^ARRAY::(.*)$")
  if array then
    value = {}
    for one in gmatch(array .. "|:", "(.-)|:") do value[#value + 1] = one end
  end
  e.list[#e.list + 1] = { name, value }
end

-- "Name: value" lines, decoded, up to a blank line; the place behind it.
local function headers_read(e, text, from)
  local at = from
  while true do
    local stop = find(text, "\n", at, true)
    local line = sub(text, at, (stop or #text + 1) - 1)
    if line == "" then return (stop or #text) + 1 end
    local name, value = match(line, "^([^:]+): ?(.*)$")
    if name then add(e, name, decode(value)) end
    if not stop then return #text + 1 end
    at = stop + 1
  end
end

local function named(e)
  local i = place(e, "Event-Name")
  local number, name = types.find(i and joined(e.list[i][2]) or "")
  e.name = number and name or e.name
  return e
end

local function event_plain(text)
  local e = event_new("SOCKET_DATA")
  local behind = headers_read(e, text, 1)
  local i = place(e, "Content-Length")
  if i then e.body = sub(text, behind, behind + (tonumber(joined(e.list[i][2])) or 0) - 1) end
  return named(e)
end

local escapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }
local function utf8(n)
  if n < 0x80 then return char(n) end
  if n < 0x800 then return char(0xC0 + floor(n / 64), 0x80 + n % 64) end
  return char(0xE0 + floor(n / 4096), 0x80 + floor(n / 64) % 64, 0x80 + n % 64)
end
-- One JSON text at its opening quote, and the place behind it; nil if it is none.
local function json_text(text, at)
  if sub(text, at, at) ~= '"' then return nil end
  local out = {}
  at = at + 1
  while true do
    local stop = find(text, '["\\]', at)
    if not stop then return nil end
    out[#out + 1] = sub(text, at, stop - 1)
    if sub(text, stop, stop) == '"' then return concat(out), stop + 1 end
    local c = sub(text, stop + 1, stop + 1)
    if c == "u" then out[#out + 1] = utf8(tonumber(sub(text, stop + 2, stop + 5), 16) or 63) else out[#out + 1] = escapes[c] or c end
    at = stop + (c == "u" and 6 or 2)
  end
end
-- A flat object of texts and lists of texts.
local function event_json(text)
  local e = event_new("SOCKET_DATA")
  local at = match(text, "^%s*{()")
  while at do
    at = match(text, "^[%s,]*()", at)
    if sub(text, at, at) == "}" then return named(e) end
    local name, value
    name, at = json_text(text, at)
    at = name and match(text, "^%s*:%s*()", at)
    if not at then return nil end
    if sub(text, at, at) == "[" then
      value, at = {}, at + 1
      while true do
        at = match(text, "^[%s,]*()", at)
        if sub(text, at, at) == "]" then break end
        local one
        one, at = json_text(text, at)
        if not one then return nil end
        value[#value + 1] = one
      end
      at = at + 1
    elseif sub(text, at, at) == '"' then
      value, at = json_text(text, at)
    else
      value, at = match(text, "^([^,%]}%s]+)()", at)
    end
    if not at then return nil end
    if name == "_body" then e.body = value elseif value then e.list[#e.list + 1] = { name, value } end
  end
end

local function json_quoted(text)
  return '"' .. gsub(text, '[%z\1-\31"\\]', function(c)
    return c == '"' and '\\"' or c == "\\" and "\\\\" or c == "\n" and "\\n" or c == "\r" and "\\r" or c == "\t" and "\\t" or format("\\u%04x", byte(c))
  end) .. '"'
end

function Event:serialize(form)
  local out = {}
  if form and lower(form) == "json" then
    for i, h in ipairs(self.list) do
      local value = h[2]
      if type(value) == "table" then
        local all = {}
        for k = 1, #value do all[k] = json_quoted(value[k]) end
        value = "[" .. concat(all, ",") .. "]"
      else
        value = json_quoted(value)
      end
      out[i] = json_quoted(h[1]) .. ":" .. value
    end
    if self.body then
      out[#out + 1] = format('"Content-Length":"%d"', #self.body)
      out[#out + 1] = '"_body":' .. json_quoted(self.body)
    end
    return "{" .. concat(out, ",") .. "}"
  end
  for _, h in ipairs(self.list) do
    if not (self.body and lower(h[1]) == "content-length") then out[#out + 1] = h[1] .. ": " .. encode(joined(h[2])) .. "\n" end
  end
  if self.body then out[#out + 1] = format("Content-Length: %d\n\n%s", #self.body, self.body) else out[#out + 1] = "\n" end
  return concat(out)
end

-- As it goes out in sendevent and sendmsg: values as they are.
local function unencoded(e)
  local out = {}
  for _, h in ipairs(e.list) do out[#out + 1] = h[1] .. ": " .. gsub(joined(h[2]), "[\r\n]+", " ") .. "\n" end
  if e.body then return concat(out) .. format("Content-Length: %d\n\n%s", #e.body, e.body) end
  return concat(out) .. "\n"
end

function Event:getHeader(name, index)
  name = text_of(name, "ESLevent::getHeader", 2)
  if name == "_body" then return self.body end
  local i = place(self, name)
  local value = i and self.list[i][2]
  if value == nil then return nil end
  if type(index) == "number" and index > -1 then
    if type(value) ~= "table" then return index == 0 and value or nil end
    return value[index + 1]
  end
  return joined(value)
end
function Event:getBody() return self.body end
function Event:getType() return self.name end
function Event:addBody(text)
  self.body = text_of(text, "ESLevent::addBody", 2)
  return true
end
function Event:delHeader(name)
  local found = false
  name = text_of(name, "ESLevent::delHeader", 2)
  while true do
    local i = place(self, name)
    if not i then return found end
    remove(self.list, i)
    found = true
  end
end
function Event:addHeader(name, value)
  name, value = text_of(name, "ESLevent::addHeader", 2), text_of(value, "ESLevent::addHeader", 3)
  if value == "" then return self:delHeader(name) or true end
  add(self, name, value)
  return true
end
local function many(e, name, value, first)
  local i = place(e, name)
  if not i then
    e.list[#e.list + 1] = { name, { value } }
    return true
  end
  local h = e.list[i]
  if type(h[2]) ~= "table" then h[2] = { h[2] } end
  if first then insert(h[2], 1, value) else h[2][#h[2] + 1] = value end
  return true
end
function Event:pushHeader(name, value) return many(self, text_of(name, "ESLevent::pushHeader", 2), text_of(value, "ESLevent::pushHeader", 3)) end
function Event:unshiftHeader(name, value) return many(self, text_of(name, "ESLevent::unshiftHeader", 2), text_of(value, "ESLevent::unshiftHeader", 3), true) end
function Event:setPriority(priority)
  self:delHeader("priority")
  add(self, "priority", priority == 1 and "LOW" or priority == 2 and "HIGH" or type(priority) == "string" and upper(priority) or "NORMAL")
  return true
end
function Event:firstHeader()
  self.at = 0
  return self:nextHeader()
end
function Event:nextHeader()
  self.at = self.at + 1
  return self.list[self.at] and self.list[self.at][1]
end
-- Scripts print a reply, or append it to a text, as though it were its body.
Event.__tostring = function(e) return e.body or e:serialize() end
Event.__concat = function(a, b) return tostring(a) .. tostring(b) end

local function ESLevent(name, subclass)
  name, subclass = text_of(name, "ESLevent::ESLevent", 1), text_of(subclass, "ESLevent::ESLevent", 2, true)
  local more = subclass and subclass ~= ""
  if lower(name) == "json" and more then return event_json(subclass) or event_new("invalid") end
  local number, known = types.find(name)
  local e = event_new(more and "CUSTOM" or number and known or "MESSAGE")
  add(e, "Event-Name", e.name)
  if more then add(e, "Event-Subclass", subclass) end
  return e
end

-- --- connections ---

local Connection = {}
Connection.__index = Connection

local function lost(c)
  if c.socket then tcp.close(c.socket) end
  c.socket = nil
end

-- The next message, or nil and "closed" or "time".
local function message_read(c, ms)
  local until_ms = ms and core.now() + ms
  while c.socket do
    local stop = find(c.data, "\n\n", 1, true)
    if stop then
      local e = event_new("SOCKET_DATA")
      headers_read(e, sub(c.data, 1, stop), 1)
      local length = tonumber(e:getHeader("Content-Length") or "") or 0
      if #c.data >= stop + 1 + length then
        if length > 0 then e.body = sub(c.data, stop + 2, stop + 1 + length) end
        c.data = sub(c.data, stop + 2 + length)
        return e
      end
    end
    local left = until_ms and until_ms - core.now()
    if left and left < 0 then return nil, "time" end
    local parts, more = { c.data }, tcp.receive(c.socket, left)
    if more == nil then return nil, "time" end
    if more == false then
      lost(c)
      break
    end
    parts[2] = more
    c.data = concat(parts)
  end
  return nil, "closed"
end

-- What a script sees of a message: the event that it carries, or itself. nil at a goodbye.
local function unwrapped(c, e)
  local kind = e:getHeader("Content-Type") or ""
  if kind == "text/event-plain" then return event_plain(e.body or "") end
  if kind == "text/event-json" then return event_json(e.body or "") or e end
  if kind == "text/disconnect-notice" and e.body and lower(e:getHeader("Content-Disposition") or "") ~= "linger" then
    lost(c)
    return nil
  end
  return e
end

local function put(c, text)
  if not c.socket then return false end
  if not match(text, "\n\n$") and not find(text, "\n\n", 1, true) then text = gsub(text, "\n*$", "") .. "\n\n" end
  if tcp.send(c.socket, text) then return true end
  lost(c)
  return false
end

-- Sends and waits for the reply; what comes meanwhile is kept for recvEvent.
local function ask(c, text)
  if not put(c, text) then return nil end
  while true do
    local e = message_read(c)
    if not e then return nil end
    local kind = e:getHeader("Content-Type") or ""
    if kind == "command/reply" or kind == "api/response" then return e end
    e = unwrapped(c, e)
    if not e then return nil end
    c.early[#c.early + 1] = e
  end
end

local function connection_new(socket) return setmetatable({ socket = socket, data = "", early = {} }, Connection) end

local function authenticate(c, user, password)
  local greeting = message_read(c, 10000)
  if not greeting or greeting:getHeader("Content-Type") ~= "auth/request" then return lost(c) end
  local reply = ask(c, user and user ~= "" and "userauth " .. user .. ":" .. password or "auth " .. password)
  if not reply or lower(reply:getHeader("Reply-Text") or "") ~= "+ok accepted" then lost(c) end
end

local function ESLconnection(...)
  local n = select("#", ...)
  if n == 1 and type((...)) == "number" then
    local c = connection_new(tcp.attach((...)))
    if c.socket then c.info = ask(c, "connect") end
    return c
  end
  if n ~= 3 and n ~= 4 then error("No matching function for overloaded 'new_ESLconnection'", 2) end
  local host, port = text_of((...), "ESLconnection::ESLconnection", 1), text_of((select(2, ...)), "ESLconnection::ESLconnection", 2)
  local user = n == 4 and text_of((select(3, ...)), "ESLconnection::ESLconnection", 3, true) or nil
  local password = text_of((select(n, ...)), "ESLconnection::ESLconnection", n)
  local c = connection_new((tcp.connect(host ~= "" and host or "127.0.0.1", port)))
  if c.socket then authenticate(c, user, password) end
  return c
end

function Connection:socketDescriptor() return self.socket and tcp.descriptor(self.socket) or -1 end
function Connection:connected() return self.socket and 1 or 0 end
function Connection:disconnect()
  lost(self)
  return 0
end
function Connection:getInfo() return self.info end
function Connection:send(command) return put(self, text_of(command, "ESLconnection::send", 2)) and 0 or 1 end
function Connection:sendRecv(command) return ask(self, text_of(command, "ESLconnection::sendRecv", 2)) end
function Connection:api(command, arguments)
  command, arguments = text_of(command, "ESLconnection::api", 2), text_of(arguments, "ESLconnection::api", 3, true)
  return ask(self, "api " .. command .. " " .. (arguments or ""))
end
function Connection:bgapi(command, arguments, job)
  command, arguments, job = text_of(command, "ESLconnection::bgapi", 2), text_of(arguments, "ESLconnection::bgapi", 3, true), text_of(job, "ESLconnection::bgapi", 4, true)
  return ask(self, "bgapi " .. command .. (arguments and " " .. arguments or "") .. (job and "\nJob-UUID: " .. job or ""))
end
function Connection:filter(header, value)
  return ask(self, "filter " .. text_of(header, "ESLconnection::filter", 2) .. " " .. text_of(value, "ESLconnection::filter", 3))
end
function Connection:events(form, list)
  form, list = text_of(form, "ESLconnection::events", 2), text_of(list, "ESLconnection::events", 3)
  if form ~= "xml" and form ~= "json" then form = "plain" end
  return ask(self, "event " .. form .. " " .. list) and 0 or 1
end
function Connection:sendEvent(e) return ask(self, "sendevent " .. e.name .. "\n" .. unencoded(e)) or ESLevent("SERVER_DISCONNECTED") end
function Connection:sendMSG(e, uuid)
  uuid = text_of(uuid, "ESLconnection::sendMSG", 3, true)
  return ask(self, "sendmsg" .. (uuid and " " .. uuid or "") .. "\n" .. unencoded(e)) and 0 or 1
end

local function execute(c, where, async, app, argument, uuid)
  app, argument, uuid = text_of(app, where, 2), text_of(argument, where, 3, true), text_of(uuid, where, 4, true)
  local text = "sendmsg" .. (uuid and " " .. uuid or "") .. "\ncall-command: execute\nexecute-app-name: " .. app .. "\n"
  if argument and argument ~= "" then text = text .. "execute-app-arg: " .. argument .. "\n" end
  return ask(c, text .. (c.lock and "event-lock: true\n" or "") .. (async and "async: true\n" or ""))
end
function Connection:execute(...) return execute(self, "ESLconnection::execute", self.async, ...) end
function Connection:executeAsync(...) return execute(self, "ESLconnection::executeAsync", true, ...) end
function Connection:setAsyncExecute(value)
  if value ~= nil then self.async = truth(value) end
  return self.async and 1 or 0
end
function Connection:setEventLock(value)
  if value ~= nil then self.lock = truth(value) end
  return self.lock and 1 or 0
end

-- nil: nothing came in time, or the other side is gone.
local function receive(c, ms)
  if c.early[1] then return remove(c.early, 1) end
  local e = message_read(c, ms)
  return e and unwrapped(c, e)
end
function Connection:recvEvent() return receive(self) or ESLevent("SERVER_DISCONNECTED") end
function Connection:recvEventTimed(ms)
  if type(ms) ~= "number" then error("Error in ESLconnection::recvEventTimed (arg 2), expected 'int' got '" .. type(ms) .. "'", 2) end
  return receive(self, ms)
end

if core.guard then -- objects of several scripts share them
  core.guard(Event)
  core.guard(Connection)
end

-- A module of its own for whoever asks: nothing that one script does to it is another's.
core.esl_module = function()
  return { ESLconnection = ESLconnection, ESLevent = ESLevent, eslSetLogLevel = function() end }
end
return core.esl_module
