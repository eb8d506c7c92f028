-- expr.lua: arithmetic of the command `expr` and of ${expr(…)}: numbers, + - * / ^ %, comparison, & | !, a ? b : c, functions and constants.
local core = ...
local fs = core.fs

local floor, format, gsub, lower, match, sub = math.floor, string.format, string.gsub, string.lower, string.match, string.sub
local error, pcall, select, tonumber = error, pcall, select, tonumber

local expr = {}
fs.expr = expr

local function truth(n) return n ~= 0 end
local function num(b) return b and 1 or 0 end
local function whole(n) return n < 0 and -floor(-n) or floor(n) end

local functions = {
  abs = math.abs, mod = function(a, b) return math.fmod(a, b) end, ipart = whole, fpart = function(a) return a - whole(a) end,
  min = math.min, max = math.max, pow = function(a, b) return a ^ b end, sqrt = math.sqrt,
  sin = math.sin, sinh = math.sinh, asin = math.asin, cos = math.cos, cosh = math.cosh, acos = math.acos,
  tan = math.tan, tanh = math.tanh, atan = math.atan, atan2 = math.atan2, log = math.log10, pow10 = function(a) return 10 ^ a end,
  ln = math.log, exp = math.exp, logn = function(a, b) return math.log(a) / math.log(b) end, ceil = math.ceil, floor = floor,
  deg = math.deg, rad = math.rad, sum = nil,
  avg = function(...) local s = 0 for i = 1, select("#", ...) do s = s + select(i, ...) end return s / select("#", ...) end,
  ["if"] = function(c, a, b) if truth(c) then return a end return b end,
  select = function(c, n, z, p) if c < 0 then return n elseif c == 0 then return z end return p or z end,
  equal = function(a, b) return num(a == b) end, above = function(a, b) return num(a > b) end, below = function(a, b) return num(a < b) end,
  clip = function(v, lo, hi) return v < lo and lo or v > hi and hi or v end,
  ["and"] = function(a, b) return num(truth(a) and truth(b)) end, ["or"] = function(a, b) return num(truth(a) or truth(b)) end,
  ["not"] = function(a) return num(not truth(a)) end, random = function(a, b) return a + math.random() * (b - a) end,
  rand = function() return math.random(0, 32767) end,
}
local constants = { m_e = 2.7182818284590452, m_pi = math.pi, pi = math.pi }

-- A parser over text: one token ahead. Errors are raised and caught by evaluate().
local function parser(text)
  local p = { text = text, at = 1 }
  function p.peek(pattern)
    p.at = match(p.text, "^%s*()", p.at)
    return match(p.text, "^" .. pattern, p.at)
  end
  function p.take(pattern)
    local found = p.peek(pattern)
    if found then p.at = p.at + #found end
    return found
  end
  return p
end

local ternary

local function primary(p)
  local number = p.take("%d+%.?%d*[eE][+-]?%d+") or p.take("%d+%.?%d*") or p.take("%.%d+")
  if number then return tonumber(number) end
  if p.take("%(") then
    local value = ternary(p)
    if not p.take("%)") then error("missing )", 0) end
    return value
  end
  local name = p.take("[%a_][%w_]*")
  if not name then error("a number was expected", 0) end
  name = lower(name)
  if not p.take("%(") then return constants[name] or error("no such value", 0) end
  local f, arguments = functions[name] or error("no such function", 0), {}
  if not p.take("%)") then
    repeat arguments[#arguments + 1] = ternary(p) until not p.take(",")
    if not p.take("%)") then error("missing )", 0) end
  end
  return f(unpack(arguments))
end

local unary
local function power(p)
  local base = primary(p)
  if p.take("%^") then return base ^ unary(p) end
  return base
end
function unary(p)
  if p.take("%-") then return -unary(p) end
  if p.take("%+") then return unary(p) end
  if p.peek("!=") == nil and p.take("!") then return num(not truth(unary(p))) end
  return power(p)
end

local function level(operators, below)
  return function(p)
    local value = below(p)
    while true do
      local done = true
      for i = 1, #operators do
        local found = p.take(operators[i][1])
        if found then
          value, done = operators[i][2](value, below(p)), false
          break
        end
      end
      if done then return value end
    end
  end
end

local function divide(a, b)
  if b == 0 then error("division by zero", 0) end
  return a / b
end
local function modulo(a, b)
  if b == 0 then error("division by zero", 0) end
  return math.fmod(a, b)
end
local product = level({ { "%*", function(a, b) return a * b end }, { "/", divide }, { "%%", modulo } }, unary)
local sum = level({ { "%+", function(a, b) return a + b end }, { "%-", function(a, b) return a - b end } }, product)
local comparison = level({
  { ">=", function(a, b) return num(a >= b) end }, { "<=", function(a, b) return num(a <= b) end },
  { "==", function(a, b) return num(a == b) end }, { "!=", function(a, b) return num(a ~= b) end },
  { ">", function(a, b) return num(a > b) end }, { "<", function(a, b) return num(a < b) end },
}, sum)
local conjunction = level({ { "&&?", function(a, b) return num(truth(a) and truth(b)) end } }, comparison)
local disjunction = level({ { "||?", function(a, b) return num(truth(a) or truth(b)) end } }, conjunction)

function ternary(p)
  local value = disjunction(p)
  if not p.take("%?") then return value end
  local yes = ternary(p)
  if not p.take(":") then error("missing :", 0) end
  local no = ternary(p)
  if truth(value) then return yes end
  return no
end

-- At most ten decimals, no trailing zeros.
local function text_of(n)
  if n ~= n or n == 1 / 0 or n == -1 / 0 then error("no number", 0) end
  local text = format("%.10f", n)
  return (gsub(gsub(text, "0+$", ""), "%.$", ""))
end

-- The value's text, or nil and what is wrong.
function expr.evaluate(text)
  local p = parser(text)
  local ok, value = pcall(function()
    local v = ternary(p)
    if p.peek(".") then error("something is left over", 0) end
    return text_of(v)
  end)
  if ok then return value end
  return nil, value
end
