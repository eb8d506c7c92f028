-- commands_call.lua: API commands that work on one call: uuid_*.
local core = ...
local fs = core.fs
local api, channel, event, headers, util, variables, wait = fs.api, fs.channel, fs.event, fs.headers, fs.util, fs.variables, fs.wait

local concat, find, format, gmatch, gsub, lower, match, sub, tonumber =
  table.concat, string.find, string.format, string.gmatch, string.gsub, string.lower, string.match, string.sub, tonumber
local command = api.command

local NO_CHANNEL = "-ERR No such channel!\n"

-- A command whose first word is a call's uuid. f(ch, rest, context); `missing` is answered without such a call, `least` counts the words
-- that must follow the uuid.
local function of_call(name, syntax, help, missing, least, f)
  command(name, syntax, help, function(text, context)
    local uuid, rest = match(text, "^(%S+)%s*(.*)$")
    if not uuid then return api.usage(name) end
    local ch = channel.find(uuid)
    if not ch then return missing end
    local words = 0
    for _ in gmatch(rest, "%S+") do words = words + 1 end
    if words < least then return api.usage(name) end
    return f(ch, rest, context)
  end)
end

-- A command for the fiber that serves the call: it runs when the call next listens.
local function queue_app(ch, app, data, extra)
  local list = { { "call-command", "execute" }, { "execute-app-name", app } }
  if data and data ~= "" then list[#list + 1] = { "execute-app-arg", data } end
  for i = 1, extra and #extra or 0 do list[#list + 1] = extra[i] end
  fs.messages.send(ch, list)
end
fs.queue_app = queue_app

command("uuid_exists", "<uuid>", "true or false", function(uuid) return channel.find(uuid) and "true" or "false" end)

of_call("uuid_kill", "<uuid> [<cause>]", "hangs up", NO_CHANNEL, 0, function(ch, cause)
  channel.hangup(ch, util.some(cause) or "NORMAL_CLEARING")
  return "+OK\n"
end)

-- --- variables ---

command("uuid_getvar", "<uuid> <var>", "one variable", function(text)
  local uuid, name = match(text, "^(%S+)%s+(%S+)")
  if not uuid then return api.usage("uuid_getvar") end
  local ch = channel.find_any(uuid)
  if not ch then return NO_CHANNEL end
  return variables.get(ch, name) or "_undef_"
end)
command("uuid_setvar", "<uuid> <var> [<value>]", "sets or unsets a variable", function(text)
  local uuid, name, value = match(text, "^(%S+)%s+(%S+)%s*(.*)$")
  if not uuid then return api.usage("uuid_setvar") end
  local ch = channel.find(uuid)
  if not ch then return NO_CHANNEL end
  variables.set(ch, name, value)
  return "+OK\n"
end)
command("uuid_setvar_multi", "<uuid> <var>=<value>;<var>=<value>…", "sets several variables", function(text)
  local uuid, rest = match(text, "^(%S+)%s+(.+)$")
  if not uuid then return api.usage("uuid_setvar_multi") end
  local ch = channel.find(uuid)
  if not ch then return NO_CHANNEL end
  for item in gmatch(rest, "[^;]+") do
    local name, value = match(item, "^%s*([^=]+)=?(.*)$")
    if name then variables.set(ch, name, value) end
  end
  return "+OK\n"
end)
of_call("uuid_dump", "<uuid> [txt|plain|xml|json]", "everything about a call", NO_CHANNEL, 0, function(ch, form)
  local e = headers.snapshot(ch)
  form = lower(form)
  if form == "xml" then return event.xml(e) end
  if form == "json" then return event.json(e) end
  if form ~= "plain" then return event.text(e) end
  local out = {}
  for i = 1, #e.list do out[i] = e.list[i][1] .. ": [" .. e.list[i][2] .. "]\n" end
  return concat(out)
end)

-- --- states ---

of_call("uuid_answer", "<uuid>", "answers", "-ERROR\n", 0, function(ch)
  return channel.answer(ch) and "+OK\n" or "-ERROR\n"
end)
of_call("uuid_pre_answer", "<uuid>", "early media", "-ERROR\n", 0, function(ch) return channel.pre_answer(ch) and "+OK\n" or "-ERROR\n" end)
of_call("uuid_ring_ready", "<uuid> [queued]", "ringing", "-ERROR\n", 0, function(ch) return channel.ring(ch) and "+OK\n" or "-ERROR\n" end)
of_call("uuid_park", "<uuid>", "parks", NO_CHANNEL, 0, function(ch)
  return fs.transfer.inline(ch, "park") and "+OK\n" or "-ERR\n"
end)

command("uuid_transfer", "<uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]", "routes the call anew", function(text)
  local uuid, rest = match(text, "^(%S+)%s+(.+)$")
  if not uuid then return api.usage("uuid_transfer") end
  local ch = channel.find(uuid)
  if not ch then return NO_CHANNEL end
  return fs.transfer.command(ch, rest) and "+OK\n" or "-ERR\n"
end)
command("uuid_dual_transfer", "<uuid> <A-dest-exten>[/<A-dialplan>][/<A-context>] <B-dest-exten>[/<B-dialplan>][/<B-context>]", "both legs of a bridge",
  function(text)
    local uuid, a, b = match(text, "^(%S+)%s+(%S+)%s+(%S+)$")
    if not uuid then return api.usage("uuid_dual_transfer") end
    local ch = channel.find(uuid)
    local other = ch and ch:data().partner
    if not ch then return NO_CHANNEL end
    if not other then return "-ERR channel is not bridged!\n" end
    fs.transfer.command(other, (gsub(b, "/", " ")))
    fs.transfer.command(ch, (gsub(a, "/", " ")))
    return "+OK\n"
  end)
command("uuid_bridge", "<uuid> <other_uuid>", "joins two calls", function(text)
  local one, two = match(text, "^(%S+)%s+(%S+)$")
  if not one then return api.usage("uuid_bridge") end
  local a, b = channel.find(one), channel.find(two)
  if a and not b and fs.remote.refuse(a, two) then return "-ERR the calls live on different workers\n" end
  if not a or not b then return "-ERR Invalid uuid\n" end
  if not fs.bridge.join(a, b) then return "-ERR Invalid uuid\n" end
  return "+OK " .. b:uuid() .. "\n"
end)

-- --- digits ---

of_call("uuid_send_dtmf", "<uuid> <dtmf digits>[@<tone_duration>]", "presses keys", "-ERR Cannot locate session!\n", 1, function(ch, text)
  local digits, duration = match(text, "^([^@]+)@?(%d*)")
  ch:send_digits(core.token(), gsub(digits, "%s", ""), tonumber(duration) or 250)
  return "+OK " .. ch:uuid() .. " sent DTMF " .. text .. ".\n"
end)
command("uuid_recv_dtmf", "<uuid> <dtmf_data>", "as if the far end pressed keys", function(text)
  local uuid, rest = match(text, "^(%S+)%s+(.+)$")
  if not uuid then return api.usage("uuid_recv_dtmf") end
  local ch = channel.find(uuid)
  if not ch then return "-ERR Cannot locate session!\n" end
  local digits, duration = match(rest, "^([^@]+)@?(%d*)")
  if not digits or find(digits, "[^%d%*#A-Da-dwW~]") then return api.usage("uuid_recv_dtmf") end
  local samples = (tonumber(duration) or 250) * 8
  for d in gmatch(digits, "[%d%*#A-Da-d]") do ch:queue_digit(d, samples) end
  return "+OK " .. ch:uuid() .. " received DTMF " .. rest .. ".\n"
end)
of_call("uuid_flush_dtmf", "<uuid>", "drops queued keys", "-ERR No such session\n", 0, function(ch)
  ch:flush_digits()
  return "+OK\n"
end)

-- --- media ---

of_call("uuid_break", "<uuid> [all]", "ends what is playing", NO_CHANNEL, 0, function(ch, text)
  ch:break_media(find(text, "all", 1, true) ~= nil)
  return "+OK\n"
end)

-- A path, or app::arguments; for the call, its partner or both.
command("uuid_broadcast", "<uuid> <path> [aleg|bleg|holdb|both]", "plays or runs something beside", function(text)
  local uuid, rest = match(text, "^(%S+)%s+(.+)$")
  if not uuid then return api.usage("uuid_broadcast") end
  local ch = channel.find(uuid)
  if not ch then return "-ERR invalid uuid\n" end
  local path, which = match(rest, "^(.-)%s+([ab]leg)$")
  if not path then path, which = match(rest, "^(.-)%s+(both)$") end
  if not path then path, which = match(rest, "^(.-)%s+(holdb)$") end
  path, which = path or rest, which or "aleg"
  local app, data = match(path, "^([%w_]+)::?(.*)$")
  if not (app and find(path, "::", 1, true)) then app, data = "playback", path end
  local function to(leg) queue_app(leg, app, data, { { "broadcast", "true" } }) end
  local partner = ch:data().partner
  if which ~= "bleg" then to(ch) end
  if (which == "bleg" or which == "both") and partner then to(partner) end
  return "+OK Message sent\n"
end)

of_call("uuid_fileman", "<uuid> <cmd>:<val>", "speed, volume, pause, seek … of what plays", NO_CHANNEL, 1, function(ch, text)
  local token = ch:data().playing
  if not token then return "-ERR No file handle!\n" end
  if lower(text) == "stop" then
    ch:stop(token)
  elseif fs.callback.control(ch, token, text) then
    ch:stop(token)
  end
  return "+OK\n"
end)

command("uuid_record", "<uuid> [start|stop|mask|unmask|pause|resume] <path> [<limit>] [<vars>]", "records the call", function(text)
  local uuid, what, path, rest = match(text, "^(%S+)%s+(%S+)%s+(%S+)%s*(.*)$")
  if not uuid then return api.usage("uuid_record") end
  local ch = channel.find(uuid)
  if not ch then return "-ERR Cannot locate session!\n" end
  if what == "start" then
    return fs.record.start(ch, path, util.int(match(rest, "^%d+"))) and "+OK Success\n" or "-ERR Cannot record session!\n"
  elseif what == "stop" then
    return fs.record.stop(ch, path) and "+OK Success\n" or "-ERR Cannot stop record session!\n"
  elseif what == "mask" or what == "unmask" or what == "pause" or what == "resume" then
    return fs.record.control(ch, path, what) and "+OK Success\n" or "-ERR Cannot " .. what .. " record session!\n"
  end
  return api.usage("uuid_record")
end)
of_call("uuid_displace", "<uuid> [start|stop] <path> [<limit>] [mux]", "plays over the call's own audio", "-ERR Cannot locate session!\n", 2, function(ch, text)
  local what, path, rest = match(text, "^(%S+)%s+(%S+)%s*(.*)$")
  queue_app(ch, what == "stop" and "stop_displace_session" or "displace_session", path .. (rest ~= "" and " " .. rest or ""))
  return "+OK Success\n"
end)
of_call("uuid_audio", "<uuid> [start [read|write] [mute|level <level>]|stop]", "volume of one direction", NO_CHANNEL, 1, function(ch, text)
  local what, side, kind, level = match(text, "^(%S+)%s*(%S*)%s*(%S*)%s*(%-?%d*)")
  if what == "stop" then
    ch:gain(true, 0)
    ch:gain(false, 0)
    ch:mute(false, false)
  elseif what == "start" then
    if kind == "mute" then ch:mute(side == "read", side == "write") else ch:gain(side == "read", tonumber(level) or 0) end
  end
  return "+OK\n"
end)

-- --- the rest ---

of_call("uuid_display", "<uuid> <name>|<number>", "what the phone shows", "-ERR Operation failed\n", 1, function(ch, text)
  local name, number = match(text, "^([^|]*)|?(.*)$")
  ch:profile_set("callee_id_name", name)
  if number ~= "" then ch:profile_set("callee_id_number", number) end
  return "+OK Success\n"
end)
of_call("uuid_simplify", "<uuid>", "takes the engine out of a call's path", "-ERR Operation failed\n", 0, function() return "-ERR Operation failed\n" end)
command("uuid_loglevel", "<uuid> <level>", "how much is logged of this call", function(text)
  local uuid, level = match(text, "^(%S+)%s+(%S+)")
  if not uuid then return api.usage("uuid_loglevel") end
  local ch = channel.find(uuid)
  if not ch then return "-ERR No such channel " .. uuid .. "!\n" end
  ch:data().loglevel = util.level(level)
  return "+OK\n"
end)
command("uuid_hold", "[off|toggle] <uuid> [<display>]", "puts a call on hold", function(text)
  local first, rest = match(text, "^(%S+)%s*(%S*)")
  if not first then return api.usage("uuid_hold") end
  local off = (first == "off" or first == "toggle") and first
  local ch = channel.find(off and rest or first)
  if not ch then return "-ERR No such channel!\n" end
  local data = ch:data()
  if off == "toggle" then data.held = not data.held else data.held = not off or nil end
  core.request("broker", "CALL_REINVITE", { uuid = ch:uuid(), action = data.held and "hold" or "unhold" }, 5000)
  headers.fire(data.held and "CHANNEL_HOLD" or "CHANNEL_UNHOLD", ch)
  return "+OK Success\n"
end)
of_call("uuid_session_heartbeat", "<uuid> [sched] [0|<seconds>]", "SESSION_HEARTBEAT events", NO_CHANNEL, 0, function(ch, text)
  queue_app(ch, "enable_heartbeat", text)
  return "+OK\n"
end)
of_call("uuid_buglist", "<uuid>", "what listens to the call", "-ERR No such channel!\n", 0, function(ch)
  local out = { "<media-bugs>\n" }
  for path in pairs(ch:data().recordings or {}) do
    out[#out + 1] = format("<media-bug><function>session_record</function><target>%s</target></media-bug>\n", util.xml_escape(path))
  end
  out[#out + 1] = "</media-bugs>\n"
  return concat(out)
end)
of_call("uuid_limit", "<uuid> <backend> <realm> <resource> [<max>]", "takes a limit", NO_CHANNEL, 3, function(ch, text)
  local _, realm, id, max = match(text, "^(%S+)%s+(%S+)%s+(%S+)%s*(%-?%d*)")
  return fs.limits.take(ch, realm, id, tonumber(max) or -1) and "+OK\n" or "-ERR limit reached\n"
end)
of_call("uuid_limit_release", "<uuid> <backend> [realm] [resource]", "gives a limit back", NO_CHANNEL, 0, function(ch, text)
  local _, realm, id = match(text, "^(%S+)%s*(%S*)%s*(%S*)")
  fs.limits.release(ch, util.some(realm), util.some(id))
  return "+OK\n"
end)
local function redirect(name, help)
  of_call(name, "<uuid> <uri>", help, NO_CHANNEL, 1, function(ch, uri)
    queue_app(ch, name == "uuid_deflect" and "deflect" or "redirect", uri)
    return "+OK:" .. (match(uri, "%S+") or "") .. "\n"
  end)
end
redirect("uuid_deflect", "sends an answered call elsewhere (REFER)")
redirect("uuid_redirect", "sends an unanswered call elsewhere (302)")
of_call("uuid_send_info", "<uuid> [<mime type>] [<body>]", "SIP INFO", NO_CHANNEL, 0, function(ch, text)
  core.note("broker", "CALL_INFO", { uuid = ch:uuid(), content_type = "text/plain", body = text })
  return "+OK\n"
end)
of_call("uuid_pause", "<uuid> <on|off>", "stops and starts media", NO_CHANNEL, 1, function(ch, text)
  ch:mute(util.truth(text), util.truth(text))
  return "+OK\n"
end)
-- Known names for things that this engine does not do: media always passes through it, its jitter buffer sets itself. An error, not a pretence.
for _, c in ipairs({ { "uuid_media", "[off] <uuid>", "media past the engine: not done here" },
  { "uuid_media_reneg", "<uuid> [<codec string>]", "new codecs in mid-call: not done here" },
  { "uuid_jitterbuffer", "<uuid> [0|<ms>[:<max>]]", "jitter buffer: it sets itself" },
  { "uuid_debug_media", "<uuid> <read|write|both> <on|off>", "RTP log: not done here" },
  { "uuid_phone_event", "<uuid> <event>", "talk and hold events to a phone: not done here" },
  { "uuid_chat", "<uuid> <text>", "text to a call: not done here" } }) do
  of_call(c[1], c[2], c[3], NO_CHANNEL, 0, function() return "-ERR Operation failed\n" end)
end
