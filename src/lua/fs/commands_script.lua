-- commands_script.lua: API commands that run scripts and other commands: lua, luarun, bgapi, sched_api, and the scheduler.
local core = ...
local fs = core.fs
local api, event, headers, script, stream, util, wait = fs.api, fs.event, fs.headers, fs.script, fs.stream, fs.util, fs.wait

local floor, format, lower, match, sub, tonumber = math.floor, string.format, string.lower, string.match, string.sub, tonumber
local command = api.command

command("lua", "<script> [<arguments>]", "runs a script; what it wrote to its stream", function(text, context)
  local request = script.parse(text)
  if not request then return "" end
  local object, out = stream.new(context.body and { body = context.body } or nil)
  local env = context.env
  if not env then
    env = event.make("API", nil, "switch_loadable_module.c")
    event.add(env, "API-Command", "lua")
    event.add(env, "API-Command-Argument", text)
  end
  request.globals = { stream = object, env = event.object(env, true) }
  local st
  if context.channel and context.session then
    request.session, st = fs.session.attach(context.channel)
    request.globals.session = request.session
  end
  local result = script.wait(request)
  if st then fs.session.release(st) end
  if not result.ok then stream.write(out, "-ERR Cannot execute script\n") end
  return stream.text(out)
end)

command("luarun", "<script> [<arguments>]", "starts a script beside", function(text)
  local request = script.parse(text)
  if not request then return "-ERR no args specified!\n" end
  request.detached = true
  core.script(request)
  return "+OK\n"
end)

command("bgapi", "<command> [<arguments>]", "runs a command beside; its result is a BACKGROUND_JOB event", function(text, context)
  local uuid, rest = match(text, "^uuid:(%S+)%s+(.*)$")
  local job = uuid or core.uuid()
  local name, arguments = match(rest or text, "^(%S+)%s*(.*)$")
  if not name then return "-USAGE: <command>[ <arg>]\n" end
  core.spawn("bgapi", function()
    local reply = api.run(name, arguments, { channel = context.channel }) or "-ERR " .. name .. " Command not found!\n"
    local e = event.make("BACKGROUND_JOB")
    event.add(e, "Job-UUID", job)
    event.add(e, "Job-Command", name)
    if arguments ~= "" then event.add(e, "Job-Command-Arg", arguments) end
    e.body = reply
    event.fire(e)
  end)
  return "+OK Job-UUID: " .. job .. "\n"
end)

-- --- the scheduler ---

-- Numbers are unique in the engine: worker w of n gives w + 1, w + 1 + n, …
local schedule = { tasks = {}, step = core.workers(), next = core.worker() + 1 - core.workers() }
fs.schedule = schedule

-- "+5" or an absolute epoch → ms from now.
function schedule.delay(text)
  local by = match(text, "^%+(%d+)$")
  if by then return tonumber(by) * 1000 end
  local at = tonumber(match(text, "^%d+$"))
  if not at then return nil end
  return math.max(0, at * 1000 - core.utc_us() / 1000)
end

-- Runs f after ms; every `again` ms if given. Its number.
function schedule.add(ms, group, what, f, again)
  schedule.next = schedule.next + schedule.step
  local task = { id = schedule.next, group = group or "none", what = what, at = core.utc_us() / 1000000 + ms / 1000 }
  schedule.tasks[task.id] = task
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
    until not again or task.cancelled
    schedule.tasks[task.id] = nil
  end)
  return task.id
end

-- By number or group; how many.
function schedule.cancel(which)
  local n = 0
  for id, task in pairs(schedule.tasks) do
    if task.id == tonumber(which) or task.group == which then
      task.cancelled = true
      schedule.tasks[id] = nil
      if task.fiber then core.wake(task.fiber, task.token, true) end
      n = n + 1
    end
  end
  return n
end

command("sched_api", "[+@]<time> <group name> <command string>[&]", "runs a command later", function(text)
  local at, group, line = match(text, "^(%S+)%s+(%S+)%s+(.+)$")
  if not at then return api.usage("sched_api") end
  local repeated = match(at, "^@(%d+)$")
  local ms = repeated and tonumber(repeated) * 1000 or schedule.delay(at)
  if not ms then return "-ERR Invalid time\n" end
  if sub(line, -1) == "&" then line = sub(line, 1, -2) end
  local id = schedule.add(ms, group, line, function() api.line(line, {}) end, repeated and ms)
  return format("+OK Added: %d\n", id)
end)
local function delete(text, context)
  if text == "" then return "-USAGE: <task_id>|<group_id>\n" end
  local n = schedule.cancel(text)
  for _, reply in ipairs(context.here and {} or fs.remote.gather("sched_del " .. text)) do n = n + util.int(match(reply, "%d+")) end
  return format("+OK Deleted: %d\n", n)
end
command("sched_del", "<task_id>|<group_id>", "takes back what was scheduled", delete)
command("unsched_api", "<task_id>", "takes back what was scheduled", delete)

local function of_call(name, help, syntax, f)
  command(name, syntax, help, function(text)
    local at, uuid, rest = match(text, "^(%S+)%s+(%S+)%s*(.*)$")
    if not at then return api.usage(name) end
    local ch, ms = fs.channel.find(uuid), schedule.delay(at)
    if not ch or not ms then return "-ERR No such channel!\n" end
    return f(ch, ms, rest)
  end)
end

-- For applications as well: on a call, in ms.
function schedule.hangup(ch, ms, cause)
  return schedule.add(ms, ch:uuid(), "hangup", function()
    if ch:up() then fs.channel.hangup(ch, util.some(cause) or "ALLOTTED_TIMEOUT") end
  end)
end
function schedule.transfer(ch, ms, arguments)
  return schedule.add(ms, ch:uuid(), "transfer", function()
    if ch:up() then api.run("uuid_transfer", ch:uuid() .. " " .. arguments, {}) end
  end)
end
function schedule.broadcast(ch, ms, arguments)
  return schedule.add(ms, ch:uuid(), "broadcast", function()
    if ch:up() then api.run("uuid_broadcast", ch:uuid() .. " " .. arguments, {}) end
  end)
end
of_call("sched_hangup", "hangs a call up later", "[+]<time> <uuid> [<cause>]", function(ch, ms, rest)
  schedule.hangup(ch, ms, rest)
  return "+OK\n"
end)
of_call("sched_transfer", "transfers a call later", "[+]<time> <uuid> <extension> [<dialplan>] [<context>]", function(ch, ms, rest)
  if rest == "" then return api.usage("sched_transfer") end
  schedule.transfer(ch, ms, rest)
  return "+OK\n"
end)
of_call("sched_broadcast", "plays something to a call later", "[+]<time> <uuid> <path> [aleg|bleg|both]", function(ch, ms, rest)
  if rest == "" then return api.usage("sched_broadcast") end
  schedule.broadcast(ch, ms, rest)
  return "+OK\n"
end)
