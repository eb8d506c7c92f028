-- commands_script.lua: API commands that run scripts and other commands: lua, luarun, bgapi, sched_api, and the scheduler.
local core = ...
local fs = core.fs
local api, event, headers, script, stream, util, wait = fs.api, fs.event, fs.headers, fs.script, fs.stream, fs.util, fs.wait

local format, gsub, ipairs, lower, match, sub, tonumber = string.format, string.gsub, ipairs, string.lower, string.match, string.sub, tonumber
local command = api.command

command("lua", "<script> [<arguments>]", "runs a script; what it wrote to its stream", function(text, context)
  local request = script.parse(text)
  if not request then return "" end
  local object, out = stream.new(context.body and { body = context.body } or nil)
  local env = context.env or event.make("API", nil, "switch_loadable_module.c")
  event.add(env, "API-Command", "lua")
  event.add(env, "API-Command-Argument", text)
  request.globals = { stream = object, env = event.object(env, true) }
  local st
  if context.channel and context.session then
    request.session, st = fs.session.attach(context.channel)
    request.globals.session = request.session
  end
  local result = script.wait(request)
  if st then fs.session.release(st) end
  if not result.ok then
    local uri = lower(event.get(env, "HTTP-URI") or "")
    local page = match(uri, "^/api/") or match(uri, "^/webapi/")
    stream.write(out, page and "<H2>Error Executing Script</H2>" or "-ERR Cannot execute script\n")
  end
  return stream.text(out)
end)

command("luarun", "<script> [<arguments>]", "starts a script beside", function(text)
  local request = script.parse(text)
  if not request then return "-ERR no args specified!\n" end
  request.detached = true
  core.script(request)
  return "+OK\n"
end)

command("bgapi", "<command>[ <arg>]", "Execute an api command in a thread", function(text, context)
  local job, rest = match(text, "^[uU][uU][iI][dD]:([^ ]*) (.*)$")
  if not job and match(lower(text), "^uuid:") or (rest or text) == "" then return "-ERR Invalid syntax\n" end
  job = util.some(job) or core.uuid()
  local name, arguments = match(rest or text, "^([^ ]*) ?(.*)$")
  core.spawn("bgapi", function()
    local reply = api.run(name, arguments, { channel = context.channel }) or name .. ": Command not found!\n"
    local e = event.make("BACKGROUND_JOB")
    event.add(e, "Job-UUID", job)
    event.add(e, "Job-Command", name)
    if arguments ~= "" then event.add(e, "Job-Command-Arg", arguments) end
    e.body = reply
    event.fire(e)
  end)
  return "+OK Job-UUID: " .. job .. "\n"
end)

command("xml_wrap", "<command> <args>", "Wrap another api command in xml", function(text)
  local encoded = match(lower(text), "^encoded ()")
  local reply = api.execute(match(encoded and sub(text, encoded) or text, "^([^ ]*) ?(.*)$"))
  return "<result>\n  <row id=\"1\">\n    <data>" .. (encoded and core.url_encode(reply) or reply) .. "</data>\n  </row>\n</result>\n"
end)

-- --- the scheduler ---

-- Numbers are unique in the engine: worker w of n gives w + 1, w + 1 + n, …
local schedule = { tasks = {}, step = core.workers(), next = core.worker() + 1 - core.workers() }
fs.schedule = schedule

-- "+5", or an absolute epoch (also behind "@") → ms from now. What is no time is long past: at once.
function schedule.delay(text)
  local by = match(text, "^%+(.*)$")
  if by then return math.max(util.int(by), 0) * 1000 end
  return math.max(0, util.int(match(text, "^@?(.*)$")) * 1000 - core.utc_us() / 1000)
end

-- Is a hangup meant to be at once? What follows the first character says so.
function schedule.at_once(text) return util.int(sub(text, 2)) == 0 end

-- ADD_SCHEDULE, RE_SCHEDULE, DEL_SCHEDULE.
local function tell(name, task)
  if not core.event_wanted(fs.event_types.number[name]) then return end
  local e = event.make(name)
  e.list[#e.list + 1] = { "Task-ID", format("%d", task.id) }
  e.list[#e.list + 1] = { "Task-Desc", task.what }
  e.list[#e.list + 1] = { "Task-Group", task.group }
  e.list[#e.list + 1] = { "Task-Runtime", format("%d", math.floor(task.at)) }
  event.fire(e)
end

-- Runs f after ms; every `again` ms if given. Its number.
function schedule.add(ms, group, what, f, again)
  schedule.next = schedule.next + schedule.step
  local task = { id = schedule.next, group = group or "none", what = what, at = core.utc_us() / 1000000 + ms / 1000 }
  schedule.tasks[task.id] = task
  tell("ADD_SCHEDULE", task)
  core.spawn("scheduled", function()
    local delay = ms
    repeat
      local op = wait.op()
      task.fiber, task.token = core.self(), op.token
      wait.finish(op, delay)
      if not op.done then wait.forget(op) end
      if task.cancelled then break end
      if not again then schedule.tasks[task.id] = nil end
      f(task)
      delay = again
      if again and not task.cancelled then
        task.at = core.utc_us() / 1000000 + again / 1000
        tell("RE_SCHEDULE", task)
      end
    until not again or task.cancelled
    schedule.tasks[task.id] = nil
    tell("DEL_SCHEDULE", task)
  end)
  return task.id
end

-- By number or group; how many.
function schedule.cancel(which)
  local ids = {}
  for id, task in pairs(schedule.tasks) do
    if id == tonumber(which) or task.group == which then ids[#ids + 1] = id end
  end
  table.sort(ids)
  for _, id in ipairs(ids) do
    local task = schedule.tasks[id]
    task.cancelled = true
    schedule.tasks[id] = nil
    if task.fiber then core.wake(task.fiber, task.token, true) end
  end
  return #ids
end

command("sched_api", "[+@]<time> <group_name> <command_string>[&]", "Schedule an api command", function(text)
  local at, group, line = match(text, "^([^ ]*) ([^ ]*) (.*)$")
  if not at then return "-ERR Invalid syntax. USAGE: [+@]<time> <group_name> <command_string>[&]\n" end
  local repeated = match(at, "^@(.*)$")
  repeated = repeated and math.max(util.int(repeated), 0) * 1000
  if repeated == 0 then repeated = nil end
  local id = schedule.add(repeated or schedule.delay(at), group, "sched_api_function", function() api.line((gsub(line, "&$", "")), {}) end, repeated)
  return format("+OK Added: %d\n", id)
end)

-- How many were taken back, here and (unless asked for here alone) on the other workers.
local function deleted(command_line, which, context)
  local n = schedule.cancel(which)
  for _, reply in ipairs(context.here and {} or fs.remote.gather(command_line)) do n = n + util.int(match(reply, "%d+")) end
  return n
end
command("sched_del", "<task_id>|<group_id>", "Delete a scheduled task", function(text, context)
  return format("+OK Deleted: %d\n", text == "" and 0 or deleted("sched_del " .. text, text, context))
end)
command("unsched_api", "<task_id>", "Unschedule an api command", function(text, context)
  local id = util.int(text)
  if id == 0 then return "" end
  return deleted("sched_del " .. id, format("%d", id), context) > 0 and "+OK\n" or "-ERR No such id\n"
end)

-- For applications as well: on a call, in ms; their task's number.
function schedule.hangup(ch, ms, cause, which)
  local function hang_up(leg)
    if leg and leg:up() then fs.channel.hangup(leg, util.some(cause) or "ALLOTTED_TIMEOUT") end
  end
  return schedule.add(ms, ch:uuid(), "switch_ivr_schedule_hangup", function()
    if not ch:up() then return end
    if which and lower(which) == "bleg" then hang_up(ch:data().partner) else hang_up(ch) end
  end)
end
function schedule.transfer(ch, ms, extension, dialplan, context)
  return schedule.add(ms, ch:uuid(), "switch_ivr_schedule_transfer", function()
    if ch:up() then fs.transfer.transfer(ch, extension, dialplan, context) end
  end)
end
function schedule.broadcast(ch, ms, path, legs)
  return schedule.add(ms, ch:uuid(), "switch_ivr_schedule_broadcast", function()
    if ch:up() then fs.broadcast(ch, path, legs or "aleg") end
  end)
end

-- `time uuid …`: between least and most words.
local function of_call(name, syntax, help, least, most, f)
  command(name, syntax, help, function(text)
    local w = util.separate(text, " ", 6)
    if #w < least or #w > most then return api.usage(name) end
    return f(fs.channel.find(w[2]), schedule.delay(w[1]), w)
  end)
end
of_call("sched_hangup", "[+]<time> <uuid> [<cause>]", "Schedule a running call to hangup", 1, 6, function(ch, ms, w)
  if not ch then return "-ERR No such channel!\n" end
  if schedule.at_once(w[1]) then fs.channel.hangup(ch, util.some(w[3]) or "ALLOTTED_TIMEOUT") else schedule.hangup(ch, ms, w[3]) end
  return "+OK\n"
end)
of_call("sched_transfer", "[+]<time> <uuid> <extension> [<dialplan>] [<context>]", "Schedule a transfer for a running call", 2, 5, function(ch, ms, w)
  if not ch then return "-ERR No such channel!\n" end
  schedule.transfer(ch, ms, w[3], w[4], w[5])
  return "+OK\n"
end)
of_call("sched_broadcast", "[[+]<time>|@time] <uuid> <path> [aleg|bleg|both]", "Schedule a broadcast event to a running call", 3, 6, function(ch, ms, w)
  if ch then schedule.broadcast(ch, ms, w[3], w[4]) end
  return "+OK Message scheduled\n"
end)
