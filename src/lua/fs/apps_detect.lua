-- apps_detect.lua: applications that listen: tones, keys pressed as sounds, silence, the network's tones, beeps, and who answered.
local core = ...
local fs = core.fs
local util, headers, wait, apps, play = fs.util, fs.headers, fs.wait, fs.apps, fs.play

local floor, format, gmatch, lower, match, max, min = math.floor, string.format, string.gmatch, string.lower, string.match, math.max, math.min
local define = apps.define

-- Listens in a fiber of its own; f(hits, value) at each hit, until it gives true; over(how) at the end: hit, limit, stopped (by
-- detect_stop), gone (the call's media ended), failed (it could not begin).
local function detect(ch, params, limit_ms, f, over, kind)
  if not ch.detect then return false end
  local data = ch:data()
  data.detectors = data.detectors or {}
  local me = { kind = kind or params.what }
  data.detectors[me] = true
  core.spawn("detector", function()
    local token = core.token()
    me.token, me.fiber = token, core.self()
    local ok, why = ch:detect(token, params)
    local till = limit_ms and core.now() + limit_ms
    local hits, how = 0, ok and "gone" or "failed"
    if not ok and ch:up() then util.err(ch, "cannot listen for %s: %s", me.kind, why) end
    ch:watch(me.fiber, true)
    while ok and ch:up() do
      local left = till and till - core.now()
      if me.stopped or left and left <= 0 then
        how = me.stopped and "stopped" or "limit"
        break
      end
      local what, _, t, value = core.wait(left)
      if what == "done" and t == token then break end
      if what == "wake" and t == token then
        hits = hits + 1
        if f(hits, value) then
          how = "hit"
          break
        end
      end
    end
    ch:watch(me.fiber, false)
    if ok and ch:up() then ch:stop(token) end
    if ch:data().detectors then ch:data().detectors[me] = nil end
    if over then over(how) end
  end)
  return true
end
apps.detect = detect

-- Ends listening of one kind, or all of it.
local function detect_stop(ch, kind) -- gives whether there was any
  local any = false
  for one in pairs(ch:data().detectors or {}) do
    if not kind or one.kind == kind then
      any, one.stopped = true, true
      if one.token then core.wake(one.fiber, 0, true) end
    end
  end
  return any
end

-- --- tones ---

local function execute(ch, app, argument)
  fs.messages.send(ch, { { "call-command", "execute" }, { "execute-app-name", app }, { "execute-app-arg", argument or "" } })
end

-- The first of its frequencies tells; FreeSWITCH hits when so many frames in a row have it.
local function tone_detect(ch, key, hz, o)
  detect(ch, { what = "tone", hz = hz, write = o.write, hits = 3 }, o.limit_ms, function(hits)
    if hits < max(o.hits or 1, 1) then return end
    ch:set("tone_detect_" .. key, "true")
    headers.fire("DETECTED_TONE", ch, { { "Detected-Tone", key } })
    fs.hooks.run(ch, "tone_detect")
    if o.app then execute(ch, o.app, o.data) end
    return true
  end)
end

define("tone_detect", "M", "`key freqs [r|w] [timeout] [app] [data] [hits]`", function(ch, text)
  local w = util.separate(text, " ")
  local key, freqs = w[1], w[2]
  if not freqs then return util.err(ch, "usage: <key> <tone_spec> [r|w] <timeout> <app> <args> <hits>") end
  local hz = {}
  for f in gmatch(freqs, "%d+") do hz[#hz + 1] = tonumber(f) end
  local seconds = tonumber((match(w[4] or "", "^%+?(%d+)$")))
  tone_detect(ch, key, hz, { write = w[3] == "w", limit_ms = seconds and seconds > 0 and seconds * 1000 or nil, app = w[5], data = w[6],
    hits = util.int(w[7] or "1") })
end)
define("fax_detect", "M", "tone_detect for a fax's calling tone", function(ch) tone_detect(ch, "fax", { 1100 }, {}) end)
define("stop_tone_detect", "", "ends all listening", function(ch) detect_stop(ch) end)
define("start_dtmf", "M", "finds keys pressed as sounds", function(ch) detect(ch, { what = "inband" }, nil, function() end) end)
define("stop_dtmf", "", "ends start_dtmf", function(ch) detect_stop(ch, "inband") end)
define("spandsp_start_dtmf", "M", "start_dtmf", function(ch) detect(ch, { what = "inband" }, nil, function() end) end)
define("spandsp_stop_dtmf", "", "ends it", function(ch) detect_stop(ch, "inband") end)

-- --- the network's tones ---

-- Numbers of enum progress_sound (media/progress.h): our name, and what mod_spandsp's table of tones calls it.
local sounds = {
  { "busy", "BUSY_TONE" }, { "reorder", "REORDER_TONE" }, { "ringback", "RING_TONE" }, { "cng", "CNG_TONE" }, { "ced", "CED_TONE" }, { "beep", "BEEP_TONE" },
  { "sit-ic", "SIT" }, { "sit-vc", "SIT" }, { "sit-ro", "SIT" }, { "sit-ro2", "SIT" }, { "sit-nc", "SIT" }, { "sit-nc2", "SIT" }, { "sit-1", "SIT" },
  { "sit-2", "SIT" } }

local function sound_of(value) return sounds[value % 256], floor(value / 256) end

local function tones_start(ch)
  detect_stop(ch, "progress")
  return detect(ch, { what = "progress" }, nil, function(_, value)
    local sound, hz = sound_of(value)
    if not sound then return end
    ch:set("progress_sound", sound[1])
    headers.fire("DETECTED_TONE", ch, { { "Detected-Tone", sound[2] }, { "Detected-Sound", sound[1] }, { "Detected-Frequency", hz > 0 and hz or nil } })
    fs.hooks.run(ch, "tone_detect")
  end)
end
define("spandsp_start_tone_detect", "M", "`[name]`: tells the network's tones (busy, reorder, ringback, SIT, fax, beeps) by DETECTED_TONE events and the variable progress_sound",
  tones_start)
define("spandsp_stop_tone_detect", "", "ends spandsp_start_tone_detect", function(ch) detect_stop(ch, "progress") end)
define("spandsp_start_fax_detect", "M", "`app data [timeout_s] [ced|cng]`: runs the application when a fax is heard", function(ch, text)
  local w = util.separate(text, " ")
  if not w[1] then return util.err(ch, "usage: <app> <data> [timeout] [cng|ced]") end
  local seconds, wanted = util.int(w[3] or "0"), lower(w[4] or "cng")
  detect(ch, { what = "progress" }, seconds > 0 and seconds * 1000 or nil, function(_, value)
    local sound = sound_of(value)
    if not sound or sound[1] ~= wanted then return end
    ch:set("progress_sound", wanted)
    headers.fire("DETECTED_TONE", ch, { { "Detected-Tone", sound[2] }, { "Detected-Sound", wanted } })
    execute(ch, w[1], w[2])
    return true
  end, nil, "fax")
end)
define("spandsp_stop_fax_detect", "", "ends spandsp_start_fax_detect", function(ch) detect_stop(ch, "fax") end)

-- --- the beep of an answering machine, as mod_avmd tells it ---

local function avmd_fire(ch, what, more)
  local about = { { "Call-command", "avmd" } }
  for i = 1, #(more or {}) do about[i + 1] = more[i] end
  headers.fire("CUSTOM", ch, about, "avmd::" .. what)
end

local function avmd_start(ch)
  detect_stop(ch, "avmd")
  local began = core.utc_us()
  ch:set("avmd_detect", nil)
  avmd_fire(ch, "start")
  detect(ch, { what = "progress" }, nil, function(_, value)
    local sound, hz = sound_of(value)
    if not sound or sound[1] ~= "beep" then return end
    ch:set("avmd_detect", "TRUE")
    avmd_fire(ch, "beep", { { "Beep-Status", "DETECTED" }, { "Frequency", format("%f", hz) }, { "Detection-time", format("%.0f", core.utc_us() - began) } })
    return true -- a beep is told once, as there; whoever wants the next one starts again
  end, function()
    avmd_fire(ch, "stop", { { "Beep-Status", ch:get("avmd_detect") == "TRUE" and "DETECTED" or "NOTDETECTED" },
      { "Total-time", format("%.0f", core.utc_us() - began) } })
  end, "avmd")
end

define("avmd_start", "M", "tells the next beep by an event `avmd::beep` and the variable avmd_detect", avmd_start)
define("avmd_stop", "", "ends avmd_start", function(ch) detect_stop(ch, "avmd") end)
define("avmd", "M", "`[start|stop]`", function(ch, text)
  if match(lower(text), "^%s*stop") then detect_stop(ch, "avmd") else avmd_start(ch) end
end)

-- What the commands of the same names do (commands_detect.lua).
fs.listening = { tones_start = tones_start, avmd_start = avmd_start, stop = detect_stop }

-- --- silence and sound ---

-- Serves the call until it was quiet (or loud) for `ms` in one, after `after_ms` of sound in all; false at the time limit. `file` plays meanwhile.
-- The detector tells both edges: a score when it becomes loud, 0 when it is quiet again.
local function wait_for(ch, o)
  local till = o.timeout_ms > 0 and core.now() + o.timeout_ms or nil
  local changed, loud, loud_ms, me = core.now(), false, 0, core.self()
  detect(ch, { what = "energy", threshold = o.threshold, hits = 1 }, nil, function(_, value)
    if loud then loud_ms = loud_ms + core.now() - changed end
    loud, changed = value > 0, core.now()
    core.wake(me, 0, true)
  end, nil, "silence")
  local source = o.file and play.resolve(ch, o.file)
  local token = source and core.token()
  if token then ch:play(token, source, 0, true) end
  local found = false
  while not found and not wait.gone(ch) do
    local now = core.now()
    local heard = loud_ms + (loud and now - changed or 0)
    found = loud == o.loud and heard >= o.after_ms and now - changed >= o.ms
    if found or till and now >= till then break end
    local look = loud == o.loud and heard >= o.after_ms and changed + o.ms or now + 1000
    local was = changed
    local how = wait.serve(ch, { deadline = till and min(till, look) or look, check = function() return changed ~= was end })
    if how ~= "timeout" and how ~= "check" then break end
  end
  if token and ch:up() then ch:stop(token) end
  detect_stop(ch, "silence")
  ch:set(o.name .. "_timeout", tostring(not found))
end

-- FreeSWITCH waits half a second more once it is quiet.
define("wait_for_silence", "M", "`threshold silence_hits listen_hits timeout_ms [file]`: until it is quiet; wait_for_silence_timeout tells", function(ch, text)
  local threshold, hits, listen, timeout, file = match(text, "^%s*(%d+)%s+(%d+)%s+(%d+)%s*(%d*)%s*(%S*)")
  if not threshold then return util.err(ch, "usage: <silence_thresh> <silence_hits> <listen_hits> <timeout_ms> [<file>]") end
  wait_for(ch, { name = "wait_for_silence", threshold = tonumber(threshold), ms = (tonumber(hits) + 25) * 20, after_ms = tonumber(listen) * 20, loud = false,
    timeout_ms = tonumber(timeout) or 0, file = util.some(file) })
end)
local function until_it_is(name, loud)
  return function(ch, text)
    local threshold, hits, timeout, file = match(text, "^%s*(%d+)%s+(%d+)%s+(%d+)%s*(%S*)")
    if not threshold then return util.err(ch, "usage: <threshold> <hits> <timeout_ms> [<file>]") end
    wait_for(ch, { name = name, threshold = tonumber(threshold), ms = (tonumber(hits) + 1) * 20, after_ms = 0, loud = loud, timeout_ms = tonumber(timeout),
      file = util.some(file) })
  end
end
define("detect_silence", "M", "`threshold hits timeout_ms [file]`: until it is quiet; detect_silence_timeout tells", until_it_is("detect_silence", false))
define("detect_audio", "M", "`threshold hits timeout_ms [file]`: until somebody speaks; detect_audio_timeout tells", until_it_is("detect_audio", true))

-- --- who answered ---

-- Parameters in the order of Asterisk's AMD(), by the names of its amd.conf; 0 = the classifier's default.
local answer_names = { "initial_silence", "greeting", "after_greeting_silence", "total_analysis_time", "min_word_length", "between_words_silence",
  "maximum_number_of_words", "silence_threshold", "maximum_word_length" }
local answer_index = {}
for i = 1, #answer_names do answer_index[answer_names[i]] = i end
-- Numbers of enum amd_status and enum amd_cause (media/amd.h).
local statuses = { [0] = "NOTSURE", "HUMAN", "MACHINE" }
local causes = { [0] = "TOOLONG-%d", "INITIALSILENCE-%d-%d", "HUMAN-%d-%d", "LONGGREETING-%d-%d", "MAXWORDS-%d-%d", "MAXWORDLENGTH-%d" }

-- "2500,1500,…" in Asterisk's order, or name=value, or both; nil and a sentence if it is neither.
local function answer_params(text)
  local params, at = { what = "answer", answer = { 0, 0, 0, 0, 0, 0, 0, 0, 0 } }, 0
  for word in gmatch(text .. ",", "([^,]*),") do
    word = util.trim(word)
    local name, value = match(word, "^([%a_]+)%s*=%s*(%S+)$")
    if name == "classifier" then
      params.classifier = value
    elseif name then
      local i = answer_index[lower(name)]
      if not i or not tonumber(value) then return nil, format("%s is no parameter of amd", word) end
      params.answer[i] = tonumber(value)
    else
      at = at + 1
      if word ~= "" and (at > 9 or not match(word, "^%d+$")) then return nil, format("\"%s\" is no number (parameter %d of amd)", word, at) end
      if word ~= "" then params.answer[at] = tonumber(word) end
    end
  end
  return params
end

local function answer_set(ch, status, cause)
  ch:set("AMDSTATUS", status)
  ch:set("AMDCAUSE", cause)
  ch:set("amd_result", status)
  headers.fire("CUSTOM", ch, { { "AMD-Status", status }, { "AMD-Cause", cause } }, "amd::result")
end

local TWENTY = 2 ^ 20
local function answer_heard(ch, value)
  local wanted, rest = value % TWENTY, floor(value / TWENTY)
  local heard, what = rest % TWENTY, floor(rest / TWENTY)
  answer_set(ch, statuses[floor(what / 16)] or "NOTSURE", format(causes[what % 16] or "", heard, wanted))
end

-- Begins to listen; done() with the verdict, or with HANGUP when the call ends first.
local function answer_start(ch, text, done)
  local params, why = answer_params(text)
  if not params then
    util.err(ch, "%s", why)
    answer_set(ch, "", "")
    return false
  end
  detect_stop(ch, "answer")
  ch:set("AMDSTATUS", nil)
  ch:set("AMDCAUSE", nil)
  return detect(ch, params, nil, function(_, value)
    answer_heard(ch, value)
    return true
  end, function(how)
    if how ~= "hit" then answer_set(ch, how == "gone" and "HANGUP" or "", "") end
    if done then done() end
  end)
end

define("amd", "M", "`[initial_silence,greeting,after_greeting_silence,total_analysis_time,min_word_length,between_words_silence,maximum_number_of_words,"
  .. "silence_threshold,maximum_word_length]` as Asterisk's AMD(), or `name=value,…`: waits for AMDSTATUS (HUMAN MACHINE NOTSURE HANGUP) and AMDCAUSE", function(ch, text)
  local over, me = false, core.self()
  local function done()
    over = true
    core.wake(me, 0, true)
  end
  if not answer_start(ch, text, done) then return end
  local how = wait.serve(ch, { check = function() return over end })
  if how ~= "check" then detect_stop(ch, "answer") end
  if how == "hangup" and not over then answer_set(ch, "HANGUP", "") end
end)
define("amd_start", "M", "the same beside what else the call does; an event `amd::result` tells", function(ch, text) answer_start(ch, text) end)
define("amd_stop", "", "ends amd_start", function(ch) detect_stop(ch, "answer") end)
