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
define("early_hangup", "Z", "hangup hooks run at once", function() end)
define("set_zombie_exec", "Z", "applications go on after the hangup", function(ch) ch:data().zombie_exec = true end)

-- --- waiting ---

define("sleep", "", "`ms`", function(ch, text)
  local ms = util.int(text)
  local eat = util.truth(ch:get("sleep_eat_digits"))
  wait.serve(ch, { deadline = core.now() + math.max(ms, 0), on_digit = eat and function() end or nil })
end)

-- Waits until the call ends, leaves, or is broken; takes keys away as FreeSWITCH does.
define("park", "", "waits for whoever does something with the call", function(ch)
  headers.fire("CHANNEL_PARK", ch)
  local timeout, target = match(ch:get("park_timeout") or "", "^(%d+):?(.*)$")
  local deadline = timeout and core.now() + tonumber(timeout) * 1000 or nil
  ch:set("park_timeout", nil)
  while true do
    local how = wait.serve(ch, { deadline = deadline, on_digit = function() end })
    if how == "hangup" then break end
    if how == "timeout" then
      if util.some(target) then
        local extension, dialplan, context = match(target, "^([^:]*):?([^:]*):?(.*)$")
        transfer.transfer(ch, extension, dialplan, context)
      else
        channel.hangup(ch, "NORMAL_CLEARING")
      end
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

local function delay(text) return fs.schedule.delay(text) end
define("sched_hangup", "", "`[+]seconds [cause]`", function(ch, text)
  local at, rest = match(text, "^%s*(%S+)%s*(.*)$")
  local ms = at and delay(at)
  if ms then fs.schedule.hangup(ch, ms, rest) end
end)
define("sched_transfer", "", "`[+]seconds extension [dialplan [context]]`", function(ch, text)
  local at, rest = match(text, "^%s*(%S+)%s+(.+)$")
  local ms = at and delay(at)
  if ms then fs.schedule.transfer(ch, ms, rest) end
end)
define("sched_broadcast", "", "`[+]seconds path [aleg|bleg|both]`", function(ch, text)
  local at, rest = match(text, "^%s*(%S+)%s+(.+)$")
  local ms = at and delay(at)
  if ms then fs.schedule.broadcast(ch, ms, rest) end
end)
define("sched_cancel", "", "`[group]`: takes back what was scheduled (for this call)", function(ch, text)
  fs.schedule.cancel(util.some(util.trim(text)) or ch:uuid())
end)

-- --- scripts and commands ---

define("lua", "Z", "`file [arguments]` or `~code`: a script with `session`", function(ch, text)
  fs.script.run(ch, text)
end)
define("system", "Z", "runs a command of the operating system", function(ch, text)
  ch:set("system_result", tostring(wait.job("system", text)))
end)
define("bgsystem", "Z", "as system, without waiting", function(_, text)
  core.spawn("bgsystem", function() wait.job("system", text) end)
end)
define("curl", "Z", "`url [headers|json] [get|head|post [data]]`: result in curl_response_data and _code", function(ch, text)
  local reply = fs.curl and fs.curl.command and fs.curl.command(text) or fs.run_api("curl", text, {})
  ch:set("curl_response_data", reply)
  ch:set("curl_response_code", match(reply or "", "HTTP/[%d%.]+ (%d+)") or "200")
end)
define("log", "Z", "`[LEVEL] text`", function(ch, text)
  local level, rest = match(text, "^%s*(%S+)%s(.*)$")
  local known = { console = 1, alert = 1, crit = 1, err = 1, error = 1, warning = 1, notice = 1, info = 1, debug = 1 }
  if level and (known[lower(level)] or match(level, "^%d$")) then core.log(util.level(level), rest, ch:uuid())
  else core.log(7, text, ch:uuid()) end
end)
define("info", "Z", "logs all about the call", function(ch, level)
  core.log(util.level(util.some(level) or "info"), "CHANNEL_DATA:\n" .. fs.event.text(headers.snapshot(ch)), ch:uuid())
end)
define("event", "Z", "`Event-Name=CUSTOM,Event-Subclass=x,name=value`: fires an event with the call's headers", function(ch, text)
  local items = util.delimited(text)
  local name, subclass, more = "CHANNEL_APPLICATION", nil, {}
  for _, item in ipairs(items) do
    local key, value = match(item, "^%s*([^=]-)%s*=(.*)$")
    if key == "Event-Name" then name = string.upper(value)
    elseif key == "Event-Subclass" then subclass = value
    elseif key and key ~= "" then more[#more + 1] = { key, value } end
  end
  if not fs.event_types.number[name] then name = "CHANNEL_APPLICATION" end
  if subclass then name = "CUSTOM" end
  local e = fs.event.make(name, subclass)
  headers.add(e, ch)
  headers.variables(e, ch)
  for i = 1, #more do
    if lower(more[i][1]) == "_body" then e.body = more[i][2] else fs.event.add(e, more[i][1], more[i][2]) end
  end
  fs.event.fire(e, ch)
end)
define("session_loglevel", "Z", "how much is logged of this call", function(ch, text) ch:data().loglevel = util.level(text) end)
define("enable_heartbeat", "Z", "`seconds`: SESSION_HEARTBEAT events; 0 ends them", function(ch, text)
  local seconds = match(text, "%d+") and util.int(match(text, "%d+")) or 60
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
end)
define("privacy", "Z", "`no|yes|full|name|number`", function(ch, text)
  text = lower(util.trim(text))
  local all = text == "full" or util.truth(text)
  ch:profile_set("privacy_hide_name", tostring(all or text == "name"))
  ch:profile_set("privacy_hide_number", tostring(all or text == "number"))
  ch:set("origination_privacy", all and "hide_name:hide_number" or text == "name" and "hide_name" or text == "number" and "hide_number" or nil)
end)
define("check_acl", "", "`address list [cause]`: hangs up what the list does not allow", function(ch, text)
  local address, list, cause = match(text, "^(%S+)%s+(%S+)%s*(%S*)$")
  if address and fs.acl and not fs.acl.check(address, list) then channel.hangup(ch, util.some(cause) or "CALL_REJECTED") end
end)
define("presence", "Z", "`in|out user status`", function() end)
define("jitterbuffer", "", "`ms[:max[:drift]]`", function(ch, text) ch:set("jitterbuffer_msec", text) end)
define("capture", "Z", "`name|text|pattern`: captures of a pattern as an array", function(ch, text)
  local name, subject, pattern = match(text, "^([^|]*)|([^|]*)|(.*)$")
  local found = name and core.regex(pattern, subject)
  if found then
    local list = {}
    for i = 0, #found do list[#list + 1] = found[i] end
    ch:set(name, variables.array_text(list))
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
