-- bridge.lua: two calls that hear each other: the bridge of a script, of the application, and of uuid_bridge; what both learn from it.
local core = ...
local fs = core.fs
local util, variables, headers, hooks, wait, channel, callback = fs.util, fs.variables, fs.headers, fs.hooks, fs.wait, fs.channel, fs.callback

local match, lower = string.match, string.lower

local bridge = {}
fs.bridge = bridge

-- --- in and out ---

local function about(a, b) return { { "Bridge-A-Unique-ID", a:uuid() }, { "Bridge-B-Unique-ID", b:uuid() } } end

local function enter(a, b)
  local da, db = a:data(), b:data()
  da.partner, db.partner = b, a
  da.bridge_side, db.bridge_side = "originator", "originatee"
  a:set("bridge_uuid", b:uuid())
  b:set("bridge_uuid", a:uuid())
  a:set("bridge_channel", b:profile("chan_name"))
  b:set("bridge_channel", a:profile("chan_name"))
  a:set("last_bridge_to", b:uuid())
  b:set("last_bridge_to", a:uuid())
  a:set("signal_bond", b:uuid())
  b:set("signal_bond", a:uuid())
  hooks.run(a, "pre_bridge")
  hooks.run(b, "pre_bridge")
  hooks.api(a, "api_before_bridge")
  if not a:bridge(b) then return false end
  headers.fire("CHANNEL_BRIDGE", a, about(a, b))
  if b:up() then channel.state(b, "CS_EXCHANGE_MEDIA") end
  hooks.run(a, "post_bridge")
  return true
end

local function leave(a, b)
  local da, db = a:data(), b:data()
  if a:up() then a:unbridge() elseif b:up() then b:unbridge() end
  da.partner, db.partner = nil, nil
  a:set("bridge_uuid", nil)
  b:set("bridge_uuid", nil)
  a:set("bridge_channel", nil)
  b:set("bridge_channel", nil)
  local cause_a, cause_b = a:cause(), b:cause()
  if cause_a then b:set("bridge_hangup_cause", cause_a) end
  if cause_b then a:set("bridge_hangup_cause", cause_b) end
  headers.fire("CHANNEL_UNBRIDGE", a, about(a, b))
  hooks.api(a, "api_after_bridge")
end

-- Ends the bridge that this call is in; whoever holds it goes on.
function bridge.leave(ch)
  local partner = ch:data().partner
  if not partner then return end
  ch:data().bridge_over, partner:data().bridge_over = true, true
  fs.transfer.wake(ch)
  fs.transfer.wake(partner)
end

-- --- while it lasts ---

-- Keys of one side go to the other; the first side's callback (o.st) hears its own.
local function forward(from, to, digit, duration)
  if from:data().dtmf_blocked then return end
  fs.digit_actions.sent_to(to, digit, duration, function(key, samples) fs.digits.send(to, core.token(), key, math.floor((samples or 2000) / 8)) end)
end
bridge.forward = forward

local COMMAND_ENDS_MS = 5000

-- What a leg is sent meanwhile (broadcasts, bound keys) runs in a fiber of its own, so that both can be played to at once.
local function command(ch, serving)
  local data = ch:data()
  if not data.commands or data.commanded then return end
  local message = table.remove(data.commands, 1)
  if #data.commands == 0 then data.commands = nil end
  data.commanded = true
  core.spawn("message in a bridge", function()
    local ok, problem = pcall(fs.messages.run, ch, message)
    data.commanded = nil
    if ch:owner() == core.self() then ch:own(core.fiber_alive(serving) and serving or nil) end
    core.wake(serving, 0, true)
    if not ok then error(problem, 0) end
  end)
end

-- Serves both until one hangs up, leaves, or the callback stops it. This fiber owns both, but for what a leg is sent.
local function serve(a, b, o)
  local st = o.st
  local da, db = a:data(), b:data()
  local key = a:get("bridge_terminate_key")
  local key_b = b:get("bridge_terminate_key")
  da.bridge_over, db.bridge_over = nil, nil
  local me = core.self()
  local owner_b = b:owner()
  wait.acquire(b)
  a:watch(me, true)
  b:watch(me, true)
  local waits = { no_commands = true }
  local function pressed(digit, duration)
    if key and string.find(key, digit, 1, true) then return true end
    if st and st.cb_function and st.ch == a and callback.stops(callback.digit(st, digit, duration)) then return true end
    if b:up() then forward(a, b, digit, duration) end
  end
  function waits.check()
    if not b:up() then
      channel.over(b)
      return "b"
    end
    if b:transferring() or db.pending then return "moved" end
    if da.bridge_over or db.bridge_over then return "over" end
    if not db.seen_answered and b:answered() then channel.notice(b) end
    while not da.commanded and not db.commanded and fs.digits.waiting(b) > 0 do
      local digit, duration = fs.digits.take(b)
      if not digit then break end
      if key_b and string.find(key_b, digit, 1, true) then return "key" end
      if a:up() then forward(b, a, digit, duration) end
    end
    command(a, me)
    command(b, me)
    waits.on_digit = not da.commanded and pressed or nil -- its keys are the application's
  end
  waits.on_digit = pressed
  local how, value = wait.serve(a, waits)
  local till = core.now() + COMMAND_ENDS_MS
  while (da.commanded or db.commanded and b:up()) and core.now() < till do wait.once(100) end
  b:watch(me, false)
  if da.life ~= me then a:watch(me, false) end -- a life watches its own call
  if owner_b ~= me and b:owner() == me then b:own(owner_b and core.fiber_alive(owner_b) and owner_b or nil) end
  return how, value
end

local function goes_on(ch)
  return ch:get("transfer_after_bridge") or util.truth(ch:get("park_after_bridge")) or ch:get("exec_after_bridge_app")
end

-- What a leg does of its own after a bridge; true if it went somewhere.
local function onwards(ch)
  local transfer = ch:get("transfer_after_bridge")
  if transfer then
    ch:set("transfer_after_bridge", nil)
    local extension, dialplan, context = match(transfer, "^([^:]*):?([^:]*):?(.*)$")
    fs.transfer.transfer(ch, extension, dialplan, context)
    return true
  end
  if util.truth(ch:get("park_after_bridge")) then
    fs.transfer.park(ch)
    return true
  end
  local app = ch:get("exec_after_bridge_app")
  if app then
    local arg = ch:get("exec_after_bridge_arg")
    ch:set("exec_after_bridge_app", nil)
    fs.transfer.actions(ch, { { app, arg or "" } })
    return true
  end
end

bridge.onwards = onwards

-- Bridges and waits for its end; the second leg then goes where its variables say, or ends.
function bridge.run(a, b, o)
  o = o or {}
  local state_a = a:state()
  if not enter(a, b) then return false end
  local was_answered = b:answered()
  serve(a, b, o)
  if not a:up() then channel.over(a) end
  if b:up() and not b:transferring() and not b:data().pending and not o.keep_b and not goes_on(b) then
    b:data().bridge_side = nil -- it ends after the bridge, not in it
    channel.hangup(b, "NORMAL_CLEARING")
  end
  leave(a, b)
  was_answered = was_answered or b:answered()
  if a:up() and not a:transferring() then channel.state(a, state_a) end
  if b:up() and not b:transferring() and not b:data().pending and not o.keep_b then
    if not onwards(b) then channel.hangup(b, "NORMAL_CLEARING") end
  end
  if a:up() and not wait.gone(a) and not o.keep_a then
    if not onwards(a) then
      local rule = a:get("hangup_after_bridge")
      if rule and (lower(rule) == "explicit" or util.truth(rule) and was_answered) and not b:up() then
        channel.hangup(a, b:cause() or "NORMAL_CLEARING")
      end
    end
  end
  return true
end

-- freeswitch.bridge(a, b).
function bridge.sessions(st_a, st_b)
  local a, b = st_a.ch, st_b.ch
  if not a:up() or not b:up() or a:transferring() or b:transferring() then
    core.log(3, "Channels not ready\n")
    return
  end
  callback.hangup_hook(st_a)
  if not a:outbound() and not a:media_ready() then channel.pre_answer(a) end
  if not b:media_ready() then
    wait.serve(b, { deadline = core.now() + 60000, check = function() return b:media_ready() or not a:up() end })
  end
  if a:up() and b:up() then bridge.run(a, b, { st = st_a }) end
  callback.hangup_hook(st_a)
  callback.hangup_hook(st_b)
end

-- --- the application ---

local always = { NO_ANSWER = true, NO_USER_RESPONSE = true, ORIGINATOR_CANCEL = true }

-- What becomes of the first leg after a failed dial: it goes on, is sent elsewhere ("causes [extension|auto_cause [dialplan [context]]]"), or ends.
local function handle_cause(a, cause)
  if not a:up() then return end
  if cause ~= "ATTENDED_TRANSFER" then
    local go_on, failures = a:get("continue_on_fail"), a:get("failure_causes")
    if failures and not util.cause_listed(failures, cause) then return end
    if go_on and (util.truth(go_on) or util.cause_listed(go_on, cause)) then return end
    if not go_on and not failures and always[cause] then return end
    local causes, extension, dialplan, context = match(a:get("transfer_on_fail") or "", "^(%S+) ?(%S*) ?(%S*) ?(%S*)")
    if causes and util.truth(causes) then return end
    if causes and util.cause_listed(causes, cause) then
      if extension == "" or lower(extension) == "auto_cause" then extension = cause end
      return fs.transfer.transfer(a, extension, dialplan, context)
    end
  end
  channel.hangup(a, cause)
end
bridge.handle_cause = handle_cause

function bridge.app(a, text)
  if text == "" then return end
  local b, cause = fs.originate.dial(text, { aleg = a, exports = "bridge_export_vars" })
  if not b then
    util.log(util.INFO, "Originate Failed.  Cause: " .. cause, a)
    a:set("originate_failed_cause", cause)
    return handle_cause(a, cause)
  end
  -- Early media goes through to the A leg; B's answer answers A.
  if not a:answered() and not a:outbound() then
    if b:answered() then channel.answer(a) else channel.pre_answer(a) end
  end
  local answer_timeout = tonumber(a:get("bridge_answer_timeout"))
  if not b:answered() then
    local fiber = core.self()
    local limit = answer_timeout and core.now() + answer_timeout * 1000
    core.spawn("answer of the second leg", function()
      local me = core.self()
      b:watch(me, true)
      while b:up() and a:up() and not b:answered() do
        local left = limit and limit - core.now()
        if left and left <= 0 then
          channel.hangup(b, "NO_ANSWER")
          break
        end
        core.wait(left)
      end
      b:watch(me, false)
      if b:answered() and a:up() and not a:answered() and not a:outbound() then
        a:answer()
        channel.notice(a)
      end
    end)
  end
  bridge.run(a, b)
end

-- --- uuid_bridge ---

function bridge.rest(ch)
  if fs.loan.is_guest(ch) then return fs.loan.leave(ch, { "execute", "park" }) end
  channel.state(ch, "CS_EXECUTE")
  fs.apps.execute(ch, "park")
end

-- Whom the call was for before, and where it was taken.
local function original(ch)
  ch:set("original_destination_number", ch:profile("destination_number"))
  ch:set("original_caller_id_name", ch:profile("caller_id_name"))
  ch:set("original_caller_id_number", ch:profile("caller_id_number"))
end

local function moved(ch, to)
  local source = string.format("%d:%s:uuid_br:%s", math.floor(core.utc_us() / 1000000), core.uuid(), to:uuid())
  fs.variables.push(ch, "transfer_history", source)
  ch:set("transfer_source", source)
end

-- The states by which a call leaves what it did.
local function arrive(ch)
  for _, state in ipairs({ "CS_HIBERNATE", "CS_RESET", "CS_SOFT_EXECUTE" }) do
    if ch:up() then channel.state(ch, state) end
  end
end

-- Takes both from what they do and joins them; the first one's life holds the bridge. Afterwards whoever is still up is parked.
function bridge.join(a, b)
  if not a:up() or not b:up() or a == b then return false end
  if a:data().partner then bridge.leave(a) end
  if b:data().partner then bridge.leave(b) end
  local done = false
  original(a)
  original(b)
  moved(a, b)
  moved(b, a)
  fs.transfer.next(b, function()
    arrive(b)
    local me = core.self()
    b:watch(me, true)
    while b:up() and not done and not b:transferring() and not b:data().pending do wait.once(nil) end
    if b:up() and not wait.gone(b) then
      b:own(me)
      if not onwards(b) then bridge.rest(b) end
    end
  end)
  fs.transfer.next(a, function()
    arrive(a)
    local life_b = b:data().life
    headers.fire("CHANNEL_EXECUTE", a, { { "Application", "uuid_bridge" }, { "Application-Data", b:uuid() } })
    headers.fire("CHANNEL_EXECUTE", b, { { "Application", "uuid_bridge" }, { "Application-Data", a:uuid() } })
    bridge.run(a, b, { keep_b = true })
    done = true
    if life_b and core.fiber_alive(life_b) then core.wake(life_b, 0, true) end
    if a:up() and not wait.gone(a) then bridge.rest(a) end
  end)
  return true
end
