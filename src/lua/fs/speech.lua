-- speech.lua: text-to-speech: engines and voices, and the words that stand for a sound file which is not installed.
local core = ...
local fs = core.fs
local util, variables = fs.util, fs.variables

local char, find, format, gsub, lower, match, sub, tonumber, upper =
  string.char, string.find, string.format, string.gsub, string.lower, string.match, string.sub, tonumber, string.upper

local speech = {}
fs.speech = speech

local TEXT_MAX = 4000 -- as the media thread's SPEECH_TEXT_MAX
local DEFAULT_VOICE = "slt"
local engines = { flite = { awb = true, kal = true, kal16 = true, rms = true, slt = true } }

function speech.known(engine) return engines[lower(engine or "")] ~= nil end

-- A source for ch:play, or nil after having said why in the log.
function speech.source(ch, engine, voice, text)
  local voices = engines[lower(engine or "")]
  if not voices then
    util.err(ch, "Invalid speech module [%s]!\n", engine)
    return nil
  end
  if not voices[lower(voice or "")] then
    util.err(ch, "Valid voice names are awb, kal, rms or slt.\n")
    return nil
  end
  if #text > TEXT_MAX then
    util.err(ch, "a text of %d bytes is too long to be spoken: at most %d\n", #text, TEXT_MAX)
    return nil
  end
  return "speak://" .. lower(voice) .. "|" .. text
end

-- The call's own engine and voice, where we have them.
function speech.voice(ch)
  local engine, voice = variables.get(ch, "tts_engine"), variables.get(ch, "tts_voice")
  if engine and voice and speech.known(engine) and engines[lower(engine)][lower(voice)] then return engine, voice end
  return "flite", DEFAULT_VOICE
end

-- --- words for missing sound files ---

local days = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" }
local months = { "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December" }
local times = { oclock = "o'clock", oh = "oh", ["a-m"] = "A M", ["p-m"] = "P M" }
local signs = { [32] = "space", [33] = "exclamation point", [35] = "pound", [36] = "dollar", [37] = "percent", [38] = "and", [42] = "star",
  [43] = "plus", [44] = "comma", [45] = "dash", [46] = "dot", [47] = "slash", [58] = "colon", [59] = "semicolon", [61] = "equals",
  [63] = "question mark", [64] = "at", [95] = "underscore", [126] = "tilde" }
local phonetic = { "alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "kilo", "lima", "mike", "november",
  "oscar", "papa", "quebec", "romeo", "sierra", "tango", "uniform", "victor", "whiskey", "x ray", "yankee", "zulu" }

local function ordinal(n)
  local ones, tens = n % 10, n % 100
  if tens > 10 and tens < 14 then return n .. "th" end
  return n .. (ones == 1 and "st" or ones == 2 and "nd" or ones == 3 and "rd" or "th")
end

local folders = {}
function folders.digits(base)
  local counted = match(base, "^h%-(.+)$")
  if counted then return tonumber(counted) and ordinal(tonumber(counted)) or counted .. "th" end
  return base
end
function folders.time(base)
  local day, month = match(base, "^day%-(%d+)$"), match(base, "^mon%-(%d+)$")
  return day and days[day + 1] or month and months[month + 1] or times[base]
end
function folders.ascii(base)
  local code = tonumber(base)
  if not code or code < 32 or code > 126 then return nil end
  return signs[code] or find(char(code), "%w") and upper(char(code)) or nil
end
folders["phonetic-ascii"] = function(base)
  local code = tonumber(base)
  return code and (phonetic[code - 96] or folders.ascii(base))
end

-- What a sound file says, told from its name as FreeSWITCH's sounds are named ("ivr/ivr-please_enter_extension.wav"); nil if it tells nothing.
function speech.words(file)
  local base = match(file, "([^/]+)$")
  if not base then return nil end
  base = gsub(base, "%.%w+$", "")
  local folder = folders[match(file, "([^/]+)/[^/]+$") or ""]
  local text = folder and folder(base)
  if not text then text = gsub(gsub(base, "^%a+%-(.)", "%1"), "[_%-]+", " ") end
  return find(text, "%w") and text or nil
end
