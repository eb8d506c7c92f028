-- variables.lua: where a variable is looked up, arrays, exports, and ${…} expansion with nested functions.
local core = ...
local fs = core.fs
local util = fs.util

local concat, find, gmatch, gsub, lower, match, sub, tonumber, type =
  table.concat, string.find, string.gmatch, string.gsub, string.lower, string.match, string.sub, tonumber, type

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
  orig_caller_id_name = 1, orig_caller_id_number = 1, caller_ton = 1, caller_numplan = 1, privacy_hide_name = 1, privacy_hide_number = 1 }

-- A field of the caller profile, also of the other leg behind aleg_ and bleg_.
local function profile(ch, name)
  name = lower(name)
  if fields[name] then return util.some(ch:profile(name)) or (ch:profile(name) and "") end
  local side, field = match(name, "^([ab]leg)_(.+)$")
  if side and fields[field] then
    local data = ch:data()
    local other = side == "aleg" and data.originator or data.originatee
    return other and other:profile(field)
  end
  if name == "created_time" then return string.format("%.0f", ch:times().created or 0) end
end

-- Scope variables, the channel's, the profile's, the globals.
function variables.get(ch, name)
  if not name or name == "" then return nil end
  local scopes = ch:data().scopes
  if scopes then
    for i = #scopes, 1, -1 do
      local v = scopes[i]:get(name)
      if v then return v end
    end
  end
  local v = ch:get(name)
  if v then return v end
  local base, index = match(name, "^(.*)%[(%-?%d+)%]$")
  if base then
    local all = ch:get(base)
    if not all then return nil end
    index = tonumber(index)
    if index == -1 then return all end
    return variables.array_item(all, index)
  end
  v = profile(ch, name)
  if v then return v end
  return core.global_get(name)
end

function variables.set(ch, name, value)
  if not name or name == "" then return end
  if value == "" then value = nil end
  ch:set(name, value)
end

function variables.push(ch, name, value, front)
  local now = ch:get(name)
  local list = now and variables.array(now) or {}
  table.insert(list, front and 1 or #list + 1, value)
  ch:set(name, variables.array_text(list))
end

-- "name=value" or "name,value" as `set` takes it.
function variables.assignment(text)
  local name, value = match(text, "^%s*([^=,]-)%s*[=,](.*)$")
  if not name then return util.trim(text), nil end
  return name, value
end

-- Marks a variable for the legs that this call makes.
function variables.export(ch, text, list_name)
  local name, value = variables.assignment(text)
  list_name = list_name or "export_vars"
  local bare = match(name, "^nolocal:(.*)$") or match(name, "^_nolocal_(.*)$")
  if bare then
    ch:data().exports_only = ch:data().exports_only or util.names()
    ch:data().exports_only:set(bare, value)
  else
    variables.set(ch, name, value)
  end
  local list = ch:get(list_name)
  name = bare or name
  if list then
    for word in gmatch(list, "[^,]+") do if lower(word) == lower(name) then return end end
    ch:set(list_name, list .. "," .. name)
  else
    ch:set(list_name, name)
  end
end

-- Calls f(name, value) for everything that a leg made for `ch` inherits.
function variables.exported(ch, f, list_name)
  local only = ch:data().exports_only
  for word in gmatch(ch:get(list_name or "export_vars") or "", "[^,]+") do
    local value = only and only:get(word) or ch:get(word)
    if value then f(word, value) end
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

-- Expands ${name}, ${name:offset:length}, ${command(args)}, $${global} in `text`. lookup(name) gives a value or nil, call(command,
-- arguments) a command's reply. Backslash protects a dollar. What has no value becomes empty.
function variables.expand_with(text, lookup, call)
  if not find(text, "$", 1, true) then return text end
  local out, i, n = {}, 1, #text
  while i <= n do
    local at = find(text, "[$\\]", i)
    if not at then
      out[#out + 1] = sub(text, i)
      break
    end
    out[#out + 1] = sub(text, i, at - 1)
    local c, next_c = sub(text, at, at), sub(text, at + 1, at + 1)
    if c == "\\" then
      if next_c == "$" then
        out[#out + 1] = "$"
        i = at + 2
      elseif next_c == "'" then
        out[#out + 1] = "'"
        i = at + 2
      else
        out[#out + 1] = "\\"
        i = at + 1
      end
    else
      local global = next_c == "$" and sub(text, at + 2, at + 2) == "{"
      local open = global and at + 2 or (next_c == "{" and at + 1)
      local close = open and closing(text, open, "{", "}")
      if open and not close then break end -- never closed: nothing of it remains
      if not close then
        out[#out + 1] = "$"
        i = at + 1
      else
        local inner = sub(text, open + 1, close - 1)
        i = close + 1
        local command, arguments = match(inner, "^([%w_%-]+)%((.*)%)%s*$")
        if not command then
          command, arguments = match(inner, "^([%a][%w_]*)%s+(.+)$")
        end
        local value
        if global then
          value = core.global_get(inner)
        elseif command then
          value = call and call(command, variables.expand_with(arguments, lookup, call)) or ""
        else
          inner = variables.expand_with(inner, lookup, call)
          local name, offset, length = match(inner, "^(.-):(%-?%d+):?(%-?%d*)$")
          value = lookup(name or inner)
          if value and offset then
            offset, length = tonumber(offset), tonumber(length)
            local from = offset < 0 and math.max(#value + offset, 0) or offset
            value = sub(value, from + 1)
            if length and length > 0 then value = sub(value, 1, length)
            end
          end
        end
        out[#out + 1] = value or ""
      end
    end
  end
  return concat(out)
end

-- In a call: its variables, and commands that know the call.
function variables.expand(ch, text)
  if not text or not find(text, "$", 1, true) then return text end
  return variables.expand_with(text, function(name) return variables.get(ch, name) end,
    function(command, arguments) return fs.run_api(command, arguments, { channel = ch, session = true }) end)
end

-- Without a call: globals only.
function variables.expand_global(text)
  if not text then return text end
  return variables.expand_with(text, core.global_get, function(command, arguments) return fs.run_api(command, arguments, {}) end)
end

-- In an event: ${variable_x}, ${channel-state}: its headers.
function variables.expand_event(e, text)
  return variables.expand_with(text, function(name) return fs.event.lookup(e, name) or core.global_get(name) end,
    function(command, arguments) return fs.run_api(command, arguments, {}) end)
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
