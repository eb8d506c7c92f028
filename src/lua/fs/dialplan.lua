-- dialplan.lua: from a destination to a list of applications: the XML, inline and LUA dialplans.
local core = ...
local fs = core.fs
local util, variables, xmlconf = fs.util, fs.variables, fs.xmlconf

local find, floor, format, gmatch, gsub, lower, match, sub, tonumber, type = string.find, math.floor, string.format, string.gmatch,
  string.gsub, string.lower, string.match, string.sub, tonumber, type

local dialplan = { types = {} }
fs.dialplan = dialplan

-- --- time conditions ---

local days = { sun = 1, mon = 2, tue = 3, wed = 4, thu = 5, fri = 6, sat = 7 }
local months = { jan = 1, feb = 2, mar = 3, apr = 4, may = 5, jun = 6, jul = 7, aug = 8, sep = 9, oct = 10, nov = 11, dec = 12 }

-- "1-5,7" or "mon-fri" holds n.
local function listed(text, n, words)
  for part in gmatch(text, "[^,%s]+") do
    local function value(w) return tonumber(w) or words and words[sub(lower(w), 1, 3)] end
    local a, b = match(part, "^([^%-]+)%-(.+)$")
    a, b = value(a or part), value(b or part)
    if a and b then
      if a <= b then
        if n >= a and n <= b then return true end
      elseif n >= a or n <= b then return true end
    end
  end
  return false
end

local function seconds_of_day(text)
  local h, m, s = match(text, "^(%d+):(%d+):?(%d*)$")
  return h and tonumber(h) * 3600 + tonumber(m) * 60 + (tonumber(s) or 0)
end

local function time_of_day(text, now)
  for part in gmatch(text, "[^,%s]+") do
    local a, b = match(part, "^([%d:]+)%-([%d:]+)$")
    a, b = a and seconds_of_day(a), b and seconds_of_day(b)
    if a and b then
      if a <= b then
        if now >= a and now <= b then return true end
      elseif now >= a or now <= b then return true end
    end
  end
  return false
end

local function date_time(text, stamp)
  local a, b = match(text, "^(.-)~(.+)$")
  return a ~= nil and stamp >= a and stamp <= b
end

-- True, false, or nil when the condition asks for no time. (Exported for tests.)
function dialplan.time_matches(attr, zone)
  local epoch = floor(core.utc_us() / 1000000)
  local asked, ok = false, true
  local offset = attr["tz-offset"] and tonumber(attr["tz-offset"])
  if offset then epoch, zone = epoch + offset * 3600, "UTC" end
  local function part(f) return tonumber(core.strftime(f, epoch, zone)) end
  local function test(name, f)
    if attr[name] then
      asked = true
      if ok and not f(attr[name]) then ok = false end
    end
  end
  test("year", function(t) return listed(t, part("%Y")) end)
  test("yday", function(t) return listed(t, part("%j")) end)
  test("mon", function(t) return listed(t, part("%m"), months) end)
  test("mday", function(t) return listed(t, part("%d")) end)
  test("week", function(t) return listed(t, floor((part("%j") + 6) / 7)) end)
  test("mweek", function(t) return listed(t, floor((part("%d") - 1) / 7) + 1) end)
  test("wday", function(t) return listed(t, part("%w") + 1, days) end)
  test("hour", function(t) return listed(t, part("%H")) end)
  test("minute", function(t) return listed(t, part("%M")) end)
  test("minute-of-day", function(t) return listed(t, part("%H") * 60 + part("%M") + 1) end)
  test("time-of-day", function(t) return time_of_day(t, part("%H") * 3600 + part("%M") * 60 + part("%S")) end)
  test("date-time", function(t) return date_time(t, core.strftime("%Y-%m-%d %H:%M:%S", epoch, zone)) end)
  if asked then return ok end
end

-- --- conditions ---

local function field_value(ch, field)
  if find(field, "$", 1, true) then return variables.expand(ch, field) or "" end
  return ch:profile(field) or (field == "chan_name" and ch:profile("chan_name")) or variables.get(ch, field) or ""
end

local function expression_of(node)
  if node.attr.expression then return node.attr.expression end
  for i = 1, #node do if node[i].tag == "expression" then return util.trim(node[i].text or "") end end
end

local function regex(ch, node, expression)
  local pattern = variables.expand_with(expression, core.global_get)
  return core.regex(pattern, field_value(ch, node.attr.field or ""))
end

-- Does the condition hold? Second: the captures of its expression.
local function holds(ch, node)
  local time = dialplan.time_matches(node.attr, ch:get("timezone"))
  if time == false then return false end
  local mode = node.attr.regex
  if mode then
    mode = lower(mode)
    local count, total, captures = 0, 0, nil
    for i = 1, #node do
      if node[i].tag == "regex" then
        total = total + 1
        local expression = expression_of(node[i])
        local c = expression and regex(ch, node[i], expression)
        if c then
          count = count + 1
          for k = 1, #c do ch:set(format("DP_REGEX_MATCH_%d", count) .. (#c > 1 and format("[%d]", k - 1) or ""), c[k]) end
          captures = c
          if mode == "any" then break end
        elseif mode == "all" then
          break
        end
      end
    end
    local yes = mode == "any" and count > 0 or mode == "all" and count == total or mode == "xor" and count == 1
    return yes, captures
  end
  local expression = expression_of(node)
  if not expression then return true end
  local captures = regex(ch, node, expression)
  return captures ~= nil, captures
end

local function substitute(text, captures)
  if not captures then return text end
  return (gsub(text, "%$(%d+)", function(n) return captures[tonumber(n)] or "" end))
end

-- Adds a condition's actions to the list (inline ones run at once); true if there was any.
local function take_actions(ch, node, tag, captures, actions)
  local any = false
  for i = 1, #node do
    local a = node[i]
    if a.tag == tag then
      any = true
      local app = a.attr.application or ""
      local data = substitute(a.attr.data or util.some(util.trim(a.text or "")) or "", captures)
      if util.truth(a.attr.inline) then fs.apps.execute(ch, app, data)
      else actions[#actions + 1] = { app, data } end
    end
  end
  return any
end

local function has_condition(node)
  for i = 1, #node do if node[i].tag == "condition" then return true end end
end

local BREAK = { ["on-false"] = 1, ["on-true"] = 2, always = 3, never = 4 }

-- All conditions of a node in order: true if the last one looked at held, or gave anti-actions. A condition's own actions come before
-- those of the conditions within it; its break is decided before them.
local function conditions(ch, node, actions)
  local proceed = false
  local list = {}
  xmlconf.each(node, "condition", function(c) list[#list + 1] = c end)
  for i = 1, #list do
    local c = list[i]
    local mode = BREAK[lower(c.attr["break"] or "on-false")] or 1
    local yes, captures = holds(ch, c)
    proceed = yes
    if yes then take_actions(ch, c, "action", captures, actions)
    elseif take_actions(ch, c, "anti-action", nil, actions) then proceed = true end
    if mode == 3 or (yes and mode == 2) or (not yes and mode == 1) then break end
    if proceed and has_condition(c) then
      proceed = conditions(ch, c, actions)
      if not proceed and mode ~= 4 then break end
    end
  end
  if node.tag == "condition" and node.attr["require-nested"] and util.falsity(node.attr["require-nested"]) then return true end
  return proceed
end

-- The applications of a context for this call; nil if no extension matched. An extension that has the destination's name is the first
-- one that is tried.
local function from_context(ch, context)
  local list, first = {}, 1
  xmlconf.each(context, "extension", function(e) list[#list + 1] = e end)
  local wanted = ch:profile("destination_number")
  for i = #list, 1, -1 do if list[i].attr.name == wanted then first = i end end
  local actions = {}
  for i = first, #list do
    if conditions(ch, list[i], actions) and not util.truth(list[i].attr["continue"]) then break end
    if not ch:up() then return nil end
  end
  if #actions == 0 then return nil end
  return actions
end

function dialplan.types.XML(ch, name)
  local context_name = ch:profile("context")
  if not util.some(context_name) then context_name = "default" end
  local context = fs.xml_handler.context(ch, context_name) or xmlconf.context(context_name) or xmlconf.context("global")
  if not context then
    util.log(util.INFO, format("Context %s not found", context_name), ch)
    return nil
  end
  ch:data().hit_dialplan = true
  return from_context(ch, context)
end
dialplan.types.xml = dialplan.types.XML

-- "app:data,app:data", "m:^:app:a,b^app2": the destination itself is the list.
function dialplan.inline_actions(text)
  local d, rest = match(text, "^m:(.):(.*)$")
  local actions = {}
  for _, item in ipairs(util.separate(rest or text, d or ",")) do
    local app, data = match(item, "^%s*([^:]-)%s*:(.*)$")
    if not app then app, data = util.trim(item), "" end
    if app ~= "" then actions[#actions + 1] = { app, data } end
  end
  return actions
end
function dialplan.types.inline(ch)
  local actions = dialplan.inline_actions(ch:profile("destination_number") or "")
  return #actions > 0 and actions or nil
end
dialplan.types.INLINE = dialplan.types.inline

-- A script says what to run: ACTIONS = { { "app", "data" }, "app" }.
function dialplan.types.LUA(ch)
  local object, st = fs.session.attach(ch)
  local context = ch:profile("context")
  local request = fs.script.parse(util.some(context) or "lua/dialplan.lua")
  request.globals, request.session = { session = object }, object
  local result, globals = fs.script.wait(request)
  local list = globals and globals.ACTIONS
  fs.session.release(st)
  fs.wait.acquire(ch)
  if not result.ok or type(list) ~= "table" then return nil end
  local actions = {}
  for i = 1, #list do
    local a = list[i]
    if type(a) == "table" then actions[#actions + 1] = { tostring(a[1]), a[2] ~= nil and tostring(a[2]) or "" }
    elseif a ~= nil then actions[#actions + 1] = { tostring(a), "" } end
  end
  return #actions > 0 and actions or nil
end
dialplan.types.lua = dialplan.types.LUA

-- What a call is to do now; nil = no route.
function dialplan.route(ch)
  local names = util.some(ch:profile("dialplan")) or "XML"
  for name in gmatch(names, "[^,%s]+") do
    local f = dialplan.types[name]
    if not f then
      util.err(ch, "there is no dialplan type %s", name)
    else
      local actions = f(ch)
      if actions or not ch:up() then return actions end
    end
  end
end

-- A list of applications for one extension, as execute_extension runs it: the call stays where it is.
function dialplan.lookup(ch, extension, name, context)
  local before = { ch:profile("destination_number"), ch:profile("dialplan"), ch:profile("context") }
  ch:profile_set("destination_number", extension)
  if util.some(name) then ch:profile_set("dialplan", name) end
  if util.some(context) then ch:profile_set("context", context) end
  local actions = dialplan.route(ch)
  ch:profile_set("destination_number", before[1] or "")
  ch:profile_set("dialplan", before[2] or "XML")
  ch:profile_set("context", before[3] or "default")
  return actions
end
