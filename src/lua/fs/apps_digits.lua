-- apps_digits.lua: applications on keys: reading and sending them. Keys bound to actions: digit_actions.lua.
local core = ...
local fs = core.fs
local util, variables, wait, channel, apps, digits = fs.util, fs.variables, fs.wait, fs.channel, fs.apps, fs.digits

local find, format, gmatch, match, sub = string.find, string.format, string.gmatch, string.match, string.sub
local define = apps.define

-- What is not given is as if it were 0 or empty; nothing at all is an error.
define("read", "", "`min max file variable timeout_ms terminators [digit_timeout_ms]`", function(ch, text)
  local w = util.separate(text, " ", 7)
  if #w == 0 then return util.err(ch, "No arguments specified.\n") end
  local min = math.max(util.int(w[1]), 1)
  channel.pre_answer(ch)
  digits.read(ch, { min = min, max = math.max(util.int(w[2]), min), prompt = w[3], var = w[4], timeout_ms = math.max(util.int(w[5]), 1000),
    terminators = util.some(w[6]) or "#", digit_timeout_ms = util.int(w[7]) })
end)
define("play_and_get_digits", "", "`min max tries timeout_ms terminators file invalid_file variable regex [digit_timeout_ms] ['failure target']`", function(ch, text)
  local w = util.separate(text, " ", 11)
  if #w == 0 then return util.err(ch, "No arguments specified.\n") end
  local min = math.max(util.int(w[1]), 0)
  channel.pre_answer(ch)
  digits.play_and_get(ch, { min = min, max = math.max(util.int(w[2]), min), tries = util.int(w[3]), timeout_ms = math.max(util.int(w[4]), 1000),
    terminators = util.some(w[5]) or "#", prompt = w[6], invalid = w[7], var = w[8], regex = w[9], digit_timeout_ms = util.int(w[10]),
    transfer_on_failure = w[11] })
end)

-- --- sending ---

local function send(ch, text)
  local keys, duration = match(text, "^%s*([^@%s]+)@?(%d*)")
  if not keys then return end
  local op = wait.op()
  if not digits.send(ch, op.token, keys, tonumber(duration) or 250) then return wait.forget(op) end
end
define("send_dtmf", "M", "`keys[@ms]`: presses keys; w waits 500 ms, W a second", send)
define("queue_dtmf", "", "`keys[@ms][+keys…]`: as if the far end had pressed them", function(ch, text) digits.receive(ch, text) end)
define("flush_dtmf", "", "drops queued keys", function(ch) digits.flush(ch) end)
define("start_dtmf_generate", "", "keys go out as sounds", function(ch) ch:set("dtmf_type", "inband") end)
define("stop_dtmf_generate", "", "keys go out as events again", function(ch) ch:set("dtmf_type", nil) end)
define("block_dtmf", "", "keys are not passed on", function(ch) ch:data().dtmf_blocked = true end)
define("unblock_dtmf", "", "keys are passed on again", function(ch) ch:data().dtmf_blocked = nil end)
