-- say.lua: speaking in recorded words: say modules, phrase macros from the XML, and the doors to text-to-speech.
local core = ...
local fs = core.fs
local util, variables, wait, channel, play, speech = fs.util, fs.variables, fs.wait, fs.channel, fs.play, fs.speech

local find, gsub, ipairs, lower, match, setmetatable, tonumber = string.find, string.gsub, ipairs, string.lower, string.match, setmetatable, tonumber

-- By language: f(text, type, method, gender, time zone) → list of names without suffix and what is wrong with it, or nil and why.
local say = { modules = {} }
fs.say = say

-- Runs f with sound_prefix set, unless the call enforces its own.
local function with_prefix(ch, prefix, f)
  local enforced = ch:get("sound_prefix_enforced")
  local before = ch:get("sound_prefix")
  if prefix and not util.truth(enforced) then ch:set("sound_prefix", prefix) end
  local how, value = f()
  if prefix and not util.truth(enforced) then ch:set("sound_prefix", before) end
  return how, value
end

-- A sound that is not installed is spoken: a fresh install has no sounds, and no caller should hear silence for them.
local function missing(ch, o)
  return function(file)
    local words = not find(file, "^/") and speech.words(file)
    local engine, voice = speech.voice(ch)
    if words then return say.speak(ch, engine, voice, words, o) end
  end
end

-- A sound of a say module or a macro.
local function sound(ch, file, o)
  return play.file(ch, file, setmetatable({ missing = missing(ch, o) }, { __index = o }))
end

-- The names as one file_string, which FreeSWITCH plays as one file; its first name always gets a suffix.
local function file_string(list, suffix)
  local out = {}
  for i = 1, #list do out[i] = i > 1 and find(list[i], "://", 1, true) and list[i] or list[i] .. "." .. suffix end
  return #out > 0 and "file_string://" .. table.concat(out, "!") or ""
end

-- The say module of a language as the XML has it, where it has the language.
local function module_of(ch, name)
  local bare, lang = match(name, "^([^:]*):?(.*)$")
  if bare == "" then bare = "en" end
  lang = util.some(lang) or ch and (variables.get(ch, "language") or variables.get(ch, "default_language")) or bare
  local language = fs.xmlconf.language(lang)
  local module = language and (language.attr["say-module"] or language.attr.module) or language and lang or bare
  return say.modules[lower(module)], language, module
end

function say.say(ch, text, module, kind, how, gender, o)
  local f, language, name = module_of(ch, module)
  if not f then
    util.err(ch, "Invalid SAY Interface [%s]!\n", name)
    return "failed"
  end
  local list, problem = f(text, lower(kind), lower(how), lower(gender or ""), ch:get("timezone"))
  if problem then util.err(ch, "%s\n", problem) end
  local file = list and file_string(list, "wav")
  if not util.some(file) then return "failed" end
  return with_prefix(ch, language and util.some(language.attr["sound-prefix"] or language.attr["sound-path"]), function() return sound(ch, file, o) end)
end

-- The same as text, for the command say_string; nil if nothing can say it.
function say.string(ch, text, module, kind, how, gender, suffix)
  local f = module_of(ch, module)
  local list = f and f(text, lower(kind), lower(how), lower(gender or ""), ch and ch:get("timezone"))
  return list and file_string(list, suffix)
end

-- --- phrase macros ---

local PHRASE_PAUSE_MS = 100

-- $1 … with captures of a match.
function say.substitute(text, captures)
  return (gsub(text, "%$(%d+)", function(n) return captures[tonumber(n)] or "" end))
end

local macro_actions = {
  ["play-file"] = function(ch, data, _, m) return sound(ch, data, m.o) end,
  ["break"] = function() return "enough" end,
  say = function(ch, data, attr, m) return say.say(ch, data, m.module, attr.type or "", attr.method or "", attr.gender, m.o) end,
  ["speak-text"] = function(ch, data, attr, m)
    local params = util.names()
    params:set("tts_engine", attr["tts-engine"] or m.language["tts-engine"])
    params:set("tts_voice", attr["tts-voice"] or m.language["tts-voice"])
    return say.text(ch, data, params, m.o)
  end,
  phrase = function(ch, data, attr, m) return say.phrase(ch, attr.phrase or "", data, m.lang, m.o) end,
  sleep = function(ch, data, _, m)
    local how, value = wait.serve(ch, { deadline = core.now() + util.int(data), st = m.o.st, on_digit = m.o.on_digit, apply = fs.callback.stops })
    if how == "timeout" then return "success" end
    return how, value
  end,
  execute = function(ch, data)
    local app, arguments = match(data, "^%s*([^%s%(]+)%s*%(?(.-)%)?%s*$")
    if app and fs.apps.find(app) then
      fs.apps.execute(ch, app, arguments)
      return "success"
    end
    util.err(ch, "Invalid Application %s\n", app or "")
    return "failed"
  end,
}

-- The actions of one branch with its data made concrete, a pause behind each; what is not a success ends them.
local function branch_run(ch, branch, captures, m)
  for _, a in ipairs(branch) do
    if a.tag == "action" then
      local data = a.attr.data or ""
      if captures then data = say.substitute(data, captures) end
      local f = macro_actions[lower(a.attr["function"] or "")]
      local status, value = "success", nil
      if f then status, value = f(ch, variables.expand(ch, data), a.attr, m) end
      if status == "hangup" or wait.gone(ch) then return "hangup" end
      if m.pause > 0 then wait.pause(ch, m.pause) end
      if status ~= "success" then return status, value end
    end
  end
  return "success"
end

-- The inputs of a macro, each with its match or nomatch.
local function macro_run(ch, macro, data, m)
  local matches = 0
  for _, input in ipairs(macro) do
    if input.tag == "input" then
      local pattern = input.attr.pattern or ".*"
      local captures = core.regex(pattern, variables.expand(ch, input.attr.field or data))
      local wanted, found = captures and "match" or "nomatch", nil
      if not find(pattern, "(", 1, true) then captures = nil end
      for _, branch in ipairs(input) do
        if not found and branch.tag == wanted then found = branch end
      end
      if found then
        matches = matches + 1
        local status, value = branch_run(ch, found, captures, m)
        if status == "enough" then return "success" end
        if status ~= "success" then return status, value end
        if util.truth(input.attr.break_on_match) then break end
      end
    end
  end
  if matches == 0 then util.warn(ch, "Macro [%s]: '%s' did not match any patterns\n", m.name, data) end
  return "success"
end

-- Plays a macro ("name" or "name@group") with data. Ends as play.file does.
function say.phrase(ch, name, data, lang, o)
  lang = util.some(lang) or variables.get(ch, "default_language") or "en"
  local macro, language = fs.xmlconf.macro(lang, name)
  if not macro then
    util.err(ch, "Can't find macro %s.\n", name)
    return "failed"
  end
  if not channel.media(ch) then return "nomedia" end
  local attr = language.attr
  local pause = util.int(macro.attr.pause or PHRASE_PAUSE_MS)
  local m = { name = name, lang = lang, language = attr, module = attr["say-module"] or lang, o = o, pause = pause >= 0 and pause or PHRASE_PAUSE_MS }
  return with_prefix(ch, util.some(macro.attr["sound-prefix"] or attr["sound-prefix"] or attr["sound-path"]),
    function() return macro_run(ch, macro, data or "", m) end)
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
  return play.file(ch, source, setmetatable({ speech = true }, { __index = o }))
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
