-- compat.lua: what old (5.0, 5.1) and newer (5.2, 5.3) scripts expect, under LuaJIT.
local core = ...
local base = core.base

local floor, huge, type, error, select, tonumber, format, char, byte, sub = math.floor, math.huge, type, error, select, tonumber, string.format, string.char, string.byte, string.sub

base.rawlen = base.rawlen or function(v)
  if type(v) ~= "table" and type(v) ~= "string" then error("table or string expected", 2) end
  return #v
end

-- --- table ---

local t = base.table
t.unpack = unpack
function t.pack(...) return { n = select("#", ...), ... } end
function t.getn(list) return #list end
function t.setn() end
t.maxn = t.maxn or function(list)
  local most = 0
  for k in pairs(list) do if type(k) == "number" and k > most then most = k end end
  return most
end
t.move = t.move or function(from, first, last, at, to)
  to = to or from
  if last >= first then
    if at > last or at <= first or to ~= from then
      for i = 0, last - first do to[at + i] = from[first + i] end
    else
      for i = last - first, 0, -1 do to[at + i] = from[first + i] end
    end
  end
  return to
end

-- --- math ---

local m = base.math
m.mod = m.fmod
m.maxinteger, m.mininteger = 9007199254740992, -9007199254740992
function m.tointeger(v)
  v = tonumber(v)
  if v and v == floor(v) and v > -huge and v < huge then return v end
  return nil
end
function m.type(v)
  if type(v) ~= "number" then return nil end
  return v == floor(v) and v > -huge and v < huge and "integer" or "float"
end
function m.ult(a, b) return a % 2 ^ 64 < b % 2 ^ 64 end

-- --- bit32: as LuaJIT's bit, with unsigned results ---

local b = bit
local function unsigned(v) return v % 4294967296 end
local bit32 = {
  band = function(...) return select("#", ...) == 0 and 4294967295 or unsigned(b.band(...)) end,
  bor = function(...) return select("#", ...) == 0 and 0 or unsigned(b.bor(...)) end,
  bxor = function(...) return select("#", ...) == 0 and 0 or unsigned(b.bxor(...)) end,
  btest = function(...) return b.band(...) ~= 0 end,
  bnot = function(v) return unsigned(b.bnot(v)) end,
  lrotate = function(v, n) return unsigned(b.rol(v, n % 32)) end,
  rrotate = function(v, n) return unsigned(b.ror(v, n % 32)) end,
}
function bit32.lshift(v, n)
  if n < 0 then return bit32.rshift(v, -n) end
  return n > 31 and 0 or unsigned(b.lshift(v, n))
end
function bit32.rshift(v, n)
  if n < 0 then return bit32.lshift(v, -n) end
  return n > 31 and 0 or unsigned(b.rshift(v, n))
end
function bit32.arshift(v, n)
  if n < 0 then return bit32.lshift(v, -n) end
  return unsigned(b.arshift(v, n > 31 and 31 or n))
end
function bit32.extract(v, field, width) return bit32.rshift(v, field) % 2 ^ (width or 1) end
function bit32.replace(v, with, field, width)
  local mask = bit32.lshift(2 ^ (width or 1) - 1, field)
  return bit32.bor(bit32.band(v, bit32.bnot(mask)), bit32.band(bit32.lshift(with, field), mask))
end
base.bit32 = bit32

-- --- utf8 ---

local utf8 = { charpattern = "[%z\1-\127\194-\244][\128-\191]*" }
base.utf8 = utf8

local function encode(c)
  if c < 0x80 then return char(c) end
  if c < 0x800 then return char(0xC0 + floor(c / 0x40), 0x80 + c % 0x40) end
  if c < 0x10000 then return char(0xE0 + floor(c / 0x1000), 0x80 + floor(c / 0x40) % 0x40, 0x80 + c % 0x40) end
  return char(0xF0 + floor(c / 0x40000), 0x80 + floor(c / 0x1000) % 0x40, 0x80 + floor(c / 0x40) % 0x40, 0x80 + c % 0x40)
end

-- The code point that begins at byte i, and the byte after it; nil if there is none.
local function decode(s, i)
  local c = byte(s, i)
  if not c or (c >= 0x80 and c < 0xC2) or c > 0xF4 then return nil end
  local more = c >= 0xF0 and 3 or c >= 0xE0 and 2 or c >= 0xC0 and 1 or 0
  local point = more == 0 and c or c % 2 ^ (6 - more)
  for k = 1, more do
    local x = byte(s, i + k)
    if not x or x < 0x80 or x > 0xBF then return nil end
    point = point * 64 + x % 64
  end
  return point, i + more + 1
end

function utf8.char(...)
  local out = {}
  for i = 1, select("#", ...) do out[i] = encode((select(i, ...))) end
  return table.concat(out)
end

local function position(i, length) return i < 0 and length + i + 1 or i end

function utf8.len(s, i, j)
  local at, last, n = position(i or 1, #s), position(j or -1, #s), 0
  while at <= last do
    local point, next = decode(s, at)
    if not point then return nil, at end
    at, n = next, n + 1
  end
  return n
end

function utf8.codepoint(s, i, j)
  local at = position(i or 1, #s)
  local last, out = position(j or at, #s), {}
  while at <= last do
    local point, next = decode(s, at)
    if not point then error("invalid UTF-8 code", 2) end
    out[#out + 1], at = point, next
  end
  return unpack(out)
end

function utf8.codes(s)
  return function(_, at)
    local _, next = decode(s, at)
    next = at == 0 and 1 or next
    if not next or next > #s then return nil end
    local point = decode(s, next)
    if not point then error("invalid UTF-8 code", 2) end
    return next, point
  end, s, 0
end

function utf8.offset(s, n, i)
  local length = #s
  local at = position(i or (n > 0 and 1 or length + 1), length)
  local function inside(k) local c = byte(s, k) return c and c >= 0x80 and c < 0xC0 end
  if n == 0 then
    while at > 1 and inside(at) do at = at - 1 end
    return at
  end
  while n < 0 and at > 1 do
    repeat at = at - 1 until at <= 1 or not inside(at)
    n = n + 1
  end
  while n > 1 and at <= length do
    repeat at = at + 1 until not inside(at)
    n = n - 1
  end
  return (n == 0 or n == 1) and at or nil
end

-- --- 5.2's string.rep with a separator, string.pack left out ---

local rep = string.rep
function base.string.rep(s, n, separator)
  if separator == nil or separator == "" or n < 2 then return rep(s, n) end
  return rep(s .. separator, n - 1) .. s
end
