-- variables.lua: where a variable is looked up, arrays, exports, and ${…} expansion with nested functions.
local core = ...
local fs = core.fs
local util = fs.util

local concat, find, format, lower, match, sub = table.concat, string.find, string.format, string.lower, string.match, string.sub
local ipairs = ipairs

local variables = {}
fs.variables = variables

-- --- arrays: "ARRAY::a|:b|:c" ---

function variables.array(value)
  local rest = match(value, "^ARRAY::(.*)$")
  if rest then return util.split(rest, "|:") end
  return { value }
end
function variables.array_item(value, index) return variables.array(value)[index + 1] end
function variables.array_text(list)
  if #list == 1 then return list[1] end
  return "ARRAY::" .. concat(list, "|:")
end

-- --- one channel's variables ---

local fields = { caller_id_name = 1, caller_id_number = 1, ani = 1, aniii = 1, callee_id_name = 1, callee_id_number = 1, rdnis = 1,
  destination_number = 1, context = 1, dialplan = 1, network_addr = 1, source = 1, username = 1, chan_name = 1, uuid = 1,
  orig_caller_id_name = 1, orig_caller_id_number = 1 }
-- Fields that are never set to anything else here.
local constants = { caller_ton = "0", caller_numplan = "0", destination_number_ton = "0", destination_number_numplan = "0", ani_ton = "0",
  ani_numplan = "0", rdnis_ton = "0", rdnis_numplan = "0", screen_bit = "true", profile_index = "1" }
-- Times of the call (ch:times()) by the field's name.
local times = { profile_created_time = "created", created_time = "created", answered_time = "answered", progress_time = "progress",
  progress_media_time = "progress_media", hungup_time = "hangup" }

-- A field of the caller profile as a condition of the dialplan names it; nil for what is none.
local function field(ch, name)
  name = lower(name)
  if fields[name] then return ch:profile(name) end
  if name == "privacy_hide_name" or name == "privacy_hide_number" then return ch:profile(name) == "true" and "true" or "false" end
  if constants[name] then return constants[name] end
  if times[name] then return format("%.0f", ch:times()[times[name]] or 0) end
  if name == "transferred_time" then return format("%.0f", ch:data().transfer_us or 0) end
end

variables.field = field

-- A field of the caller profile, also of the other leg behind aleg_ and bleg_.
local function profile(ch, name)
  local side, rest = match(name, "^([ab]leg)_(.+)$")
  if not side then return field(ch, name) end
  local data = ch:data()
  local other
  if side == "aleg" then other = data.originator else other = data.originatee end
  return other and field(other, rest)
end

-- An element of an array; an array that was pushed together from one value counts as one, a plain value does not.
local function item(ch, name, value, index)
  if index < 0 or not value then return value end
  if sub(value, 1, 7) == "ARRAY::" then return variables.array_item(value, index) end
  local pushed = ch and ch:data().pushed
  return index == 0 and pushed and pushed[lower(name)] and value or nil
end

-- Scope variables, the channel's, the profile's, the globals. index: of an array's element, from 0.
function variables.get(ch, name, index)
  if not name or name == "" then return nil end
  index = index or -1
  local scopes = ch:data().scopes
  if scopes then
    for i = #scopes, 1, -1 do
      local v = item(nil, name, scopes[i]:get(name), index)
      if v then return v end
    end
  end
  return item(ch, name, ch:get(name), index) or profile(ch, name) or core.global_get(name)
end

-- "name[2]" → "name", 2; otherwise the name and -1.
local function indexed(name)
  local base, index = match(name, "^([^%[]*)%[([^%]]*)%]?")
  if not base then return name, -1 end
  return base, util.int(index)
end

-- As uuid_getvar and ${…} read it: "name[2]" is an element, if there is such a one.
function variables.get_indexed(ch, name)
  local base, index = indexed(name)
  return base ~= name and variables.get(ch, base, index) or variables.get(ch, name)
end

local ARRAY_MAX = 4000

-- "name[2]" sets an element; a plain value that was there before is lost, as are elements of an index out of all reason.
local function set_item(ch, base, index, value)
  if index < 0 or index > ARRAY_MAX or not value then return end
  local now, list = ch:get(base), {}
  if now and (sub(now, 1, 7) == "ARRAY::" or item(ch, base, now, 0)) then list = variables.array(now) end
  for i = #list + 1, index do list[i] = "" end
  list[index + 1] = value
  variables.store(ch, base, list)
end

-- Keeps a list of values under a name.
function variables.store(ch, name, list)
  local data = ch:data()
  data.pushed = data.pushed or {}
  data.pushed[lower(name)] = true
  ch:set(name, variables.array_text(list))
end

function variables.set(ch, name, value)
  if not name or name == "" then return end
  if value == "" then value = nil end
  local base, index = indexed(name)
  if base ~= name and base ~= "" then return set_item(ch, base, index, value) end
  local pushed = ch:data().pushed
  if pushed then pushed[lower(name)] = nil end
  if value and sub(value, 1, 7) == "ARRAY::" then -- one element alone is no longer written as an array; none at all is no value
    local list = variables.array(value)
    if #value < 8 then value = nil elseif #list == 1 then return variables.store(ch, name, list) end
  end
  ch:set(name, value)
end

function variables.push(ch, name, value, front)
  if not name or name == "" then return end
  if not value or value == "" then return variables.set(ch, name, nil) end
  local now = ch:get(name)
  local list = now and variables.array(now) or {}
  table.insert(list, front and 1 or #list + 1, value)
  variables.store(ch, name, list)
end

-- "name=value" as the applications take it; commas: a comma will do where there is no equals sign. An empty value is none.
function variables.assignment(text, commas)
  local name, value = match(text, "^([^=]*)=(.*)$")
  if not name and commas then name, value = match(text, "^([^,]*),(.*)$") end
  return name or text, util.some(value)
end

-- Sets a variable and marks it for the legs that this call makes; with "nolocal:" (or "_nolocal_") before its name it is theirs alone: here
-- the prefix stays part of the name.
function variables.export(ch, text, list_name)
  local name, value = variables.assignment(text)
  if name == "" then return end
  variables.set(ch, name, value)
  if not value then return end
  list_name = list_name or "export_vars"
  local list = ch:get(list_name)
  ch:set(list_name, list and list .. "," .. name or name)
end

-- Calls f(name, value) for everything that a leg made for `ch` inherits.
function variables.exported(ch, f, list_name)
  list_name = list_name or "export_vars"
  local list = ch:get(list_name)
  if not list then return end
  f(list_name, list)
  for _, name in ipairs(util.separate(list, ",")) do
    local value = variables.get(ch, name)
    if value then
      local bare = match(lower(name), "^nolocal:()") or match(lower(name), "^_nolocal_()")
      f(bare and sub(name, bare) or name, value)
    end
  end
end

-- --- expansion ---

-- The end of the group that opens at `at` with `open`.
local function closing(text, at, open, close)
  local depth = 1
  local i = at + 1
  while i <= #text do
    local c = sub(text, i, i)
    if c == "\\" then i = i + 1
    elseif c == open then depth = depth + 1
    elseif c == close then
      depth = depth - 1
      if depth == 0 then return i end
    end
    i = i + 1
  end
end
variables.closing = closing

local DEPTH_MAX = 100

-- Where the name that begins at `from` (behind "${") ends: braces within it count in pairs; a name that never closes takes all the rest.
local function name_end(text, from)
  local depth = 1
  for i = from, #text do
    local c = sub(text, i, i)
    if c == "}" then
      if depth == 1 then return i end
      depth = depth - 1
    elseif c == "{" and i > from then
      depth = depth + 1
    end
  end
  return #text + 1
end

-- "command(arguments)" or "command arguments" → both; nil for a variable's name. What follows the parenthesis that closes the arguments is lost,
-- also where they began with a blank: then the first parenthesis within them is the one that is looked for.
local function call_parts(inner)
  local at = find(inner, "[ (]")
  if not at then return nil end
  local depth = sub(inner, at, at) == "(" and 1 or 0
  for i = at + 1, #inner do
    local c = sub(inner, i, i)
    if c == "(" then
      depth = depth + 1
    elseif c == ")" and depth == 1 then
      return sub(inner, 1, at - 1), sub(inner, at + 1, i - 1)
    elseif c == ")" and depth > 1 then
      depth = depth - 1
    end
  end
  return sub(inner, 1, at - 1), sub(inner, at + 1)
end

-- A part of a value: from `offset` (from the end if below 0), at most `length` characters if above 0.
local function slice(value, offset, length)
  if offset >= 0 then value = sub(value, offset + 1)
  elseif -offset <= #value then value = sub(value, offset) end
  if length > 0 and length < #value then value = sub(value, 1, length) end
  return value
end

-- Is there anything to expand? Backslashes are read only in a text that has some of these.
local function worth_it(text)
  return find(text, "%$\\*{") or find(text, "\\[\\nst']")
end

-- Expands ${name}, ${name:offset:length}, ${name[index]}, ${command(args)}, $${global} in `text`; values are expanded in their turn.
-- lookup(name, index) gives a value or nil, and true if the value is to stay as it is; call(command, arguments) a command's reply or nil. What has no value becomes empty.
function variables.expand_with(text, lookup, call, depth)
  depth = depth or 0
  if depth > DEPTH_MAX or not worth_it(text) then return text end
  local function within(inner) return variables.expand_with(inner, lookup, call, depth + 1) end
  local function value_of(inner, global)
    local command, arguments = call_parts(inner)
    if command then return call and call(within(command), within(arguments)) end
    local name, tail = match(within(inner), "^([^:]*):?(.*)$")
    local offset, length = match(tail, "^([^:]*):?(.*)$")
    local base, index = match(name, "^([^%[]*)%[([^%]]*)%]")
    local value, final
    if global then value = core.global_get(base or name) else value, final = lookup(base or name, base and util.int(index) or -1) end
    return value and slice(final and value or within(value), util.int(offset), util.int(length))
  end
  local out, i, n = {}, 1, #text
  local function put(piece) out[#out + 1] = piece end
  local function named(open, global) -- open: where the brace is
    local close = name_end(text, open + 1)
    put(value_of(sub(text, open + 1, close - 1), global) or "")
    i = close + 1
    if i <= n and sub(text, i, i) ~= "$" then -- what follows directly is plain text, even a backslash
      put(sub(text, i, i))
      i = i + 1
    end
  end
  while i <= n do
    local at = find(text, "[$\\]", i)
    if not at then
      put(sub(text, i))
      break
    end
    if at > i then put(sub(text, i, at - 1)) end
    local two, three = sub(text, at, at + 1), sub(text, at, at + 2)
    if two == "\\$" then
      put("$")
      i = at + (three == "\\$$" and 3 or 2)
    elseif two == "\\'" then
      i = at + 2
    elseif two == "\\\\" then
      put("\\")
      i = at + 2
    elseif sub(two, 1, 1) == "\\" then
      put("\\")
      i = at + 1
    elseif two == "${" then
      named(at + 1, false)
    elseif three == "$${" then
      named(at + 2, true)
    else
      put("$")
      i = at + (two == "$$" and 2 or 1)
    end
  end
  return concat(out)
end

-- In a call: its variables, and commands that know the call.
function variables.expand(ch, text)
  if not text or not worth_it(text) then return text end
  return variables.expand_with(text, function(name, index) return variables.get(ch, name, index) end,
    function(command, arguments) return fs.api.run(command, arguments, { channel = ch, session = true }) end)
end

local function plain_call(command, arguments) return fs.api.run(command, arguments, {}) end

-- Without a call: globals only.
function variables.expand_global(text)
  if not text then return text end
  return variables.expand_with(text, core.global_get, plain_call)
end

-- In an event: ${variable_x}, ${channel-state}: its headers.
function variables.expand_event(e, text)
  return variables.expand_with(text, function(name, index)
    local value = fs.event.lookup(e, index >= 0 and format("%s[%d]", name, index) or name)
    if value then return value, true end
    return core.global_get(name)
  end, plain_call)
end

-- A command's reply as text. context: { channel =, session = bool, env = event state }. The commands stand in api.lua.
function fs.run_api(command, arguments, context)
  if fs.api and fs.api.execute then return fs.api.execute(command, arguments, context or {}) or "" end
  return "-ERR no such command\n"
end

-- "%[a=1,b=2]data": scope variables for one application; returns the table and the rest.
function variables.scope(text)
  if sub(text, 1, 2) ~= "%[" then return nil, text end
  local close = closing(text, 2, "[", "]")
  if not close then return nil, text end
  local scope = util.names()
  for _, item in ipairs((util.delimited(sub(text, 3, close - 1)))) do
    local name, value = match(item, "^%s*([^=]-)%s*=(.*)$")
    if name then scope:set(name, value) end
  end
  return scope, sub(text, close + 1)
end
