-- say.lua: speaking in recorded words: say modules, phrase macros from the XML, and the doors to text-to-speech.
local core = ...
local fs = core.fs
local util, variables, wait, play, speech = fs.util, fs.variables, fs.wait, fs.play, fs.speech

local find, format, gsub, lower, match, sub, tonumber = string.find, string.format, string.gsub, string.lower, string.match, string.sub, tonumber

local say = { modules = {} } -- by language: f(text, type, method, gender) → list of files, or nil and what is wrong
fs.say = say

local types = { number = 1, items = 1, persons = 1, messages = 1, currency = 1, time_measurement = 1, current_date = 1, current_time = 1,
  current_date_time = 1, telephone_number = 1, telephone_extension = 1, url = 1, ip_address = 1, email_address = 1, ["e-mail_address"] = 1,
  postal_address = 1, account_number = 1, name_spelled = 1, name_phonetic = 1, short_date_time = 1 }
local methods = { ["n/a"] = 1, pronounced = 1, iterated = 1, counted = 1, pronounced_year = 1 }
say.types, say.methods = types, methods

-- Runs f with sound_prefix set, unless the call enforces its own.
local function with_prefix(ch, prefix, f)
  local enforced = ch:get("sound_prefix_enforced")
  local before = ch:get("sound_prefix")
  if prefix and not util.truth(enforced) then ch:set("sound_prefix", prefix) end
  local how, value = f()
  if prefix and not util.truth(enforced) then ch:set("sound_prefix", before) end
  return how, value
end

-- A sound file of a say module or a macro. One that is not installed is spoken: a fresh install has no sounds, and no caller should hear
-- silence for them.
local function sound(ch, file, o)
  local plain = not find(file, "://", 1, true) and not find(file, "^%a+:") and not find(file, "^[{%[]")
  if plain and not play.resolve(ch, file) then
    local words = speech.words(file)
    local engine, voice = speech.voice(ch)
    if words then return say.speak(ch, engine, voice, words, o) end
  end
  return play.file(ch, file, o)
end

-- Files one after the other; what can be neither played nor spoken is passed over.
local function files(ch, list, o)
  local status = "success"
  for i = 1, #list do
    local how, value = sound(ch, list[i], o)
    if how ~= "success" and how ~= "notfound" then return how, value end
    if wait.gone(ch) then return "hangup" end
  end
  return status
end

function say.say(ch, text, module, kind, how, gender, o)
  kind, how = lower(kind), lower(how)
  local language = fs.xmlconf.language(module)
  local f = say.modules[lower(language and language.attr["say-module"] or module)]
  if not f then
    util.err(ch, "Invalid SAY Interface [%s]!\n", module)
    return "notfound"
  end
  if not types[kind] then kind = "number" end
  local list, problem = f(text, kind, methods[how] and how or "n/a", gender and lower(gender) or "")
  if not list then
    util.err(ch, "%s\n", problem)
    return "notfound"
  end
  return with_prefix(ch, language and util.some(language.attr["sound-prefix"] or language.attr["sound-path"]), function() return files(ch, list, o) end)
end

-- The files of a text, joined for `say_string`; nil if the module cannot.
function say.string(module, text, kind, how, gender, suffix)
  local f = say.modules[lower(module)]
  local list = f and f(text, lower(kind), lower(how), gender and lower(gender) or "")
  if not list then return nil end
  for i = 1, #list do list[i] = gsub(list[i], "%.wav$", "." .. (suffix or "wav")) end
  return "file_string://" .. table.concat(list, "!")
end

-- --- phrase macros ---

local PHRASE_PAUSE_MS = 100

-- $1 … with captures of a match.
function say.substitute(text, captures)
  return (gsub(text, "%$(%d+)", function(n) return captures[tonumber(n)] or "" end))
end

local function action(ch, a, module, o)
  local attr = a.attr
  local data = attr.data or ""
  local what = attr["function"] or ""
  if what == "play-file" then return sound(ch, data, o) end
  if what == "break" then return "enough" end
  if what == "say" then return say.say(ch, data, attr.module or module, attr.type or "", attr.method or "", attr.gender, o) end
  if what == "speak-text" then return say.text(ch, data, util.names(), o) end
  if what == "sleep" then
    local how = wait.serve(ch, { deadline = core.now() + util.int(data), st = o.st, on_digit = o.on_digit, apply = fs.callback.stops })
    return how == "timeout" and "success" or how
  end
  if what == "execute" then
    local app, arguments = match(data, "^%s*([^%s%(]+)%s*%(?(.-)%)?%s*$")
    if app then fs.apps.execute(ch, app, arguments) end
    return "success"
  end
  util.err(ch, "phrase action '%s' is unknown", what)
  return "success"
end

-- A copy of an action with its data made concrete.
local function concrete(ch, node, captures)
  local attr = {}
  for k, v in pairs(node.attr) do attr[k] = v end
  if attr.data then attr.data = variables.expand(ch, say.substitute(attr.data, captures)) end
  return { attr = attr }
end

-- Plays a macro ("name" or "name@group") with data. Ends as play.file does.
function say.phrase(ch, name, data, lang, o)
  local language_name = util.some(lang) or variables.get(ch, "default_language") or "en"
  local macro, language = fs.xmlconf.macro(language_name, name)
  if not macro then
    util.err(ch, "Can't find macro %s.\n", name)
    return "notfound"
  end
  data = variables.expand(ch, data or "")
  local module = language.attr["say-module"] or language_name
  local pause = util.int(macro.attr.pause or tostring(PHRASE_PAUSE_MS))
  local played, status, value = false, "success", nil
  local prefix = util.some(macro.attr["sound-prefix"] or language.attr["sound-prefix"] or language.attr["sound-path"])
  return with_prefix(ch, prefix, function()
    for _, input in ipairs(macro) do
      if input.tag == "input" then
        local captures = core.regex(input.attr.pattern or ".*", data)
        local wanted = captures and "match" or "nomatch"
        captures = captures or {}
        for _, branch in ipairs(input) do
          if branch.tag == wanted then
            for _, a in ipairs(branch) do
              if a.tag == "action" then
                played = true
                status, value = action(ch, concrete(ch, a, captures), module, o)
                if status == "enough" then return "success" end
                if status ~= "success" and status ~= "notfound" then return status, value end
                if wait.gone(ch) then return "hangup" end
                if pause > 0 then
                  local how, v = wait.serve(ch, { deadline = core.now() + pause, st = o.st, on_digit = o.on_digit, apply = fs.callback.stops })
                  if how ~= "timeout" then return how, v end
                end
              end
            end
          end
        end
        if wanted == "match" and input.attr.break_on_match and util.truth(input.attr.break_on_match) then break end
      end
    end
    if not played then util.err(ch, "Macro [%s]: '%s' did not match any patterns\n", name, data) end
    return played and "success" or "notfound", value
  end)
end

-- --- text-to-speech ---

-- Ends as play.file does, or "failed" if there is no such engine or voice.
function say.speak(ch, engine, voice, text, o)
  local source = speech.source(ch, engine, voice, text)
  if not source then
    util.err(ch, "Invalid TTS module!\n")
    return "failed"
  end
  if not find(text, "%w") then return "success" end -- nothing to say
  local options = { speech = true }
  for k, v in pairs(o) do options[k] = v end
  return play.file(ch, source, options)
end

-- "say:text", "say:engine:voice:text": with the call's engine and voice where the text names none, else our own.
function say.text(ch, text, params, o)
  local engine = params:get("tts_engine") or variables.get(ch, "tts_engine")
  local voice = params:get("tts_voice") or variables.get(ch, "tts_voice")
  local e, v, rest = match(text, "^([^:]+):([^:]+):(.*)$")
  if e and (speech.known(e) or not engine and not find(e, "%s")) and not find(v, "%s") then engine, voice, text = e, v, rest end
  if not engine or not voice then engine, voice = speech.voice(ch) end
  return say.speak(ch, engine, voice, text, o)
end
