-- stdlib_string.lua: string, with matching that can be interrupted, and gsub whose function may wait.
local core = ...

local lib = {}
core.base.string = lib
for k, v in pairs(string) do lib[k] = v end

local find = core.string_find
local gsub_text = core.gsub_text
local sub, byte, format = string.sub, string.byte, string.format
local concat, type, error, tostring = table.concat, type, error, tostring

lib.find = find
lib.match = core.string_match
lib.gmatch = core.string_gmatch
lib.gfind = core.string_gmatch -- Lua 5.0

-- The replacement of one match: by a function's result or a table's field.
local function replaced(repl, whole, first, ...)
  local key = first
  if key == nil then key = whole end
  local value
  if type(repl) == "function" then
    if first == nil then value = repl(whole) else value = repl(first, ...) end
  else
    value = repl[key]
  end
  if not value then return whole end
  local t = type(value)
  if t ~= "string" and t ~= "number" then error(format("invalid replacement value (a %s)", t), 3) end
  return value
end

local function one(s, repl, i, j, ...) return replaced(repl, sub(s, i, j), ...) end

local function gsub_call(s, pattern, repl, most)
  local anchored = byte(pattern, 1) == 94
  local out, n, at, count, length = {}, 0, 1, 0, #s
  local function step(i, j, ...)
    if not i then return false end
    count = count + 1
    out[n + 1] = sub(s, at, i - 1)
    out[n + 2] = one(s, repl, i, j, ...)
    n = n + 2
    if j >= i then
      at = j + 1
    elseif i <= length then -- an empty match: one character on
      n = n + 1
      out[n] = sub(s, i, i)
      at = i + 1
    else
      at = i + 1
      return false
    end
    return true
  end
  while count < most and at <= length + 1 do
    if not step(find(s, pattern, at)) or anchored then break end
  end
  out[n + 1] = sub(s, at)
  return concat(out), count
end

function lib.gsub(s, pattern, repl, n)
  local t = type(repl)
  if t ~= "function" and t ~= "table" then
    if t ~= "string" and t ~= "number" then
      error(format("bad argument #3 to 'gsub' (string/function/table expected, got %s)", repl == nil and "nil" or t), 2)
    end
    return gsub_text(s, pattern, repl, n)
  end
  if type(s) ~= "string" then
    if type(s) ~= "number" then error(format("bad argument #1 to 'gsub' (string expected, got %s)", s == nil and "nil" or type(s)), 2) end
    s = tostring(s)
  end
  if type(pattern) ~= "string" then
    if type(pattern) ~= "number" then error(format("bad argument #2 to 'gsub' (string expected, got %s)", pattern == nil and "nil" or type(pattern)), 2) end
    pattern = tostring(pattern)
  end
  return gsub_call(s, pattern, repl, n or #s + 1)
end
