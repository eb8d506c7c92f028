-- dialstring.lua: the grammar of dial strings: text becomes a tree of ents (:_:), forks (|) and legs (,), each with its variables.
local core = ...
local fs = core.fs
local util, variables = fs.util, fs.variables

local find, match, sub = string.find, string.match, string.sub

local dialstring = {}
fs.dialstring = dialstring

local PARTS_MAX = 128

-- "a=1,b='x,y'" or "^^:a=1:b=2" into `into`; an empty value is kept as "" and unsets.
function dialstring.assign(into, text)
  local nested = util.truth(match(text, "origination_nested_vars=(%a+)"))
  for _, item in ipairs((util.delimited(text))) do
    local name, value = match(item, "^%s*([^=]-)%s*=%s*(.-)%s*$")
    if name and name ~= "" then
      if find(value, "${", 1, true) and not nested then
        core.log(2, "Invalid data (${" .. name .. "} contains a variable)")
      else
        into:set(name, value)
      end
    end
  end
end

-- Takes one bracket from the front: its inside and the rest; nil if it never closes.
local function bracket(text, open, close)
  local at = variables.closing(text, 1, open, close)
  if not at then return nil end
  return sub(text, 2, at - 1), sub(text, at + 1)
end

-- Splits at a character outside of [ ] and quotes.
local function split(text, delim)
  local list, depth, start, inside, i, n = {}, 0, 1, false, 1, #text
  while i <= n do
    local c = sub(text, i, i)
    if c == "\\" then i = i + 1
    elseif c == "'" and depth > 0 and (inside or find(text, "'", i + 1, true)) then inside = not inside
    elseif not inside and c == "[" then depth = depth + 1
    elseif not inside and c == "]" and depth > 0 then depth = depth - 1
    elseif c == delim and depth == 0 and not inside then
      list[#list + 1] = sub(text, start, i - 1)
      start = i + 1
    end
    i = i + 1
  end
  list[#list + 1] = sub(text, start)
  return list
end

local function parse_error()
  core.log(3, "Parse Error!\n")
  return nil, "DESTINATION_OUT_OF_ORDER"
end

local function parse_leg(text)
  local leg = { vars = util.names() }
  text = match(text, "^%s*(.-)%s*$")
  while sub(text, 1, 1) == "[" do
    local inside, rest = bracket(text, "[", "]")
    if not inside then return parse_error() end
    dialstring.assign(leg.vars, inside)
    text = match(rest, "^%s*(.*)$")
  end
  if text == "" then return nil, "DESTINATION_OUT_OF_ORDER" end
  leg.endpoint, leg.rest = match(text, "^([^/]*)/(.*)$")
  if not leg.endpoint then leg.endpoint, leg.rest = text, "" end
  leg.text = text
  return leg
end

-- One ent: { vars, forks = { { leg, … }, … } }, or nil and the cause.
local function parse_ent(text)
  local ent = { vars = util.names(), ultra = util.names(), forks = {} }
  text = match(text, "^%s*(.*)$")
  while sub(text, 1, 1) == "<" do
    local inside, rest = bracket(text, "<", ">")
    if not inside then return parse_error() end
    dialstring.assign(ent.ultra, inside)
    text = rest
  end
  text = match(text, "^%s*(.*)$")
  while sub(text, 1, 1) == "{" do -- no space between two of them
    local inside, rest = bracket(text, "{", "}")
    if not inside then return parse_error() end
    dialstring.assign(ent.vars, inside)
    text = rest
  end
  if match(text, "^%s*$") then
    core.log(4, "No origination URL specified!\n")
    return nil, "DESTINATION_OUT_OF_ORDER"
  end
  local forks = split(text, "|")
  for i = 1, math.min(#forks, PARTS_MAX) do
    local fork, legs = {}, split(forks[i], ",")
    for k = 1, math.min(#legs, PARTS_MAX) do
      local leg, cause = parse_leg(legs[k])
      if not leg then return nil, cause end
      fork[#fork + 1] = leg
    end
    ent.forks[#ent.forks + 1] = fork
  end
  local vars = util.names():merge(ent.ultra):merge(ent.vars)
  ent.vars = vars
  return ent
end

-- { ents }, or nil and the cause.
function dialstring.parse(text)
  if not text or match(text, "^%s*$") then
    core.log(4, "No origination URL specified!\n")
    return nil, "DESTINATION_OUT_OF_ORDER"
  end
  local parts, ents, ultra = util.split(text, ":_:"), {}, nil
  for i = 1, math.min(#parts, PARTS_MAX) do
    local ent, cause = parse_ent(parts[i])
    if not ent then return nil, cause end
    if i == 1 then ultra = ent.ultra end
    if i > 1 then ent.vars = ultra:copy():merge(ent.vars) end
    ents[#ents + 1] = ent
  end
  return ents
end
