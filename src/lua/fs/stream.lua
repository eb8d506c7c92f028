-- stream.lua: freeswitch.Stream and freeswitch.DTMF.
local core = ...
local fs = core.fs
local class = fs.class

local concat, sub, tonumber, tostring, type = table.concat, string.sub, tonumber, tostring, type

local stream = {}
fs.stream = stream

local C = class.define("Stream")

-- A stream object and its state; request: { body =, type = } of an HTTP request.
function stream.new(request)
  local state = { parts = {}, n = 0, request = request }
  return class.object(C, state), state
end

local function write(state, text)
  if text and text ~= "" then
    state.n = state.n + 1
    state.parts[state.n] = text
  end
end
stream.write = write

-- Everything written so far.
function stream.text(state)
  if state.n > 1 then
    state.parts = { concat(state.parts, "", 1, state.n) }
    state.n = 1
  end
  return state.parts[1] or ""
end

class.overloaded_new(C, { "" }, function() return (stream.new()) end)
class.method(C, "write", "Stream::write", "S", 1, 1, function(state, text) write(state, text) end)
class.method(C, "raw_write", "Stream::raw_write", "Si", 2, 2, function(state, text, length)
  if text then write(state, sub(text, 1, length)) end
end)
class.method(C, "get_data", "Stream::get_data", "", 0, 0, function(state) return stream.text(state) end)
class.method(C, "read", "Stream::read", "", 0, 0, function(state)
  local request = state.request
  if not request or not request.body then return nil, 0 end
  return request.body, #request.body
end)

-- --- DTMF ---

local D = class.define("DTMF")

-- The binding cannot take a duration from Lua.
class.new(D, "DTMF::DTMF", "cu", 1, 2, function(digit) return class.object(D, { digit = digit, duration = 2000 }) end)
D.get.digit = function(state) return state.digit end
D.set.digit = function(state, value)
  local text = type(value) == "number" and tostring(value) or value
  if type(text) == "string" then state.digit = sub(text, 1, 1) end
end
D.get.duration = function(state) return state.duration end
D.set.duration = function(state, value) state.duration = tonumber(value) or state.duration end
