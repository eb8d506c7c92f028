-- play.lua: playing: names become sources, a source becomes a media operation, its end becomes variables and events.
local core = ...
local fs = core.fs
local util, variables, headers, wait, channel, callback = fs.util, fs.variables, fs.headers, fs.wait, fs.channel, fs.callback

local find, floor, format, match, sub = string.find, math.floor, string.format, string.match, string.sub

local play = {}
fs.play = play

-- --- names ---

-- A file name as FreeSWITCH finds it: below sound_prefix or the sounds folder, with the native suffix if it has none,
-- in a folder of its sampling rate. Nil if there is no such file.
function play.resolve(ch, file)
  if find(file, "://", 1, true) then return file end
  if sub(file, 1, 1) ~= "/" then
    local prefix = variables.get(ch, "sound_prefix") or core.config("sounds_dir", "sounds")
    file = prefix .. "/" .. file
  end
  local function existing(path)
    if util.file_exists(path) then return path end
    local dir, base = match(path, "^(.*)/([^/]+)$")
    local rate = ch:get("read_rate") or "8000"
    local rated = dir and dir .. "/" .. rate .. "/" .. base
    if rated and util.file_exists(rated) then return rated end
  end
  if not find(file, "%.[%w_]+$") then
    local codec = ch:get("read_codec")
    local path = codec and existing(file .. "." .. codec)
    return path or existing(file .. "." .. (variables.get(ch, "native_backup_extension") or "wav"))
  end
  return existing(file)
end

-- "{a=b,c=d}file": the parameters and the rest.
local function parameters(file)
  local params = util.names()
  while sub(file, 1, 1) == "{" do
    local close = variables.closing(file, 1, "{", "}")
    if not close then break end
    for _, item in ipairs((util.delimited(sub(file, 2, close - 1)))) do
      local name, value = match(item, "^%s*([^=]-)%s*=(.*)$")
      if name then params:set(name, value) end
    end
    file = match(sub(file, close + 1), "^%s*(.*)$")
  end
  return params, file
end

-- --- one source ---

local MEDIA_TRIES, MEDIA_TRY_MS = 25, 20

local unopened = { not_found = true, cannot_open = true, bad_source = true }

local function results(ch, x)
  if not x or x == true or not x.samples then return end
  local rate = x.rate and x.rate > 0 and x.rate or 8000
  local ms = x.ms and x.ms > 0 and x.ms or floor(x.samples * 1000 / rate)
  ch:set("playback_seconds", format("%d", floor(ms / 1000)))
  ch:set("playback_ms", format("%d", ms))
  ch:set("playback_samples", format("%d", x.samples))
  ch:set("playback_last_offset_pos", format("%d", x.position or x.samples))
end

-- The events at both ends: of what kind a stream is, its name, how it ended, its parameters.
local function tell(ch, name, path, params, status)
  local about = {}
  local stream = match(path, "^(local_stream):") or match(path, "^(tone_stream):")
  if stream then about[1] = { "Playback-File-Type", stream } end
  about[#about + 1] = { "Playback-File-Path", path }
  if status then about[#about + 1] = { "Playback-Status", status } end
  params:each(function(n, v) about[#about + 1] = { n, v } end)
  headers.fire(name, ch, about)
end

-- What PLAYBACK_STOP calls an end: a key or uuid_break broke it, anything else is done.
local function ending(status, o)
  return (status == "break" or status == "stop" and o.on_digit) and "break" or "done"
end

-- How it ended: success notfound break hangup timeout, or stop and the value.
local function one(ch, file, o, params, braces)
  local source = play.resolve(ch, file)
  if not source then
    if o.missing then
      local how, value = o.missing(file)
      if how then return how, value end
    end
    util.err(ch, "cannot open %s: no such file", file)
    return "notfound"
  end
  local data = ch:data()
  local op = wait.op()
  local ok = ch:play(op.token, source, o.start or 0, o.loop or false)
  if not ok then
    wait.forget(op)
    if not ch:up() then return "hangup" end
    util.err(ch, "cannot play %s", file)
    return "notfound"
  end
  local path, whole = braces .. source, not o.speech and not o.list -- FreeSWITCH's text-to-speech has no such events
  if whole then tell(ch, "PLAYBACK_START", path, params) elseif o.list then o.list.begin() end
  local outer = data.player
  local current = { op = op, file = file }
  data.player, data.playing = current, op.token
  local how, value
  local tries = 0
  while true do
    how, value = wait.serve(ch, { op = op, st = o.st, deadline = o.deadline, on_digit = o.on_digit,
      apply = o.words == false and callback.stops or function(v)
        if current.covered then return callback.stops(v) end -- a nested file ran: no longer controllable
        return callback.control(ch, op.token, v)
      end })
    local reason = how == "done" and value and value.reason
    -- The leg's media are not there yet though the call is: they come within moments of the answer.
    local early = reason == "gone" and not wait.gone(ch) and tries < MEDIA_TRIES
    if early then
      tries = tries + 1
      wait.serve(ch, { deadline = core.now() + MEDIA_TRY_MS, keep_breaks = true, no_commands = true })
    end
    -- Something played in between, from a callback or a queued command: go on where it was.
    if (reason == "replaced" or early) and not wait.gone(ch) and data.player == current then
      op = wait.op()
      current.op, current.covered, data.playing = op, reason == "replaced" or current.covered, op.token
      if not ch:play(op.token, source, early and (o.start or 0) or value.position or 0, o.loop or false) then
        wait.forget(op)
        how = "break"
        break
      end
    else
      break
    end
  end
  data.player, data.playing = outer, outer and outer.op.token
  if outer then outer.covered = true end
  local x = how == "done" and value or nil
  if how ~= "done" then
    ch:stop(op.token)
    x = wait.finish(op, ch:up() and 1000 or 50)
  end
  if whole then results(ch, x) elseif o.list then o.list.add(x) end
  local status = how
  if how == "done" then
    local reason = value and value.reason or "finished"
    if reason == "finished" then status = "success"
    elseif unopened[reason] then status = "notfound"
    elseif reason == "gone" then status = "hangup"
    else status = "break" end
  end
  if status ~= "success" then
    util.log(util.DEBUG, format("playing %s ended: %s, %s", file, how, x and x ~= true and x.reason or "-"), ch)
  end
  if whole then tell(ch, "PLAYBACK_STOP", path, params, ending(status, o)) end
  return status, value
end

-- --- a name: a list, a phrase, a file ---

local each

-- All of a file_string as one file, which is there as soon as one of its pieces is.
local function sequence(ch, file, list, o, params)
  local sum, opened, status, value = { samples = 0, ms = 0 }, false, "notfound", nil
  local pieces = {}
  function pieces.begin()
    if not opened and not o.speech then tell(ch, "PLAYBACK_START", file, params) end
    opened = true
  end
  function pieces.add(x)
    if not x or x == true or not x.samples then return end
    local rate = x.rate and x.rate > 0 and x.rate or 8000
    sum.samples, sum.ms, sum.rate = sum.samples + x.samples, sum.ms + (x.ms and x.ms > 0 and x.ms or floor(x.samples * 1000 / rate)), rate
  end
  local options = setmetatable({ list = pieces }, { __index = o })
  for i = 1, #list do
    local how, v = "notfound", nil
    if list[i] ~= "" then how, v = each(ch, list[i], options) end
    if how == "success" then status = "success"
    elseif how ~= "notfound" then status, value = how, v end
    if wait.gone(ch) then status = "hangup" end
    if status ~= "success" and status ~= "notfound" then break end
  end
  if opened and not o.speech then
    results(ch, sum)
    tell(ch, "PLAYBACK_STOP", file, params, ending(status, o))
  end
  return status, value
end

function each(ch, file, o)
  local whole, params = file, nil
  params, file = parameters(file)
  if file == "" then return "notfound" end
  local list = match(file, "^file_string://(.*)$")
  if list then return sequence(ch, whole, util.separate(list, "!"), o, params) end
  local macro, data = match(file, "^phrase:([^:]*):?(.*)$")
  if not macro then macro, data = match(file, "^phrase://([^:,]*)[:,]?(.*)$") end
  if macro and macro ~= "" then return fs.say.phrase(ch, macro, data, params:get("lang") or variables.get(ch, "language"), o) end
  local text = match(file, "^say:(.*)$")
  if text then return fs.say.text(ch, text, params, o) end
  return one(ch, file, o, params, sub(whole, 1, #whole - #file))
end

local LIST_PAUSE_MS = 250

-- The names of a list in turn, with a pause between them; uuid_break ends one of them, `uuid_break all` the list.
local function in_turn(ch, list, o)
  local pause = ch:get("playback_sleep_val")
  pause = pause and util.int(pause) >= 0 and util.int(pause) or LIST_PAUSE_MS
  local how, value
  for i = 1, #list do
    if i > 1 and pause > 0 then
      how, value = wait.serve(ch, { deadline = core.now() + pause, st = o.st, apply = callback.stops })
      if how ~= "timeout" then return how, value end
    end
    how, value = each(ch, list[i], o)
    if how ~= "success" and how ~= "notfound" and not (how == "break" and not ch:data().broke_all) then return how, value end
    if wait.gone(ch) then return "hangup" end
  end
  return how, value
end

-- How long all of it may take in seconds, by one of two variables: the second one holds for several calls together.
local function limit_s(ch)
  local cumulative = ch:get("playback_timeout_sec_cumulative")
  local seconds = util.int(cumulative or ch:get("playback_timeout_sec"))
  if seconds > 1 then return seconds, cumulative end
end

-- Plays what a name means. o: st (callback), on_digit(digit) → true to stop, start (sample), loop, words = false: callback
-- answers only stop, missing(file): plays what takes the place of a file that is not there. Ends with success notfound break hangup timeout, or stop and the value (digit or answer).
function play.file(ch, file, o)
  if not ch:up() or wait.gone(ch) then return "hangup" end
  if not channel.media(ch) then return "nomedia" end
  if not util.some(file) then return "notfound" end
  local seconds, cumulative = limit_s(ch)
  local till = seconds and core.now() + seconds * 1000
  if till then o = setmetatable({ deadline = till }, { __index = o }) end
  local delimiter = not o.speech and util.some(ch:get("playback_delimiter"))
  local how, value = in_turn(ch, delimiter and util.separate(file, sub(delimiter, 1, 1)) or { file }, o)
  if cumulative and how ~= "timeout" then
    ch:set("playback_timeout_sec_cumulative", format("%d", math.max(0, floor((till - core.now()) / 1000))))
  end
  if how == "timeout" and util.truth(ch:get("playback_timeout_as_success")) then how = "success" end
  return how, value
end
