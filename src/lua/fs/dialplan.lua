-- dialplan.lua: from a destination to a list of applications: the XML, inline and LUA dialplans.
local core = ...
local fs = core.fs
local util, variables, xmlconf = fs.util, fs.variables, fs.xmlconf

local find, format, gmatch, gsub, lower, match, sub, tonumber, type = string.find, string.format, string.gmatch, string.gsub, string.lower,
  string.match, string.sub, tonumber, type

local dialplan = { types = {} }
fs.dialplan = dialplan

-- --- conditions ---

-- What a condition looks at: a field of the caller profile, or any text with variables.
local function field_value(ch, field)
  if find(field, "$", 1, true) then return variables.expand(ch, field) or "" end
  return variables.field(ch, field) or ""
end

local function expression_of(ch, node)
  local text = node.attr.expression or ""
  for i = 1, #node do if node[i].tag == "expression" then text = util.trim(node[i].text or "") end end
  return variables.expand(ch, text)
end

-- How many groups a match has, the whole one counted: those behind the last that took part do not count.
local function matched(captures)
  local n = 1
  for i = 1, #captures do if (captures.starts[i] or 0) > 0 then n = i + 1 end end
  return n
end

-- Looks at one expression: { yes =, captures = nil without parentheses, data = what was looked at, count = }.
local function look(ch, node)
  local expression, data = expression_of(ch, node), field_value(ch, node.attr.field)
  local captures = core.regex(expression, data)
  local groups = find(expression, "(", 1, true) ~= nil
  return { yes = captures ~= nil, groups = groups, captures = captures, data = data, count = captures and matched(captures) or 0 }
end

-- An array variable of what was captured; an empty capture forgets all before it.
local function keep_captures(ch, name, found)
  variables.set(ch, name, nil)
  for i = 0, found.count - 1 do
    if i == 0 or (found.captures.starts[i] or 0) > 0 then variables.push(ch, name, found.captures[i]) end
  end
end

-- <condition regex="all|any|xor">: does it hold, what $1 means then, does the last expression hold.
local function many(ch, node, rule)
  local all, xor = rule == "all", rule == "xor"
  local pass, fail, total, last, found = 0, 0, 0, false, nil
  for _, pair in ipairs(ch:variables()) do
    if match(pair[1], "^DP_REGEX_MATCH") then ch:set(pair[1], nil) end
  end
  for i = 1, #node do
    local part = node[i]
    if part.tag == "regex" then
      total = total + 1
      local time, one = fs.timecheck.matches(ch, part.attr), nil
      if part.attr.field then
        one = look(ch, part)
        last = one.yes
      else
        last = time ~= false
      end
      if last then pass = pass + 1 else fail = fail + 1 end
      local over
      if last then over = not all and not xor else over = all end
      if one and one.groups then
        found = one
        if not (over and last) then keep_captures(ch, format("DP_REGEX_MATCH_%d", total), one) end
      end
      if over then break end
    end
  end
  if xor then return pass == 1, found, last end
  return all and fail == 0 or not all and pass > 0, found, last
end

-- Does the condition hold? What $1 means then; does it let the extension proceed.
local function holds(ch, node)
  local time = fs.timecheck.matches(ch, node.attr)
  local rule = node.attr.regex
  if rule then
    local yes, found, last = many(ch, node, lower(rule))
    return yes or time == true, found, last
  end
  if node.attr.field then -- it decides; a time that holds as well lets the actions run whatever it says
    local one = look(ch, node)
    return one.yes or time == true, one.groups and one or nil, one.yes
  end
  return time ~= false, nil, time ~= false
end

-- $1 and ${1} in an action's data. It has room for the data, what was looked at and ten more, once for each group.
local function substitute(text, found)
  if not found or not found.captures then return text end
  local function group(n) return found.captures[tonumber(n)] or "" end
  local out = gsub(gsub(text, "%${(%d+)}", group), "%$(%d+)", group)
  return sub(out, 1, (#text + #found.data + 10) * found.count - 1)
end

-- An action marked inline runs while the dialplan is read, if it is one of those that may.
local function run_inline(ch, app, data)
  local known = fs.apps.find(app)
  if known and not known.routing then return util.err(ch, "This application cannot be executed inline\n") end
  fs.apps.execute(ch, app, data)
end

-- Adds a condition's actions to the list (inline ones run at once); true if there was any.
local function take_actions(ch, node, tag, found, actions)
  local any = false
  for i = 1, #node do
    local a = node[i]
    if a.tag == tag then
      any, actions.any = true, true
      local app = a.attr.application or ""
      local data = substitute(util.some(util.trim(a.text or "")) or a.attr.data or "", found)
      for _ = 1, a.attr.loop and util.int(a.attr.loop) or 1 do
        if util.truth(a.attr.inline) then run_inline(ch, app, data)
        else actions[#actions + 1] = { app, data } end
      end
    end
  end
  return any
end

local function has_condition(node)
  for i = 1, #node do if node[i].tag == "condition" then return true end end
end

local BREAK = { ["on-false"] = 1, ["on-true"] = 2, always = 3, never = 4 }

-- All conditions of a node in order: true if the last one looked at lets the extension proceed, or gave anti-actions. A condition's own
-- actions come before those of the conditions within it; its break is decided before them.
local function conditions(ch, node, actions)
  local proceed = false
  local list = {}
  xmlconf.each(node, "condition", function(c) list[#list + 1] = c end)
  for i = 1, #list do
    local c = list[i]
    local mode = BREAK[lower(c.attr["break"] or "on-false")] or 1
    local yes, found
    yes, found, proceed = holds(ch, c)
    if yes then
      if found then keep_captures(ch, "DP_MATCH", found) end
      take_actions(ch, c, "action", found, actions)
    elseif take_actions(ch, c, "anti-action", nil, actions) then
      proceed = true
    end
    if mode == 3 or (yes and mode == 2) or (not yes and mode == 1) then break end
    if proceed and has_condition(c) then
      proceed = conditions(ch, c, actions)
      if not proceed and mode ~= 4 then break end
    end
  end
  local nested = node.tag == "condition" and node.attr["require-nested"]
  return proceed or (nested ~= nil and nested ~= false and not util.truth(nested))
end

-- The applications of a context for this call; nil if no extension matched. With auto_hunt, an extension that has the destination's name
-- is the first one that is tried.
local function from_context(ch, context)
  local list, first = {}, 1
  xmlconf.each(context, "extension", function(e) list[#list + 1] = e end)
  if util.truth(variables.get(ch, "auto_hunt")) then
    local wanted = ch:profile("destination_number")
    for i = #list, 1, -1 do if list[i].attr.name == wanted then first = i end end
  end
  local actions = {}
  for i = first, #list do
    if conditions(ch, list[i], actions) and not util.truth(list[i].attr["continue"]) then break end
    if not ch:up() then return nil end
  end
  return actions.any and actions or nil
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
  ch:profile_set("destination_number", ch:profile("rdnis") or "") -- where it was going before
  ch:profile_set("rdnis", "")
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
