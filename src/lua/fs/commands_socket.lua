-- commands_socket.lua: what the event socket's process asks of a worker: messages and events for a call, users, a call's data; and the
-- application `socket`. These commands are the engine's own: `help` does not list them.
local core = ...
local fs = core.fs
local api, apps, channel, directory, event, headers, util, wait = fs.api, fs.apps, fs.channel, fs.directory, fs.event, fs.headers, fs.util, fs.wait

local find, format, gmatch, gsub, lower, match, tonumber = string.find, string.format, string.gmatch, string.gsub, string.lower,
  string.match, tonumber

local function command(name, f) api.commands[name] = { name = name, syntax = "", help = "", run = f } end

-- "Name: value" lines, both encoded, as a list of {name, value}.
local function lines(text)
  local list = {}
  for name, value in gmatch(text, "([^:\n]+): ?([^\n]*)") do list[#list + 1] = { util.url_decode(name), util.url_decode(value) } end
  return list
end

-- --- messages ---

-- Beyond what messages.lua does:
-- * `event-lock: true`: nothing that was sent later begins before this message has run (an application that waits serves the queue, and
--   would run the next one within itself);
-- * a message may carry the name of somebody who waits until it ran, as its last header: they are told.
local DONE = "carillon-done"
local waiting = {}
local run_message = fs.messages.run

local function is_locking(list)
  for i = 1, #list do
    if lower(list[i][1]) == "event-lock" then return util.truth(list[i][2]) end
  end
end

local function run_locked(ch, list)
  local data = ch:data()
  data.event_lock = {}
  run_message(ch, list)
  local held = data.event_lock
  data.event_lock = nil
  -- What was held back goes before what came since.
  for i = 1, data.commands and #data.commands or 0 do held[#held + 1] = data.commands[i] end
  if #held > 0 then data.commands = held end
end

function fs.messages.run(ch, list)
  local lock = ch:data().event_lock
  if lock then
    lock[#lock + 1] = list
    return
  end
  local last = list[#list]
  local name = last and last[1] == DONE and last[2]
  if name then list[#list] = nil end
  if is_locking(list) then run_locked(ch, list) else run_message(ch, list) end
  local who = name and waiting[name]
  if who then core.wake(who.fiber, who.token, "done") end
end

-- esl_sendmsg UUID now|wait HEADERS. A message without a call-command is no error for its sender, as in FreeSWITCH.
command("esl_sendmsg", function(text)
  local uuid, mode, rest = match(text, "^(%S+)%s+(%S+)%s*(.*)$")
  local ch = uuid and channel.find(uuid)
  if not ch then return "-ERR invalid session id [" .. (uuid or "") .. "]\n" end
  local list, known = lines(rest), false
  for i = 1, #list do known = known or lower(list[i][1]) == "call-command" end
  if not known then
    util.warn(ch, "Invalid Command!\n")
    return "+OK\n"
  end
  if mode ~= "wait" then
    ch:queue_event(list)
    return "+OK\n"
  end
  local token = core.token()
  local name = format("%.0f", token)
  waiting[name] = { fiber = core.self(), token = token }
  list[#list + 1] = { DONE, name }
  local op = wait.watch_token(token)
  ch:queue_event(list)
  -- A call that ends forgets what was queued: look at it now and then.
  while not op.done and ch:up() do
    wait.finish(op, 500)
    if not op.done then op = wait.watch_token(token) end
  end
  wait.forget(op)
  waiting[name] = nil
  return "+OK\n"
end)

-- esl_sendevent UUID HEADERS: into the call's own queue, where a script's input callback sees it.
command("esl_sendevent", function(text)
  local uuid, rest = match(text, "^(%S+)%s*(.*)$")
  local ch = uuid and channel.find(uuid)
  if not ch then return "-ERR invalid session id\n" end
  local list, id = lines(rest), core.uuid()
  list[#list + 1] = { "Event-UUID", id }
  ch:queue_event(list)
  return "+OK " .. id .. "\n"
end)

-- esl_user USER[@DOMAIN]: what a user of the directory may do at the event socket.
command("esl_user", function(text)
  local id, domain = match(text, "^([^@%s]+)@?(%S*)$")
  local user = id and directory.user(id, util.some(domain))
  if not user then return "-ERR no such user\n" end
  local out = ""
  for _, name in ipairs({ "esl-password", "esl-allowed-events", "esl-allowed-api", "esl-allowed-log" }) do
    local value = user.params[name]
    if value and value ~= "" then out = out .. name .. ": " .. util.url_encode(value) .. "\n" end
  end
  return out
end)

-- esl_channel UUID: everything about a call, for `connect`.
command("esl_channel", function(uuid)
  local ch = channel.find_any(uuid)
  if not ch then return "-ERR invalid session id\n" end
  local e, list = headers.snapshot(ch), {}
  -- The caller's profile stands in it twice, as Channel-… and then as Caller-….
  local profile
  for i = 1, #e.list do
    if not profile and match(e.list[i][1], "^Caller%-") then
      profile = true
      for n = i, #e.list do
        local rest = match(e.list[n][1], "^Caller(%-.+)$")
        if rest then list[#list + 1] = { "Channel" .. rest, e.list[n][2] } end
      end
    end
    list[#list + 1] = e.list[i]
  end
  e.list = list
  return (gsub(event.text(e), "\n\n$", "\n"))
end)

-- --- the application ---

-- "host", "host:port", "[::1]:port", each perhaps with /path; an address for the host if it is a name.
local function target(text)
  local where, path = match(text, "^([^/]+)/?(.*)$")
  if not where then return nil end
  local host, port = match(where, "^%[([^%]]+)%]:?(%d*)$")
  if not host then host, port = match(where, "^([^:]+):?(%d*)$") end
  if not host then return nil end
  local address = host
  if not match(host, "^[%d%.]+$") and not find(host, ":", 1, true) then
    local out = wait.job("popen_read", "getent ahosts '" .. gsub(host, "'", "") .. "'")
    address = match(type(out) == "table" and (out.text or "") or tostring(out or ""), "^(%S+)")
  end
  return address, tonumber(port) or 8084, host, path
end

-- Runs while the other end is connected; nil if nobody answered there.
local function run(ch, address, port, async, full)
  local op = wait.watch_token(core.request("control", "API", { { "command", "socket" }, { "uuid", ch:uuid() }, { "host", address },
    { "port", format("%d", port) }, { "async", async and "1" or "0" }, { "full", full and "1" or "0" } }, 0))
  while true do
    local how, result = wait.serve(ch, { op = op, on_digit = function() end })
    if how == "done" then return type(result) == "table" and (result.status or 0) == 0 end
    if how == "hangup" then
      wait.forget(op)
      core.note("control", "API", { { "command", "socket_over" }, { "uuid", ch:uuid() } })
      return true
    end
  end
end

apps.define("socket", "", "`host[:port][|host2…] [async] [full]`: a program steers the call by the event socket's protocol", function(ch, data)
  local hosts, options = match(data, "^%s*(%S+)%s*(.*)$")
  local async, full = find(options or "", "async", 1, true) ~= nil, find(options or "", "full", 1, true) ~= nil
  for one in gmatch(hosts or "", "[^|]+") do
    local address, port, host, path = target(one)
    if address then
      ch:set("socket_host", host)
      ch:set("socket_path", path ~= "" and path or nil)
      if async then headers.fire("CHANNEL_PARK", ch) end
      local connected = run(ch, address, port, async, full)
      if async then headers.fire("CHANNEL_UNPARK", ch) end
      if connected then return end
    end
  end
  util.err(ch, "Socket Error!\n")
end)
