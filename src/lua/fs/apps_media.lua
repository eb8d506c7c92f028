-- apps_media.lua: applications that play, record and speak.
local core = ...
local fs = core.fs
local util, variables, headers, wait, channel, apps, play, record, say =
  fs.util, fs.variables, fs.headers, fs.wait, fs.channel, fs.apps, fs.play, fs.record, fs.say

local find, format, lower, match, sub = string.find, string.format, string.lower, string.match, string.sub
local define = apps.define

-- Keys that end playing and recording: * unless playback_terminators says otherwise.
local function terminator(ch)
  local keys = ch:get("playback_terminators") or "*"
  local word = lower(keys)
  ch:set("playback_terminator_used", nil)
  if word == "none" then return function() end end
  return function(digit)
    if word == "any" or find(keys, digit, 1, true) then
      ch:set("playback_terminator_used", digit)
      return true
    end
  end
end
apps.terminator = terminator

local function respond(ch, how)
  apps.response(ch, (how == "success" or how == "stop" or how == "break") and "FILE PLAYED" or how == "notfound" and "FILE NOT FOUND" or "PLAYBACK ERROR")
end

define("playback", "M", "`file[@@sample]`", function(ch, text)
  local file, start = match(text, "^(.-)@@(%d+)$")
  respond(ch, (play.file(ch, file or text, { start = tonumber(start), on_digit = terminator(ch) })))
end)
define("endless_playback", "M", "plays a file again and again", function(ch, file)
  local stops = terminator(ch)
  while not wait.gone(ch) do
    local how = play.file(ch, file, { on_digit = stops })
    if how ~= "success" then break end
  end
end)
define("loop_playback", "M", "`[+times] file`", function(ch, text)
  local times, file = match(text, "^%+([^ ]*) ?(.*)$")
  times, file = times and util.int(times) or 1, file or text
  if file == "" then
    util.err(ch, "Missing file arg in data [%s]\n", text)
    return channel.hangup(ch, "DESTINATION_OUT_OF_ORDER")
  end
  local how = "success"
  while times ~= 0 and not wait.gone(ch) and (how == "success" or how == "break") do
    how = play.file(ch, file, {})
    times = times - 1
  end
  respond(ch, how)
end)
define("gentones", "M", "`tones[|loops]`", function(ch, text)
  local tones, loops = match(text, "^(.-)|(%-?%d+)$")
  tones = tones or text
  play.file(ch, "tone_stream://" .. tones .. (loops and ";loops=" .. loops or ""), { on_digit = terminator(ch) })
end)
define("broadcast", "", "`path [leg]`", function(ch, text)
  local path, leg = match(text, "^(.-)%s+(%a+)$")
  fs.run_api("uuid_broadcast", ch:uuid() .. " " .. (path and path .. " " .. leg or text), {})
end)
define("phrase", "M", "`macro,data`", function(ch, text)
  local macro, data = match(text, "^([^,]*),?(.*)$")
  if macro == "" then return apps.response(ch, "NOTHING") end
  local lang = ch:get("language") or ch:get("default_language")
  local how = say.phrase(ch, macro, data, lang, { on_digit = terminator(ch) })
  apps.response(ch, (how == "success" or how == "stop" or how == "break") and "PHRASE PLAYED" or "UNKNOWN ERROR")
end)
define("say", "M", "`module[:lang] type method text`, or with gender", function(ch, text)
  local w = util.separate(text, " ", 4)
  if not w[4] then return util.err(ch, "Usage: <module_name>[:<lang>] <say_type> <say_method> [<say_gender>] <text>") end
  local gender, rest = match(w[4], "^(%a+)%s+(.+)$")
  if gender and (lower(gender) == "masculine" or lower(gender) == "feminine" or lower(gender) == "neuter") then w[4] = rest else gender = nil end
  say.say(ch, w[4], (match(w[1], "^[^:]*")), w[2], w[3], gender, { on_digit = terminator(ch) })
end)
define("speak", "M", "`engine|voice|text`", function(ch, text)
  local w = util.split(text, "|")
  local engine, voice, words
  if #w >= 3 then engine, voice, words = w[1], w[2], table.concat(w, "|", 3)
  elseif #w == 2 then voice, words = w[1], w[2]
  else words = w[1] end
  engine = util.some(engine) or ch:get("tts_engine")
  voice = util.some(voice) or ch:get("tts_voice")
  if not engine or not voice or not util.some(words) then return util.err(ch, "Invalid Params!") end
  say.speak(ch, engine, voice, words, { on_digit = terminator(ch) })
end)
define("ivr", "M", "runs a menu of the XML", function(ch, name) fs.ivr.app(ch, util.trim(name)) end)

-- --- recording ---

define("record", "M", "`path [limit_s] [threshold] [silence_s]`", function(ch, text)
  local w = util.separate(text, " ")
  if not w[1] then return util.err(ch, "No file specified.") end
  local how = record.file(ch, w[1], util.int((string.gsub(w[2] or "0", "^%+", ""))), util.int(w[3] or "0"), util.int(w[4] or "0"), { on_digit = terminator(ch) })
  if how == "failed" then channel.hangup(ch, "DESTINATION_OUT_OF_ORDER") end
end)
define("record_session", "M", "`path [+limit]`: the whole call aside", function(ch, text)
  local path, limit = match(text, "^(.-)%s*%+(%d+)%s*$")
  record.start(ch, util.trim(path or text), tonumber(limit) or 0)
end)
define("stop_record_session", "Z", "`path|all`", function(ch, path) record.stop(ch, util.trim(path)) end)
for _, word in ipairs({ "mask", "unmask", "pause", "resume" }) do
  define("record_session_" .. word, "", "`path`", function(ch, path) record.control(ch, util.trim(path), word) end)
end

-- --- hearing oneself ---

local function echo(ch, delay_ms)
  if not ch:echo(true, delay_ms) then return end
  while true do
    local how = wait.serve(ch, { on_digit = function(digit, duration)
      ch:send_digits(core.token(), digit, math.floor((duration or 2000) / 8))
    end })
    if how ~= "check" then break end
  end
  if ch:up() then ch:echo(false, 0) end
end
define("echo", "M", "sends back what it hears", function(ch) echo(ch, 0) end)
define("delay_echo", "M", "`ms`: the same, later", function(ch, text) echo(ch, math.max(util.int(text), 1)) end)

-- --- levels ---

local function gain(ch, side, level)
  if ch.gain then ch:gain(side == "read", level) end
end
define("set_audio_level", "", "`read|write level`", function(ch, text)
  local side, level = match(text, "^%s*(%a+)%s*(%-?%d*)")
  if side then gain(ch, lower(side), math.max(-4, math.min(4, util.int(level)))) end
end)
-- side: read (what the call hears of us is untouched) or write.
function apps.mute(ch, side, on)
  if not ch.mute then return end
  local data = ch:data()
  data.muted = data.muted or {}
  data.muted[lower(side)] = on
  ch:mute(data.muted.read or false, data.muted.write or false)
end
define("set_mute", "", "`read|write true|false|level`", function(ch, text)
  local side, on = match(text, "^%s*(%a+)%s+(%S+)")
  if side then apps.mute(ch, side, util.int(on) > 0 or util.truth(on)) end
end)

-- --- playing beside the call ---

local displace = {}
fs.displace = displace

-- Plays a file in place of what the far end hears, or mixed with it, whatever else is played meanwhile; flags as displace_session takes them
-- (m: mixed, l: again and again). False without it.
function displace.start(ch, file, flags, limit_ms)
  local source = file and play.resolve(ch, file)
  local data = ch:data()
  data.displacing = data.displacing or {}
  if not source or data.displacing[file] then return false end
  flags = flags or ""
  local token = core.token()
  data.displacing[file] = token
  core.spawn("displace", function()
    local op = wait.watch_token(token)
    local playing = ch:play(token, source, 0, find(flags, "l", 1, true) ~= nil, find(flags, "m", 1, true) and "mix" or "beside")
    if playing and not wait.finish(op, limit_ms and limit_ms > 0 and limit_ms or nil) and ch:up() then ch:stop(token) end
    if data.displacing[file] == token then data.displacing[file] = nil end
  end)
  return true
end
function displace.stop(ch, file)
  local list = ch:data().displacing or {}
  if not list[file] then return false end
  if ch:up() then ch:stop(list[file]) end
  list[file] = nil
  return true
end

define("displace_session", "M", "`path [flags] [+time_limit_ms]`: plays instead of, or mixed with, what the far end hears", function(ch, text)
  local w = util.separate(text, " ", 3)
  if not w[1] then return end
  local flags, limit = w[2], w[3]
  if flags and sub(flags, 1, 1) == "+" then flags, limit = nil, flags end
  if not displace.start(ch, w[1], flags, util.int(match(limit or "", "^%+(%d+)"))) then util.err(ch, "cannot open %s", w[1]) end
end)
define("stop_displace_session", "", "`path`", function(ch, file) displace.stop(ch, util.trim(file)) end)
