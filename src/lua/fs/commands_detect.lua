-- commands_detect.lua: API commands that have a call listened to, as mod_avmd and mod_spandsp have them.
local core = ...
local fs = core.fs
local define, listening = fs.of_call.define, fs.listening

local format, lower = string.format, string.lower

local AVMD = "<uuid> <start|stop>"

define("avmd", AVMD, "Advanced voicemail detection of beeps", { least = 2, max = 2, usage = "-ERR, bad command!\n-USAGE: ", behind = "\n",
  missing = "-ERR, no FreeSWITCH session for uuid [%s]!\n-USAGE: " .. AVMD .. "\n\n" }, function(ch, w)
    local name = ch:profile("chan_name") or ""
    if lower(w[2]) == "start" then
      listening.avmd_start(ch)
      return format("+OK\n [%s] [%s] started!\n\n", w[1], name)
    elseif lower(w[2]) == "stop" then
      if listening.stop(ch, "avmd") then return format("+OK\n [%s] [%s] stopped\n\n", w[1], name) end
      return format("+ERR, avmd has not yet been started on\n [%s] [%s]\n\n", w[1], name)
    end
    return format("-ERR, did you mean\n api avmd %s start ?\n-USAGE: %s\n\n", w[1], AVMD)
  end)

define("spandsp_start_tone_detect", "<uuid> <name>", "Start background tone detection with cadence",
  { least = 2, max = 2, usage = "-ERR missing descriptor name\n-USAGE: ", missing = "-ERR Cannot locate session\n" }, function(ch)
    return listening.tones_start(ch) and "+OK started\n" or "-ERR failed to start tone detector\n"
  end)
define("spandsp_stop_tone_detect", "<uuid>", "Stop background tone detection with cadence", { max = 1, missing = "-ERR Cannot locate session\n" }, function(ch)
  listening.stop(ch, "progress")
  return "+OK stopped\n"
end)
