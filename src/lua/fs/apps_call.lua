-- apps_call.lua: applications on the call's course: answer, hangup, respond, sleep, park, transfer, schedule, scripts.
local core = ...
local fs = core.fs
local util, variables, headers, wait, channel, apps, transfer = fs.util, fs.variables, fs.headers, fs.wait, fs.channel, fs.apps, fs.transfer

local format, gmatch, lower, match, sub = string.format, string.gmatch, string.lower, string.match, string.sub
local define = apps.define

-- --- answering and ending ---

define("answer", "", "answers the call", function(ch) channel.answer(ch) end)
define("pre_answer", "", "early media", function(ch) channel.pre_answer(ch) end)
define("ring_ready", "", "says that it rings", function(ch) channel.ring(ch) end)
define("hangup", "", "`[cause]` ends the call", function(ch, cause) channel.hangup(ch, util.trim(cause)) end)
define("respond", "", "`code [phrase]`: a SIP response to a call that is not answered", function(ch, text)
  local code, phrase = match(text, "^%s*(%d+)%s*(.*)$")
  code = tonumber(code)
  if not code then
    code, phrase = 488, text
  end
  if ch:kind() ~= "sip" or ch:outbound() or ch:answered() then
    local causes = { [404] = "UNALLOCATED_NUMBER", [486] = "USER_BUSY", [480] = "NO_USER_RESPONSE", [603] = "CALL_REJECTED", [503] = "NORMAL_TEMPORARY_FAILURE",
      [408] = "RECOVERY_ON_TIMER_EXPIRE", [487] = "ORIGINATOR_CANCEL", [488] = "INCOMPATIBLE_DESTINATION", [410] = "NUMBER_CHANGED", [484] = "INVALID_NUMBER_FORMAT",
      [403] = "CALL_REJECTED", [500] = "NORMAL_TEMPORARY_FAILURE", [502] = "NETWORK_OUT_OF_ORDER" }
    if code >= 300 and not ch:answered() then channel.hangup(ch, causes[code] or "NORMAL_UNSPECIFIED") end
    return
  end
  ch:data().hung_by_us = true
  ch:respond(code, util.some(phrase))
  if not ch:up() then channel.over(ch) end
end)
local function redirect(ch, uri)
  if ch:answered() then
    core.request("broker", "CALL_REFER", { uuid = ch:uuid(), to = uri }, 10000)
  else
    ch:data().hung_by_us = true
    ch:respond(302, "Moved Temporarily", uri)
    if not ch:up() then channel.over(ch) end
  end
end
define("redirect", "", "`sip:uri`: 302 before the answer, REFER after it", redirect)
define("deflect", "", "`sip:uri`: REFER of an answered call", redirect)
define("break", "", "ends what runs", function(ch) ch:data().broken = 1 end)
define("early_hangup", "ZI", "hangup hooks run at once", function() end)
define("set_zombie_exec", "ZI", "applications go on after the hangup", function(ch) ch:data().zombie_exec = true end)

-- --- waiting ---

define("sleep", "", "`ms`", function(ch, text)
  local ms = util.int(text)
  local eat = util.truth(ch:get("sleep_eat_digits"))
  wait.serve(ch, { deadline = core.now() + math.max(ms, 0), on_digit = eat and function() end or nil })
end)

-- Waits until the call ends, leaves, or is broken; takes keys away as FreeSWITCH does. park_timeout: `seconds[:cause]`.
define("park", "", "waits for whoever does something with the call", function(ch)
  headers.fire("CHANNEL_PARK", ch)
  local timeout, cause = match(ch:get("park_timeout") or "", "^(%d+):?(.*)$")
  local deadline = timeout and core.now() + tonumber(timeout) * 1000 or nil
  if timeout then
    ch:set("park_timeout", nil)
    ch:set("park_after_bridge", nil)
  end
  while true do
    local how = wait.serve(ch, { deadline = deadline, on_digit = function() end })
    if how == "hangup" then break end
    if how == "timeout" then
      channel.hangup(ch, util.some(cause) or "NORMAL_CLEARING")
      break
    end
  end
  headers.fire("CHANNEL_UNPARK", ch)
end)
define("wait_for_answer", "", "waits for the answer", function(ch)
  wait.serve(ch, { check = function() return ch:answered() end })
end)

-- --- going elsewhere ---

define("transfer", "", "`[-bleg|-both] extension [dialplan [context]]`", function(ch, text) transfer.command(ch, text) end)
define("execute_extension", "", "`extension [dialplan [context]]`: its applications, then on with these", function(ch, text)
  local w = util.separate(text, " ")
  if not w[1] then return end
  local data = ch:data()
  data.nesting = (data.nesting or 0) + 1
  if data.nesting <= 10 then
    local actions = fs.dialplan.lookup(ch, w[1], w[2], w[3])
    if actions then channel.run_actions(ch, actions) else util.err(ch, "execute_extension: no route to %s", w[1]) end
  else
    util.err(ch, "Recursion limit reached!")
  end
  data.nesting = data.nesting - 1
end)

-- --- later ---

-- `[+]time …`: f(ms, words); the task's number is left in last_sched_id if it gives one.
local function later(name, least, summary, f)
  define(name, "", summary, function(ch, text)
    local w = util.separate(text, " ", 5)
    if #w == 0 then return end
    if #w < least then return util.err(ch, "Invalid Args\n") end
    local id = f(ch, fs.schedule.delay(w[1]), w)
    if id then ch:set("last_sched_id", format("%d", id)) end
  end)
end
later("sched_hangup", 1, "`[+]seconds [cause [bleg]]`", function(ch, ms, w)
  if fs.schedule.at_once(w[1]) then channel.hangup(ch, util.some(w[2]) or "ALLOTTED_TIMEOUT") else fs.schedule.hangup(ch, ms, w[2], w[3]) end
end)
later("sched_transfer", 2, "`[+]seconds extension [dialplan [context]]`", function(ch, ms, w) return fs.schedule.transfer(ch, ms, w[2], w[3], w[4]) end)
later("sched_broadcast", 2, "`[+|@]seconds path [aleg|bleg|both]`", function(ch, ms, w) return fs.schedule.broadcast(ch, ms, w[2], w[3]) end)
define("sched_cancel", "", "`[group]`: takes back what was scheduled (for this call)", function(ch, text)
  fs.schedule.cancel(util.some(text) or ch:uuid())
end)

-- --- scripts and commands ---

define("lua", "ZI", "`file [arguments]` or `~code`: a script with `session`", function(ch, text)
  fs.script.run(ch, text)
end)
define("system", "Z", "runs a command of the operating system", function(ch, text)
  ch:set("system_result", tostring(wait.job("system", text)))
end)
define("bgsystem", "Z", "as system, without waiting", function(_, text)
  core.spawn("bgsystem", function() wait.job("system", text) end)
end)
define("curl", "ZI", "`url [headers|json] [get|head|post [data]]`: result in curl_response_data and _code", function(ch, text)
  local reply = fs.curl and fs.curl.command and fs.curl.command(text) or fs.run_api("curl", text, {})
  ch:set("curl_response_data", reply)
  ch:set("curl_response_code", match(reply or "", "HTTP/[%d%.]+ (%d+)") or "200")
end)
define("log", "ZI", "`[LEVEL] text`", function(ch, text)
  local level, rest = match(text, "^([^ ]*) (.*)$")
  core.log(level and util.level_known(level) and util.level(level) or 7, rest or text, ch:uuid())
end)
define("info", "ZI", "logs all about the call", function(ch, level)
  core.log(util.level(util.some(level) or "info"), "CHANNEL_DATA:\n" .. fs.event.text(headers.snapshot(ch)), ch:uuid())
end)
-- What is no name of an event leaves the type that was there; whatever is named comes before the call's own headers.
define("event", "ZI", "`Event-Name=CUSTOM,Event-Subclass=x,name=value`: fires an event with the call's headers", function(ch, text)
  local e = fs.event.make("CHANNEL_APPLICATION")
  for _, item in ipairs(util.separate(text, ",", 25)) do
    local key, value = match(item, "^ *([^=]-) *= *(.*)$")
    local known = key and lower(key)
    if known == "event-name" then
      local number, name = fs.event_types.find(value)
      if number then e.type, e.name = number, name end
      fs.event.set(e, "Event-Name", e.name)
    elseif known == "event-subclass" then
      e.subclass = value
      fs.event.add(e, "Event-Subclass", value)
    elseif key then
      fs.event.add(e, key, value)
    end
  end
  fs.event.merge(e, { list = headers.about(e.name, ch) })
  fs.event.fire(e, ch)
end)
define("session_loglevel", "Z", "how much is logged of this call", function(ch, text) ch:data().loglevel = util.level(text) end)
-- SESSION_HEARTBEAT every so many seconds; 0 ends it.
function apps.heartbeat(ch, seconds)
  local data = ch:data()
  data.heartbeat = (data.heartbeat or 0) + 1
  local mine = data.heartbeat
  if seconds <= 0 then return end
  core.spawn("heartbeat", function()
    while ch:up() and data.heartbeat == mine do
      headers.fire("SESSION_HEARTBEAT", ch, { { "Session-Heartbeat-Interval", seconds } })
      core.wait(seconds * 1000)
    end
  end)
end
define("enable_heartbeat", "Z", "`seconds`: SESSION_HEARTBEAT events; 0 ends them", function(ch, text)
  apps.heartbeat(ch, match(text, "%d+") and util.int(match(text, "%d+")) or 60)
end)
define("privacy", "Z", "`no|yes|full|name|number`", function(ch, mode)
  if mode == "" then return util.err(ch, "No privacy mode specified.\n") end
  local word = lower(mode)
  local all = word == "full" or util.truth(word)
  if not all and word ~= "name" and word ~= "number" and not util.falsity(word) then
    return util.err(ch, "INVALID privacy mode specified. Use a valid mode [no|yes|name|full|number].\n")
  end
  if all or word == "name" then ch:profile_set("privacy_hide_name", "true") end
  if all or word == "number" then ch:profile_set("privacy_hide_number", "true") end
  if util.falsity(word) then
    ch:profile_set("privacy_hide_name", "false")
    ch:profile_set("privacy_hide_number", "false")
  end
end)
define("check_acl", "I", "`address list [cause]`: hangs up what the list does not allow", function(ch, text)
  local address, list, cause = match(text, "^(%S+)%s+(%S+)%s*(%S*)$")
  if address and fs.acl and not fs.acl.check(address, list) then channel.hangup(ch, util.some(cause) or "CALL_REJECTED") end
end)
define("presence", "ZI", "`in|out user status`", function() end)
define("jitterbuffer", "", "`ms[:max[:drift]]`", function(ch, text) ch:set("jitterbuffer_msec", text) end)
define("capture", "Z", "`name|text|pattern`: what matched and its groups, as an array", function(ch, text)
  local w = util.separate(text, "|", 3)
  if #w < 3 then return util.err(ch, "No data specified.\n") end
  local found = core.regex(w[3], w[2])
  if not found then return end
  for i = 0, #found do
    if i == 0 or (found.starts[i] or 0) > 0 then variables.push(ch, w[1], found[i]) end
  end
end)
define("mutex", "", "`name [on|off]`: one call at a time in the named stretch", function(ch, text)
  local name, what = match(text, "^%s*(%S+)%s*(%S*)")
  if not name then return end
  fs.mutexes = fs.mutexes or {}
  local data = ch:data()
  if what ~= "" and util.falsity(what) then
    if fs.mutexes[name] == ch then fs.mutexes[name] = nil end
    return
  end
  while fs.mutexes[name] and fs.mutexes[name] ~= ch and fs.mutexes[name]:up() and not wait.gone(ch) do wait.pause(ch, 50) end
  if ch:up() then fs.mutexes[name] = ch end
  data.mutex = name
end)
