-- apps_digits.lua: applications on keys: reading and sending them, and keys bound to actions during a call.
local core = ...
local fs = core.fs
local util, variables, wait, channel, apps, digits = fs.util, fs.variables, fs.wait, fs.channel, fs.apps, fs.digits

local find, format, gmatch, match, sub = string.find, string.format, string.gmatch, string.match, string.sub
local define = apps.define

-- What is not given is as if it were 0 or empty; nothing at all is an error.
define("read", "", "`min max file variable timeout_ms terminators [digit_timeout_ms]`", function(ch, text)
  local w = util.separate(text, " ", 7)
  if #w == 0 then return util.err(ch, "No arguments specified.\n") end
  local min = math.max(util.int(w[1]), 1)
  channel.pre_answer(ch)
  digits.read(ch, { min = min, max = math.max(util.int(w[2]), min), prompt = w[3], var = w[4], timeout_ms = math.max(util.int(w[5]), 1000),
    terminators = util.some(w[6]) or "#", digit_timeout_ms = util.int(w[7]) })
end)
define("play_and_get_digits", "", "`min max tries timeout_ms terminators file invalid_file variable regex [digit_timeout_ms] ['failure target']`", function(ch, text)
  local w = util.separate(text, " ", 11)
  if #w == 0 then return util.err(ch, "No arguments specified.\n") end
  local min = math.max(util.int(w[1]), 0)
  channel.pre_answer(ch)
  digits.play_and_get(ch, { min = min, max = math.max(util.int(w[2]), min), tries = util.int(w[3]), timeout_ms = math.max(util.int(w[4]), 1000),
    terminators = util.some(w[5]) or "#", prompt = w[6], invalid = w[7], var = w[8], regex = w[9], digit_timeout_ms = util.int(w[10]),
    transfer_on_failure = w[11] })
end)

-- --- sending ---

local function send(ch, text)
  local keys, duration = match(text, "^%s*([^@%s]+)@?(%d*)")
  if not keys then return end
  local op = wait.op()
  if not ch:send_digits(op.token, keys, tonumber(duration) or 250) then return wait.forget(op) end
end
define("send_dtmf", "M", "`keys[@ms]`: presses keys; w waits 500 ms, W a second", send)
define("queue_dtmf", "", "`keys[@ms][+keys…]`: as if the far end had pressed them", function(ch, text) digits.receive(ch, text) end)
define("flush_dtmf", "", "drops queued keys", function(ch) ch:flush_digits() end)
define("start_dtmf_generate", "", "keys go out as sounds", function(ch) ch:set("dtmf_type", "inband") end)
define("stop_dtmf_generate", "", "keys go out as events again", function(ch) ch:set("dtmf_type", nil) end)
define("block_dtmf", "", "keys are not passed on", function(ch) ch:data().dtmf_blocked = true end)
define("unblock_dtmf", "", "keys are passed on again", function(ch) ch:data().dtmf_blocked = nil end)

-- --- bound keys ---

-- Actions of the realm in force: { pattern, regex, action, arg }.
local function machine(ch)
  local data = ch:data()
  data.bound = data.bound or { realms = {}, current = nil }
  return data.bound
end

define("bind_digit_action", "", "`realm,digits|~regex,action[,arg][,self|peer|both][,self|peer|both]`", function(ch, text)
  local w = util.separate(text, ",")
  if #w < 3 then return util.err(ch, "Invalid Syntax!") end
  local m = machine(ch)
  m.realms[w[1]] = m.realms[w[1]] or {}
  local regex = match(w[2], "^~(.*)$")
  local action, arg = w[3], w[4]
  local app = match(action, "^exec:(.*)$")
  local command = match(action, "^api:(.*)$")
  m.realms[w[1]][#m.realms[w[1]] + 1] = { digits = not regex and w[2] or nil, regex = regex, app = app, command = command, arg = arg or "", target = w[5] or "self", listen = w[6] or "self" }
  m.current = m.current or w[1]
end)
define("clear_digit_action", "", "`realm|all`", function(ch, realm)
  local m = machine(ch)
  realm = util.trim(match(realm, "^[^,]*"))
  if realm == "all" or realm == "" then m.realms, m.current = {}, nil else m.realms[realm] = nil end
end)
define("digit_action_set_realm", "", "`realm|none`", function(ch, realm)
  realm = util.trim(match(realm, "^[^,]*"))
  machine(ch).current = realm ~= "none" and realm or nil
end)

define("bind_meta_app", "", "`key listen flags app[::data]`: * and a key run an application during a bridge", function(ch, text)
  local key, listen, _, app = match(text, "^%s*(%S)%s+(%S+)%s+(%S+)%s+(.+)$")
  if not key then return util.err(ch, "Usage: <key> [a|b|ab] [a|b|o|s|i|1] <app>") end
  local name, data = match(app, "^([^:]+)::?(.*)$")
  local m = machine(ch)
  m.realms["meta"] = m.realms["meta"] or {}
  table.insert(m.realms["meta"], { digits = "*" .. key, app = name or app, arg = data or "", target = "self", listen = listen })
  m.current = m.current or "meta"
end)
define("unbind_meta_app", "", "`[key]`", function(ch, key)
  local m = machine(ch)
  local list = m.realms["meta"] or {}
  key = util.trim(key)
  for i = #list, 1, -1 do if key == "" or list[i].digits == "*" .. key then table.remove(list, i) end end
end)

local function run(ch, action, keys)
  local target = action.target == "peer" and ch:data().partner or ch
  ch:set("last_matching_digits", keys)
  if action.command then
    core.spawn("digit action", function() fs.run_api(action.command, variables.expand(ch, action.arg), { channel = target }) end)
  elseif action.app then
    fs.messages.send(target, { { "call-command", "execute" }, { "execute-app-name", action.app }, { "execute-app-arg", action.arg } })
  end
end

local INTERVAL_MS = 1500

-- A key of a call with bound keys: nil = it is part of a sequence (or ran one) and goes no further, otherwise the keys to go on with.
function digits.bound(ch, digit)
  local m = ch:data().bound
  local list = m and m.current and m.realms[m.current]
  if not list or #list == 0 then return digit end
  local now = core.now()
  local typed = (m.typed and now - m.at < INTERVAL_MS and m.typed or "") .. digit
  m.at = now
  local partial = false
  for i = 1, #list do
    local a = list[i]
    if a.digits == typed or a.regex and core.regex(a.regex, typed) then
      m.typed = nil
      run(ch, a, typed)
      return nil
    end
    if a.digits and #typed < #a.digits and sub(a.digits, 1, #typed) == typed then partial = true end
  end
  if partial then
    m.typed = typed
    return nil
  end
  m.typed = nil
  return digit
end
