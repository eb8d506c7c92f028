-- record.lua: recordFile and the application record; recording a whole call aside (record_session); insertFile.
local core = ...
local fs = core.fs
local util, variables, headers, hooks, wait, channel, callback = fs.util, fs.variables, fs.headers, fs.hooks, fs.wait, fs.channel, fs.callback

local byte, char, find, floor, format, gmatch, lower, match, rep, sub =
  string.byte, string.char, string.find, math.floor, string.format, string.gmatch, string.lower, string.match, string.rep, string.sub

local record = {}
fs.record = record

local function target(ch, path)
  local _, bare = nil, path
  if sub(path, 1, 1) == "{" then bare = match(path, "^{.-}%s*(.*)$") or path end
  if sub(bare, 1, 1) ~= "/" and not find(bare, "://", 1, true) then
    local prefix = variables.get(ch, "sound_prefix") or core.config("sounds_dir", "sounds")
    bare = prefix .. "/" .. bare
  end
  if not find(bare, "%.[%w_]+$") then bare = bare .. "." .. (ch:get("read_codec") or "wav") end
  return bare
end

local function common(ch, params)
  local rate = util.int(ch:get("record_sample_rate"))
  if rate > 0 then params.rate = rate end
  params.append = util.truth(ch:get("RECORD_APPEND"))
  for _, name in ipairs({ "title", "artist", "comment", "copyright", "software", "date" }) do
    params[name] = ch:get("record_" .. name)
    if params[name] then ch:set("record_" .. name, nil) end -- for one file
  end
  return params
end

-- The limit is looked at in whole seconds of the clock, and must be exceeded.
local function limit_ms(seconds)
  if seconds <= 0 then return 0 end
  return floor((seconds + 1) * 1000 - core.utc_us() / 1000 % 1000)
end

-- What record_post_process_exec_api asks for, "command:arguments", when the file is closed.
local function post_process(ch)
  local command, arguments = match(ch:get("record_post_process_exec_api") or "", "^([^:]+):?(.*)$")
  if command then fs.run_api(command, variables.expand(ch, arguments), { channel = ch }) end
end

-- What a recording that has ended tells the script beside its length: the disk was too slow, or refused. Gives whether it refused.
local function disk_tells(ch, path, x)
  if not x or x == true then return false end
  local refused = x.reason == "disk"
  ch:set("record_frames_lost", x.lost and x.lost > 0 and format("%d", x.lost) or nil)
  ch:set("record_failed", refused and "disk" or nil)
  if x.lost and x.lost > 0 then util.warn(ch, "%s: the disk was too slow, %d frames of 20 ms are missing", path, x.lost) end
  if refused then util.err(ch, "%s: the disk refuses to take more, the recording ends after %d ms", path, x.ms or 0) end
  return refused
end

-- Writes what the far end says until limit, silence, a key, a break or the end of the call.
-- Ends with success break hangup stop, or failed (the file cannot be written).
function record.file(ch, path, limit_s, threshold, silence_s, o)
  if not ch:up() or wait.gone(ch) then return "hangup" end
  if not channel.media(ch) then return "nomedia" end
  path = target(ch, path)
  if threshold > 0 and silence_s <= 0 then silence_s = 3 end
  local restart = limit_s > 0 and util.truth(ch:get("record_restart_limit_on_dtmf")) -- then the limit is kept here
  local params = common(ch, { path = path, limit_ms = restart and 0 or limit_ms(limit_s), silence_threshold = threshold,
    silence_ms = threshold > 0 and silence_s * 1000 or 0, read = true, write = false, comfort_noise = util.truth(ch:get("record_fill_cng")) })
  local op = wait.op()
  if not ch:record(op.token, params) then
    wait.forget(op)
    util.err(ch, "cannot record to %s", path)
    return "failed"
  end
  local about = { { "Record-File-Path", path } }
  headers.fire("RECORD_START", ch, about)
  hooks.run(ch, "record_start")
  local serving = { st = o.st }
  local function start_limit() if restart then serving.deadline = core.now() + limit_ms(limit_s) end end
  start_limit()
  function serving.apply(v)
    start_limit()
    return callback.control(ch, op.token, v)
  end
  function serving.on_digit(digit)
    start_limit()
    return o.on_digit and o.on_digit(digit)
  end
  if not o.on_digit then serving.on_digit = nil end
  local how, value
  for _ = 1, 25 do
    serving.op = op
    how, value = wait.serve(ch, serving)
    -- The leg's media are not there yet though the call is: they come within moments of the answer.
    if how ~= "done" or not value or value.reason ~= "gone" or wait.gone(ch) then break end
    wait.serve(ch, { deadline = core.now() + 20, keep_breaks = true, no_commands = true })
    op = wait.op()
    if not ch:record(op.token, params) then
      wait.forget(op)
      break
    end
  end
  local x = how == "done" and value or nil
  if how ~= "done" then
    ch:stop(op.token)
    x = wait.finish(op, 3000)
  end
  local status, silence = how == "timeout" and "success" or how, false
  if how == "done" then
    local reason = value and value.reason or "finished"
    silence = reason == "silence"
    if reason == "limit" or reason == "silence" or reason == "finished" then status = "success"
    elseif reason == "cannot_open" or reason == "not_found" or reason == "bad_source" then status = "failed"
    elseif reason == "gone" then status = "hangup"
    else status = "break" end
  end
  disk_tells(ch, path, x)
  if status ~= "failed" then post_process(ch) end
  if status ~= "failed" and x and x ~= true then
    local rate = x.rate and x.rate > 0 and x.rate or 8000
    local ms = x.ms and x.ms > 0 and x.ms or floor((x.samples or 0) * 1000 / rate)
    ch:set("record_seconds", format("%d", floor(ms / 1000)))
    ch:set("record_ms", format("%d", ms))
    ch:set("record_samples", format("%d", x.samples or 0))
    if x.bytes then ch:set("record_file_size", format("%d", x.bytes)) end
  end
  ch:set("silence_hits_exhausted", silence and "true" or "false")
  if status ~= "failed" then
    headers.fire("RECORD_STOP", ch, about)
    hooks.run(ch, "record_stop")
    if not ch:up() then channel.over(ch) end
  end
  return status, value
end

-- --- a call recorded aside ---

-- Why a recording ended, in the words of MRCP; and whether its file was kept.
local function completion(ch, samples, rate, min_s, appends)
  if not appends and samples < rate * min_s then
    ch:set("RECORD_DISCARDED", "true")
    return samples == 0 and "empty-file" or "input-too-short"
  end
  return ch:up() and "success-maxtime" or "no-input-timeout"
end

-- Starts; the operation lives with the call. Gives true or false.
function record.start(ch, path, limit_s, vars)
  if not ch:up() then return false end
  local function setting(name) return vars and vars:get(name) or ch:get(name) end
  path = target(ch, path)
  local data = ch:data()
  data.recordings = data.recordings or {}
  while data.recordings[path] and data.recordings[path].stopped do wait.once(20) end -- its file is being closed
  if data.recordings[path] or not ch:up() then return false end
  local min = setting("RECORD_MIN_SEC")
  local params = common(ch, { path = path, limit_ms = (limit_s or 0) * 1000, both_directions = true, stereo = util.truth(setting("RECORD_STEREO")),
    read = not util.truth(setting("RECORD_WRITE_ONLY")), write = not util.truth(setting("RECORD_READ_ONLY")),
    min_ms = util.int(min or "3") * 1000 })
  local started = false
  local about = { { "Record-File-Path", path } }
  local token = core.token()
  local one = { token = token }
  data.recordings[path] = one
  -- A fiber of its own waits for its end, whoever owns the call meanwhile.
  core.spawn("record_session", function()
    local op = wait.watch_token(token)
    if not ch:record(token, params) then
      data.recordings[path] = nil
      util.err(ch, "Error opening %s", path)
      if util.truth(setting("RECORD_HANGUP_ON_ERROR")) then channel.hangup(ch, "DESTINATION_OUT_OF_ORDER") end
      return
    end
    headers.fire("RECORD_START", ch, about)
    hooks.run(ch, "record_start")
    if one.stopped then ch:stop(token) end -- before it began
    local x = wait.finish(op)
    data.recordings[path] = nil
    local unopened = x and x ~= true and x.reason == "cannot_open"
    if unopened then util.err(ch, "Error opening %s", path) end
    if (disk_tells(ch, path, x) or unopened) and ch:up() and util.truth(setting("RECORD_HANGUP_ON_ERROR")) then
      channel.hangup(ch, "DESTINATION_OUT_OF_ORDER")
    end
    if x and x ~= true and x.samples then
      local rate = x.rate and x.rate > 0 and x.rate or 8000
      ch:set("record_seconds", format("%d", floor(x.samples / rate)))
      ch:set("record_ms", format("%d", floor(x.samples * 1000 / rate)))
      ch:set("record_samples", format("%d", x.samples))
      local why = completion(ch, x.samples, rate, util.int(min or "3"), util.truth(setting("RECORD_APPEND")))
      ch:set("record_completion_cause", why)
      about[#about + 1] = { "Record-Completion-Cause", why }
    end
    headers.fire("RECORD_STOP", ch, about)
    hooks.run(ch, "record_stop")
  end)
  return true
end

-- word: stop mask unmask pause resume; path or "all". False if there is none.
function record.control(ch, path, word)
  local list = ch:data().recordings
  if not list then return false end
  local found = false
  for name, one in pairs(list) do
    if not one.stopped and (path == "all" or name == path or name == target(ch, path)) then
      found = true
      one.stopped = word == "stop"
      if one.stopped then ch:stop(one.token) else ch:control(one.token, word, 0) end
    end
  end
  return found
end

function record.stop(ch, path) return record.control(ch, path, "stop") end

-- --- insertFile ---

local function number(text, at, bytes)
  local n = 0
  for i = bytes, 1, -1 do n = n * 256 + (byte(text, at + i - 1) or 0) end
  return n
end
local function little(n, bytes)
  local out = {}
  for i = 1, bytes do
    out[i] = char(n % 256)
    n = floor(n / 256)
  end
  return table.concat(out)
end

-- Format and data of a PCM WAV file.
local function wav(text)
  if type(text) ~= "string" or sub(text, 1, 4) ~= "RIFF" then return nil end
  local at, w = 13, {}
  while at + 8 <= #text do
    local id, length = sub(text, at, at + 3), number(text, at + 4, 4)
    if id == "fmt " then
      w.format, w.channels, w.rate, w.bits = number(text, at + 8, 2), number(text, at + 10, 2), number(text, at + 12, 4), number(text, at + 22, 2)
    elseif id == "data" then
      w.data = sub(text, at + 8, at + 7 + length)
      break
    end
    at = at + 8 + length + length % 2
  end
  return w.data and w.format == 1 and w or nil
end

-- Writes `insert` into `file` at a sample. False leaves the file alone.
function record.insert(file, insert, at)
  local a, b = wav(wait.job("read_file", file)), wav(wait.job("read_file", insert))
  if not a or not b or a.bits ~= b.bits or a.channels ~= b.channels or a.rate ~= b.rate then return false end
  local block = a.channels * a.bits / 8
  local cut = math.min(math.max(at, 0) * block, #a.data)
  local data = sub(a.data, 1, cut) .. b.data .. sub(a.data, cut + 1)
  local text = "RIFF" .. little(#data + 36, 4) .. "WAVEfmt " .. little(16, 4) .. little(1, 2) .. little(a.channels, 2) .. little(a.rate, 4)
    .. little(a.rate * block, 4) .. little(block, 2) .. little(a.bits, 2) .. "data" .. little(#data, 4) .. data
  local done = wait.job("write_file", file, text)
  return done and done ~= 0 or done == 0
end
