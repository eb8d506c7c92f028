-- commands_media.lua: API commands on what a call plays, records and sends: uuid_broadcast, uuid_record, uuid_displace, uuid_hold …
local core = ...
local fs = core.fs
local api, channel, util, of_call = fs.api, fs.channel, fs.util, fs.of_call

local concat, find, format, lower, match, pairs = table.concat, string.find, string.format, string.lower, string.match, pairs
local command, define = api.command, of_call.define

local NO_SESSION, FAILED = "-ERR Cannot locate session!\n", "-ERR Operation failed\n"

-- --- playing ---

local function break_call(name)
  command(name, "<uuid> [all]", name == "break" and "uuid_break" or "Break out of media sent to channel", function(text)
    if text == "" then return api.usage(name) end
    local uuid, flags = match(text, "^([^ ]*) ?(.*)$")
    local ch = channel.find(uuid)
    if not ch then return of_call.NO_CHANNEL end
    local all = find(flags, "all", 1, true) ~= nil
    local partner = find(flags, "both", 1, true) and ch:data().partner
    ch:break_media(all)
    if partner then partner:break_media(all) end
    return "+OK\n"
  end)
end
break_call("uuid_break")
break_call("break")

-- "path", "app::arguments" or "app!cause::arguments": the application, its data, and the cause to hang up with afterwards.
local function broadcast_parts(path)
  local app, data = match(path, "^([^:]*)::(.*)$")
  if not app then return "playback", path end
  local name, cause = match(app, "^([^!]*)!(.*)$")
  return name or app, data, cause and (util.some(cause) or "normal_clearing")
end

-- Hands something to the legs named: aleg, bleg, both, holdb. False without such a call.
function fs.broadcast(ch, path, legs)
  local app, data, cause = broadcast_parts(path)
  local function to(leg) of_call.queue(leg, app, data, { { "broadcast", "true" } }) end
  legs = lower(legs or "aleg")
  local partner = ch:data().partner
  if partner and (find(legs, "both", 1, true) or find(legs, "bleg", 1, true)) then to(partner) end
  if find(legs, "both", 1, true) or find(legs, "aleg", 1, true) then to(ch) end
  if cause then of_call.queue(ch, "hangup", cause) end
end
define("uuid_broadcast", "<uuid> <path> [aleg|bleg|holdb|both]", "Execute dialplan application",
  { least = 2, max = 4, missing = "-ERR invalid uuid\n" }, function(ch, w)
    fs.broadcast(ch, w[2], w[3])
    return "+OK Message sent\n"
  end)

define("uuid_fileman", "<uuid> <cmd>:<val>", "Manage session audio", { least = 2, max = 4 }, function(ch, w)
  local token = ch:data().playing
  if not token then return "-ERR No file handle!\n" end
  if lower(w[2]) == "stop" or fs.callback.control(ch, token, w[2]) then ch:stop(token) end
  return "+OK\n"
end)

define("uuid_displace", "<uuid> [start|stop] <path> [<limit>] [mux]", "Displace audio", { least = 3, max = 5, missing = NO_SESSION }, function(ch, w)
  local action = lower(w[2])
  if action == "start" then
    return fs.displace.start(ch, w[3], w[5], util.int(w[4])) and "+OK Success\n" or "-ERR Cannot displace session!\n"
  elseif action == "stop" then
    return fs.displace.stop(ch, w[3]) and "+OK Success\n" or "-ERR Cannot stop displace session!\n"
  end
  return api.usage("uuid_displace")
end)

define("uuid_audio", "<uuid> [start [read|write] [mute|level <level>]|stop]", "uuid_audio", { least = 2, max = 5 }, function(ch, w)
  local what, side, kind = lower(w[2]), lower(w[3] or ""), lower(w[4] or "")
  if what == "stop" then
    ch:gain(true, 0)
    ch:gain(false, 0)
    ch:mute(false, false)
    return "+OK\n"
  end
  if what ~= "start" or #w < 5 or (side ~= "read" and side ~= "write") then return api.usage("uuid_audio") end
  local level = util.int(w[5])
  if kind == "mute" then fs.apps.mute(ch, side, level ~= 0)
  elseif kind == "level" then ch:gain(side == "read", math.max(-4, math.min(4, level)))
  else return api.usage("uuid_audio") end
  return "+OK\n"
end)

-- --- recording ---

-- The names of what went wrong.
local record_words = { stop = "stop record session", pause = "pause recording session", resume = "resume recording session",
  mask = "mask recording session", unmask = "unmask recording session" }

-- "{a=1,b=2}", URL-encoded: settings for one recording.
local function record_settings(text)
  local inside = match(util.url_decode(text or ""), "^{(.*)}")
  local vars = inside and util.names()
  if vars then fs.dialstring.assign(vars, inside) end
  return vars
end
define("uuid_record", "<uuid> [start|stop|mask|unmask] <path> [<limit>] [<recording_vars>]", "Record session audio",
  { least = 3, max = 5, missing = NO_SESSION }, function(ch, w)
    local action, ok = lower(w[2]), nil
    if action == "start" then
      return fs.record.start(ch, w[3], util.int(w[4]), record_settings(w[5])) and "+OK Success\n" or "-ERR Cannot record session!\n"
    end
    if not record_words[action] then return api.usage("uuid_record") end
    if action == "stop" then ok = fs.record.stop(ch, w[3]) else ok = fs.record.control(ch, w[3], action) end
    return ok and "+OK Success\n" or "-ERR Cannot " .. record_words[action] .. "!\n"
  end)
command("uuid_buglist", "<uuid>", "List media bugs on a session", function(text)
  if text == "" then return api.usage("uuid_buglist") end
  local ch = channel.find(match(text, "^%S+"))
  if not ch then return "" end
  local out = { "<media-bugs>\n" }
  for path, one in pairs(ch:data().recordings or {}) do
    if not one.stopped then
      out[#out + 1] = format(" <media-bug>\n  <function>session_record</function>\n  <target>%s</target>\n  <thread-locked>0</thread-locked>\n </media-bug>\n",
        util.xml_escape(path))
    end
  end
  return concat(out) .. "</media-bugs>\n"
end)

-- --- hold and what the phone shows ---

command("uuid_hold", "[off|toggle] <uuid> [<display>]", "Place call on hold", function(text)
  local w = util.separate(text, " ", 4)
  if not w[1] then return api.usage("uuid_hold") .. FAILED end
  local word = lower(w[1])
  local ch = channel.find((word == "off" or word == "toggle") and w[2] or w[1])
  if not ch then return FAILED end
  local held = ch:data().held == true
  local on = word == "toggle" and not held or word ~= "off" and word ~= "toggle"
  if on and held then return FAILED end
  fs.apps.hold(ch, on)
  return "+OK Success\n"
end)
define("uuid_display", "<uuid> <display>", "Update phone display", { least = 2, max = 2, missing = FAILED }, function(ch, w)
  local name, number = match(w[2], "^([^|]*)|?(.*)$")
  ch:profile_set("callee_id_name", name)
  if number ~= "" then ch:profile_set("callee_id_number", number) end
  return "+OK Success\n"
end)
local function pause_call(name)
  define(name, "<uuid> <on|off>", "Pause media on a channel", { least = 2, max = 4 }, function(ch, w)
    local on = lower(w[2]) == "on"
    ch:mute(on, on)
    return ""
  end)
end
pause_call("uuid_pause")
pause_call("pause")

local CAPITAL = "-ERR Operation Failed\n"
command("uuid_send_info", "<uuid> [<mime_type> <mime_subtype>] <message>", "Send info to the endpoint", function(text)
  local w = util.separate(text, " ", 4)
  if #w < 1 or #w == 3 then return api.usage("uuid_send_info") .. CAPITAL end
  local ch = channel.find(w[1])
  if not ch then return CAPITAL end
  local kind = #w > 3 and w[2] .. "/" .. w[3] or "text/plain"
  if ch:kind() == "sip" then core.note("broker", "CALL_INFO", { uuid = ch:uuid(), content_type = kind, body = w[4] or w[2] or "" }) end
  return "+OK Success\n"
end)

-- --- known names for what this engine does not do ---
-- Media always passes through it, its jitter buffer sets itself. An error, not a pretence; the forms of the arguments are those of FreeSWITCH.

local function not_here(name, syntax, help, o)
  o.max = o.max or 5
  define(name, syntax, help, o, function() return o.missing end)
end
not_here("uuid_media", "[off] <uuid>", "Reinvite FS in or out of media path", { behind = FAILED, missing = FAILED })
not_here("uuid_media_3p", "[off] <uuid>", "Reinvite FS in or out of media path using 3pcc", { behind = FAILED, missing = FAILED })
not_here("uuid_media_reneg", "<uuid>[ <codec_string>]", "Media negotiation", { behind = CAPITAL, missing = CAPITAL, max = 2 })
not_here("uuid_jitterbuffer", "<uuid> [0|<min_msec>[:<max_msec>]]", "uuid_jitterbuffer", { least = 2, missing = FAILED })
not_here("uuid_debug_media", "<uuid> <read|write|both|vread|vwrite|vboth|all> <on|off>", "Debug media", { least = 3, missing = FAILED })
not_here("uuid_phone_event", "<uuid>", "Send an event to the phone", { behind = FAILED, missing = FAILED })
not_here("uuid_simplify", "<uuid>", "Try to cut out of a call path / attended xfer", { missing = FAILED })
command("uuid_chat", "<uuid> <text>", "Send a chat message", function(text)
  local uuid = match(text, "^([^ ]+) .")
  if not uuid then return api.usage("uuid_chat") end
  return channel.find(uuid) and "-ERR Send failed\n" or "-ERR No such channel " .. uuid .. "!\n"
end)
command("uuid_send_message", "<uuid> <message>", "Send MESSAGE to the endpoint", function(text)
  local w = util.separate(text, " ", 2)
  if #w < 2 then return api.usage("uuid_send_message") end
  return channel.find(w[1]) and CAPITAL or "-ERR Unable to find session for UUID\n"
end)
command("uuid_preprocess", "<>", "Pre-process Channel", function(text)
  local w = util.separate(text, " ", 3)
  if #w < 2 then return api.usage("uuid_preprocess") end
  return channel.find(w[1]) and FAILED or of_call.NO_CHANNEL
end)
