-- commands_call.lua: API commands that work on one call: uuid_*: its variables, its states, where it goes, its keys. What it plays and
-- records is in commands_media.lua.
local core = ...
local fs = core.fs
local api, channel, event, headers, util, variables = fs.api, fs.channel, fs.event, fs.headers, fs.util, fs.variables

local concat, gsub, ipairs, lower, match, sub, tonumber, unpack =
  table.concat, string.gsub, ipairs, string.lower, string.match, string.sub, tonumber, unpack
local command = api.command

local of_call = { NO_CHANNEL = "-ERR No such channel!\n" }
fs.of_call = of_call
local NO_CHANNEL = of_call.NO_CHANNEL

-- A command whose first word is a call's uuid. o: least, most = how many words, the uuid counted, there must be (otherwise its syntax is the
-- answer), max = the word that takes the rest, missing = the answer without such a call (%s: the uuid), usage = what stands before the
-- syntax, behind = what is said after it. f(ch, words, context).
function of_call.define(name, syntax, help, o, f)
  command(name, syntax, help, function(text, context)
    local words = util.separate(text, " ", o.max or 4)
    if #words < (o.least or 1) or #words > (o.most or 100) then return (o.usage or "-USAGE: ") .. syntax .. "\n" .. (o.behind or "") end
    local ch = channel.find(words[1])
    if not ch then return (gsub(o.missing or NO_CHANNEL, "%%s", words[1] or "")) end
    return f(ch, words, context)
  end)
end
local define = of_call.define

-- A command whose whole argument is the uuid.
local function whole(name, help, missing, f, syntax)
  command(name, syntax or "<uuid>", help, function(uuid)
    local ch = channel.find(uuid)
    if not ch then return missing end
    return f(ch)
  end)
end

-- A command for the fiber that serves the call: it runs when the call next listens.
function of_call.queue(ch, app, data, extra)
  local list = { { "call-command", "execute" }, { "execute-app-name", app } }
  if data and data ~= "" then list[#list + 1] = { "execute-app-arg", data } end
  for i = 1, extra and #extra or 0 do list[#list + 1] = extra[i] end
  fs.messages.send(ch, list)
end
fs.queue_app = of_call.queue

command("uuid_exists", "<uuid>", "Check if a uuid exists", function(uuid) return channel.find(uuid) and "true" or "false" end)

command("uuid_kill", "<uuid> [cause]", "Kill channel", function(text)
  if text == "" then return api.usage("uuid_kill") end
  local uuid, cause = match(text, "^([^ ]*) ?(.*)$")
  local ch = channel.find(uuid)
  if not ch then return NO_CHANNEL end
  channel.hangup(ch, util.some(cause) or "NORMAL_CLEARING")
  return "+OK\n"
end)

-- --- variables ---

command("uuid_getvar", "<uuid> <var>", "Get a variable from a channel", function(text)
  local words = util.separate(text, " ", 4)
  if #words < 2 then return api.usage("uuid_getvar") end
  local ch = channel.find_any(words[1])
  if not ch then return NO_CHANNEL end
  return variables.get_indexed(ch, words[2]) or "_undef_"
end)
define("uuid_setvar", "<uuid> <var> [value]", "Set a variable", { least = 2, max = 3 }, function(ch, w)
  variables.set(ch, w[2], w[3])
  return "+OK\n"
end)
local multi_syntax = "<uuid> <var>=<value>;<var>=<value>..."
command("uuid_setvar_multi", multi_syntax, "Set multiple variables", function(text)
  if text == "" then return api.usage("uuid_setvar_multi") end
  local uuid, rest = match(text, "^([^ ]*) (.*)$")
  if not uuid then return "" end
  local ch = channel.find(uuid)
  if not ch then return NO_CHANNEL .. api.usage("uuid_setvar_multi") end
  local out, set = "", false
  for _, item in ipairs(util.separate(rest, ";", 64)) do
    local name, value = match(item, "^([^=]*)=(.*)$")
    if (name or item) == "" then
      out = out .. "-ERR No variable specified\n"
    else
      variables.set(ch, name or item, value)
      set = true
    end
  end
  return out .. (set and "+OK\n" or api.usage("uuid_setvar_multi"))
end)
define("uuid_dump", "<uuid> [format]", "Dump session vars", { max = 2 }, function(ch, w)
  local e = headers.snapshot(ch)
  local form = lower(w[2] or "txt")
  if form == "xml" then return event.xml(e) end
  if form == "json" then return event.json(e) end
  if form ~= "plain" then return event.text(e) end
  local out = {}
  for i = 1, #e.list do out[i] = e.list[i][1] .. ": [" .. e.list[i][2] .. "]\n" end
  return concat(out) .. "\n"
end)

-- --- states ---

local ERROR = "-ERROR\n"
whole("uuid_answer", "answer", ERROR, function(ch) return channel.answer(ch) and "+OK\n" or ERROR end)
whole("uuid_pre_answer", "pre_answer", ERROR, function(ch) return channel.pre_answer(ch) and "+OK\n" or ERROR end)
whole("uuid_early_ok", "stop ignoring early media", ERROR, function(ch)
  ch:data().early_ok = true
  return ""
end)
define("uuid_ring_ready", "<uuid> [queued]", "Sending ringing to a channel", { max = 2, missing = ERROR }, function(ch, w)
  if w[2] and lower(w[2]) ~= "queued" then return api.usage("uuid_ring_ready") end
  channel.ring(ch)
  return "+OK\n"
end)
whole("uuid_park", "Park channel", NO_CHANNEL, function(ch) return fs.transfer.inline(ch, "park") and "+OK\n" or "-ERR\n" end)
whole("uuid_zombie_exec", "Set zombie_exec flag on the specified uuid", "-ERR no such session\n", function(ch)
  ch:data().zombie_exec = true
  return "+OK MMM Brains...\n"
end)
define("uuid_xfer_zombie", "<uuid>", "Allow A leg to hangup and continue originating",
  { behind = "-ERR Operation Failed\n", missing = "-ERR Operation Failed\n", max = 2 }, function(ch)
    ch:data().xfer_zombie = true
    return "+OK Success\n"
  end)
command("uuid_outgoing_answer", "<uuid>", "Answer outgoing channel", function(uuid)
  if uuid == "" then return api.usage("uuid_outgoing_answer") end
  local ch = channel.find(uuid)
  if not ch then return NO_CHANNEL end
  if not ch:outbound() then return "-ERR Not an outbound channel!\n" end
  if not ch:answered() then
    ch:answer()
    channel.notice(ch)
  end
  return "+OK\n"
end)

-- --- going elsewhere ---

define("uuid_transfer", "<uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]", "Transfer a session", { least = 2, most = 5, max = 5 },
  function(ch, w)
    local which = lower(match(w[2], "^%-(.*)$") or "")
    if sub(w[2], 1, 1) == "-" then table.remove(w, 2) end
    local partner = ch:data().partner
    if which == "bleg" then
      ch = partner or ch
    elseif which == "both" and partner then
      fs.transfer.transfer(partner, w[2], w[3], w[4])
    end
    return fs.transfer.transfer(ch, w[2], w[3], w[4]) and "+OK\n" or "-ERR\n"
  end)

-- "extension[/dialplan[/context]]"; an extension that ends in "/inline" may have slashes within.
local function target(text)
  local list = match(text, "^(.*)/inline$")
  if list then return list, "inline" end
  return match(text, "^([^/]*)/?([^/]*)/?(.*)$")
end
define("uuid_dual_transfer", "<uuid> <A-dest-exten>[/<A-dialplan>][/<A-context>] <B-dest-exten>[/<B-dialplan>][/<B-context>]",
  "Transfer a session and its partner", { least = 3, most = 3, max = 5 }, function(ch, w)
    local partner = ch:data().partner
    if partner then fs.transfer.transfer(partner, target(w[3])) end
    fs.transfer.transfer(ch, target(w[2]))
    return "+OK\n"
  end)

local function has_media(ch) return ch:answered() or ch:early() end

command("uuid_bridge", "<uuid> <other_uuid>", "Bridge call legs", function(text)
  local words = util.separate(text, " ", 4)
  if #words < 2 then return api.usage("uuid_bridge") end
  local a = channel.find(words[1])
  for i = 2, math.min(#words, 3) do
    local b = channel.find(words[i])
    if a and (not b or b:data().lent) and fs.loan.join(a, words[i]) then return "+OK " .. words[i] .. "\n" end
    if a and b and (has_media(a) or has_media(b)) then
      if not has_media(a) then a, b = b, a end
      if fs.bridge.join(a, b) then return "+OK " .. words[i] .. "\n" end
    end
  end
  return "-ERR Invalid uuid\n"
end)

-- sofia says nothing in reply to these two: the address comes back.
local function redirect(name, help, app)
  define(name, "<uuid> <uri>", help, { least = 2, max = 2, missing = "-ERR No such channel %s!\n" }, function(ch, w)
    of_call.queue(ch, app, w[2])
    return "+OK:" .. w[2] .. "\n"
  end)
end
redirect("uuid_deflect", "Send a deflect", "deflect")
redirect("uuid_redirect", "Send a redirect", "redirect")

-- --- keys ---

local NO_SESSION = "-ERR Cannot locate session!\n"
define("uuid_send_dtmf", "<uuid> <dtmf_data>", "Send dtmf digits", { least = 2, max = 2, missing = NO_SESSION }, function(ch, w)
  local digits, duration = match(w[2], "^([^@]*)@?(%d*)")
  fs.digits.send(ch, core.token(), gsub(digits, "%s", ""), tonumber(duration) or 250)
  return "+OK " .. ch:uuid() .. " sent DTMF " .. w[2] .. ".\n"
end)
define("uuid_recv_dtmf", "<uuid> <dtmf_data>", "Receive dtmf digits", { least = 2, max = 2, missing = NO_SESSION }, function(ch, w)
  if fs.digits.receive(ch, w[2]) == false then return api.usage("uuid_recv_dtmf") end
  return "+OK " .. ch:uuid() .. " received DTMF " .. w[2] .. ".\n"
end)
define("uuid_drop_dtmf", "<uuid> [on | off ] [ mask_digits <digits> | mask_file <file>]", "Drop all DTMF or replace it with a mask",
  { least = 4, max = 5, missing = "-ERR No such channel %s!\n" }, function(ch, w)
    local mask = lower(w[3])
    ch:set("drop_dtmf_masking_digits", nil)
    ch:set("drop_dtmf_masking_file", nil)
    if mask == "mask_digits" then ch:set("drop_dtmf_masking_digits", w[4])
    elseif mask == "mask_file" then ch:set("drop_dtmf_masking_file", w[4])
    else return api.usage("uuid_drop_dtmf") end
    local on = lower(w[2]) == "on"
    ch:set("drop_dtmf", on and "true" or "false")
    return string.format("+OK %s is %s DTMF. mask_file: %s mask_digits: %s\n", ch:uuid(), on and "dropping" or "not dropping",
      ch:get("drop_dtmf_masking_file") or "NONE", ch:get("drop_dtmf_masking_digits") or "NONE")
  end)
whole("uuid_flush_dtmf", "Flush dtmf on a given uuid", "-ERR No such session\n", function(ch)
  fs.digits.flush(ch)
  return "+OK\n"
end)

-- --- limits ---

local limit_syntax = "<uuid> <backend> <realm> <resource> [<max>[/interval]] [number [dialplan [context]]]"
define("uuid_limit", limit_syntax, "Increase limit resource",
  { least = 4, max = 8, usage = "USAGE: uuid_limit ", missing = "-ERR Cannot find session with uuid %s\n" }, function(ch, w)
    fs.limits.apply(ch, { unpack(w, 2, 8) })
    return "+OK"
  end)
define("uuid_limit_release", "<uuid> <backend> [realm] [resource]", "Release limit resource",
  { least = 2, max = 5, usage = "USAGE: uuid_limit_release ", missing = "-ERR Cannot find session with uuid %s\n" }, function(ch, w)
    fs.limits.release(ch, w[3], w[4])
    return "+OK"
  end)

-- --- the rest ---

command("uuid_loglevel", "<uuid> <level>", "Set loglevel on session", function(text)
  local uuid, level = match(text, "^([^ ]*) (.+)$")
  local both = level and match(level, "^%-[bB][^ ]* ?(.*)$")
  level = both or level
  if not util.some(uuid) or not util.some(level) then return api.usage("uuid_loglevel") end
  if not util.level_known(level) then return "-ERR Invalid log level!\n" end
  local ch = channel.find(uuid)
  if not ch then return "-ERR No such channel " .. uuid .. "!\n" end
  ch:data().loglevel = util.level(level)
  local partner = both and ch:data().partner
  if partner then partner:data().loglevel = util.level(level) end
  return "+OK\n"
end)
local beat_syntax = "uuid_session_heartbeat <uuid> [sched] [0|<seconds>]"
define("uuid_session_heartbeat", "<uuid> [sched] [0|<seconds>]", "uuid_session_heartbeat",
  { least = 2, max = 3, usage = "-USAGE: uuid_session_heartbeat ", missing = "-ERR Cannot locate session. USAGE: " .. beat_syntax .. "\n" }, function(ch, w)
    local value = lower(w[2]) == "sched" and w[3] or w[2]
    local seconds = 60
    if match(value or "", "^[+-]?[%d.]+$") then
      if util.int(value) > 0 then seconds = util.int(value) end
    elseif not util.truth(value) then
      seconds = 0
    end
    fs.apps.heartbeat(ch, seconds)
    return "+OK\n"
  end)
