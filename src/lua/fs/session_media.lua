-- session_media.lua: the methods of a Session that play, record, speak and collect digits.
local core = ...
local fs = core.fs
local util, class, callback, channel, wait, play, record, digits, session =
  fs.util, fs.class, fs.callback, fs.channel, fs.wait, fs.play, fs.record, fs.digits, fs.session

local pcall, error = pcall, error
local blocking, method, VOID = session.blocking, session.method, session.VOID

blocking("sleep", "ii", 1, 2, -1, 0, function(st, ch, ms)
  if ms == 0 or wait.gone(ch) then return 1 end
  if not ch:media_ready() then return wait.pause(ch, math.max(ms, 0)) == "break" and 0 or 1 end -- nobody listens yet
  local how = wait.serve(ch, { st = st, deadline = core.now() + math.max(ms, 0), apply = callback.stops })
  return how == "timeout" and 1 or 0
end)

blocking("streamFile", "si", 1, 2, -1, 0, function(st, ch, file, start)
  if wait.gone(ch) then return 0 end
  return play.file(ch, file, { st = st, start = start and start > 0 and start or 0 }) == "success" and 1 or 0
end)

blocking("recordFile", "siii", 1, 4, -1, 0, function(st, ch, path, limit_s, threshold, silence_s)
  if wait.gone(ch) then return 0 end
  if not util.some(path) then return 0 end
  local how = record.file(ch, path, limit_s or 0, threshold or 0, silence_s or 0, { st = st })
  if how == "failed" then channel.hangup(ch, "DESTINATION_OUT_OF_ORDER") end
  return how == "success" and 1 or 0
end)

method("insertFile", "SSi", 3, 3, -1, function(_, ch, file, insert, at)
  if not util.some(file) or not util.some(insert) then return 0 end
  return record.insert(file, insert, at) and 1 or 0
end)

-- --- digits ---

-- A method that gives digits; the hangup hook runs around it as around the others. Overloaded as getDigits is.
class.overload(session.class, "getDigits", "CoreSession_getDigits", { "isi", "isii", "isiii" }, function(st, max, terminators, timeout, inter, abs)
  local ch = session.live(st)
  if not ch then return "" end
  callback.hangup_hook(st)
  if not st.ch or wait.gone(ch) then return "" end
  local keys = digits.collect(ch, { max = max, terminators = terminators, first_ms = timeout, inter_ms = inter or 0, abs_ms = abs or 0 })
  callback.hangup_hook(st)
  return keys
end)

blocking("read", "iiSiSi", 5, 6, "", "", function(_, ch, min, max, file, timeout, terminators, digit_timeout)
  if wait.gone(ch) then return "" end
  return (digits.read(ch, { min = math.max(min, 1), max = math.max(max, 1), prompt = file, timeout_ms = math.max(timeout, 1),
    terminators = terminators, digit_timeout_ms = digit_timeout }))
end)

blocking("playAndGetDigits", "iiiissssSiS", 8, 11, "", "",
  function(_, ch, min, max, tries, timeout, terminators, file, invalid, regex, var, digit_timeout, transfer)
    if wait.gone(ch) then return "" end
    return digits.play_and_get(ch, { min = min, max = max, tries = tries, timeout_ms = timeout, terminators = terminators, prompt = file,
      invalid = invalid, regex = regex, var = var, digit_timeout_ms = digit_timeout, transfer_on_failure = transfer })
  end)

class.overload(session.class, "collectDigits", "CoreSession_collectDigits", { "i", "ii" }, function(st, a, b)
  local ch = session.live(st)
  if not ch then return -1 end
  local digit_ms, abs_ms = 0, a
  if b then digit_ms, abs_ms = a, b end
  if not st.cb_function then return 0 end
  if not callback.enter(st) then
    callback.leave(st)
    return 0
  end
  local now = core.now()
  local stop_at = abs_ms > 0 and now + abs_ms or nil
  while true do
    local deadline = digit_ms > 0 and core.now() + digit_ms or nil
    if stop_at and (not deadline or stop_at < deadline) then deadline = stop_at end
    local heard = false
    local ok, how = pcall(wait.serve, ch, { st = st, deadline = deadline, check = function() return heard end,
      apply = function(value)
        heard = true
        return callback.stops(value)
      end })
    if not ok then
      callback.leave(st)
      error(how, 0)
    end
    if how ~= "check" then break end
  end
  callback.leave(st)
  callback.hangup_hook(st)
  return 0
end)

method("flushDigits", "", 0, 0, -1, function(_, ch)
  fs.digits.flush(ch)
  return 0
end)
method("flushEvents", "", 0, 0, -1, function(_, ch)
  wait.clear(ch)
  return 0
end)

-- --- speech ---

blocking("say", "SSSSS", 4, 5, VOID, nil, function(st, ch, text, module, kind, how, gender)
  if not text or not module or not kind or not how then
    util.err(ch, "Error! invalid args.\n")
    return
  end
  if wait.gone(ch) then return end
  fs.say.say(ch, text, module, kind, how, gender, { st = st, words = false })
end)
blocking("sayPhrase", "SSS", 1, 3, VOID, nil, function(st, ch, name, data, lang)
  if not name then return util.err(ch, "Error! invalid args.\n") end
  if wait.gone(ch) then return end
  fs.say.phrase(ch, name, data or "", lang, { st = st, words = false })
end)
blocking("speak", "s", 1, 1, -1, 1, function(st, ch, text)
  if not st.tts_name then
    util.err(ch, "No TTS engine specified\n")
    return 1
  end
  if not st.voice_name then
    util.err(ch, "No TTS voice specified\n")
    return 1
  end
  if wait.gone(ch) then return 0 end
  return fs.say.speak(ch, st.tts_name, st.voice_name, text or "", { st = st, words = false }) == "success" and 1 or 0
end)
local function set_voice(st, _, name, voice) st.tts_name, st.voice_name = name or "", voice or "" end
method("set_tts_params", "ss", 2, 2, VOID, set_voice)
method("set_tts_parms", "ss", 2, 2, VOID, function(st, ch, name, voice)
  util.err(ch, "set_tts_parms is deprecated. Use set_tts_params.\n")
  set_voice(st, ch, name, voice)
end)

local no_recogniser = "there is no speech recogniser in this engine\n"
method("detectSpeech", "ssss", 1, 4, VOID, function(_, ch) util.err(ch, "%s", no_recogniser) end)
method("playAndDetectSpeech", "sss", 3, 3, nil, function(st, ch, file)
  util.err(ch, "%s", no_recogniser)
  if util.some(file) then play.file(ch, file, { st = st }) end
  return nil
end)
