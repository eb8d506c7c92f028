-- expr.lua: arithmetic of the command `expr` and of ${expr(…)}, as mod_expr's ExprEval has it: numbers, + - * / ^, parentheses, functions,
-- constants, variables (name = value; unknown ones are 0), several expressions with ; or | between them, of which the last is the answer.
-- There are no comparisons: equal(a,b), above(a,b), below(a,b), and(a,b) … are functions. A text becomes closures, since if() and for()
-- do not evaluate all that they are given.
local core = ...
local fs = core.fs

local find, floor, format, gsub, match, sub = string.find, math.floor, string.format, string.gsub, string.match, string.sub
local error, pcall, select, tonumber, unpack = error, pcall, select, tonumber, unpack

local expr = {}
fs.expr = expr

local STEPS_MAX = 200000 -- of one evaluation: for() may never end

local function num(b) return b and 1 or 0 end
local function whole(n) return n < 0 and -floor(-n) or floor(n) end
local function finite(n)
  if n ~= n or n == 1 / 0 or n == -1 / 0 then error("out of range", 0) end
  return n
end
-- Of two numbers as 32 bits: those where at least `least` of the two are set.
local function bits(least)
  return function(a, b)
    local out, place = 0, 1
    a, b = whole(a) % 4294967296, whole(b) % 4294967296
    while a > 0 or b > 0 do
      if a % 2 + b % 2 >= least then out = out + place end
      a, b, place = floor(a / 2), floor(b / 2), place * 2
    end
    return out
  end
end

-- name = { least, most arguments (-1 = any), f(values …) }
local eager = {
  abs = { 1, 1, math.abs }, mod = { 2, 2, math.fmod }, ipart = { 1, 1, whole }, fpart = { 1, 1, function(a) return a - whole(a) end },
  min = { 1, -1, math.min }, max = { 1, -1, math.max }, pow = { 2, 2, function(a, b) return a ^ b end }, sqrt = { 1, 1, math.sqrt },
  sin = { 1, 1, math.sin }, sinh = { 1, 1, math.sinh }, asin = { 1, 1, math.asin }, cos = { 1, 1, math.cos }, cosh = { 1, 1, math.cosh },
  acos = { 1, 1, math.acos }, tan = { 1, 1, math.tan }, tanh = { 1, 1, math.tanh }, atan = { 1, 1, math.atan }, atan2 = { 2, 2, math.atan2 },
  log = { 1, 1, math.log10 }, pow10 = { 1, 1, function(a) return 10 ^ a end }, ln = { 1, 1, function(a) return math.log(a) end },
  exp = { 1, 1, math.exp }, logn = { 2, 2, function(a, b) return math.log(a) / math.log(b) end }, ceil = { 1, 1, math.ceil }, floor = { 1, 1, floor },
  deg = { 1, 1, math.deg }, rad = { 1, 1, math.rad }, recttopolr = { 2, 2, function(x, y) return math.sqrt(x * x + y * y) end },
  recttopola = { 2, 2, function(x, y)
    local angle = math.atan2(y, x)
    return angle < 0 and 2 * math.pi or angle
  end },
  poltorectx = { 2, 2, function(r, a) return r * math.cos(a) end }, poltorecty = { 2, 2, function(r, a) return r * math.sin(a) end },
  equal = { 2, 2, function(a, b) return num(a == b) end }, above = { 2, 2, function(a, b) return num(a > b) end },
  below = { 2, 2, function(a, b) return num(a < b) end }, ["and"] = { 2, 2, function(a, b) return num(a ~= 0 and b ~= 0) end },
  ["or"] = { 2, 2, function(a, b) return num(a ~= 0 or b ~= 0) end }, ["not"] = { 1, 1, function(a) return num(a == 0) end },
  land = { 2, 2, bits(2) }, lor = { 2, 2, bits(1) },
  avg = { 1, -1, function(...)
    local sum, n = 0, select("#", ...)
    for i = 1, n do sum = sum + select(i, ...) end
    return sum / n
  end },
  clip = { 3, 3, function(_, low) return low end }, -- ExprEval takes the lower bound for both
  clamp = { 3, 3, function(v, low, high)
    local rest = math.fmod(v - low, high - low)
    return rest < 0 and rest + high or rest + low
  end },
  pntchange = { 5, 5, function(o1, o2, n1, n2, point)
    if o1 == o2 then return o1 end
    return n1 + (point - o1) / (o2 - o1) * (n2 - n1)
  end },
  poly = { 2, -1, function(x, ...)
    local sum, n = 0, select("#", ...)
    for i = 1, n do sum = sum + select(i, ...) * x ^ (n - i) end
    return sum
  end },
  many = { 1, -1, function(...) return (select(select("#", ...), ...)) end },
}

-- The same with closures in place of values, and what counts the steps.
local lazy = {
  ["if"] = { 3, 3, function(a) return a[1]() ~= 0 and a[2]() or a[3]() end },
  select = { 3, 4, function(a)
    local c = a[1]()
    if c < 0 then return a[2]() elseif c == 0 then return a[3]() end
    return (a[4] or a[3])()
  end },
  ["for"] = { 4, -1, function(a, step)
    a[1]()
    local value = 0
    while a[2]() ~= 0 do
      step()
      for i = 4, #a do value = a[i]() end
      a[3]()
    end
    return value
  end },
}

local constants = { M_E = 2.7182818284590452, M_LOG2E = 1.4426950408889634, M_LOG10E = 0.43429448190325182, M_LN2 = 0.69314718055994531,
  M_LN10 = 2.3025850929940457, M_PI = math.pi, M_PI_2 = math.pi / 2, M_PI_4 = math.pi / 4, M_1_PI = 1 / math.pi, M_2_PI = 2 / math.pi,
  M_1_SQRTPI = 0.56418958354776, M_2_SQRTPI = 1.1283791670955126, M_SQRT2 = 1.4142135623730951, M_1_SQRT2 = 0.70710678118654752 }

-- Numbers, names (as texts) and single characters; # begins a comment up to the line's end.
local function tokens_of(text)
  local list, at = {}, 1
  text = gsub(gsub(text, "|", ";"), "#[^\r\n]*", "")
  while true do
    at = match(text, "^%s*()", at)
    if at > #text then return list end
    local number, name = match(text, "^%d*%.?%d*", at), match(text, "^[%a_][%w_]*", at)
    if number ~= "" then
      list[#list + 1] = { value = tonumber(number) or 0 }
      at = at + #number
    elseif name then
      list[#list + 1] = { name = name }
      at = at + #name
    else
      local c = sub(text, at, at)
      if not find(c, "[%(%)%+%-%*/%^&;,=]") then error("unknown character", 0) end
      list[#list + 1] = { kind = c }
      at = at + 1
    end
  end
end

local before_sign = { ["="] = 1, ["+"] = 1, ["-"] = 1, ["*"] = 1, ["/"] = 1, ["^"] = 1 }

-- Where the pieces of tokens from … to are: the operator that binds least (all bind to the left), the first parenthesis and its end.
local function survey(t, from, to)
  local depth, at = 0, {}
  for i = from, to do
    local kind = t[i].kind
    if kind == "(" then
      depth = depth + 1
      if depth == 1 then at.open = at.open or i end
    elseif kind == ")" then
      depth = depth - 1
      if depth < 0 then error("unmatched )", 0) end
      if depth == 0 then at.close = at.close or i end
    elseif depth == 0 and kind then
      if kind == "=" then at.assign = at.assign or i
      elseif kind == "*" or kind == "/" then at.product = i
      elseif kind == "^" then at.power = i
      elseif kind == "+" or kind == "-" then
        if i == from or before_sign[t[i - 1].kind] then at.sign = at.sign or i else at.sum = i end
      end
    end
  end
  if depth ~= 0 then error("unmatched (", 0) end
  return at
end

local operators = {
  ["+"] = function(a, b) return function() return a() + b() end end,
  ["-"] = function(a, b) return function() return a() - b() end end,
  ["*"] = function(a, b) return function() return a() * b() end end,
  ["/"] = function(a, b)
    return function()
      local x, y = a(), b()
      if y == 0 then error("division by zero", 0) end
      return x / y
    end
  end,
  ["^"] = function(a, b) return function() return finite(a() ^ b()) end end,
}

local parse

local function call(t, open, close, scope)
  local name = t[open - 1].name
  local known = eager[name] or lazy[name]
  if not known then error("no such function", 0) end
  local arguments, depth, begun = {}, 0, open + 1
  for i = open + 1, close do
    local kind = t[i].kind
    if kind == "(" then depth = depth + 1 elseif kind == ")" and i < close then depth = depth - 1 end
    if (kind == "," and depth == 0) or (i == close and close > open + 1) then
      arguments[#arguments + 1] = parse(t, begun, i - 1, scope)
      begun = i + 1
    end
  end
  if #arguments < known[1] or (known[2] >= 0 and #arguments > known[2]) then error("wrong number of arguments", 0) end
  if lazy[name] then return function() return known[3](arguments, scope.step) end end
  return function()
    local values = {}
    for i = 1, #arguments do values[i] = arguments[i]() end
    return finite(known[3](unpack(values)))
  end
end

function parse(t, from, to, scope)
  if from > to then error("something is missing", 0) end
  local at = survey(t, from, to)
  if at.assign then
    local name = t[from].name
    if at.assign ~= from + 1 or not name or constants[name] then error("that cannot be assigned to", 0) end
    local value = parse(t, from + 2, to, scope)
    return function()
      scope.values[name] = value()
      return scope.values[name]
    end
  end
  local i = at.sum or at.product or at.power
  if i then return operators[t[i].kind](parse(t, from, i - 1, scope), parse(t, i + 1, to, scope)) end
  if at.sign then
    if at.sign ~= from then error("a sign in the wrong place", 0) end
    local value = parse(t, from + 1, to, scope)
    return t[from].kind == "+" and value or function() return -value() end
  end
  if at.open then
    if at.close ~= to then error("something follows the parenthesis", 0) end
    if at.open == from then return parse(t, from + 1, to - 1, scope) end
    return call(t, at.open, at.close, scope)
  end
  if from ~= to then error("an operator is missing", 0) end
  local one = t[from]
  if one.value then return function() return one.value end end
  if not one.name then error("a number was expected", 0) end
  return function() return constants[one.name] or scope.values[one.name] or 0 end
end

-- The value of a text: the last of its expressions'.
local function evaluate(text)
  local steps = 0
  local scope = { values = {}, step = function()
    steps = steps + 1
    if steps > STEPS_MAX then error("it does not end", 0) end
  end }
  local t, begun, value = tokens_of(text), 1, nil
  if #t == 0 then error("nothing to evaluate", 0) end
  if t[#t].kind ~= ";" then t[#t + 1] = { kind = ";" } end
  local parts = {}
  for i = 1, #t do
    if t[i].kind == ";" then
      parts[#parts + 1] = parse(t, begun, i - 1, scope)
      begun = i + 1
    end
  end
  for i = 1, #parts do value = parts[i]() end
  return value
end

-- With ten decimals, but no zeros at the end.
local function text_of(n)
  local text = gsub(gsub(format("%.10f", finite(n)), "0+$", ""), "%.$", "")
  return text
end

-- The value's text, or nil and what is wrong.
function expr.evaluate(text)
  local ok, value = pcall(function() return text_of(evaluate(text)) end)
  if ok then return value end
  return nil, value
end
