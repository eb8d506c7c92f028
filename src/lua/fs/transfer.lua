-- transfer.lua: sending a call elsewhere: to an extension, to a list of applications, to the parking lot.
local core = ...
local fs = core.fs
local util, channel = fs.util, fs.channel

local match = string.match

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

-- To extension, dialplan, context; absent ones stay as they are. False if the call is over.
function transfer.transfer(ch, extension, dialplan, context)
  if not ch:up() then return false end
  local data = ch:data()
  dialplan, context = util.some(dialplan), util.some(context)
  if not dialplan then
    dialplan = util.some(ch:profile("dialplan")) or "XML"
    if dialplan == "inline" then dialplan = "XML" end
  end
  context = context or util.some(ch:profile("context")) or "default"
  ch:profile_set("dialplan", dialplan)
  ch:profile_set("context", context)
  ch:profile_set("destination_number", extension)
  ch:profile_set("rdnis", ch:profile("rdnis") or "")
  data.transfer_us = core.utc_us()
  data.actions = nil
  fs.variables.set(ch, "transfer_source", string.format("%d:%s:bl_xfer:%s/%s/%s", math.floor(core.utc_us() / 1000000), core.uuid(), extension, context, dialplan))
  if data.partner then fs.bridge.leave(ch) end
  ch:transferring_set(true)
  channel.state(ch, "CS_ROUTING")
  if data.life and core.fiber_alive(data.life) then transfer.wake(ch) else channel.start(ch) end
  return true
end

-- "[-bleg|-both] ext [dialplan [context]]" as the command and the application take it; `m:…`/`app:data` lists with the dialplan inline.
function transfer.command(ch, text)
  local words = util.separate(text, " ")
  local which
  if words[1] == "-bleg" or words[1] == "-both" then which = table.remove(words, 1) end
  if not words[1] then return false end
  local partner = ch:data().partner
  local done = true
  if which then
    if not partner then
      if which == "-bleg" then return false end
    else
      done = transfer.transfer(partner, words[1], words[2], words[3])
    end
  end
  if which ~= "-bleg" then done = transfer.transfer(ch, words[1], words[2], words[3]) end
  return done
end

-- A list of applications in place of the dialplan: "park", "answer,playback:x.wav".
function transfer.inline(ch, text) return transfer.transfer(ch, text, "inline") end

-- Ends what runs and parks (uuid_park, park_after_bridge).
function transfer.park(ch)
  transfer.next(ch, function()
    channel.state(ch, "CS_PARK")
    fs.apps.execute(ch, "park")
  end)
end

-- "app args" list in place of the dialplan.
function transfer.actions(ch, actions)
  transfer.next(ch, function()
    channel.state(ch, "CS_EXECUTE")
    channel.run_actions(ch, actions)
    if ch:up() and not ch:transferring() and not ch:data().pending then channel.hangup(ch, "NORMAL_CLEARING") end
  end)
end
