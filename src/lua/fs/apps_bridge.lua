-- apps_bridge.lua: applications that join calls: bridge, intercept, eavesdrop, three_way, att_xfer, hold, lots and queues.
local core = ...
local fs = core.fs
local util, variables, headers, wait, channel, apps, bridge, transfer, play, loan =
  fs.util, fs.variables, fs.headers, fs.wait, fs.channel, fs.apps, fs.bridge, fs.transfer, fs.play, fs.loan

local find, format, gmatch, lower, match = string.find, string.format, string.gmatch, string.lower, string.match
local define = apps.define

define("bridge", "", "dials and joins; see the grammar of dial strings", function(ch, text) bridge.app(ch, text) end)

-- Takes a call from what it does; its partner is put away.
function bridge.intercept(ch, other)
  if not other:answered() and util.truth(ch:get("intercept_unanswered_only")) == false and util.truth(ch:get("intercept_unbridged_only")) == false then
    channel.answer(other)
  end
  local partner = other:data().partner
  channel.answer(ch)
  if partner then
    other:data().pending = function() wait.serve(other, { check = function() return other:data().taken end }) end
    bridge.leave(other)
    channel.hangup(partner, "PICKED_OFF")
    wait.pause(ch, 40)
  end
  local done = false
  transfer.next(other, function()
    local me = core.self()
    other:watch(me, true)
    while other:up() and not done and not other:transferring() do wait.once(nil) end
    if other:up() and not wait.gone(other) then channel.hangup(other, "NORMAL_CLEARING") end
  end)
  local life = other:data().life
  -- Until its own life has let go of what it did: a bridge takes something pending for a leg that leaves.
  local till = core.now() + 1000
  while other:data().pending and other:up() and ch:up() and core.now() < till do wait.once(20) end
  bridge.run(ch, other, {})
  done = true
  if life and core.fiber_alive(life) then core.wake(life, 0, true) end
end

define("intercept", "", "`[-bleg] uuid`: takes over a call; its partner is put away", function(ch, text)
  local bleg, uuid = match(text, "^(%-bleg)%s+(%S+)")
  local other, done = loan.other(ch, uuid or util.trim(text), "intercept", text)
  if done then return end
  if other and bleg then other = other:data().partner end
  if not other or not other:up() or other == ch then return util.warn(ch, "intercept: no such call %s", text) end
  bridge.intercept(ch, other)
end)

define("eavesdrop", "M", "`uuid|all`: hears a call; 2 speaks to it, 1 to its partner, 3 to both, 0 to none", function(ch, text)
  local uuid = util.trim(text)
  local target, done
  if uuid ~= "all" then
    target, done = loan.other(ch, uuid, "eavesdrop", text)
    if done then return end
  else
    for _, one in ipairs(core.channels()) do
      if one ~= ch and one:up() and one:answered() then
        target = one
        break
      end
    end
  end
  if not target then return util.warn(ch, "eavesdrop: no such call %s", uuid) end
  local whisper_target = util.truth(ch:get("eavesdrop_whisper_aleg"))
  local whisper_partner = util.truth(ch:get("eavesdrop_whisper_bleg"))
  local me = core.self()
  target:watch(me, true)
  ch:listen(target, whisper_target, whisper_partner)
  wait.serve(ch, { check = function() return not target:up() end, on_digit = function(digit)
    if digit == "2" then whisper_target, whisper_partner = true, false
    elseif digit == "1" then whisper_target, whisper_partner = false, true
    elseif digit == "3" then whisper_target, whisper_partner = true, true
    elseif digit == "0" then whisper_target, whisper_partner = false, false
    elseif digit == "*" then return true
    else return end
    ch:listen(target, whisper_target, whisper_partner)
  end })
  target:watch(me, false)
  if ch:up() then ch:listen(nil, false, false) end
end)

define("three_way", "M", "`uuid`: joins a call as the third", function(ch, text)
  local target, done = loan.other(ch, util.trim(text), "three_way", text)
  if done then return end
  if not target then return util.warn(ch, "three_way: no such call %s", text) end
  local me = core.self()
  target:watch(me, true)
  ch:listen(target, true, true)
  wait.serve(ch, { check = function() return not target:up() end, on_digit = function(digit) return digit == "*" end })
  target:watch(me, false)
  if ch:up() then ch:listen(nil, false, false) end
end)

-- --- hold and transfer with consultation ---

local function hold(ch, on)
  local data = ch:data()
  data.held = on or nil
  fs.channel.call_state(ch, on and "HELD" or "UNHELD")
  headers.fire(on and "CHANNEL_HOLD" or "CHANNEL_UNHOLD", ch)
  if ch:kind() == "sip" or loan.is_guest(ch) then core.request("broker", "CALL_REINVITE", { uuid = ch:uuid(), action = on and "hold" or "unhold" }, 5000) end
  if not on then fs.channel.call_state(ch, "ACTIVE") end
end
apps.hold = hold
define("hold", "", "puts the call on hold", function(ch) hold(ch, true) end)
define("unhold", "", "takes it off hold", function(ch) hold(ch, false) end)
define("soft_hold", "M", "`key [music_a] [music_b]`: music until the key", function(ch, text)
  local key, music = match(text, "^%s*(%S+)%s*(%S*)")
  if not key then return end
  local partner = ch:data().partner
  local listener = partner or ch
  local op = wait.op()
  local source = util.some(music) or variables.get(ch, "hold_music") or "silence_stream://-1"
  if listener:up() then listener:play(op.token, play.resolve(listener, source) or source, 0, true) end
  wait.serve(ch, { on_digit = function(digit) return digit == key end, check = function() return partner and not partner:up() end })
  if listener:up() then listener:stop(op.token) end
  wait.forget(op)
end)

define("att_xfer", "M", "dials a second call; hanging up connects it with the bridged one", function(ch, text)
  local partner = ch:data().partner
  local b, cause = fs.originate.dial(text, { aleg = ch, timeout_s = 60 })
  if not b then return util.log(util.INFO, "att_xfer failed: " .. cause, ch) end
  ch:bridge(b)
  local me = core.self()
  b:watch(me, true)
  local stay = false
  wait.serve(ch, { check = function() return not b:up() end, on_digit = function(digit, duration)
    if digit == "#" then return true end
    if digit == "*" then
      stay = true
      return true
    end
    if b:up() then bridge.forward(ch, b, digit, duration) end
  end })
  b:watch(me, false)
  if partner and partner:up() and b:up() and not stay then
    bridge.join(partner, b)
    if ch:up() then channel.hangup(ch, "ATTENDED_TRANSFER") end
  else
    if b:up() then channel.hangup(b, "NORMAL_CLEARING") end
    if partner and partner:up() and ch:up() then ch:bridge(partner) end
  end
end)

-- --- lots and queues ---

local lots = {}
define("valet_park", "M", "`lot extension` or `lot auto in|out min max`", function(ch, text)
  local w = util.separate(text, " ")
  local lot = w[1] or "default"
  if loan.at(ch, lot, "valet_park", text) then return end
  lots[lot] = lots[lot] or {}
  local slots = lots[lot]
  local slot = w[2]
  if slot == "auto" then
    local from, to = util.int(w[4] or "1"), util.int(w[5] or "10")
    slot = nil
    for n = from, to do
      local there = slots[format("%d", n)]
      local busy = there and there:up()
      if (w[3] == "out") == (busy or false) then
        slot = format("%d", n)
        break
      end
    end
  end
  if not slot then return util.warn(ch, "valet_park: no place in %s", lot) end
  local parked = slots[slot]
  if parked and parked:up() and parked ~= ch then
    slots[slot] = nil
    channel.answer(ch)
    return bridge.intercept(ch, parked)
  end
  slots[slot] = ch
  ch:set("valet_extension", slot)
  headers.fire("CUSTOM", ch, { { "Valet-Lot-Name", lot }, { "Valet-Extension", slot }, { "Action", "hold" } }, "valet_parking::info")
  local music = variables.get(ch, "valet_hold_music") or variables.get(ch, "hold_music") or "silence_stream://-1"
  while not wait.gone(ch) and slots[slot] == ch do
    local how = play.file(ch, music, {})
    if how == "hangup" or how == "notfound" then
      if how == "notfound" then wait.serve(ch, {}) end
      break
    end
  end
  if slots[slot] == ch then slots[slot] = nil end
  headers.fire("CUSTOM", ch, { { "Valet-Lot-Name", lot }, { "Valet-Extension", slot }, { "Action", "exit" } }, "valet_parking::info")
end)

-- First in, first out: callers wait with `in`, agents take the longest waiting with `out`.
local queues = {}
define("fifo", "M", "`name in [announce] [music]` or `name out [wait|nowait]`", function(ch, text)
  local w = util.separate(text, " ")
  local name, side = w[1], lower(w[2] or "in")
  if not name or loan.at(ch, name, "fifo", text) then return end
  queues[name] = queues[name] or {}
  local queue = queues[name]
  channel.answer(ch)
  if side == "in" then
    queue[#queue + 1] = ch
    headers.fire("CUSTOM", ch, { { "FIFO-Name", name }, { "FIFO-Action", "push" } }, "fifo::info")
    local music = util.some(w[4]) or variables.get(ch, "fifo_music") or "silence_stream://-1"
    while not wait.gone(ch) do
      local how = play.file(ch, music, {})
      if how == "notfound" then how = wait.serve(ch, {}) end
      if how == "hangup" then break end
    end
    for i = #queue, 1, -1 do if queue[i] == ch then table.remove(queue, i) end end
    return
  end
  local patient = lower(w[3] or "wait") ~= "nowait"
  while not wait.gone(ch) do
    local caller = table.remove(queue, 1)
    if caller and caller:up() then
      headers.fire("CUSTOM", ch, { { "FIFO-Name", name }, { "FIFO-Action", "bridge-consumer" } }, "fifo::info")
      bridge.intercept(ch, caller)
      if not patient then return end
    elseif not patient then
      return
    else
      wait.pause(ch, 200)
    end
  end
end)
