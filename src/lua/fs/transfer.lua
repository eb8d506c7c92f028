-- transfer.lua: sending a call elsewhere: to an extension, to a list of applications, to the parking lot.
local core = ...
local fs = core.fs
local util, channel = fs.util, fs.channel

local transfer = {}
fs.transfer = transfer

-- What runs it now lets go: wakes whoever owns the call.
function transfer.wake(ch)
  local owner = ch:owner()
  if owner and owner ~= core.self() and core.fiber_alive(owner) then ch:queue_event({ { "call-command", "wake" } }) end
end

-- Makes `f(ch)` the next thing of the call's life, in place of what it does.
function transfer.next(ch, f)
  local data = ch:data()
  data.pending = f
  if data.life and core.fiber_alive(data.life) then
    transfer.wake(ch)
  else
    channel.start(ch)
  end
end

local TRANSFERS_MAX = 70

-- Counts down how often a call may be sent on; false when that was once too often.
local function may_go(ch)
  local name = util.some(ch:get("max_session_transfers")) and "max_session_transfers" or "max_forwards"
  local left = util.some(ch:get(name))
  left = left and util.int(left) - 1 or TRANSFERS_MAX
  if left <= 0 then
    channel.hangup(ch, "EXCHANGE_ROUTING_ERROR")
    return false
  end
  ch:set(name, string.format("%d", left))
  return true
end

-- Keeps the caller and destination that the call began with, for `show channels`.
function transfer.note_initial(ch)
  local data = ch:data()
  if data.initial then return end
  data.initial = {}
  for _, field in ipairs({ "caller_id_name", "caller_id_number", "network_addr", "destination_number", "dialplan", "context" }) do
    data.initial[field] = ch:profile(field)
  end
end

-- To extension, dialplan, context; absent ones stay as they are. False if the call is over.
function transfer.transfer(ch, extension, dialplan, context)
  if not ch:up() then return false end
  if fs.loan.is_guest(ch) then return fs.loan.leave(ch, { "transfer", extension, dialplan, context }) end
  if not may_go(ch) then return false end
  local data = ch:data()
  fs.hooks.run(ch, "blind_transfer")
  dialplan = util.some(dialplan) or util.some(ch:get("force_transfer_dialplan"))
  context = util.some(context) or util.some(ch:get("force_transfer_context"))
  if not dialplan then
    dialplan = util.some(ch:profile("dialplan")) or "XML"
    if string.lower(dialplan) == "inline" then dialplan = "XML" end
  end
  context = context or util.some(ch:profile("context")) or "default"
  extension = util.some(extension) or "service"
  transfer.note_initial(ch)
  ch:profile_set("rdnis", ch:profile("destination_number") or "")
  ch:profile_set("dialplan", dialplan)
  ch:profile_set("context", context)
  ch:profile_set("destination_number", extension)
  data.transfer_us = core.utc_us()
  data.actions = nil
  local source = string.format("%d:%s:bl_xfer:%s/%s/%s", math.floor(core.utc_us() / 1000000), core.uuid(), extension, context, dialplan)
  fs.variables.push(ch, "transfer_history", source)
  ch:set("transfer_source", source)
  if data.partner then fs.bridge.leave(ch) end
  ch:transferring_set(true)
  ch:state_set("CS_ROUTING")
  if data.life and core.fiber_alive(data.life) then transfer.wake(ch) else channel.start(ch) end
  return true
end

-- "[-bleg|-both] ext [dialplan [context]]" as the application takes it.
function transfer.command(ch, text)
  local w = util.separate(text, " ", 4)
  if not w[1] then return util.err(ch, "No extension specified.\n") end
  local which = string.lower(w[1])
  if which ~= "-bleg" and which ~= "-both" then return transfer.transfer(ch, w[1], w[2], w[3]) end
  local partner = ch:data().partner
  if partner then transfer.transfer(partner, w[2], w[3], w[4]) else util.warn(ch, "No B-leg present.\n") end
  if which == "-both" then transfer.transfer(ch, w[2], w[3], w[4]) end
end

-- A list of applications in place of the dialplan: "park", "answer,playback:x.wav".
function transfer.inline(ch, text) return transfer.transfer(ch, text, "inline") end

-- Ends what runs and parks (uuid_park, park_after_bridge).
function transfer.park(ch)
  if fs.loan.is_guest(ch) then return fs.loan.leave(ch, { "park" }) end
  transfer.next(ch, function()
    channel.state(ch, "CS_PARK")
    fs.apps.execute(ch, "park")
  end)
end

-- "app args" list in place of the dialplan.
function transfer.actions(ch, actions)
  if fs.loan.is_guest(ch) then return fs.loan.leave(ch, { "actions", actions }) end
  transfer.next(ch, function()
    channel.state(ch, "CS_EXECUTE")
    channel.run_actions(ch, actions)
    if ch:up() and not ch:transferring() and not ch:data().pending then channel.hangup(ch, "NORMAL_CLEARING") end
  end)
end
