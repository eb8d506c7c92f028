-- digit_actions.lua: keys bound to actions: bind_digit_action with its realms, and bind_meta_app; in a bridge and outside of one.
--
-- A call has up to two *machines*: `self` hears the keys that it presses, `peer` those that its partner sends to it. A key goes through the
-- meta keys and the machine first; what matches nothing is passed on (data.passed), as if it had just been pressed. digits.waiting() and
-- digits.take() look here first, so whatever waits on a call (wait.serve) keeps its machines running, their timeouts too.
local core = ...
local fs = core.fs
local util, digits, apps = fs.util, fs.digits, fs.apps

local find, floor, ipairs, lower, match, max, pairs, sub, tonumber = string.find, math.floor, ipairs, string.lower, string.match, math.max, pairs, string.sub, tonumber
local define = apps.define

local actions = {}
fs.digit_actions = actions

local DIGIT_TIMEOUT_MS = 1500
local META_TIMEOUT_MS = 5000
local LENGTH_MAX = 511

-- --- what runs ---

local function targets(ch, whom)
  local partner = ch:data().partner
  if whom == "both" then return partner and { partner, ch } or { ch } end
  return { whom == "peer" and partner or ch }
end

local function execute(ch, app, arg, inline)
  if inline then return fs.apps.execute(ch, app, arg) end
  fs.messages.send(ch, { { "call-command", "execute" }, { "execute-app-name", app }, { "execute-app-arg", arg } })
end

-- "exec:app", "exec[flags]:app", "api:command"; anything else only sets the variable.
local function run(ch, action, keys)
  local flags, app = match(action.what, "^exec%[([^%]]*)%]:(.*)$")
  app = app or match(action.what, "^exec:(.*)$")
  local command = not app and match(action.what, "^api:(.*)$")
  for _, target in ipairs(targets(ch, action.whom)) do
    target:set("last_matching_digits", keys)
    if app then execute(target, app, action.arg, flags and find(flags, "i", 1, true))
    elseif command then
      core.spawn("digit action", function()
        target:set("bind_digit_action_api_result", fs.run_api(command, fs.variables.expand(target, action.arg), { channel = target }))
      end)
    end
  end
end

-- --- a machine ---

local function machine(ch, side)
  local bound = ch:data().bound
  if not bound then
    bound = {}
    ch:data().bound = bound
  end
  if not bound[side] then
    bound[side] = { realms = {}, typed = "", durations = {}, longest = 0, timeout_ms = tonumber(ch:get("bind_digit_digit_timeout")) or DIGIT_TIMEOUT_MS }
  end
  return bound[side]
end

-- What the typed keys are by now: "exact" and the binding, "both" (exact, and the begin of a longer one), "partial", "never".
local function judge(m, list, over)
  local typed, possible, exactly, regexes = m.typed, 0, 0, 0
  for _, b in ipairs(list) do
    if b.regex then
      b.hit = core.regex(b.regex, typed)
      regexes, possible = regexes + 1, possible + 1
      if b.hit and b.first then break end
    elseif sub(b.digits, 1, #typed) == typed then
      possible = possible + 1
      if b.digits == typed then exactly = exactly + 1 end
    end
  end
  local last = sub(typed, -1)
  if m.terminators and last ~= "" and find(m.terminators, last, 1, true) then
    typed, over = sub(typed, 1, -2), true
    m.typed = typed
  end
  local best, exact, longer = "none", nil, nil
  for _, b in ipairs(list) do
    if b.regex then
      if b.hit then
        if b.first or b.priority and exactly == 0 or over or #list == 1 then
          best, exact = "exact", b
          break
        end
        best = "partial"
      end
    elseif sub(b.digits, 1, #typed) == typed then
      if not exact and b.digits == typed and (b.first or regexes == 0 or b.priority or over) then
        best, exact = "exact", b
        if b.first or b.priority or #typed == m.longest then break end
      end
      if b.digits ~= typed then
        if exact then best, longer = "both", b else best = "partial" end
      end
    end
  end
  if possible == 0 then best = "never" end
  if over and longer then best = "exact" end
  return best, exact
end

-- Looks what is to be done with the typed keys; pass(key, duration) takes those that matched nothing.
local function turn(ch, m, over, pass)
  if m.typed == "" then return end
  local list = m.current and m.realms[m.current] or {}
  local best, binding = judge(m, list, over)
  local keys, durations = m.typed, m.durations
  if best == "exact" and #keys <= m.longest then
    m.typed, m.durations = "", {}
    return run(ch, binding, keys)
  end
  if best ~= "never" and not over and #keys <= m.longest and not (best == "none" and #keys == m.longest) then return end
  m.typed, m.durations = "", {}
  ch:set("last_non_matching_digits", keys)
  for i = 1, #keys do pass(sub(keys, i, i), durations[i]) end
end

local function feed(ch, m, key, duration, pass)
  if not m or not m.current then return pass(key, duration) end
  m.typed, m.at = m.typed .. key, core.now()
  m.durations[#m.typed] = duration
  turn(ch, m, false, pass)
end

-- --- meta keys ---

-- True if the key was part of a meta sequence. way: recv = pressed by this call, send = by its partner.
local function meta(ch, way, key)
  local m = ch:data().bound.meta
  m = m and m[way]
  if not m then return false end
  local now = core.now()
  if m.on and now - m.at > META_TIMEOUT_MS then
    m.on = nil
    return false
  end
  m.at = now
  if key == m.key then
    local twice = m.on
    m.on = not twice or nil
    return not twice
  end
  if not m.on then return false end
  m.on = nil
  local b = m.keys[key]
  if not b then
    util.warn(ch, "Ignoring meta digit '%s' not mapped", key)
    return true
  end
  local far
  if find(b.flags, "o", 1, true) then far = way == "recv"
  elseif find(b.flags, "s", 1, true) then far = way == "send"
  else far = find(b.flags, "b", 1, true) ~= nil and not find(b.flags, "a", 1, true) end
  local target = far and ch:data().partner or ch
  if find(b.flags, "1", 1, true) then m.keys[key] = nil end
  execute(target, b.app, b.arg, find(b.flags, "i", 1, true))
  return true
end

-- --- where keys come from ---

local function passed(ch)
  local data = ch:data()
  return function(key, duration)
    data.passed = data.passed or {}
    data.passed[#data.passed + 1] = { key, duration }
  end
end

-- Takes all keys that were pressed through the machines, and sees to their timeouts. For calls that have bound keys.
function actions.work(ch)
  local bound = ch:data().bound
  if not bound then return end
  local pass, now = passed(ch), core.now()
  local own, peer = bound.self, bound.peer
  if own and own.typed ~= "" and now - own.at >= own.timeout_ms then turn(ch, own, true, pass) end
  if peer and peer.typed ~= "" and now - peer.at >= peer.timeout_ms then
    turn(ch, peer, true, function(key, duration) ch:send_digits(core.token(), key, floor((duration or 2000) / 8)) end)
  end
  while ch:digits() > 0 do
    local key, duration = digits.pressed(ch)
    if not key then break end
    if not meta(ch, "recv", key) then feed(ch, bound.self, key, duration, pass) end
  end
end

-- Milliseconds until a machine's keys are over; nil = none is typing.
function actions.due(ch)
  local bound, least = ch:data().bound, nil
  for _, m in ipairs({ bound.self or false, bound.peer or false }) do
    if m and m.typed ~= "" then
      local left = max(0, m.at + m.timeout_ms - core.now())
      if not least or left < least then least = left end
    end
  end
  return least
end

-- A key that the partner sends to this call: true if it goes no further.
function actions.sent_to(ch, key, duration, pass)
  local bound = ch:data().bound
  if not bound then return pass(key, duration) end
  if meta(ch, "send", key) then return end
  feed(ch, bound.peer, key, duration, pass)
end

-- --- applications ---

local sides = { self = { "self" }, peer = { "peer" }, both = { "peer", "self" } }
local function sides_of(text) return sides[lower(text or "self")] or sides.self end

define("bind_digit_action", "", "`realm,keys|~regex,what[,value][,self|peer|both][,self|peer|both]`: what = exec:app, exec[i]:app, api:command; whose keys; on whom", function(ch, text)
  local w = util.separate(text, ",")
  if not (util.some(w[1]) and util.some(w[2]) and util.some(w[3])) then
    return util.warn(ch, "Syntax Error, USAGE <realm>,<digits|~regex>,<string>[,<value>][,<dtmf target leg>][,<event target leg>]")
  end
  local first, pattern = match(w[2], "^(=?)(.*)$")
  local regex = match(pattern, "^~(.*)$")
  if #w[2] > LENGTH_MAX then return end
  local flags = match(w[3], "^%a+%[([^%]]*)%]")
  for _, side in ipairs(sides_of(w[5])) do
    local m = machine(ch, side)
    m.realms[w[1]] = m.realms[w[1]] or {}
    local list, at = m.realms[w[1]], nil
    for i, b in ipairs(list) do if b.pattern == w[2] then at = i end end -- bound anew
    list[at or #list + 1] = { pattern = w[2], digits = not regex and pattern or nil, regex = regex, first = first == "=", what = w[3], arg = w[4] or "",
      whom = lower(w[6] or "self"), priority = flags and find(flags, "P", 1, true) ~= nil }
    m.longest = max(m.longest, regex and LENGTH_MAX or #pattern)
    m.current = w[1]
    m.terminators = util.some(ch:get("bda_terminators"))
  end
end)

define("clear_digit_action", "", "`realm|all[,self|peer|both]`", function(ch, text)
  if text == "" then return util.warn(ch, "clear_digit_action called with no args") end
  local realm, whose = match(text, "^%s*([^,]*),?%s*(%S*)")
  local bound = ch:data().bound
  for _, side in ipairs(bound and sides_of(util.some(whose)) or {}) do
    local m = bound[side]
    if m and (realm == "" or lower(realm) == "all") then bound[side] = nil
    elseif m then
      m.realms[realm] = nil
      if m.current == realm then m.current = nil end
    end
  end
end)

define("digit_action_set_realm", "", "`realm|none[,self|peer|both]`", function(ch, text)
  local realm, whose = match(text, "^%s*([^,]*),?%s*(%S*)")
  if util.trim(text) == "" then return util.warn(ch, "Syntax Error, USAGE <realm>[,<target>]") end
  local bound = ch:data().bound
  for _, side in ipairs(bound and sides_of(util.some(whose)) or {}) do
    local m = bound[side]
    if m and lower(realm) == "none" then m.current = nil
    elseif m and m.realms[realm] then m.current = realm
    elseif m then util.warn(ch, "Digit parser: no such realm %s", realm) end
  end
end)

define("bind_meta_app", "", "`key a|b|ab flags app[::data]`: * and a key of the call (a) or its partner (b) run an application; flags: a b o s on whom, i at once, 1 once",
  function(ch, text)
    local key, listen, flags, app = match(text, "^%s*(%S)%s+(%S+)%s+(%S+)%s+(.+)$")
    if not key or not find(key, "[%d%*#A-D]") then return util.err(ch, "Usage: <key> [a|b|ab] [a|b|o|s|i|1] <app>") end
    local name, data = match(app, "^(.-)::(.*)$")
    if not name then name, data = match(app, "^(%S+)%s*(.*)$") end
    local meta_key = match(ch:get("bind_meta_key") or "*", "^[%d%*#A-D]") or "*"
    if key == meta_key then return util.err(ch, "Invalid key %s, same as META CHAR", key) end
    local bound = ch:data().bound or {}
    ch:data().bound = bound
    bound.meta = bound.meta or {}
    for letter, way in pairs({ a = "recv", b = "send" }) do
      if find(listen, letter, 1, true) then
        bound.meta[way] = bound.meta[way] or { keys = {} }
        bound.meta[way].key = meta_key
        bound.meta[way].keys[key] = { app = name, arg = data, flags = flags }
      end
    end
  end)

define("unbind_meta_app", "", "`[key]`", function(ch, key)
  local bound = ch:data().bound
  key = util.trim(key)
  if not bound or not bound.meta then return end
  if key == "" then bound.meta = nil
  else for _, m in pairs(bound.meta) do m.keys[key] = nil end end
end)
