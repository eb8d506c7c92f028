-- channel.lua: a channel's own life: created, routed, executed, hung up, reported, destroyed, with its events and variables.
--
-- The *life* is the fiber that runs a call's dialplan; a dialled leg that a script holds has none. Whoever sees first that a call
-- is over calls over(); the life (or a fiber made for it) does the rest once.
local core = ...
local fs = core.fs
local util, variables, headers, hooks, wait = fs.util, fs.variables, fs.headers, fs.hooks, fs.wait

local floor, format, match, pcall, tostring = math.floor, string.format, string.match, pcall, tostring

local channel = {}
fs.channel = channel

-- --- finding ---

-- A channel that is up.
function channel.find(uuid)
  local ch = uuid and uuid ~= "" and (core.channel(uuid) or fs.loan.guest(uuid))
  if ch and ch:up() then return ch end
end
-- Also one that is being hung up.
function channel.find_any(uuid)
  local ch = uuid and uuid ~= "" and core.channel(uuid)
  if ch and ch:state() ~= "CS_DESTROY" then return ch end
end

local call_states = { DOWN = 0, DIALING = 1, RINGING = 2, EARLY = 3, ACTIVE = 4, HELD = 5, RING_WAIT = 6, HANGUP = 7, UNHELD = 8 }

-- DOWN, RINGING, EARLY, ACTIVE, HELD …: what phones show. Nothing follows HANGUP.
function channel.call_state(ch, state)
  local data = ch:data()
  local before = data.call_state or "DOWN"
  if before == state or before == "HANGUP" then return end
  data.call_state = state
  headers.fire("CHANNEL_CALLSTATE", ch, nil, nil, nil,
    { { "Original-Channel-Call-State", before }, { "Channel-Call-State-Number", format("%d", call_states[state]) } })
end

function channel.state(ch, state)
  if ch:data().running == state and ch:state() == state then return end
  ch:state_set(state)
  channel.runs(ch, state)
end

-- The state that the call is sent to (a transfer, a hangup) is its own at once; events say the one that it was last seen to run in.
function channel.runs(ch, state)
  ch:data().running = state
  if not ch:outbound() and ch:up() then
    if state == "CS_ROUTING" then channel.call_state(ch, "RINGING")
    elseif ch:answered() then channel.call_state(ch, "ACTIVE")
    elseif ch:early() then channel.call_state(ch, "EARLY") end
  end
  headers.fire("CHANNEL_STATE", ch)
end

-- --- birth ---

-- The variables that every channel has, and the events of its birth; once.
function channel.created(ch)
  local data = ch:data()
  if data.created then return end
  data.created = true
  local function default(name, value) if value and not ch:get(name) then ch:set(name, value) end end
  data.call_state = data.call_state or "DOWN"
  default("uuid", ch:uuid())
  default("call_uuid", ch:uuid())
  default("direction", ch:outbound() and "outbound" or "inbound")
  default("is_outbound", ch:outbound() and "true" or nil)
  default("channel_name", ch:profile("chan_name"))
  if ch:kind() ~= "sip" then channel.codec(ch, "L16", "8000") end
  if ch:outbound() then
    data.running = "CS_NEW"
    headers.fire("CHANNEL_OUTGOING", ch)
  end
  channel.runs(ch, "CS_INIT")
  if ch:up() then ch:state_set("CS_ROUTING") end -- it is on its way there when the world hears of it
  headers.fire("CHANNEL_CREATE", ch)
  if ch:outbound() then headers.fire("CHANNEL_ORIGINATE", ch) end
end

function channel.codec(ch, name, rate)
  for _, side in ipairs({ "read", "write" }) do
    if not ch:get(side .. "_codec") then ch:set(side .. "_codec", name) end
    if not ch:get(side .. "_rate") then ch:set(side .. "_rate", rate) end
  end
  if ch:kind() == "sip" then
    if not ch:get("rtp_use_codec_name") then ch:set("rtp_use_codec_name", name) end
    if not ch:get("rtp_use_codec_rate") then ch:set("rtp_use_codec_rate", rate) end
    if not ch:get("rtp_use_codec_ptime") then ch:set("rtp_use_codec_ptime", "20") end
  end
end

-- Tells the world what became true since last time: ringing, early media, answer; each once, with its hooks.
function channel.notice(ch)
  local data = ch:data()
  if ch:kind() == "guest" then -- told at home
    data.seen_answered, data.seen_early = ch:answered(), ch:early() or ch:answered()
    return
  end
  if ch:kind() == "sip" and not data.seen_codec and ch:media_ready() then
    local codec = ch:get("read_codec")
    if codec then
      data.seen_codec = true
      channel.codec(ch, codec, ch:get("read_rate") or "8000")
    end
  end
  if ch:ringing() and not data.seen_ringing then
    data.seen_ringing = true
    headers.fire("CHANNEL_PROGRESS", ch)
    hooks.run(ch, "ring")
    channel.call_state(ch, "RINGING")
  end
  if ch:early() and not data.seen_early then
    data.seen_early = true
    if not ch:answered() then
      ch:set("endpoint_disposition", "EARLY MEDIA")
      headers.fire("CHANNEL_PROGRESS_MEDIA", ch)
      hooks.run(ch, "pre_answer")
      hooks.run(ch, "media")
      data.seen_media = true
      channel.call_state(ch, "EARLY")
    end
  end
  if ch:answered() and not data.seen_answered then
    data.seen_answered, data.seen_early = true, true
    ch:set("endpoint_disposition", "ANSWER")
    headers.fire("CHANNEL_ANSWER", ch)
    if not data.seen_media then
      data.seen_media = true
      hooks.run(ch, "media")
    end
    hooks.run(ch, "answer")
    channel.call_state(ch, "ACTIVE")
  end
end

-- --- what a call is asked ---

function channel.ring(ch)
  if ch:answered() or ch:early() or ch:ringing() or not ch:up() then return true end
  local ok = ch:ring()
  channel.notice(ch)
  return ok
end

function channel.pre_answer(ch)
  if not ch:up() then return false end
  if ch:answered() or ch:early() or ch:outbound() then return true end
  local ok = ch:early_media()
  channel.notice(ch)
  return ok
end

function channel.answer(ch)
  if not ch:up() then return false end
  if ch:answered() then return true end
  if ch:outbound() then return true end
  local delay = util.int(ch:get("answer_delay"))
  if delay > 0 then wait.pause(ch, delay) end
  if not ch:up() then return false end
  if not ch:answer() then
    channel.hangup(ch, "INCOMPATIBLE_DESTINATION")
    return false
  end
  channel.notice(ch)
  return true
end

-- Media wanted by an application: inbound calls get early media, outbound ones have it or not.
function channel.media(ch)
  if ch:media_ready() then return true end
  if not ch:outbound() then channel.pre_answer(ch) end
  return ch:media_ready()
end

-- A cause word or number as the table's own name, or the number that has none; unknown words are NORMAL_CLEARING.
function channel.cause(word)
  if not word or word == "" then return "NORMAL_CLEARING" end
  local number = core.cause_number(word)
  local name = core.cause_name(number)
  return name ~= "UNKNOWN" and name or format("%d", number)
end

function channel.hangup(ch, cause)
  if ch:up() then
    ch:data().hung_by_us = true
    ch:hangup(channel.cause(cause))
  end
  channel.over(ch)
end

-- --- death ---

local function seconds(us) return us > 0 and floor(us / 1000000) or 0 end

-- start_epoch … billsec, as §5 of the reference lists them.
function channel.times(ch)
  local t = ch:times()
  local created, answered, hangup = t.created or 0, t.answered or 0, t.hangup or 0
  if hangup == 0 then hangup = core.utc_us() end
  local function stamp(name, us)
    us = us or 0
    if us > 0 then ch:set(name .. "_stamp", core.strftime("%Y-%m-%d %H:%M:%S", seconds(us))) end
    ch:set(name .. "_epoch", format("%d", seconds(us)))
    ch:set(name .. "_uepoch", format("%.0f", us))
  end
  stamp("start", created)
  stamp("profile_start", created)
  stamp("answer", answered)
  stamp("bridge", t.bridged)
  stamp("last_hold", 0)
  stamp("resurrect", 0)
  stamp("progress", t.progress)
  stamp("progress_media", t.progress_media)
  stamp("end", hangup)
  ch:set("hold_accum_seconds", "0")
  local function span(name, from, to)
    local us = from > 0 and to > from and to - from or 0
    ch:set(name .. "sec", format("%d", floor(us / 1000000)))
    ch:set(name .. "msec", format("%d", floor(us / 1000)))
    ch:set(name .. "usec", format("%.0f", us))
  end
  local total = created > 0 and hangup - created or 0
  ch:set("duration", format("%d", seconds(hangup) - seconds(created)))
  ch:set("mduration", format("%d", floor(total / 1000)))
  ch:set("uduration", format("%.0f", total))
  span("bill", answered, answered > 0 and hangup or 0)
  span("progress", created, t.progress or 0)
  span("progress_media", created, t.progress_media or 0)
  span("answer", created, answered)
  span("wait", created, t.bridged and t.bridged > 0 and t.bridged or answered)
  span("flow_bill", answered, answered > 0 and hangup or 0)
  ch:set("billsec", format("%d", answered > 0 and seconds(hangup) - seconds(answered) or 0))
  local name, number = ch:profile("caller_id_name") or "", ch:profile("caller_id_number") or ""
  local last = ch:data().last_app
  if last then
    ch:set("last_app", last[1])
    ch:set("last_arg", last[2])
  end
  ch:set("caller_id", format('"%s" <%s>', name, number))
  if not ch:get("digits_dialed") then ch:set("digits_dialed", ch:data().digits_dialed or "none") end
end

-- How a SIP call ended, where its worker did not say.
local function sip_end(ch)
  local data = ch:data()
  if not ch:get("sip_hangup_disposition") then
    local how
    if data.hung_by_us then how = ch:answered() and "send_bye" or ch:outbound() and "send_cancel" or "send_refuse"
    else how = ch:answered() and "recv_bye" or ch:outbound() and "recv_refuse" or "recv_cancel" end
    ch:set("sip_hangup_disposition", how)
  end
end

local function finish(ch)
  local data = ch:data()
  if data.finished then return end
  data.finished = true
  data.scopes = nil
  local cause = ch:cause() or "NORMAL_CLEARING"
  ch:set("hangup_cause", cause)
  ch:set("hangup_cause_q850", format("%d", channel.q850(cause)))
  if ch:kind() == "sip" then sip_end(ch) end
  channel.times(ch)
  channel.runs(ch, "CS_HANGUP")
  channel.call_state(ch, "HANGUP")
  hooks.api(ch, "api_hangup_hook")
  channel.state(ch, "CS_REPORTING")
  hooks.api(ch, "api_reporting_hook")
  headers.fire("CHANNEL_HANGUP_COMPLETE", ch, { { "Hangup-Cause", cause } })
  ch:state_set("CS_DESTROY")
  headers.fire("CHANNEL_DESTROY", ch)
  channel.runs(ch, "CS_DESTROY")
  if data.limits then fs.limits.release(ch) end
  fs.schedule.cancel(ch:uuid())
  data.originator, data.originatee, data.partner, data.loopback_other = nil, nil, nil, nil
  data.done = true
  if data.on_end then data.on_end() end
  for i = 1, data.enders and #data.enders or 0 do core.wake(data.enders[i][1], data.enders[i][2], true) end
  data.enders = nil
end

-- Q.850 numbers end at 127; FreeSWITCH's own causes have none there.
function channel.q850(cause)
  local n = core.cause_number(cause)
  return n <= 127 and n or 16
end

-- The other leg, of a bridge or of a dial that is under way, learns how this one ended.
local function tell_partner(ch)
  local uuid = ch:get("signal_bond") or ch:get("originate_signal_bond")
  local other = uuid and channel.find(uuid)
  if not other or other == ch then return end
  other:set("last_bridge_hangup_cause", ch:cause())
  for name, as in pairs({ proto_specific_hangup_cause = "last_bridge_proto_specific_hangup_cause", sip_invite_failure_status = "sip_invite_failure_status",
    sip_invite_failure_phrase = "sip_invite_failure_phrase", sip_hangup_phrase = "sip_hangup_phrase", sip_reason = "sip_reason" }) do
    local value = ch:get(name)
    if value then other:set(as, value) end
  end
end

function channel.over(ch)
  local data = ch:data()
  if data.over then return end
  data.over = true
  tell_partner(ch)
  if data.partner then ch:set("last_bridge_role", data.bridge_side) end
  if ch:kind() == "guest" then return end -- told at home
  channel.created(ch)
  if data.loopback_other then ch:set("is_loopback", "1") end
  if data.held then
    data.held = nil
    headers.fire("CHANNEL_UNHOLD", ch)
  end
  headers.fire("CHANNEL_HANGUP", ch)
  if data.life and core.fiber_alive(data.life) then return end -- it finishes when its application lets go
  core.spawn("end of call", finish, ch)
end

-- --- life ---

-- Runs a list of { application, data } until the call is over or leaves.
function channel.run_actions(ch, actions)
  for i = 1, #actions do
    if wait.gone(ch) then return end
    fs.apps.execute(ch, actions[i][1], actions[i][2])
  end
end

local function routed(ch)
  local data = ch:data()
  ch:transferring_set(false)
  if data.actions then
    local actions = data.actions
    data.actions = nil
    channel.state(ch, data.state or "CS_EXECUTE")
    data.state = nil
    channel.run_actions(ch, actions)
    return true
  end
  channel.state(ch, "CS_ROUTING")
  local actions = fs.dialplan.route(ch)
  if not ch:up() then return true end
  if not actions then return false end
  channel.state(ch, "CS_EXECUTE")
  channel.run_actions(ch, actions)
  return true
end

-- One round per routing: a transfer or a bridge from outside begins another.
local function lives(ch)
  local data = ch:data()
  channel.created(ch)
  channel.notice(ch)
  while ch:up() do
    local pending = data.pending
    if pending then
      data.pending = nil
      pending(ch)
    else
      local found = routed(ch)
      if ch:up() and not ch:transferring() and not data.pending then
        if not found then
          util.log(util.INFO, format("No Route, Aborting. Destination %s in context %s", ch:profile("destination_number") or "", ch:profile("context") or ""), ch)
          channel.hangup(ch, "NO_ROUTE_DESTINATION")
        else
          channel.hangup(ch, "NORMAL_CLEARING")
        end
      end
    end
  end
end

local function life(ch)
  local me = core.self()
  ch:own(me)
  ch:watch(me, true)
  local ok, problem = pcall(lives, ch)
  if not ok then util.err(ch, "the call's dialplan failed: %s", tostring(problem)) end
  if ch:up() then channel.hangup(ch, "DESTINATION_OUT_OF_ORDER") end
  channel.over(ch)
  finish(ch)
  ch:data().life = nil
  ch:watch(me, false)
end

-- Begins (or goes on with) a call's own life. actions: run these in place of the dialplan.
function channel.start(ch, actions, state)
  local data = ch:data()
  if ch:kind() == "guest" then return end
  if actions then data.actions, data.state = actions, state end
  if data.life and core.fiber_alive(data.life) then return end
  data.life = core.spawn("call", life, ch)
end

-- A call that its script let go of and nobody runs: it stays up, and does what it is sent.
function channel.idle(ch)
  local data = ch:data()
  if data.life and core.fiber_alive(data.life) then return end
  data.pending = function()
    while not wait.gone(ch) do wait.serve(ch, {}) end
  end
  channel.start(ch)
end

-- A new channel that the worker hands over: an inbound call or a loopback's second leg.
function channel.begin(ch)
  local data = ch:data()
  if data.begun then return end
  data.begun = true
  if ch:kind() == "sip" and not ch:outbound() then
    local said = ch:get("endpoint_disposition")
    if not said or said == "RECEIVED" then ch:set("endpoint_disposition", "DELAYED NEGOTIATION") end
  end
  local script = ch:get("carillon_script")
  channel.start(ch, script and { { "lua", script } } or nil)
end

-- A campaign's call: its script with `session`; then it is hung up unless it went elsewhere. Waits; gives ok and the error:
-- the engine tells the campaign, with the variables lead, disposition and carillon_digits (all keys that were pressed).
function channel.campaign(ch, script, arguments)
  local data = ch:data()
  data.begun = true
  local pressed = {}
  data.all_digits = pressed
  local op, asker, result = wait.op(), core.self(), nil
  data.pending = function()
    channel.state(ch, "CS_EXECUTE")
    result = fs.script.run(ch, script, arguments or "", { auto_hangup = true })
    core.wake(asker, op.token, true)
    if ch:up() and not ch:transferring() and not data.pending then channel.hangup(ch, "NORMAL_CLEARING") end
  end
  data.on_end = function() core.wake(asker, op.token, true) end
  channel.start(ch)
  wait.finish(op)
  while fs.digits.waiting(ch) > 0 do fs.digits.take(ch) end -- pressed, but nobody asked
  ch:set("carillon_digits", table.concat(pressed))
  if not result then return false, "the call ended before its script began" end
  return result.ok, result.error
end

-- The worker's own end of a call: does what is to be done and comes back when it is done.
function channel.ended(ch)
  local data = ch:data()
  channel.over(ch)
  if data.done then return end
  local op = wait.op()
  data.enders = data.enders or {}
  data.enders[#data.enders + 1] = { core.self(), op.token }
  wait.finish(op)
end
