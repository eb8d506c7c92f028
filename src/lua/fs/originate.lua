-- originate.lua: making calls: forks and serial attempts, timeouts, retries, early media, confirmation, hooks, what the A leg learns.
local core = ...
local fs = core.fs
local util, variables, headers, hooks, wait, channel, endpoints, dialstring =
  fs.util, fs.variables, fs.headers, fs.hooks, fs.wait, fs.channel, fs.endpoints, fs.dialstring

local find, format, lower, match, min, max, sub, tonumber = string.find, string.format, string.lower, string.match, math.min, math.max, string.sub,
  tonumber

local originate = {}
fs.originate = originate

local TIMEOUT_S = 60
local NESTING_MAX = 8

-- --- one leg ---

-- A variable as originate reads it before there is a channel: the leg's own before the ent's.
local function getter(leg, vars)
  return function(name) return util.some(leg.vars:get(name)) or util.some(vars:get(name)) end
end

local function caller(get, aleg)
  local name, number = get("origination_caller_id_name"), get("origination_caller_id_number")
  local given = name ~= nil or number ~= nil
  if aleg then
    given = true
    name = name or aleg:get("effective_caller_id_name") or aleg:profile("caller_id_name")
    number = number or aleg:get("effective_caller_id_number") or aleg:profile("caller_id_number")
  end
  return name or "", number or "0000000000", given
end

local function context(leg, vars, o, early, timeout_ms)
  local get = getter(leg, vars)
  local aleg = o.aleg
  local name, number, given = caller(get, aleg)
  local ctx = { aleg = aleg, get = get, cid_name = name, cid_number = number, cid_given = given, early = early, timeout_ms = timeout_ms }
  function ctx.uuid()
    local preset = get("origination_uuid")
    if preset and not core.channel(preset) then return preset end
  end
  -- Later calls win: the A leg's exports, then [] and {} ({} wins unless told otherwise).
  function ctx.each(f)
    if aleg then variables.exported(aleg, f) end
    if o.exports then variables.exported(aleg, f, o.exports) end
    if util.truth(vars:get("local_var_clobber")) then
      vars:each(f)
      leg.vars:each(f)
    else
      leg.vars:each(f)
      vars:each(f)
    end
  end
  -- A loopback knows better where it goes: fields that replace the usual ones.
  function ctx.dress(ch, destination, chan_name, fields)
    ch:own(core.self())
    if destination == "" then destination = "service" end
    chan_name = get("origination_channel_name") or chan_name
    ch:profile_set("caller_id_name", name)
    ch:profile_set("caller_id_number", number)
    ch:profile_set("ani", get("origination_ani") or number)
    ch:profile_set("callee_id_name", get("origination_callee_id_name") or "Outbound Call")
    ch:profile_set("callee_id_number", get("origination_callee_id_number") or match(destination, "^[^@/]*"))
    ch:profile_set("destination_number", match(destination, "^([^@]*)@") or destination)
    ch:profile_set("context", aleg and aleg:profile("context") or "default")
    ch:profile_set("dialplan", "XML")
    ch:profile_set("source", "src/switch_ivr_originate.c")
    ch:profile_set("chan_name", chan_name)
    for field, value in pairs(fields or {}) do ch:profile_set(field, value) end
    ch:set("channel_name", chan_name)
    if aleg then ch:set("call_uuid", aleg:get("call_uuid") or aleg:uuid()) end
    ctx.each(function(n, v) ch:set(n, v ~= "" and v or nil) end)
    ch:set("originate_early_media", early == "answer" and "true" or "false")
    if aleg then
      ch:set("originator", aleg:uuid())
      ch:set("originating_leg_uuid", aleg:uuid())
      ch:set("signal_bond", aleg:uuid())
      aleg:set("originate_signal_bond", ch:uuid())
      ch:data().originator = aleg
      variables.push(aleg, "originated_legs", format("%s;%s;%s", ch:uuid(), ch:profile("callee_id_name") or "", ch:profile("callee_id_number") or ""))
    end
    ch:set("originate_endpoint", leg.kind or leg.endpoint)
    channel.created(ch)
    hooks.run(ch, "originate")
    -- It waits to be answered as FreeSWITCH's legs do.
    if ch:up() then channel.state(ch, "CS_ROUTING") end
    if ch:up() then channel.state(ch, "CS_CONSUME_MEDIA") end
  end
  return ctx
end

-- user/ and group/ give way to the legs of what they stand for; whatever is not a plain list of legs becomes an originate of its own.
local function expanded(legs, vars, depth, out, aleg)
  for i = 1, #legs do
    local leg = legs[i]
    local expand = endpoints.expand[leg.endpoint]
    if not expand then
      out[#out + 1] = leg
    elseif depth > NESTING_MAX then
      out[#out + 1] = { failed = "DESTINATION_OUT_OF_ORDER", vars = leg.vars }
    else
      local text, cause = expand(leg, aleg)
      local ents
      if text then ents, cause = dialstring.parse(text) end
      if not ents then
        out[#out + 1] = { failed = cause or "DESTINATION_OUT_OF_ORDER", vars = leg.vars }
      elseif #ents == 1 and #ents[1].forks == 1 then
        local inner = ents[1].forks[1]
        for k = 1, #inner do
          inner[k].vars = leg.vars:copy():merge(ents[1].vars):merge(inner[k].vars)
          inner[k].kind = leg.kind or leg.endpoint
          inner[k].user = inner[k].user or leg.user
          if inner[k].endpoint == "error" and #inner > 1 then inner[k].passive = true end
        end
        expanded(inner, vars, depth + 1, out, aleg)
      else
        out[#out + 1] = { nested = text, vars = leg.vars, user = leg.user }
      end
    end
  end
  return out
end

local function seconds(text) return (tonumber(text) or 0) * 1000 end

local function fail(leg, cause)
  leg.state, leg.cause = "failed", cause
  leg.failed_at = core.now()
end

-- An originate of its own, in its own fiber; its result wakes us.
local function start_nested(leg, vars, o)
  local op, me = wait.op(), core.self()
  leg.op, leg.cancel = op, {}
  local inner = { aleg = o.aleg, vars = vars:copy():merge(leg.vars), timeout_s = o.timeout_s, cancel = leg.cancel, quiet = true }
  leg.fiber = core.spawn("originate", function()
    local ch, cause = originate.dial(leg.nested, inner)
    if ch and leg.cancel.cause then
      channel.hangup(ch, leg.cancel.cause)
      ch = nil
    end
    if ch then ch:own(me) end
    core.wake(me, op.token, { ch = ch, cause = cause })
  end)
  leg.state = "nested"
end

local function start(leg, vars, o, early, timeout_ms)
  leg.started = core.now()
  if leg.failed then return fail(leg, leg.failed) end
  if leg.nested then return start_nested(leg, vars, o) end
  local make = leg.endpoint ~= "expand" and endpoints[leg.endpoint]
  if type(make) ~= "function" or leg.endpoint == "profile_known" then
    core.log(4, format("Could not locate channel type %s\n", leg.endpoint))
    return fail(leg, "CHAN_NOT_IMPLEMENTED")
  end
  local ctx = context(leg, vars, o, early, timeout_ms)
  local ch, cause = make(leg, ctx)
  if not ch then return fail(leg, cause) end
  leg.ch, leg.state = ch, "active"
  local ms = seconds(ctx.get("leg_timeout"))
  leg.deadline = ms > 0 and leg.started + ms or nil
  ms = seconds(ctx.get("leg_progress_timeout") or ctx.get("progress_timeout"))
  leg.progress_deadline = ms > 0 and leg.started + ms or nil
end

-- Confirmation: the leg that answered must press a key before it counts.
local function confirm(leg, get)
  local key = get("group_confirm_key")
  local file, error_file = get("group_confirm_file"), get("group_confirm_error_file")
  local op, me, ch = wait.op(), core.self(), leg.ch
  leg.op, leg.state = op, "confirming"
  local timeout = seconds(get("group_confirm_timeout") or "30")
  local read_timeout = util.int(get("group_confirm_read_timeout") or "5000")
  core.spawn("confirm", function()
    local ok = false
    local function work()
      ch:own(core.self())
      if key == "exec" then
        local app, data = match(file or "", "^%s*(%S+)%s*(.*)$")
        if app then fs.apps.execute(ch, app, data) end
        ok = ch:up()
        return
      end
      local till = core.now() + timeout
      while ch:up() and core.now() < till do
        local digit
        if file then
          local how, value = fs.play.file(ch, file, { on_digit = function() return true end })
          if how == "stop" then digit = value end
        end
        if not digit and ch:up() then digit = fs.digits.collect(ch, { max = #key, first_ms = read_timeout }) end
        if digit and digit ~= "" and #key > #digit then
          digit = fs.digits.collect(ch, { buffer = digit, max = #key, first_ms = read_timeout, inter_ms = read_timeout })
        end
        if digit == key then
          ok = true
          return
        end
        if digit and digit ~= "" and error_file then fs.play.file(ch, error_file, {}) end
      end
    end
    pcall(work)
    if ch:up() then ch:own(me) end
    core.wake(me, op.token, { ok = ok and ch:up() })
  end)
end

-- --- a fork: all legs at once ---

local function cancel(leg, cause)
  if leg.state == "nested" then
    leg.cancel.cause = cause
    if leg.fiber and core.fiber_alive(leg.fiber) then core.wake(leg.fiber, 0, true) end
    leg.state = "failed"
  elseif leg.ch then
    if leg.ch:up() then channel.hangup(leg.ch, cause) end
    if leg.state ~= "failed" then fail(leg, cause) end
  end
end

local function cancel_others(legs, winner, cause)
  for i = 1, #legs do
    if legs[i] ~= winner and legs[i].state ~= "failed" then cancel(legs[i], cause) end
  end
end

-- Is this cause one that the rule of fail_on_single_reject names? It is looked for anywhere within the list; "!" turns the list round.
local function named(rule, cause)
  local found = find(lower(rule), lower(cause), 1, true) ~= nil
  if sub(rule, 1, 1) == "!" then return not found end
  return found
end

-- What the A leg hears and shows while B rings.
local function ring_aleg(o, vars)
  local a = o.aleg
  if not a or not a:up() or o.rung then return end
  o.rung = true
  local tone = vars:get("ringback") or (a:answered() and a:get("transfer_ringback")) or a:get("ringback")
  if not a:answered() and not a:early() and not a:outbound() and not tone then
    channel.ring(a)
  elseif tone and (a:answered() or a:early() or channel.pre_answer(a)) then
    if not match(tone, "://") and not match(tone, "^/") then tone = "tone_stream://" .. tone end
    if match(tone, "^tone_stream://") and not match(tone, "loops=") then tone = tone .. ";loops=-1" end
    local op = wait.op()
    if a:play(op.token, fs.play.resolve(a, tone) or tone, 0, true) then o.ringback = op else wait.forget(op) end
  end
end
local function ring_aleg_off(o)
  if o.ringback and o.aleg then
    o.aleg:stop(o.ringback.token)
    wait.forget(o.ringback)
    o.ringback = nil
  end
end

-- Somebody took the place of a leg `pickup/…`.
local function picked_up(leg)
  local waited = leg.ch
  local ch = waited:data().swap
  if not ch:up() then
    channel.hangup(waited, "ORIGINATOR_CANCEL")
    return nil
  end
  channel.hangup(waited, "PICKED_OFF")
  ch:own(core.self())
  leg.ch = ch
  channel.answer(ch)
  ch:set("picked_up_uuid", waited:uuid())
  hooks.run(ch, "pickup")
  return leg
end

-- The variables of the user who was called, as `user/` sets them on the call that came about.
local function dress_user(leg)
  local user, ch = leg.user, leg.ch
  if not user or not ch then return end
  for name, value in pairs(user.variables) do ch:set(name, value) end
  local context = util.some(user.variables.user_context)
  if context then ch:profile_set("context", context) end
end

-- The winner or nil, the cause, and how it ended (see `finished`).
local function fork_run(fork, vars, o)
  local begun = core.now()
  local limit_s = tonumber(vars:get("originate_timeout")) or o.timeout_s
  local timeout_ms = max(limit_s, 1) * 1000
  local ignore = vars:get("ignore_early_media")
  local early = "answer"
  if ignore and ignore ~= "" and not util.falsity(ignore) then early = ignore == "consume" and "listen" or "ignore" end
  local ring_wins = util.truth(vars:get("return_ring_ready"))
  local rule = util.some(vars:get("fail_on_single_reject"))
  local single = rule or (util.truth(vars:get("hangup_on_single_reject")) and "true" or nil)
  local legs = expanded(fork, vars, 0, {}, o.aleg)
  local a = o.aleg
  if a then a:watch(core.self(), true) end

  local function update(leg)
    local get = getter(leg, vars)
    if leg.state == "nested" then
      if leg.op.done then
        local r = leg.op.result
        if r.ch then
          leg.ch, leg.state = r.ch, "active"
          return leg
        end
        fail(leg, r.cause or "NORMAL_TEMPORARY_FAILURE")
      end
      return
    end
    if leg.state == "confirming" then
      if leg.op.done then
        if leg.op.result.ok then return leg end
        cancel(leg, "NO_ANSWER")
        fail(leg, "NO_ANSWER")
      end
      return
    end
    if leg.state ~= "active" then return end
    local ch = leg.ch
    if ch:up() and ch:data().swap then return picked_up(leg) end
    if not ch:up() then
      channel.over(ch)
      return fail(leg, ch:cause() or "NORMAL_CLEARING")
    end
    channel.notice(ch)
    if not ch:up() then return end
    if ch:ringing() or ch:early() then
      leg.progress_deadline = nil
      ring_aleg(o, vars)
    end
    if ch:answered() then
      if get("group_confirm_key") and not leg.confirmed then
        leg.confirmed = true
        confirm(leg, get)
        return
      end
      return leg
    end
    local leg_ignore = leg.vars:get("ignore_early_media")
    local ignored = early ~= "answer" or (leg_ignore and leg_ignore ~= "" and not util.falsity(leg_ignore))
    if ch:early() and not ignored then return leg end
    if ring_wins and ch:ringing() then return leg end
  end

  -- how: "late" = the time was over, "over" = nothing else is to be tried.
  local function finished(winner, cause, how)
    ring_aleg_off(o)
    if a then
      a:watch(core.self(), false)
      for i = 1, #legs do
        local ch = legs[i].ch
        if ch and not legs[i].nested then variables.push(a, "originate_causes", ch:uuid() .. ";" .. (ch:up() and "NONE" or ch:cause() or "NONE")) end
      end
    end
    return winner, cause, how
  end

  for i = 1, #legs do
    local delay = seconds(legs[i].vars:get("leg_delay_start"))
    if delay == 0 then delay = tonumber(legs[i].vars:get("originate_delay_start")) or 0 end
    if delay > 0 then
      legs[i].state, legs[i].due = "waiting", begun + delay
    else
      start(legs[i], vars, o, early, timeout_ms)
    end
  end

  local deadline = begun + timeout_ms
  while true do
    local live, pickups, last, now = 0, 0, nil, core.now()
    local next_at = deadline
    for i = 1, #legs do
      local leg = legs[i]
      if leg.state == "waiting" and now >= leg.due then start(leg, vars, o, early, timeout_ms) end
      local winner = update(leg)
      if winner then
        cancel_others(legs, winner, "LOSE_RACE")
        dress_user(winner)
        return finished(winner, "SUCCESS")
      end
      if leg.state == "failed" then
        if single and (rule or leg.ch) and not leg.told and not leg.passive and (util.truth(single) or named(single, leg.cause)) then
          leg.told = true
          if not leg.ch then -- there was never a call: its cause is that of the whole
            cancel_others(legs, leg, leg.cause)
            return finished(nil, leg.cause, "over")
          elseif #legs > 1 then
            cancel_others(legs, leg, "NO_ANSWER")
            return finished(nil, "NO_ANSWER", not util.truth(single) and "over" or nil)
          end
        end
        if not last or leg.failed_at >= last.failed_at then last = leg end
      else
        live = live + 1
        if leg.endpoint == "pickup" and not leg.deadline then pickups = pickups + 1 end
        if leg.deadline and leg.state == "active" then
          if now >= leg.deadline then cancel(leg, "ALLOTTED_TIMEOUT") end
          next_at = min(next_at, leg.deadline)
        end
        if leg.progress_deadline and leg.state == "active" then
          if now >= leg.progress_deadline then cancel(leg, "PROGRESS_TIMEOUT") end
          next_at = min(next_at, leg.progress_deadline)
        end
        if leg.due and leg.state == "waiting" then next_at = min(next_at, leg.due) end
      end
    end
    if live > 0 and live == pickups and last then -- nobody rings any more who could be picked up from
      cancel_others(legs, nil, "NO_PICKUP")
      return finished(nil, last.cause)
    end
    if live == 0 then return finished(nil, last and last.cause or "NORMAL_TEMPORARY_FAILURE") end
    if a and not a:up() then
      cancel_others(legs, nil, "ORIGINATOR_CANCEL")
      return finished(nil, "ORIGINATOR_CANCEL")
    end
    if o.cancel and o.cancel.cause then
      cancel_others(legs, nil, o.cancel.cause)
      return finished(nil, o.cancel.cause)
    end
    now = core.now()
    if now >= deadline then
      cancel_others(legs, nil, "NO_ANSWER")
      return finished(nil, "NO_ANSWER", "late")
    end
    wait.once(max(min(next_at, deadline) - now, 0))
  end
end

-- --- an ent: forks in turn, retries ---

-- A number of a variable if it is within these, otherwise (with a warning) `default`.
local function setting(vars, name, from, to, default)
  local text = vars:get(name)
  if not util.truth(text) then return default end
  local n = util.int(text)
  if n >= from and n <= to then return n end
  core.log(util.WARN, format("Invalid %s setting of %d ignored, value must be between %d and %d\n", name, n, from, to))
  return default
end

-- Waits between two attempts; the cause if the whole was given up meanwhile.
local function pause_for(ms, o)
  local till = core.now() + ms
  while core.now() < till do
    wait.once(till - core.now())
    if o.aleg and not o.aleg:up() then return "ORIGINATOR_CANCEL" end
    if o.cancel and o.cancel.cause then return o.cancel.cause end
  end
end

local function ent_run(ent, o)
  local vars = (o.vars and o.vars:copy() or util.names()):merge(ent.vars)
  local retry_s = setting(vars, "originate_retry_timeout", 1, 2147483647, nil)
  local tries = setting(vars, "originate_retries", 1, retry_s and 2147483647 or 100, 1)
  local pause = setting(vars, "originate_retry_sleep_ms", 500, 60000, 1000)
  local period = setting(vars, "originate_retry_min_period_ms", 500, 300000, 0)
  local begun, last_begun = core.now(), core.now()
  local cause = "NORMAL_TEMPORARY_FAILURE"
  local go_on = util.truth(vars:get("originate_continue_on_timeout"))
  for try = 1, tries do
    if try > 1 then
      if retry_s and core.now() - begun > retry_s * 1000 then break end
      local given_up = pause_for(max(pause, period - (core.now() - last_begun)), o)
      if given_up then return nil, given_up end
    end
    last_begun = core.now()
    for i = 1, #ent.forks do
      local fork = ent.forks[i]
      if try > 1 or i > 1 then -- legs carry the state of an attempt
        for k = 1, #fork do
          local leg = fork[k]
          fork[k] = { endpoint = leg.endpoint, rest = leg.rest, vars = leg.vars, text = leg.text, kind = leg.kind }
        end
      end
      local winner, why, how = fork_run(fork, vars, o)
      if winner then return winner.ch, "SUCCESS" end
      cause = why
      if why == "ORIGINATOR_CANCEL" or how == "over" or (how == "late" and not go_on) then return nil, cause end
      if o.cancel and o.cancel.cause then return nil, o.cancel.cause end
    end
  end
  return nil, cause
end

-- Ents in parallel, the first success wins.
local function enterprise(ents, o)
  local me, runs = core.self(), {}
  for i = 1, #ents do
    local op, stop = wait.op(), {}
    local run = { op = op, cancel = stop }
    runs[i] = run
    run.fiber = core.spawn("originate", function()
      local ch, cause = ent_run(ents[i], setmetatable({ cancel = stop, vars = o.vars }, { __index = o }))
      if ch and stop.cause then
        channel.hangup(ch, stop.cause)
        ch = nil
      end
      if ch then ch:own(me) end
      core.wake(me, op.token, { ch = ch, cause = cause })
    end)
  end
  local cause = "NORMAL_TEMPORARY_FAILURE"
  local function stop_others(winner, why)
    for i = 1, #runs do
      if runs[i] ~= winner and not runs[i].op.done then
        runs[i].cancel.cause = why
        core.wake(runs[i].fiber, 0, true)
      elseif runs[i] ~= winner and runs[i].op.result.ch then
        channel.hangup(runs[i].op.result.ch, why)
      end
    end
  end
  while true do
    local open = 0
    for i = 1, #runs do
      local run = runs[i]
      if not run.op.done then open = open + 1
      elseif run.op.result.ch then
        stop_others(run, "LOSE_RACE")
        return run.op.result.ch, "SUCCESS"
      else cause = run.op.result.cause or cause end
    end
    if open == 0 then return nil, cause end
    local gone = o.aleg and not o.aleg:up() and "ORIGINATOR_CANCEL" or o.cancel and o.cancel.cause
    if gone then
      stop_others(nil, gone)
      return nil, gone
    end
    wait.once(nil)
  end
end

-- --- the whole ---

local dialstatus = { ORIGINATOR_CANCEL = "CANCEL", USER_BUSY = "BUSY", NO_ANSWER = "NOANSWER", DESTINATION_OUT_OF_ORDER = "INVALIDARGS",
  INVALID_PROFILE = "INVALIDARGS", CALL_REJECTED = "DONTCALL" }

-- What of the first leg's variables counts for the dialling, where the dial string does not say.
local taken_over = { "group_confirm_key", "group_confirm_file", "group_confirm_read_timeout", "group_confirm_cancel_timeout", "group_confirm_timeout",
  "forked_dial", "fail_on_single_reject", "hangup_on_single_reject", "ignore_early_media", "bridge_early_media", "originate_continue_on_timeout",
  "ignore_ring_ready", "monitor_early_media_ring", "monitor_early_media_ring_total", "monitor_early_media_fail", "return_ring_ready", "ring_ready",
  "instant_ringback", "progress_timeout", "language" }

-- Before a first leg has others dialled for it.
local function prepare(aleg, o)
  if util.falsity(aleg:get("preserve_originated_vars")) then
    variables.set(aleg, "originated_legs", nil)
    variables.set(aleg, "originate_causes", nil)
  end
  hooks.run(aleg, "pre_originate")
  local vars = util.names()
  for _, name in ipairs(taken_over) do
    local value = aleg:get(name)
    if value then vars:set(name, value) end
  end
  o.vars = vars:merge(o.vars)
  local limit = aleg:get("call_timeout")
  if limit then o.timeout_s = util.int(limit) end
  aleg:set("originate_disposition", "failure")
  aleg:set("DIALSTATUS", "INVALIDARGS")
end

-- What the first leg knows afterwards: `import` names variables of the new one that it takes.
local function conclude(aleg, ch, cause)
  aleg:set("originate_disposition", cause)
  aleg:set("DIALSTATUS", dialstatus[cause] or cause)
  if not ch then return end
  aleg:data().originatee = ch
  aleg:set("signal_bond", ch:uuid())
  aleg:set("originate_signal_bond", nil)
  aleg:set("sip_invite_failure_status", nil)
  aleg:set("sip_invite_failure_phrase", nil)
  for _, name in ipairs(util.separate(variables.get(aleg, "import") or "", ",")) do
    local value = variables.get(ch, name)
    if value then variables.set(aleg, name, value) end
  end
end

-- Dials. o: aleg (channel), timeout_s, vars (names put before those of the string), cid_name, cid_number, cancel, quiet.
-- Gives a channel and "SUCCESS", or nil and the cause.
function originate.dial(text, o)
  o = o or {}
  local aleg = not o.quiet and o.aleg or nil
  wait.breathe() -- dialling lets others work, even where it succeeds or fails at once
  if aleg then prepare(aleg, o) end
  if not o.timeout_s or o.timeout_s <= 0 then o.timeout_s = TIMEOUT_S end
  if o.cid_name or o.cid_number then -- as if the dial string had named them; what it names itself counts
    local vars = util.names()
    if o.cid_name then vars:set("origination_caller_id_name", o.cid_name) end
    if o.cid_number then vars:set("origination_caller_id_number", o.cid_number) end
    o.vars = vars:merge(o.vars)
  end
  local ents, cause = dialstring.parse(text)
  local ch
  if ents then
    if #ents > 1 then ch, cause = enterprise(ents, o) else ch, cause = ent_run(ents[1], o) end
  elseif aleg then
    cause = "ORIGINATOR_CANCEL" -- nothing was dialled for it
  end
  if aleg then conclude(aleg, ch, cause) end
  if ch and not o.quiet then hooks.run(ch, "post_originate") end
  if aleg then
    hooks.run(aleg, "post_originate")
    if not ch and ents and #ents == 1 and util.truth(ents[1].vars:get("hangup_on_single_reject") or (o.vars and o.vars:get("hangup_on_single_reject"))) then
      channel.hangup(aleg, cause)
    end
  end
  return ch, cause
end

-- The command: <dial string> <extension>|&app(arguments) [dialplan] [context] [caller name] [caller number] [timeout].
function originate.command(text)
  local usage = "-USAGE: <call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] [<cid_name>] [<cid_num>] [<timeout_sec>]\n"
  local words = util.separate(text, " ", 10)
  local n = #words
  if n < 2 or n > 7 then return usage end
  for i = 1, n do if lower(words[i]) == "undef" then words[i] = nil end end
  local target = words[2]
  local ch, cause = originate.dial(words[1], { cid_name = words[5], cid_number = words[6], timeout_s = words[7] and util.int(words[7]) })
  if not ch then return "-ERR " .. cause .. "\n" end
  local uuid = ch:uuid()
  ch:own(nil)
  local app = match(target, "^&(.*)$")
  if app then
    local name, data = match(app, "^%s*([^%(%s]+)%s*%(([^%)]*)")
    if not name then name, data = match(app, "^%s*([^%(%s]+)"), "" end
    ch:profile_set("destination_number", ch:profile("destination_number") or "")
    channel.start(ch, { { name or "", data or "" } }, "CS_EXECUTE")
  else
    fs.transfer.transfer(ch, target, words[3] or "XML", words[4] or "default")
  end
  return "+OK " .. uuid .. "\n"
end
