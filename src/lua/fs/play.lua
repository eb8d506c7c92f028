-- play.lua: playing: names become sources, a source becomes a media operation, its end becomes variables and events.
local core = ...
local fs = core.fs
local util, variables, headers, wait, channel, callback = fs.util, fs.variables, fs.headers, fs.wait, fs.channel, fs.callback

local find, floor, format, gsub, lower, match, sub = string.find, math.floor, string.format, string.gsub, string.lower, string.match, string.sub

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

-- How it ended: success notfound break hangup timeout, or stop and the value.
local function one(ch, file, o, params)
  local source = play.resolve(ch, file)
  if not source then
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
  local about = { { "Playback-File-Path", file }, { "Playback-File-Type", find(source, "://", 1, true) and match(source, "^(.-)://") or "file" } }
  if not o.speech then headers.fire("PLAYBACK_START", ch, about) end -- FreeSWITCH's text-to-speech has no such events
  local timeout = util.int(ch:get("playback_timeout_sec"))
  local deadline = timeout >= 2 and core.now() + timeout * 1000 or nil
  local outer = data.player
  local current = { op = op, file = file }
  data.player, data.playing = current, op.token
  local how, value
  local tries = 0
  while true do
    how, value = wait.serve(ch, { op = op, st = o.st, deadline = deadline, on_digit = o.on_digit,
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
  if not o.speech then results(ch, x) end
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
  about[#about + 1] = { "Playback-Status", status == "success" and "done" or "break" }
  about[#about + 1] = { "variable_playback_ms", x and x ~= true and x.ms }
  if not o.speech then headers.fire("PLAYBACK_STOP", ch, about) end
  return status, value
end

-- --- a name: a list, a phrase, a file ---

local each

-- All of a list; success if anything could be opened.
local function sequence(ch, list, o)
  local opened = false
  for i = 1, #list do
    if list[i] ~= "" then
      local how, value = each(ch, list[i], o)
      if how == "success" then opened = true
      elseif how ~= "notfound" then return how, value end
    end
    if wait.gone(ch) then return "hangup" end
  end
  return opened and "success" or "notfound"
end

function each(ch, file, o)
  local params
  params, file = parameters(file)
  if file == "" then return "notfound" end
  local list = match(file, "^file_string://(.*)$")
  if list then return sequence(ch, util.split(list, "!"), o) end
  local macro, data = match(file, "^phrase:([^:]*):?(.*)$")
  if not macro then macro, data = match(file, "^phrase://([^:,]*)[:,]?(.*)$") end
  if macro and macro ~= "" then return fs.say.phrase(ch, macro, data, params:get("lang"), o) end
  local text = match(file, "^say:(.*)$")
  if text then return fs.say.text(ch, text, params, o) end
  return one(ch, file, o, params)
end

-- Plays what a name means. o: st (callback), on_digit(digit) → true to stop, start (sample), loop, words = false: callback
-- answers only stop. Ends with success notfound break hangup timeout, or stop and the value (digit or answer).
function play.file(ch, file, o)
  if not ch:up() or wait.gone(ch) then return "hangup" end
  if not channel.media(ch) then return "nomedia" end
  if not util.some(file) then return "notfound" end
  local delimiter = not o.speech and ch:get("playback_delimiter")
  if delimiter and find(file, delimiter, 1, true) and not find(file, "^file_string://") then
    local pause = ch:get("playback_sleep_val")
    local how, value = "notfound", nil
    local list = util.split(file, sub(delimiter, 1, 1))
    for i = 1, #list do
      how, value = each(ch, list[i], o)
      if how ~= "success" and how ~= "notfound" then return how, value end
      if pause and i < #list then wait.pause(ch, util.int(pause)) end
      if wait.gone(ch) then return "hangup" end
    end
    return how, value
  end
  local how, value = each(ch, file, o)
  if how == "timeout" and util.truth(ch:get("playback_timeout_as_success")) then how = "success" end
  return how, value
end
