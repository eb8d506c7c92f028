-- json.lua: freeswitch.JSON, and reading and writing JSON for the rest of the layer.
local core = ...
local fs = core.fs
local class, util = fs.class, fs.util

local byte, char, concat, find, floor, format, match, rep, sub =
  string.byte, string.char, table.concat, string.find, math.floor, string.format, string.match, string.rep, string.sub
local next, pairs, tonumber, tostring, type = next, pairs, tonumber, tostring, type

local json = {}
fs.json = json

local DEPTH_MAX = 200

-- --- reading ---

local escapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }

local function utf8(n)
  if n < 0x80 then return char(n) end
  if n < 0x800 then return char(0xC0 + floor(n / 0x40), 0x80 + n % 0x40) end
  if n < 0x10000 then return char(0xE0 + floor(n / 0x1000), 0x80 + floor(n / 0x40) % 0x40, 0x80 + n % 0x40) end
  return char(0xF0 + floor(n / 0x40000), 0x80 + floor(n / 0x1000) % 0x40, 0x80 + floor(n / 0x40) % 0x40, 0x80 + n % 0x40)
end

-- Behind the opening quote: text and the place behind the closing one, or nil.
local function read_text(s, at)
  local out = {}
  while true do
    local stop = find(s, '["\\]', at)
    if not stop then return nil end
    out[#out + 1] = sub(s, at, stop - 1)
    if byte(s, stop) == 34 then return concat(out), stop + 1 end
    local c = sub(s, stop + 1, stop + 1)
    if c == "u" then
      local n = tonumber(match(s, "^%x%x%x%x", stop + 2) or "", 16)
      if not n then return nil end
      at = stop + 6
      if n >= 0xD800 and n < 0xDC00 then
        local low = tonumber(match(s, "^\\u(%x%x%x%x)", at) or "", 16)
        if low and low >= 0xDC00 and low < 0xE000 then
          n = 0x10000 + (n - 0xD800) * 0x400 + low - 0xDC00
          at = at + 6
        end
      end
      out[#out + 1] = utf8(n)
    elseif escapes[c] then
      out[#out + 1] = escapes[c]
      at = stop + 2
    else
      return nil
    end
  end
end

local null = {}
local read_value

local function read_object(s, at, depth)
  local object = {}
  at = match(s, "^%s*()", at)
  if sub(s, at, at) == "}" then return object, at + 1 end
  while true do
    at = match(s, '^%s*"()', at)
    if not at then return nil end
    local name, value
    name, at = read_text(s, at)
    at = name and match(s, "^%s*:()", at)
    if not at then return nil end
    value, at = read_value(s, at, depth + 1)
    if value == nil then return nil end
    if value ~= null then object[name] = value end
    local c
    c, at = match(s, "^%s*([,}])()", at)
    if c == "}" then return object, at end
    if not c then return nil end
  end
end

local function read_array(s, at, depth)
  local array, n = {}, 0
  at = match(s, "^%s*()", at)
  if sub(s, at, at) == "]" then return array, at + 1 end
  while true do
    local value
    value, at = read_value(s, at, depth + 1)
    if value == nil then return nil end
    if value ~= null then
      n = n + 1
      array[n] = value
    end
    local c
    c, at = match(s, "^%s*([,%]])()", at)
    if c == "]" then return array, at end
    if not c then return nil end
  end
end

function read_value(s, at, depth)
  if depth > DEPTH_MAX then return nil end
  at = match(s, "^%s*()", at)
  local c = sub(s, at, at)
  if c == "{" then return read_object(s, at + 1, depth) end
  if c == "[" then return read_array(s, at + 1, depth) end
  if c == '"' then return read_text(s, at + 1) end
  local word, behind = match(s, "^(%a+)()", at)
  if word == "true" then return true, behind end
  if word == "false" then return false, behind end
  if word == "null" then return null, behind end
  local number
  number, behind = match(s, "^(-?%d+%.?%d*[eE]?[+-]?%d*)()", at)
  if tonumber(number) then return tonumber(number), behind end
end

-- The value of a text, or nil; nulls are left out.
function json.decode(s)
  local value = s and read_value(s, 1, 0)
  if value == null then return nil end
  return value
end

-- --- writing ---

local function number_text(n)
  if n ~= n or n == 1 / 0 or n == -1 / 0 then return "null" end
  if n == floor(n) and n > -1e15 and n < 1e15 then return format("%d", n) end
  local short = format("%.15g", n)
  return tonumber(short) == n and short or format("%.17g", n)
end

local write_value

-- A table whose first key is 1 is an array, as FreeSWITCH decides it.
local function write_table(out, t, how, depth)
  local first = next(t)
  local pretty = how.pretty
  if first == nil then
    out[#out + 1] = how.empty_object and "{}" or "[]"
    return
  end
  local array, some = first == 1 or (#t > 0 and t[1] ~= nil), false
  out[#out + 1] = array and "[" or "{"
  local function item(name, value)
    local kind = type(value)
    if kind ~= "string" and kind ~= "number" and kind ~= "boolean" and kind ~= "table" then return end
    if some then out[#out + 1] = array and pretty and ", " or "," end
    some = true
    if not array then
      if pretty then out[#out + 1] = "\n" .. rep("\t", depth + 1) end
      out[#out + 1] = util.json_text(tostring(name))
      out[#out + 1] = pretty and ":\t" or ":"
    end
    write_value(out, value, how, depth + 1)
  end
  if array then
    for i = 1, #t do item(i, t[i]) end
  else
    for name, value in pairs(t) do item(name, value) end
    if pretty then out[#out + 1] = "\n" .. rep("\t", depth) end
  end
  out[#out + 1] = array and "]" or "}"
end

function write_value(out, value, how, depth)
  if depth > DEPTH_MAX then error("JSON deeper than " .. DEPTH_MAX .. " levels", 0) end
  local kind = type(value)
  if kind == "table" then return write_table(out, value, how, depth) end
  if kind == "string" then out[#out + 1] = util.json_text(value)
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
  local value = json.decode(text)
  if value ~= nil then return value end
end)
class.method(C, "encode_empty_table_as_object", "LUA::JSON::encode_empty_table_as_object", "b", 1, 1, function(state, on) state.empty_object = on end)
class.method(C, "return_unformatted_json", "LUA::JSON::return_unformatted_json", "b", 1, 1, function(state, on) state.pretty = not on end)

-- JSON API commands: { command =, data = }. fsapi runs an API command; what exists beyond it is answered by the same table.
local json_commands = {
  fsapi = function(data)
    local reply = fs.api.execute(data.cmd or "", data.arg, {})
    return { message = reply }
  end,
  status = function()
    return { systemStatus = "ready", version = fs.version and fs.version.full or "" }
  end,
}
json.commands = json_commands

local function execute(request)
  local command = type(request) == "table" and json_commands[request.command]
  if not command then return { status = "error", message = "no such JSON command: " .. tostring(type(request) == "table" and request.command) } end
  return command(type(request.data) == "table" and request.data or {})
end
class.overload(C, "execute", "JSON_execute", { "S", "t" }, function(_, request)
  if type(request) == "string" then request = json.decode(request) end
  return execute(request)
end)
class.overload(C, "execute2", "JSON_execute2", { "S", "t" }, function(state, request)
  if type(request) == "string" then request = json.decode(request) end
  return json.encode(execute(request), state)
end)
