-- commands_conference.lua: the API command `conference`: what can be asked of a conference and of its members, in mod_conference's words.
--
-- `conference <name> <sub-command> …` runs on the worker where conferences of that name are; `conference list|count` asks all.
local core = ...
local fs = core.fs
local api, conference, loan, transfer, util = fs.api, fs.conference, fs.loan, fs.transfer, fs.util

local concat, find, format, gsub, ipairs, lower, match, pairs, sort, sub, tonumber =
  table.concat, string.find, string.format, string.gsub, ipairs, string.lower, string.match, pairs, table.sort, string.sub, tonumber

local WORKER_0 = 3

-- Each: { syntax, of = "member" | "all" (of the conference), run }. A sub-command gives its reply, or nil: then its syntax is shown.
local commands, order = {}, {}
local function define(name, syntax, of, run)
  commands[name] = { syntax = syntax == "" and name or name .. " " .. syntax, of = of, run = run }
  order[#order + 1] = name
end
local WHO = "<member_id|all|last|non_moderator>"

-- --- lists ---

local function member_line(c, m, delim)
  local flags = {}
  local function flag(on, name) if on then flags[#flags + 1] = name end end
  flag(not m.held and not m.deaf, "hear")
  flag(not m.held and not m.muted, "speak")
  flag(not m.held and m.talking, "talking")
  flag(m.held, "hold")
  flag(c.floor == m, "floor")
  flag(m.flags.moderator, "moderator")
  flag(m.flags.ghost, "ghost")
  return concat({ format("%d", m.id), m.ch:profile("chan_name") or "", m.ch:uuid(), m.ch:profile("caller_id_name") or "", m.ch:profile("caller_id_number") or "",
    concat(flags, "|"), format("%d", m.volume_in), format("%d", m.volume_out), format("%d", m.energy) }, delim) .. "\n"
end

local function members(c, w, at)
  local delim, out = ";", {}
  for i = at, #w do
    local word = lower(w[i])
    if word == "delim" then delim = w[i + 1] or ";"
    elseif word == "count" then return format("%d", c.count)
    elseif word == "pretty" then
      for _, m in ipairs(c.members) do
        out[#out + 1] = format("%d) %s (%s)\n", m.id, m.ch:profile("caller_id_name") or "", m.ch:profile("caller_id_number") or "")
      end
      return concat(out)
    end
  end
  for i = #c.members, 1, -1 do out[#out + 1] = member_line(c, c.members[i], delim) end -- the newest first
  return concat(out)
end

local function headline(c)
  local flags = {}
  local function flag(on, name) if on then flags[#flags + 1] = name end end
  flag(c.locked, "locked")
  flag(c.flags["wait-mod"] and not c.moderators, "wait_mod")
  flag(c.flags["audio-always"], "audio_always")
  flag(true, "running")
  flag(true, "answered")
  flag(true, "dynamic")
  flag(c.exit_sound, "exit_sound")
  flag(c.enter_sound, "enter_sound")
  flag(#c.recordings > 0, "recording")
  return format("+OK Conference %s (%d member%s rate: %d%s flags: %s)\n", c.name, c.count, c.count == 1 and "" or "s", c.rate, c.locked and " locked" or "", concat(flags, "|"))
end

local function names()
  local list = {}
  for name in pairs(conference.all) do list[#list + 1] = name end
  sort(list)
  return list
end

define("list", "[delim <string>]|[count]", "all", function(c, w) return members(c, w, 3) end)
define("count", "", "all", function(c) return format("%d", c.count) end)

local function list_here(w)
  local summary = find(" " .. lower(concat(w, " ")) .. " ", " summary ", 1, true)
  local out = {}
  for _, name in ipairs(names()) do
    local c = conference.all[name]
    out[#out + 1] = headline(c) .. (summary and "" or members(c, w, 2))
  end
  return concat(out)
end

-- --- members ---

define("mute", WHO .. " [<quiet>]", "member", function(c, m, data)
  conference.mute(c, m, true, data and find(data, "quiet", 1, true))
  return format("+OK mute %d\n", m.id)
end)
define("unmute", WHO .. " [<quiet>]", "member", function(c, m, data)
  conference.mute(c, m, false, data and find(data, "quiet", 1, true))
  return format("+OK unmute %d\n", m.id)
end)
define("tmute", WHO .. " [<quiet>]", "member", function(c, m, data) return commands[m.muted and "unmute" or "mute"].run(c, m, data) end)
define("deaf", WHO, "member", function(c, m)
  conference.deafen(c, m, true)
  return format("+OK deaf %d\n", m.id)
end)
define("undeaf", WHO, "member", function(c, m)
  conference.deafen(c, m, false)
  return format("+OK undeaf %d\n", m.id)
end)
define("hold", WHO .. " [file]", "member", function(c, m, data)
  conference.hold(c, m, true, data)
  return format("+OK hold %d\n", m.id)
end)
define("unhold", WHO, "member", function(c, m)
  conference.hold(c, m, false)
  return format("+OK unhold %d\n", m.id)
end)
define("kick", WHO .. " [<optional sound file>]", "member", function(c, m, data)
  m.kicked_sound = util.some(data) or util.some(c.params["kicked-sound"])
  conference.put_out(c, m, "kick-member")
  return format("+OK kicked %d\n", m.id)
end)
define("hup", WHO, "member", function(c, m)
  conference.put_out(c, m, "hup-member")
  return format("+OK hup %d\n", m.id)
end)
define("dtmf", WHO .. " <digits>", "member", function(c, m, data)
  if not util.some(data) then return "-ERR Invalid input!\n" end
  m.ch:send_digits(core.token(), data, 250)
  conference.tell(c, m, "dtmf-member", { { "Digits", data } })
  return format("+OK sent %s to %d\n", data, m.id)
end)

local function stepped(value, data, step)
  local word = lower(data)
  return word == "up" and value + step or word == "down" and value - step or util.int(data)
end
define("energy", WHO .. " [<newval>]", "member", function(c, m, data)
  if data then
    conference.energy(c, m, stepped(m.energy, data, 200))
    conference.tell(c, m, "energy-level-member")
  end
  return format("Energy %d = %d\n", m.id, m.energy)
end)
local function volume(name, side, label)
  local action = gsub(name, "_", "-") .. "-member"
  define(name, WHO .. " [<newval>]", "member", function(c, m, data)
    if data then
      conference.volume(m, side, stepped(m[side], data, 1))
      conference.tell(c, m, action, { { "Volume-Level", m[side] } })
    end
    return format("+OK Volume %s %d = %d\n", label, m.id, m[side])
  end)
end
volume("volume_in", "volume_in", "IN")
volume("volume_out", "volume_out", "OUT")
define("floor", "<member_id|last>", "member", function(c, m)
  if c.floor == m then
    c.floor = nil
    conference.tell(c, nil, "floor-change", { { "Old-ID", m.id }, { "New-ID", "none" } })
    return "+OK floor none\n"
  end
  if c.floor then return format("-ERR floor is held by %d\n", c.floor.id) end
  c.floor = m
  conference.tell(c, nil, "floor-change", { { "Old-ID", "none" }, { "New-ID", m.id } })
  return format("+OK floor %d\n", m.id)
end)
define("get-uuid", "<member_id|last>", "member", function(_, m) return m.ch:uuid() end)

-- --- the conference ---

define("play", "<file_path> [async|<member_id> [nomux]]", "all", function(c, w)
  local file, third = w[3], w[4]
  if not file then return nil end
  if not third or lower(third) == "async" then
    if not conference.play(c, file, { async = third ~= nil }) then return format("-ERR (play) File: %s not found.\n", file) end
    conference.tell(c, nil, "play-file", { { "File", file }, { "Async", third and "true" or nil } })
    return format("+OK (play) Playing file %s\n", file)
  end
  local id = util.int(third)
  local m = conference.member(c, id)
  if not m then return format("-ERR Member: %d not found.\n", id) end
  if not conference.play_to(m, file) then return format("-ERR (play) File: %s not found.\n", file) end
  conference.tell(c, m, "play-file-member", { { "File", file } })
  return format("+OK (play) Playing file %s to member %d\n", file, m.id)
end)
define("stop", "<[current|all|async|last]> [<member_id>]", "all", function(c, w)
  local which = lower(w[3] or "all")
  if which ~= "current" and which ~= "all" and which ~= "async" then return nil end
  if not w[4] then return format("+OK Stopped %d files.\n", conference.stop(c, which)) end
  local m = conference.member(c, util.int(w[4]))
  if not m then return format("-ERR Member: %s not found.\n", w[4]) end
  local n = m.playing and 1 or 0
  if m.playing then m.ch:stop(m.playing) end
  m.playing = nil
  return format("+OK Stopped %d files.\n", n)
end)

local function spoken(c, text) return format("speak://%s|%s", c.params["tts-voice"] or "slt", text) end
define("say", "<text>", "text", function(c, text)
  if not util.some(text) then return "-ERR (say) Error! No text.\n" end
  if not conference.play(c, spoken(c, text)) then return "-ERR (say) Error!\n" end
  conference.tell(c, nil, "speak-text", { { "Text", text } })
  return "+OK (say) OK\n"
end)
define("saymember", "<member_id> <text>", "text", function(c, text)
  local id, words = match(text, "^(%S+)%s+(.+)$")
  if not id then return "-ERR (saymember) No Text!\n" end
  local m = conference.member(c, util.int(id))
  if not m then return format("-ERR (saymember) Unknown Member %s!\n", id) end
  if not conference.play_to(m, spoken(c, words)) then return "-ERR (saymember) Error!\n" end
  conference.tell(c, m, "speak-text-member", { { "Text", words } })
  return "+OK (saymember) OK\n"
end)

define("lock", "", "all", function(c)
  c.locked = true
  conference.tell(c, nil, "lock")
  return format("+OK %s locked\n", c.name)
end)
define("unlock", "", "all", function(c)
  c.locked = false
  conference.tell(c, nil, "unlock")
  return format("+OK %s unlocked\n", c.name)
end)
define("pin", "<pin#>", "all", function(c, w)
  if not w[3] then return "-ERR Invalid parameters:\n" end
  c.pin = w[3]
  return format("+OK Pin for conference %s set: %s\n", c.name, w[3])
end)
define("nopin", "", "all", function(c)
  c.pin = nil
  return format("+OK Pin for conference %s deleted\n", c.name)
end)
local function sounds(name)
  local field, off = name .. "_sound", name .. "_off"
  define(field, "on|off|none|file <filename>", "all", function(c, w)
    local word = lower(w[3] or "")
    if word == "" then return "-ERR Not enough args\n" end
    if word == "on" or word == "off" then
      c[off] = word == "off"
      conference.tell(c, nil, name .. "-sounds-" .. word)
      return format("+OK %s %s sounds %s (%s)\n", c.name, name, word, c[field] or "")
    elseif word == "none" or word == "file" then
      if word == "file" and not w[4] then return "-ERR No filename specified\n" end
      local old = c[field] or ""
      c[field] = word == "file" and w[4] or nil
      conference.tell(c, nil, name .. "-sound-file-changed")
      return word == "file" and format("+OK Old %s sound: [%s]\n+OK %s %s sound file set to %s\n", name, old, c.name, name, c[field]) or "+OK\n"
    end
    return "-ERR Bad args\n"
  end)
end
sounds("exit")
sounds("enter")

local function path_of(text) return sub(text, 1, 1) == "/" and text or (core.global_get("recordings_dir") or core.global_get("base_dir") or "/tmp") .. "/" .. text end
define("record", "<filename>", "all", function(c, w)
  if not w[3] then return nil end
  local path = path_of(w[3])
  for _, r in ipairs(c.recordings) do if r.path == path then return format("-ERR file [%s] is already being used for recording.\n", path) end end
  conference.record(c, path)
  return format("+OK Record file %s\n", w[3])
end)
define("norecord", "<[filename|all]>", "all", function(c, w)
  if not w[3] then return nil end
  local n = conference.norecord(c, lower(w[3]) == "all" and "all" or path_of(w[3]))
  return (n == 0 and format("-ERR non-existant recording '%s'\n", w[3]) or "") .. format("+OK Stopped recording %d file%s\n", n, n == 1 and "" or "s")
end)
define("chkrecord", "<confname>", "all", function(c)
  if #c.recordings == 0 then return "-ERR Conference is not being recorded.\n" end
  local out = {}
  for _, r in ipairs(c.recordings) do out[#out + 1] = format("+OK Record file %s\n", r.path) end
  return concat(out)
end)
local function hold_recording(word, action)
  define(word, "<filename>", "all", function(c, w)
    if not w[3] then return nil end
    for _, r in ipairs(c.recordings) do
      if r.path == path_of(w[3]) and r.token then
        r.voice:control(r.token, word)
        conference.tell(c, nil, action, { { "Path", r.path } })
        return format("+OK %s recording file %s\n", word == "pause" and "Pause" or "Resume", w[3])
      end
    end
    return format("-ERR non-existant recording '%s'\n", w[3])
  end)
end
hold_recording("pause", "pause-recording")
hold_recording("resume", "resume-recording")
define("recording", "[start|stop|check|pause|resume] [<filename>|all]", "all", function(c, w)
  local name = ({ start = "record", stop = "norecord", check = "chkrecord", pause = "pause", resume = "resume" })[lower(w[3] or "")]
  if not name then return nil end
  return commands[name].run(c, { w[1], name, w[4] or (name == "norecord" and "all" or nil) })
end)

define("transfer", "<conference_name> <member id> [...<member id>]", "all", function(c, w)
  if not w[4] then return nil end
  local out = {}
  for i = 4, #w do
    local m = conference.member(c, util.int(w[i]))
    if m then
      conference.tell(c, m, "transfer", { { "Old-Conference-Name", c.name }, { "New-Conference-Name", w[3] } })
      transfer.actions(m.ch, { { "conference", w[3] } })
      out[#out + 1] = format("+OK Member '%d' sent to conference %s.\n", m.id, w[3])
    else
      out[#out + 1] = format("-ERR No Member %s in conference %s.\n", w[i], c.name)
    end
  end
  return concat(out)
end)
define("getvar", "<varname>", "all", function(c, w) return w[3] and (c.variables[w[3]] or "_undef_") or nil end)
define("setvar", "<varname> <value>", "all", function(c, w)
  if not w[3] then return nil end
  c.variables[w[3]] = w[4]
  return "+OK\n"
end)

-- Calls somebody and puts him in, be it that nobody is there yet.
local function call(name, w)
  local vars = util.names()
  if w[4] then vars:set("origination_caller_id_number", w[4]) end
  if w[5] then vars:set("origination_caller_id_name", w[5]) end
  local ch, cause = fs.originate.dial(w[3], { timeout_s = 60, vars = vars })
  if not ch then return cause end
  transfer.actions(ch, { { "conference", name } })
  return "SUCCESS"
end
local function dial(name, w)
  if not w[3] then return "-ERR Bad Args\n" end
  return format("+OK Call Requested: result: [%s]\n", call(name, w))
end
local function bgdial(name, w)
  if not w[3] then return "-ERR Bad Args\n" end
  local uuid = core.uuid()
  core.spawn("conference dial", function()
    local e = fs.event.make("CUSTOM", "conference::maintenance", "conference_api.c")
    local cause = call(name, w)
    for _, pair in ipairs({ { "Conference-Name", name }, { "Action", "bgdial-result" }, { "Result", cause }, { "Job-UUID", uuid } }) do fs.event.add(e, pair[1], pair[2]) end
    fs.event.fire(e)
  end)
  return format("+OK Job-UUID: %s\n", uuid)
end
define("dial", "<endpoint_module_name>/<destination> <callerid number> <callerid name>", "all", function(c, w) return dial(c.name, w) end)
define("bgdial", "<endpoint_module_name>/<destination> <callerid number> <callerid name>", "all", function(c, w) return bgdial(c.name, w) end)

-- --- the command ---

-- A member's sub-command for all that its third word means.
local function of_members(c, command, w)
  local who, data = w[3], w[4]
  if not who then return command.syntax end
  local id, word = tonumber(who), lower(who)
  if word == "last" then
    local last
    for _, m in ipairs(c.members) do if not last or m.id > last.id then last = m end end
    return last and command.run(c, last, data) or ""
  elseif word == "all" or word == "non_moderator" then
    local out, list = {}, {}
    for _, m in ipairs(c.members) do list[#list + 1] = m end
    for _, m in ipairs(list) do
      if word == "all" or not m.flags.moderator then out[#out + 1] = command.run(c, m, data) end
    end
    return concat(out)
  elseif id and id > 0 then
    local m = conference.member(c, id)
    return m and command.run(c, m, data) or format("-ERR Non-Existant ID %d\n", id)
  elseif find(who, "=", 1, true) then
    local name, value = match(who, "^(.-)=(.*)$")
    for _, m in ipairs(c.members) do if m.ch:get(name) == value then return command.run(c, m, data) end end
    return "-ERR Non-Existant member\n"
  end
  return command.syntax
end

local function help()
  local out = {}
  for _, name in ipairs(order) do out[#out + 1] = "<conf name> " .. commands[name].syntax .. "\n" end
  return concat(out)
end

local function run_here(w, text)
  local c = conference.all[w[1]]
  if not c then
    local word = lower(w[2] or "")
    if word == "dial" then return dial(w[1], w) elseif word == "bgdial" then return bgdial(w[1], w) end
    return format("-ERR Conference %s not found\n", w[1])
  end
  if not w[2] then return "Conference command, not specified.\nTry 'help'\n" end
  local command = commands[lower(w[2])]
  if not command then return format("-ERR Conference command '%s' not found.\n", w[2]) end
  if command.of == "member" then return of_members(c, command, w) end
  if command.of == "text" then return command.run(c, match(text, "^%S+%s+%S+%s*(.*)$") or "") end
  return command.run(c, w) or command.syntax
end

api.command("conference", "<conf name> <sub-command> …, or list|count|help", "Conference module commands", function(text, context)
  local w = util.separate(text, " ", 25)
  local word = lower(w[1] or "")
  if word == "" or word == "help" or word == "commands" then return help() end
  local here = context.here or not fs.remote.many
  if (word == "list" or word == "count") and not conference.all[w[1]] then
    local texts = here and {} or fs.remote.gather("conference " .. text)
    if word == "count" then
      local n = 0
      for _ in pairs(conference.all) do n = n + 1 end
      for _, t in ipairs(texts) do n = n + (tonumber(t) or 0) end
      return format("%d", n)
    end
    local all = list_here(w) .. concat(texts)
    return all == "" and not context.here and "+OK No active conferences.\n" or all
  end
  local process = loan.process_of_name(w[1])
  if not here and process ~= WORKER_0 + core.worker() then
    return fs.remote.api(process, "conference " .. text) or "-ERR the worker of this conference is gone\n"
  end
  return run_here(w, text)
end)
