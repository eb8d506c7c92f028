-- pack.lua: Lua values as text, for other states: the scripts of other workers (remote.lua) and isolated scripts (isolated.lua), in whose
-- states this file is loaded as well.
--
--   nil n   true t   false f   number d…;   string s<length>:…   table {key value …}   a table again r<number>;   a reference x<text>;
-- A table's metatable stays behind. What cannot be copied (functions, userdata …) becomes a reference if `refer(value)` gives a text for it, else nil;
-- `resolve(text)` makes a value of it again.
local core = ...

local concat, find, format, pairs, sub, tonumber, type = table.concat, string.find, string.format, pairs, string.sub, tonumber, type

local pack = {}
if core.fs then core.fs.pack = pack end

local function put(v, out, seen, refer)
  local t = type(v)
  if t == "string" then
    out[#out + 1] = format("s%d:", #v)
    out[#out + 1] = v
  elseif t == "number" then out[#out + 1] = format("d%.17g;", v)
  elseif t == "boolean" then out[#out + 1] = v and "t" or "f"
  elseif t == "table" then
    if seen[v] then
      out[#out + 1] = format("r%d;", seen[v])
      return
    end
    seen.count = seen.count + 1
    seen[v] = seen.count
    out[#out + 1] = "{"
    for k, x in pairs(v) do
      put(k, out, seen, refer)
      put(x, out, seen, refer)
    end
    out[#out + 1] = "}"
  else
    local text = v ~= nil and refer and refer(v)
    out[#out + 1] = text and "x" .. text .. ";" or "n"
  end
end

function pack.pack(v, refer)
  local out = {}
  put(v, out, { count = 0 }, refer)
  return concat(out)
end

local function get(text, at, seen, resolve)
  local c = sub(text, at, at)
  if c == "s" then
    local _, colon, n = find(text, "^(%d+):", at + 1)
    return sub(text, colon + 1, colon + tonumber(n)), colon + tonumber(n) + 1
  elseif c == "d" or c == "r" or c == "x" then
    local _, last, n = find(text, "^([^;]*);", at + 1)
    if c == "r" then return seen[tonumber(n)], last + 1 end
    if c == "x" then return resolve(n), last + 1 end
    return tonumber(n), last + 1
  elseif c == "{" then
    local v = {}
    seen[#seen + 1] = v
    at = at + 1
    while sub(text, at, at) ~= "}" do
      local k, x
      k, at = get(text, at, seen, resolve)
      x, at = get(text, at, seen, resolve)
      if k ~= nil and k == k then v[k] = x end
    end
    return v, at + 1
  end
  if c == "t" then return true, at + 1 elseif c == "f" then return false, at + 1 end
  return nil, at + 1
end

function pack.unpack(text, resolve) return text and (get(text, 1, {}, resolve)) or nil end

return pack
