-- conference.lua: rooms where all hear each other: who is in one, what a member may do, what is told of it (conference::maintenance).
--
-- A conference is on the worker that its name says (loan.at); members of other workers are guests here. The media thread mixes and says who
-- talks and has the floor (media_room.c). Files are played into the room, and recordings made, by *voices*: null legs that are no calls.
-- Profiles, caller controls and sounds are those of conference.conf. The API's sub-commands: commands_conference.lua.
local core = ...
local fs = core.fs
local util, variables, headers, event, wait, channel, play, loan, transfer, xmlconf =
  fs.util, fs.variables, fs.headers, fs.event, fs.wait, fs.channel, fs.play, fs.loan, fs.transfer, fs.xmlconf

local error, format, gmatch, ipairs, lower, match, max, min, pairs, pcall, remove, tonumber, tostring =
  error, string.format, string.gmatch, ipairs, string.lower, string.match, math.max, math.min, pairs, pcall, table.remove, tonumber, tostring

local conference = { all = {} } -- by name
fs.conference = conference

local ENERGY_DEFAULT = 100 -- of the usual profile "default"
local ENERGY_STEP, ENERGY_MAX = 200, 1800
local RATES = { [8000] = true, [16000] = true, [32000] = true, [48000] = true }

local next_room = 0

-- --- profiles ---

-- The parameters of <profile name=…> in conference.conf; an absent one has none.
local function profile(name)
  local node, found = xmlconf.configuration("conference.conf"), nil
  local function walk(n)
    for i = 1, #n do
      if n[i].tag == "profile" and n[i].attr.name == name then found = n[i] elseif n[i].tag ~= "profile" then walk(n[i]) end
    end
  end
  if node then walk(node) end
  return xmlconf.params(found)
end

-- Key → action, of the usual group unless conference.conf has one of that name.
local usual = { ["0"] = "mute", ["*"] = "deaf mute", ["9"] = "energy up", ["8"] = "energy equ", ["7"] = "energy dn", ["3"] = "vol talk up",
  ["2"] = "vol talk zero", ["1"] = "vol talk dn", ["6"] = "vol listen up", ["5"] = "vol listen zero", ["4"] = "vol listen dn", ["#"] = "hangup" }
local function controls(name)
  if name == "none" then return {} end
  local node, keys = xmlconf.configuration("conference.conf"), nil
  local function walk(n)
    for i = 1, #n do
      local child = n[i]
      if child.tag == "group" and child.attr.name == name then
        keys = {}
        for j = 1, #child do
          if child[j].tag == "control" then keys[child[j].attr.digits or ""] = { action = child[j].attr.action, data = child[j].attr.data } end
        end
      else walk(child) end
    end
  end
  if node then walk(node) end
  if keys then return keys end
  keys = {}
  for key, action in pairs(usual) do keys[key] = { action = action } end
  return keys
end

local function flags_of(text)
  local flags = {}
  for word in gmatch(lower(text or ""), "[^|,%s]+") do flags[word] = true end
  return flags
end

-- --- what is told ---

local function about(c)
  return { { "Conference-Name", c.name }, { "Conference-Domain", core.global_get("domain") },
    { "Conference-Size", c.count }, { "Conference-Ghosts", c.ghosts }, { "Conference-Profile-Name", c.profile_name }, { "Conference-Unique-ID", c.uuid } }
end

local function yes(value) return value and "true" or "false" end

-- An event of the conference, or of a member of it.
function conference.tell(c, m, action, more)
  if not event.wanted("CUSTOM") then return end
  local list = about(c)
  local function add(name, value) list[#list + 1] = { name, value } end
  if m then
    add("Floor", yes(c.floor == m))
    add("Video", "false")
    add("Hear", yes(not m.deaf))
    add("See", "false")
    add("Speak", yes(not m.muted))
    add("Talking", yes(m.talking))
    add("Mute-Detect", yes(m.flags["mute-detect"]))
    add("Hold", yes(m.held))
    add("Member-ID", m.id)
    add("Member-Type", m.flags.moderator and "moderator" or "member")
    add("Member-Ghost", yes(m.flags.ghost))
    add("Energy-Level", m.energy)
    add("Current-Energy", m.score or 0)
  end
  add("Action", action)
  for _, pair in ipairs(more or {}) do add(pair[1], pair[2]) end
  if m then return headers.fire("CUSTOM", m.ch, list, "conference::maintenance") end
  local e = event.make("CUSTOM", "conference::maintenance", "conference_event.c")
  for _, pair in ipairs(list) do if pair[2] ~= nil then e.list[#e.list + 1] = { pair[1], tostring(pair[2]) } end end
  event.fire(e)
end

-- --- voices ---

-- Plays a file into the room, beside whatever else sounds. o: loop, to_end = f() when it ended.
function conference.play(c, file, o)
  o = o or {}
  local voice = core.voice(c.rate)
  local source = voice and play.resolve(voice, file)
  if not source then
    if voice then voice:release() end
    return nil
  end
  local v = { voice = voice, file = file, async = o.async, quiet = o.quiet }
  c.voices[#c.voices + 1] = v
  voice:room_join(c.number, { voice = true, rate = c.rate })
  core.spawn("conference file", function()
    voice:own(core.self())
    local op = wait.op()
    v.token = op.token
    local started = not v.stopped and voice:play(op.token, source, 0, o.loop or false)
    if started then wait.finish(op) end
    for i = #c.voices, 1, -1 do if c.voices[i] == v then remove(c.voices, i) end end
    voice:room_leave()
    voice:release()
    if not v.quiet and c.count > 0 then conference.tell(c, nil, "play-file-done", { { "File", file }, { "Async", o.async and "true" or nil } }) end
  end)
  return v
end

function conference.stop(c, which)
  local n = 0
  for i = #c.voices, 1, -1 do
    local v = c.voices[i]
    if which == "all" or (which == "async") == (v.async or false) then
      v.stopped, n = true, n + 1
      if v.token then v.voice:stop(v.token) end
    end
  end
  return n
end

-- Records what the room hears, until norecord or its end.
function conference.record(c, path)
  local voice = core.voice(c.rate)
  if not voice then return nil end
  local r = { voice = voice, path = path }
  c.recordings[#c.recordings + 1] = r
  voice:room_join(c.number, { muted = true, rate = c.rate })
  core.spawn("conference recording", function()
    voice:own(core.self())
    local op = wait.op()
    r.token = op.token
    if voice:record(op.token, { path = path, write = true, rate = c.rate, both_directions = true }) then wait.finish(op) end
    for i = #c.recordings, 1, -1 do if c.recordings[i] == r then remove(c.recordings, i) end end
    voice:room_leave()
    voice:release()
    conference.tell(c, nil, "stop-recording", { { "Path", path }, { "Other-Recordings", #c.recordings > 0 and "true" or "false" } })
  end)
  conference.tell(c, nil, "start-recording", { { "Path", path } })
  return r
end

function conference.norecord(c, path)
  local n = 0
  for _, r in ipairs(c.recordings) do
    if (path == "all" or r.path == path) and r.token then
      n = n + 1
      r.voice:stop(r.token)
    end
  end
  return n
end

-- --- members ---

-- Brings the media thread up to date with what a member may do.
function conference.update(c, m)
  if not m.ch:up() then return end
  local waits = c.flags["wait-mod"] and not c.moderators
  m.ch:room_join(c.number, { rate = c.rate, energy = c.flags["audio-always"] and 0 or m.energy, muted = m.muted or m.held or waits or false, deaf = m.deaf or m.held or false,
    mute_detect = m.flags["mute-detect"] or false })
end

function conference.member(c, id)
  for _, m in ipairs(c.members) do if m.id == id then return m end end
end

function conference.mute(c, m, on, quiet)
  m.muted = on
  if on then m.talking = nil end
  conference.update(c, m)
  local sound = not quiet and c.params[on and "muted-sound" or "unmuted-sound"]
  if util.some(sound) then conference.play_to(m, sound) end
  conference.tell(c, m, on and "mute-member" or "unmute-member")
end
function conference.deafen(c, m, on)
  m.deaf = on
  conference.update(c, m)
  conference.tell(c, m, on and "deaf-member" or "undeaf-member")
end
function conference.hold(c, m, on, file)
  m.held = on
  conference.update(c, m)
  if on and util.some(file) then conference.play_to(m, file, true)
  elseif not on and m.playing then m.ch:stop(m.playing) end
  conference.tell(c, m, on and "hold-member" or "unhold-member")
end
function conference.energy(c, m, level)
  m.energy = max(0, min(level, 2 ^ 15))
  conference.update(c, m)
end
function conference.volume(m, side, level)
  m[side] = max(-4, min(level, 4))
  m.ch:gain(side == "volume_in", m[side])
end

-- A file for one member, in place of the room while it sounds.
function conference.play_to(m, file, loop)
  local source = play.resolve(m.ch, file)
  if not source or not m.ch:up() then return false end
  m.playing = core.token()
  return m.ch:play(m.playing, source, 0, loop or false)
end

-- Ends a member's stay; it goes on where its dialplan does.
function conference.put_out(c, m, action)
  if m.out then return end
  m.out = true
  conference.tell(c, m, action)
  fs.transfer.wake(m.ch)
end

-- --- a conference's life ---

local function make(name, profile_name)
  local params = profile(profile_name)
  next_room = next_room + 1
  local rate = tonumber(params.rate)
  local c = { name = name, profile_name = profile_name, params = params, uuid = core.uuid(), number = core.worker() * 65536 + next_room % 65536,
    rate = RATES[rate] and rate or 8000, energy = tonumber(params["energy-level"]) or ENERGY_DEFAULT, members = {}, voices = {}, recordings = {},
    count = 0, ghosts = 0, next_id = 1, flags = flags_of(params["conference-flags"]), pin = util.some(params.pin), mpin = util.some(params["moderator-pin"]),
    max = tonumber(params["max-members"]), variables = {} }
  c.enter_sound, c.exit_sound = util.some(params["enter-sound"]), util.some(params["exit-sound"])
  conference.all[name] = c
  conference.tell(c, nil, "conference-create")
  return c
end

local function over(c)
  if conference.all[c.name] == c then conference.all[c.name] = nil end
  conference.stop(c, "all")
  conference.norecord(c, "all")
  conference.tell(c, nil, "conference-destroy")
end

local function moderators(c)
  c.moderators = false
  for _, m in ipairs(c.members) do if m.flags.moderator then c.moderators = true end end
  if c.flags["wait-mod"] then for _, m in ipairs(c.members) do conference.update(c, m) end end
end

-- Music as long as somebody is alone (or waits for a moderator).
local function music(c)
  local sound = util.some(c.params["moh-sound"])
  local wanted = sound and (c.count == 1 or c.flags["wait-mod"] and not c.moderators) and not (c.members[1] and c.members[1].flags.nomoh)
  if wanted and not c.moh then c.moh = conference.play(c, sound, { loop = true, quiet = true, async = true })
  elseif not wanted and c.moh then
    c.moh.stopped = true
    if c.moh.token then c.moh.voice:stop(c.moh.token) end
    c.moh = nil
  end
end

local function enter(c, ch, flags)
  local m = { id = c.next_id, ch = ch, flags = flags, energy = c.energy, volume_in = 0, volume_out = 0, muted = flags.mute or false, deaf = flags.deaf or false,
    controls = controls(ch:get("conference_controls") or (flags.moderator and util.some(c.params["moderator-controls"])) or c.params["caller-controls"] or "default") }
  c.next_id, c.count, c.ghosts = c.next_id + 1, c.count + 1, c.ghosts + (flags.ghost and 1 or 0)
  c.members[#c.members + 1] = m
  ch:data().member = { conference = c, member = m }
  ch:set("conference_name", c.name)
  ch:set("conference_member_id", format("%d", m.id))
  ch:set("conference_uuid", c.uuid)
  ch:set("conference_moderator", flags.moderator and "true" or nil)
  moderators(c)
  conference.update(c, m)
  conference.tell(c, m, "add-member")
  if c.enter_sound and not c.enter_off and not flags.silent then conference.play(c, c.enter_sound, { async = true, quiet = true }) end
  music(c)
  if c.count == 1 and util.some(c.params["auto-record"]) then conference.record(c, variables.expand(ch, c.params["auto-record"])) end
  return m
end

local function leave(c, m)
  local ch = m.ch
  for i = #c.members, 1, -1 do if c.members[i] == m then remove(c.members, i) end end
  c.count, c.ghosts = c.count - 1, c.ghosts - (m.flags.ghost and 1 or 0)
  ch:data().member = nil
  if ch:up() then
    ch:room_leave()
    ch:gain(true, 0)
    ch:gain(false, 0)
    if m.playing then ch:stop(m.playing) end
  end
  if c.floor == m then
    c.floor = nil
    conference.tell(c, nil, "floor-change", { { "Old-ID", m.id }, { "New-ID", "none" } })
  end
  conference.tell(c, m, "del-member")
  if c.count == 0 then return over(c) end
  if c.exit_sound and not c.exit_off then conference.play(c, c.exit_sound, { async = true, quiet = true }) end
  moderators(c)
  music(c)
  local ends = m.flags["endconf"]
  for _, other in ipairs(c.members) do if other.flags["endconf"] then ends = false end end
  if m.flags["mandatory_member_endconf"] or m.flags.mintwo and c.count < 2 then ends = true end
  if ends then for _, other in ipairs(c.members) do conference.put_out(c, other, "kick-member") end end
end

-- What the media thread says of a member (messages.lua).
function conference.news(ch, what, energy)
  local at = ch:data().member
  if not at then return end
  local c, m = at.conference, at.member
  m.score = tonumber(energy) or 0
  if what == "floor" then
    local old = c.floor
    c.floor = m
    conference.tell(c, nil, "floor-change", { { "Old-ID", old and old.id or "none" }, { "New-ID", m.id } })
  elseif m.muted then
    if what == "talks" then conference.tell(c, m, "mute-detect") end
  else
    m.talking = what == "talks" or nil
    conference.tell(c, m, m.talking and "start-talking" or "stop-talking")
  end
end

-- --- keys ---

local actions = {}
actions.mute = function(c, m) conference.mute(c, m, not m.muted) end
actions["mute on"] = function(c, m) conference.mute(c, m, true) end
actions["mute off"] = function(c, m) conference.mute(c, m, false) end
actions["deaf mute"] = function(c, m)
  local on = not m.deaf
  conference.mute(c, m, on)
  conference.deafen(c, m, on)
end
actions.deaf = function(c, m) conference.deafen(c, m, not m.deaf) end
local function energy_key(change)
  return function(c, m)
    conference.energy(c, m, min(ENERGY_MAX, change(c, m)))
    conference.tell(c, m, "energy-level", { { "New-Level", m.energy } })
  end
end
actions["energy up"] = energy_key(function(_, m) return m.energy + ENERGY_STEP end)
actions["energy dn"] = energy_key(function(_, m) return m.energy - ENERGY_STEP end)
actions["energy equ"] = energy_key(function(c) return c.energy end)
local function volume_key(side, event_name, change)
  return function(c, m)
    conference.volume(m, side, change(m[side]))
    conference.tell(c, m, event_name, { { "New-Level", m[side] } })
  end
end
for word, change in pairs({ up = function(v) return v + 1 end, dn = function(v) return v - 1 end, zero = function() return 0 end }) do
  actions["vol talk " .. word] = volume_key("volume_in", "volume-level", change)
  actions["vol listen " .. word] = volume_key("volume_out", "gain-level", change)
end
actions.lock = function(c)
  c.locked = not c.locked
  conference.tell(c, nil, c.locked and "lock" or "unlock")
end
actions.hangup = function(_, m) m.out = true end
actions["execute_application"] = function(c, m, data)
  conference.tell(c, m, "execute_app", { { "Application", data } })
  local app, arg = match(data or "", "^%s*(%S+)%s*(.*)$")
  if app then fs.apps.execute(m.ch, app, arg) end
end
actions.transfer = function(c, m, data)
  conference.tell(c, m, "transfer", { { "Dialplan", data } })
  m.out = true
  transfer.command(m.ch, data or "")
end
actions.event = function(c, m, data) conference.tell(c, m, "dtmf", { { "DTMF-Key", m.key }, { "Data", data } }) end

local function key(c, m, digit)
  m.key = digit
  if m.flags["dist-dtmf"] then
    for _, other in ipairs(c.members) do if other ~= m and other.ch:up() then other.ch:send_digits(core.token(), digit, 100) end end
  end
  local control = m.controls[digit]
  local f = control and actions[control.action or ""]
  if f then f(c, m, control.data) else conference.tell(c, m, "dtmf", { { "DTMF-Key", digit } }) end
end

-- --- the application ---

local function ask_pin(ch, c, wanted)
  for _ = 1, tonumber(c.params["pin-retries"]) or 3 do
    local sound = util.some(c.params["pin-sound"])
    if sound then play.file(ch, sound, {}) end
    local keys = fs.digits.collect(ch, { max = max(#wanted, c.mpin and #c.mpin or 0), terminators = "#", first_ms = 10000, inter_ms = 5000 })
    if keys == wanted or keys == c.mpin then return keys end
    if not ch:up() then return nil end
    local bad = util.some(c.params["bad-pin-sound"])
    if bad then play.file(ch, bad, {}) end
  end
end

-- May this call enter? Asks for the pin if there is one.
local function admitted(ch, c, pin, flags)
  if c.locked then
    local sound = util.some(c.params["locked-sound"])
    if sound then play.file(ch, sound, {}) end
    return false
  end
  if c.max and c.count >= c.max then
    local sound = util.some(c.params["max-members-sound"])
    if sound then play.file(ch, sound, {}) end
    return false
  end
  local wanted = pin or c.pin
  if not wanted or flags.moderator and not c.mpin then return true end
  local keys = ask_pin(ch, c, wanted)
  if keys and keys == c.mpin then flags.moderator = true end
  return keys ~= nil
end

fs.apps.define("conference", "M", "`name[@profile][+pin][+flags{mute|deaf|moderator|…}]`: a room where all hear each other; # leaves", function(ch, text)
  local rest = text
  local flag_text
  rest, flag_text = match(text, "^(.-)%+?flags{(.-)}")
  rest = rest or text
  local name, profile_name, pin = match(rest, "^%s*([^@%+%s]+)@?([^%+%s]*)%+?(%S*)")
  if not name or loan.at(ch, name, "conference", text) then return end
  channel.answer(ch)
  local c = conference.all[name] or make(name, util.some(profile_name) or "default")
  local flags = flags_of((c.params["member-flags"] or "") .. "|" .. (ch:get("conference_member_flags") or "") .. "|" .. (flag_text or ""))
  c.coming = (c.coming or 0) + 1
  local ok = admitted(ch, c, util.some(pin), flags)
  c.coming = c.coming - 1
  if not ok or not ch:up() then
    if c.count == 0 and c.coming == 0 then over(c) end
    return
  end
  local m = enter(c, ch, flags)
  local good, problem = pcall(wait.serve, ch, {
    check = function() return m.out end,
    on_digit = function(digit)
      key(c, m, digit)
      return m.out
    end,
  })
  leave(c, m)
  if not good then error(problem, 0) end
  if m.kicked_sound and ch:up() then play.file(ch, m.kicked_sound, {}) end
  if m.hup and ch:up() then channel.hangup(ch, "NORMAL_CLEARING") end
end)
