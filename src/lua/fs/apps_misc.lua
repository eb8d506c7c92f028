-- apps_misc.lua: applications on files, time and the engine's own tables, and those that only say that there is nothing of the kind here.
local core = ...
local fs = core.fs
local apps, channel, util, variables, wait = fs.apps, fs.channel, fs.util, fs.variables, fs.wait

local floor, format, lower, match = math.floor, string.format, string.lower, string.match
local ipairs = ipairs
local define = apps.define

-- --- files and time ---

define("mkdir", "", "`path`: makes a folder, with those above it", function(_, path)
  if path ~= "" then wait.job("system", "mkdir -p " .. util.shell_word(path)) end
end)
define("rename", "Z", "`from to`: renames a file", function(ch, text)
  local from, to = match(text, "^(%S+) (%S+)$")
  if not from then return util.err(ch, "Usage: <from_path> <to_path>\n") end
  wait.job("rename", from, to)
end)
define("strftime", "I", "`name=format`: the time as text, in a variable", function(ch, text)
  local name, form = match(text, "^([^=]*)=(.+)$")
  if name and name ~= "" then variables.set(ch, name, core.strftime(form, floor(core.utc_us() / 1000000))) end
end)
define("stop", "I", "does nothing", function() end)

-- --- tables of the engine ---

define("group", "Z", "`insert:name:url`, `delete:name:url`: groups of dial strings, for the command group", function(ch, text)
  local op = lower(match(text, "^[^:]*"))
  if op ~= "insert" and op ~= "delete" then return util.warn(ch, "USAGE: group [insert|delete]:<group name>:<val>\n") end
  fs.run_api("group", text, {})
end)

-- --- what is said to the far end ---

define("send_info", "", "`text`: a SIP INFO with it", function(ch, text)
  if ch:kind() == "sip" then core.note("broker", "CALL_INFO", { uuid = ch:uuid(), content_type = "text/plain", body = text }) end
end)
define("send_display", "", "`name|number`: what the far end's phone is told of us", function(ch, text)
  fs.run_api("uuid_display", ch:uuid() .. " " .. text, {})
end)
define("acknowledge_call", "", "says that the call is known of", function(ch) channel.ring(ch) end)
define("sched_heartbeat", "", "`seconds`: SESSION_HEARTBEAT events; 0 ends them", function(ch, text)
  local seconds = util.int(text)
  if seconds < 0 then return util.err(ch, "Usage: [0|<seconds>]\n") end
  apps.heartbeat(ch, seconds)
end)
define("native_eavesdrop", "M", "`uuid`: as eavesdrop", function(ch, text) apps.execute(ch, "eavesdrop", match(text, "^%S*")) end)
define("remove_bugs", "M", "ends recordings and all listening", function(ch)
  fs.record.stop(ch, "all")
  apps.execute(ch, "stop_tone_detect")
end)
define("vmd", "M", "`start|stop`: the beep of an answering machine, as avmd", function(ch, text)
  apps.execute(ch, lower(match(text, "^%s*(%a*)")) == "stop" and "avmd_stop" or "avmd_start")
end)
define("park_state", "M", "waits, as park does", function(ch) apps.execute(ch, "park") end)

-- --- speech recognition: there is no recogniser ---

local speech_words = { grammar = 1, nogrammar = 1, grammaron = 1, grammaroff = 1, grammarsalloff = 1, pause = 1, resume = 1, stop = 1, param = 1,
  ["start-input-timers"] = 1, start_input_timers = 1 }
define("detect_speech", "M", "`engine grammar path`: an error in the log, since there is no recogniser", function(ch, text)
  local w = util.separate(text, " ", 4)
  if #w == 0 then
    return util.err(ch, "Usage: <mod_name> <gram_name> <gram_path> [<addr>] OR grammar <gram_name> [<path>] OR nogrammar <gram_name>\n")
  end
  if not speech_words[lower(w[1])] then util.err(ch, "Invalid ASR module [%s]: there is no recogniser\n", lower(w[1]) == "init" and w[2] or w[1]) end
end)
define("play_and_detect_speech", "M", "`file detect:engine grammar`: ASR INIT ERROR in current_application_response, since there is no recogniser",
  function(ch, text)
    variables.set(ch, "detect_speech_result", nil)
    local rest = match(text, "detect:(.+)$")
    if not rest or #util.separate(rest, " ", 2) < 2 then
      util.err(ch, "Usage: <file> detect:<engine> {param1=val1,param2=val2}<grammar>\n")
      return apps.response(ch, "USAGE ERROR")
    end
    util.err(ch, "Invalid ASR module [%s]: there is no recogniser\n", match(rest, "^(%S*)"))
    apps.response(ch, "ASR INIT ERROR")
  end)

-- --- what this engine does by itself, or has no use for ---

for _, one in ipairs({ { "media_reset", "", "media always passes through the engine" }, { "filter_codecs", "", "codecs are those of the trunk and of codec_string" },
  { "set_media_stats", "ZI", "statistics are variables at the end of each call" }, { "enable_keepalive", "", "session timers keep calls" },
  { "blind_transfer_ack", "", "transfers are acknowledged" }, { "clear_speech_cache", "M", "no speech handle is kept" },
  { "deduplicate_dtmf", "", "a key heard in two ways counts once" }, { "cng_plc", "I", "lost packets are concealed" },
  { "novideo", "I", "video is never offered" }, { "reuse_caller_profile", "", "a transfer keeps the caller" } }) do
  define(one[1], one[2], "does nothing: " .. one[3], function() end)
end
