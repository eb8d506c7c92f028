-- json.lua: freeswitch.JSON, and reading and writing JSON for the rest of the layer.
local core = ...
local fs = core.fs
local class, util = fs.class, fs.util

local byte, char, concat, find, floor, format, match, rep, sub =
  string.byte, string.char, table.concat, string.find, math.floor, string.format, string.match, string.rep, string.sub
local ipairs, pairs, tonumber, tostring, type = ipairs, pairs, tonumber, tostring, type

local json = {}
fs.json = json

local DEPTH_MAX = 1000

-- --- reading, as cJSON reads: what stands behind the first value is not looked at ---

local escapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }

local function utf8(n)
  if n < 0x80 then return char(n) end
  if n < 0x800 then return char(0xC0 + floor(n / 0x40), 0x80 + n % 0x40) end
  if n < 0x10000 then return char(0xE0 + floor(n / 0x1000), 0x80 + floor(n / 0x40) % 0x40, 0x80 + n % 0x40) end
  return char(0xF0 + floor(n / 0x40000), 0x80 + floor(n / 0x1000) % 0x40, 0x80 + floor(n / 0x40) % 0x40, 0x80 + n % 0x40)
end

-- \uXXXX from its backslash, with its other half if it is a pair: the character and the place behind it, or nil.
local function read_escape(s, at)
  local n = tonumber(match(s, "^\\u(%x%x%x%x)", at) or "", 16)
  if not n or n >= 0xDC00 and n < 0xE000 then return nil end
  if n < 0xD800 or n >= 0xE000 then return utf8(n), at + 6 end
  local low = tonumber(match(s, "^\\u(%x%x%x%x)", at + 6) or "", 16)
  if not low or low < 0xDC00 or low >= 0xE000 then return nil end
  return utf8(0x10000 + (n - 0xD800) * 0x400 + low - 0xDC00), at + 12
end

-- Behind the opening quote: text and the place behind the closing one, or nil. A text ends at a zero byte.
local function read_text(s, at)
  local out = {}
  while true do
    local stop = find(s, '["\\]', at)
    if not stop then return nil end
    out[#out + 1] = sub(s, at, stop - 1)
    if byte(s, stop) == 34 then return match(concat(out), "^%Z*"), stop + 1 end
    local c = sub(s, stop + 1, stop + 1)
    local text
    if c == "u" then text, at = read_escape(s, stop) else text, at = escapes[c], stop + 2 end
    if not text then return nil end
    out[#out + 1] = text
  end
end

-- strtod on what can belong to a number.
local function read_number(s, at)
  local token = match(s, "^[%d+%-.eE]+", at)
  for _, form in ipairs({ "^[+-]?%d+%.?%d*[eE][+-]?%d+", "^[+-]?%d+%.?%d*", "^[+-]?%.%d+[eE][+-]?%d+", "^[+-]?%.%d+" }) do
    local digits = match(token, form)
    if digits then return tonumber(digits), at + #digits end
  end
end

local null = {}
local read_value

local function blank(s, at) return match(s, "^[%z\1-\32]*()", at) end

-- members: a list that gets { name, value } in order of writing; an array's value is { texts = its texts } there.
local function read_object(s, at, depth, members)
  local object = {}
  at = blank(s, at)
  if sub(s, at, at) == "}" then return object, at + 1 end
  while true do
    at = blank(s, at)
    if sub(s, at, at) ~= '"' then return nil end
    local name, value, texts
    name, at = read_text(s, at + 1)
    at = name and match(s, "^:()", blank(s, at))
    if not at then return nil end
    value, at, texts = read_value(s, at, depth + 1)
    if value == nil then return nil end
    if value ~= null then object[name] = value end
    if members then members[#members + 1] = { name, texts and { texts = texts } or value } end
    local c
    c, at = match(s, "^([,}])()", blank(s, at))
    if c == "}" then return object, at end
    if not c then return nil end
  end
end

local function read_array(s, at, depth)
  local array, texts = {}, {}
  at = blank(s, at)
  if sub(s, at, at) == "]" then return array, at + 1, texts end
  while true do
    local value
    value, at = read_value(s, at, depth + 1)
    if value == nil then return nil end
    if value ~= null then array[#array + 1] = value end
    if type(value) == "string" then texts[#texts + 1] = value end
    local c
    c, at = match(s, "^([,%]])()", blank(s, at))
    if c == "]" then return array, at, texts end
    if not c then return nil end
  end
end

local words = { { "null", null }, { "false", false }, { "true", true } }

-- The value, the place behind it, and of an array its texts; nil if there is none.
function read_value(s, at, depth, members)
  if depth > DEPTH_MAX then return nil end
  at = blank(s, at)
  local c = sub(s, at, at)
  if c == "{" then return read_object(s, at + 1, depth, members) end
  if c == "[" then return read_array(s, at + 1, depth) end
  if c == '"' then return read_text(s, at + 1) end
  for i = 1, #words do
    local word = words[i][1]
    if sub(s, at, at + #word - 1) == word then return words[i][2], at + #word end
  end
  if find(c, "[%d-]") then return read_number(s, at) end
end

local function read(s, members)
  if not s then return nil end
  if sub(s, 1, 3) == "\239\187\191" then s = sub(s, 4) end
  return (read_value(s, 1, 0, members))
end

-- The value of a text, or nil; nulls are left out.
function json.decode(s)
  local value = read(s)
  if value == null then return nil end
  return value
end

-- The same (null is a table here) and, if it is an object, a list of its { name, value }; an array there is { texts = … }.
function json.members(s)
  local members = {}
  return read(s, members), members
end

-- --- writing ---

local function number_text(n)
  if n ~= n or n == 1 / 0 or n == -1 / 0 then return "null" end
  local short = format("%.15g", n)
  return tonumber(short) == n and short or format("%.17g", n)
end

local write_value

local kinds = { string = true, number = true, boolean = true, table = true }

-- The entries of a table in the order in which Lua would find them: { key, value }, those of the sequence first.
local function entries(t)
  local list, n = {}, #t
  for i = 1, n do
    if t[i] ~= nil then list[#list + 1] = { i, t[i] } end
  end
  for key, value in pairs(t) do
    if not (type(key) == "number" and key >= 1 and key <= n and key == floor(key)) then list[#list + 1] = { key, value } end
  end
  return list
end

-- A table whose first key is 1 (or "1") is an array with all its values, as FreeSWITCH decides it.
local function write_table(out, t, how, depth)
  local pretty, list = how.pretty, entries(t)
  local array, some = false, false
  if list[1] then array = tonumber(list[1][1]) == 1 else array = not how.empty_object end
  out[#out + 1] = array and "[" or pretty and "{\n" or "{"
  for i = 1, #list do
    local name, value = list[i][1], list[i][2]
    local named = array or type(name) == "string" or type(name) == "number"
    if named and kinds[type(value)] then
      if some then out[#out + 1] = not pretty and "," or array and ", " or ",\n" end
      some = true
      if not array then
        if pretty then out[#out + 1] = rep("\t", depth + 1) end
        out[#out + 1] = util.json_text(match(tostring(name), "^%Z*"))
        out[#out + 1] = pretty and ":\t" or ":"
      end
      write_value(out, value, how, depth + 1)
    end
  end
  if pretty and not array then out[#out + 1] = (some and "\n" or "") .. rep("\t", depth) end
  out[#out + 1] = array and "]" or "}"
end

function write_value(out, value, how, depth)
  if depth > DEPTH_MAX then error("JSON deeper than " .. DEPTH_MAX .. " levels", 0) end
  local kind = type(value)
  if kind == "table" then return write_table(out, value, how, depth) end
  if kind == "string" then out[#out + 1] = util.json_text(match(value, "^%Z*"))
  elseif kind == "number" then out[#out + 1] = number_text(value)
  else out[#out + 1] = tostring(value) end
end

-- how: { pretty = bool, empty_object = bool }
function json.encode(value, how)
  local out = {}
  write_value(out, value, how or { empty_object = true }, 0)
  return concat(out)
end

-- --- the class ---

local C = class.define("JSON", { self_type = "LUA::JSON *" })
class.expected.t = "SWIGLUA_TABLE"

local function table_argument(v, where, at, level)
  if type(v) ~= "table" then
    error(format("Error in %s (arg %d), expected 'SWIGLUA_TABLE' got '%s'", where, at, class.typename(v)), level)
  end
  return v
end
class.checks.t = table_argument

class.new(C, "LUA::JSON::JSON", "", 0, 0, function()
  return class.object(C, { pretty = false, empty_object = true })
end)
class.method(C, "encode", "LUA::JSON::encode", "t", 1, 1, function(state, value) return json.encode(value, state) end)
class.method(C, "decode", "LUA::JSON::decode", "S", 1, 1, function(_, text)
  local value = json.members(text)
  if type(value) == "table" and value ~= null then return value end
  if value ~= nil then return {} end -- a bare text, number or word: a table with nothing in it
end)
class.method(C, "encode_empty_table_as_object", "LUA::JSON::encode_empty_table_as_object", "b", 1, 1, function(state, on) state.empty_object = on end)
class.method(C, "return_unformatted_json", "LUA::JSON::return_unformatted_json", "b", 1, 1, function(state, on) state.pretty = not on end)

-- JSON API commands: { command =, data = }. fsapi runs an API command; what exists beyond it is answered by the same table.
local json_commands = {
  fsapi = function(data)
    local reply = type(data.cmd) == "string" and fs.api.run(data.cmd, type(data.arg) == "string" and data.arg or nil, {})
    return { message = reply or "INVALID CALL" }
  end,
  status = function()
    return { systemStatus = "ready", version = fs.version and fs.version.full or "" }
  end,
}
json.commands = json_commands

-- The reply alone; nil for what is no request or no command.
local function execute(request)
  local command = type(request) == "table" and request.data ~= nil and json_commands[request.command]
  if command then return command(type(request.data) == "table" and request.data or {}) end
end
class.overload(C, "execute", "JSON_execute", { "S", "t" }, function(_, request)
  if type(request) == "string" then request = json.decode(request) end
  local reply = execute(request)
  if reply then return reply end
end)
class.overload(C, "execute2", "JSON_execute2", { "S", "t" }, function(state, request)
  if type(request) == "string" then request = json.decode(request) end
  local reply = execute(request)
  return reply and json.encode(reply, state) or "null"
end)
