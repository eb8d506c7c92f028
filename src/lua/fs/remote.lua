-- remote.lua: calls of other workers: a Session there as a *remote handle*, and API commands that name a call which lives elsewhere.
--
-- A remote handle is a Session whose state has `far` = { process, handle } in place of `ch`. Each of its methods is one conversation
-- by MSG_CALL_METHOD: the worker that owns the call runs the method on a real Session, in a fiber kept for the handle (its *agent*), and
-- answers when the method ends. Where the method wants the script in between (input callback, hangup hook), the answer is a question,
-- `ask`, and the script's answer comes as the next request, ":answer"; what the callback itself does with the session are requests, too.
-- So nothing is ever sent that nobody waits for, and a death of either side ends the conversation.
--
--   asker → owner   handle, method, state (callbacks wished, voice, auto-hangup), args     methods of ours begin with a colon:
--                   :open uuid · :dial · :bridge · :menu · :answer · :release (a note)
--   owner → asker   results | error | ask, of, data | lost = 1 (no such handle: this worker was started anew) | found
local core = ...
local fs = core.fs
local api, bridge, callback, channel, headers, session, util, wait =
  fs.api, fs.bridge, fs.callback, fs.channel, fs.headers, fs.session, fs.util, fs.wait

local error, find, format, ipairs, match, pairs, pcall, rawget, remove, select, setmetatable, sub, tonumber, tostring, type, unpack =
  error, string.find, string.format, ipairs, string.match, pairs, pcall, rawget, table.remove, select, setmetatable, string.sub, tonumber, tostring, type, unpack

local remote = {}
fs.remote = remote

local pack, unpack_text = fs.pack.pack, fs.pack.unpack

local WORKER_0 = 3 -- its process number: bus/limits.h
local EPIPE = -32

local here = core.worker()
local workers = core.workers and core.workers() or 1

-- --- asking ---

-- A request without a limit of time: the other process answers it or dies. Its pairs, or nil and -errno.
local function ask(process, kind, list)
  local x = wait.finish(wait.watch_token(core.request(process, kind, list, 0)))
  if type(x) ~= "table" then return nil, EPIPE end
  if x.status and x.status ~= 0 then return nil, x.status end
  return x.pairs or {}
end

-- Runs f(process) for each other worker.
local function others(f)
  for w = 0, workers - 1 do
    if w ~= here then
      local r = f(WORKER_0 + w)
      if r ~= nil then return r end
    end
  end
end

-- --- the script's side ---

local handles = setmetatable({}, { __mode = "v" }) -- handle → the Session's state

-- What the owner must know of the Session at each request.
local function wishes(st)
  return pack({ input = st.cb_function ~= nil, hook = st.hook_function and (st.hook_serial or 0) or nil, tts = st.tts_name, voice = st.voice_name,
    hup = st.hup or false })
end

local function bound(st, process, handle, uuid)
  st.far, st.uuid, st.allocated = { process = process, handle = handle }, uuid, true
  handles[handle] = st
  local script = core.script_data()
  st.globals = script and script.__globals
  if st.globals then st.globals[uuid] = session.object_of(st) end
end

local function unbound(st)
  local far = st.far
  st.far, st.allocated = nil, false
  handles[far.handle] = nil
  if st.end_handle then
    core.off_end(st.end_handle)
    st.end_handle = nil
  end
  if st.globals and st.uuid then st.globals[st.uuid] = nil end
  return far
end

local function new_handle() return format("%.0f", core.token()) end

-- A handle on the call of that uuid, if another worker has it.
function remote.open(st, uuid)
  if workers == 1 or not util.some(uuid) then return false end
  local handle = new_handle()
  local function try(process)
    local reply = ask(process, "CALL_METHOD", { { "handle", handle }, { "method", ":open" }, { "uuid", uuid } })
    if reply and reply.found == "1" then
      bound(st, process, handle, reply.uuid)
      session.register(st)
      local script = core.script_data()
      if script then script.near = script.near and script.near.far and script.near or st end
      return true
    end
  end
  local w = core.call_worker(uuid)
  if w == here then return false end
  if w then return try(WORKER_0 + w) or false end
  return others(try) or false
end

-- Gives the call up, as session.release does. Never waits.
function remote.release(st)
  local far = unbound(st)
  core.note(far.process, "CALL_METHOD", { { "handle", far.handle }, { "method", ":release" }, { "state", wishes(st) } })
end

-- The owner asks the script something in the middle of a method.
local function answer(st, what, data)
  if what == "dtmf" then return callback.digit(st, data[1], data[2]) end
  if what == "event" then return callback.event(st, data[1]) end
  if what == "hook" then return callback.run_hook(st, data[1]) end
end

-- What a method gives when its call's worker died in the middle: as when the call is hung up.
local over = { ready = false, answered = false, bridged = false, mediaReady = false, getState = "ERROR", streamFile = 0, sleep = 1, recordFile = 0,
  getDigits = "", read = "", playAndGetDigits = "", collectDigits = 0, speak = 0, answer = 0, preAnswer = 0, transfer = 0, getVariable = "",
  getXMLCDR = "", flushDigits = -1, flushEvents = -1, insertFile = -1 }

local function lost(st, name, status)
  if status ~= EPIPE then
    util.log(util.ERR, format("%s of call %s on another worker was not done: error %d\n", name, st.uuid or "", status))
    return over[name]
  end
  util.log(util.WARN, format("the worker of call %s is gone, and the call with it\n", st.uuid or ""))
  unbound(st)
  if st.hook_function and not st.lost then
    st.lost = true
    local value = callback.run_hook(st, "hangup")
    local word = value and string.lower(value)
    if word == "exit" or word == "die" then error(value, 0) end
  end
  return over[name]
end

-- One method from its first request to its end.
local function converse(st, name, ...)
  local far = st.far
  local list = { { "handle", far.handle }, { "method", name }, { "state", wishes(st) }, { "args", pack({ n = select("#", ...), ... }) } }
  while true do
    local reply, status = ask(far.process, "CALL_METHOD", list)
    if not reply then return lost(st, name, status) end
    if reply.lost then return lost(st, name, EPIPE) end
    if reply.error then error(reply.error, 0) end
    if not reply.ask then
      local results = unpack_text(reply.results) or { n = 0 }
      return unpack(results, 1, results.n)
    end
    local value = answer(handles[reply.of] or st, reply.ask, unpack_text(reply.data) or {})
    if st.far ~= far then return over[name] end -- the callback let the call go
    list = { { "handle", far.handle }, { "method", ":answer" }, { "state", wishes(st) }, { "args", pack({ n = 1, value }) } }
  end
end

-- Methods that need no other worker, or more than their arguments.
local mine = {}
for _, name in ipairs({ "get_uuid", "hangupCause", "consoleLog", "consoleLog2", "get_cb_args", "process_callback_result", "run_dtmf_callback",
  "setLUA", "setDTMFCallback", "originate", "destroy" }) do
  mine[name] = function(st, ...) return session.class.raw[name](st, ...) end
end
function mine.setInputCallback(st, name, arg) st.cb_function, st.cb_arg = util.some(name), arg end
function mine.unsetInputCallback(st) st.cb_function, st.cb_arg = nil, nil end
function mine.setHangupHook(st, name, arg)
  st.hook_function, st.hook_arg, st.hook_serial = util.some(name), arg, (st.hook_serial or 0) + 1
end
function mine.setAutoHangup(st, on)
  st.hup = on
  return 0
end
function mine.set_tts_params(st, name, voice) st.tts_name, st.voice_name = name or "", voice or "" end
function mine.waitForAnswer(st) return converse(st, "waitForAnswer") end
function mine.sendEvent(st, e) if e then converse(st, "sendEvent", { list = e.list, body = e.body }) end end
function mine.setEventData(st, e)
  local list = e and converse(st, "setEventData", e.name)
  for i = 1, list and #list or 0 do fs.event.add(e, list[i][1], list[i][2]) end
end

-- A method of a Session whose call is elsewhere: class.lua sends it here.
function remote.call(st, name, ...)
  local f = mine[name]
  if f then return f(st, ...) end
  return converse(st, name, ...)
end

-- Where a script's new leg should be made, if not here: by the variable carillon_near (a call's uuid), or where the call lives that
-- the script came for, as long as it has none here. A handle's `far` or nil.
function remote.near(text)
  if workers == 1 then return nil end
  local uuid = match(text, "carillon_near=([%w%-_]+)")
  if uuid then
    local process = remote.process_of(uuid)
    return process and { process = process }
  end
  local script = core.script_data()
  local near = script and script.near
  if not near or not near.far then return nil end
  local own = script.__globals and rawget(script.__globals, "session")
  if own and core.class_of(own) == "Session" and core.state(own).ch then return nil end
  for _, st in ipairs(script.sessions or {}) do if st.ch and st.ch:up() then return nil end end
  return near.far
end

-- Dials on another worker: the A leg's, so that both can be joined. True, or false and the cause.
function remote.dial(st, text, far, timeout_s)
  local handle = new_handle()
  st.far = { process = far.process, handle = handle }
  handles[handle] = st
  session.register(st) -- a script that ends meanwhile gives the dial up
  local ok, cause, uuid = converse(st, ":dial", far.handle, text, timeout_s)
  if not ok then
    if st.far then unbound(st) end
    return false, cause or "NORMAL_TEMPORARY_FAILURE"
  end
  bound(st, far.process, handle, uuid)
  return true, cause
end

-- A state for freeswitch.bridge in place of that of a remote handle: its call has come here; callbacks are the script's own, hooks run at home.
local function come(st)
  if st.ch then return st end
  local ch = fs.loan.fetch(st)
  return ch and setmetatable({ ch = ch, real = st, hook_function = false, far = false }, { __index = st })
end

-- freeswitch.bridge with a remote handle among the two: done where both live, or here.
function remote.bridge(a, b)
  if a.far and b.far and a.far.process == b.far.process then return converse(a, ":bridge", b.far.handle) end
  local here_a = come(a)
  local here_b = here_a and come(b)
  if here_b then bridge.sessions(here_a, here_b)
  else util.log(util.ERR, format("cannot join %s and %s: they live on different workers, and no audio link could be had\n", a.uuid or "?", b.uuid or "?")) end
  for _, st in ipairs({ here_a or nil, here_b or nil }) do
    if st.real then
      fs.loan.back(st.ch)
      if st.real.far then converse(st.real, ":hook") end
    end
  end
end

-- IVRMenu:execute on a remote handle: the menu is a table, and goes there.
function remote.menu(st, menu, name) converse(st, ":menu", menu, name) end

-- --- the owner's side: agents ---

local agents = {} -- "process:handle" → agent

local function reply(job, list) core.wake(job.fiber, job.token, list) end

local function wished(a, text)
  local w = unpack_text(text)
  if not w then return end
  local st = a.st
  st.cb_function = w.input and "remote" or nil
  if w.hook ~= a.hook then st.hook_function, st.hook_ran, a.hook = w.hook and "remote" or nil, nil, w.hook end
  st.tts_name, st.voice_name, st.hup = w.tts, w.voice, w.hup
end

local owned = {} -- what is not simply the Session's own method

local function serve(a, job)
  a.current = job
  local f = owned[job.method] or session.class.raw[job.method]
  local args = job.args
  local function run() return f(a.st, unpack(args, 1, args.n)) end
  local results
  if f then
    local function keep(...) results = { n = select("#", ...), ... } end
    keep(pcall(run))
  else
    results = { n = 2, false, "no method " .. job.method .. " for calls of other workers" }
  end
  if a.released then return end
  job, a.current = a.current, nil -- the answer to a question has become the one that waits
  if not job then return end
  if results[1] then
    reply(job, { { "results", pack({ n = results.n - 1, unpack(results, 2, results.n) }) } })
  else
    reply(job, { { "error", tostring(results[2]) } })
  end
end

local function take(a)
  local job = remove(a.queue, 1)
  if job then wished(a, job.state) end
  return job
end

-- The script is asked in the middle of a method; meanwhile it may use the session.
function remote.ask_back(st, what, ...)
  local a = st.asked
  local via = a.via or a
  local job = via.current
  if via.released or not job then return nil end
  via.current = nil
  reply(job, { { "ask", what }, { "of", a.handle }, { "data", pack({ ... }) } })
  while not via.released do
    local next_job = take(via)
    if not next_job then wait.once(nil)
    elseif next_job.method == ":answer" then
      via.current = next_job
      return next_job.args[1]
    else serve(via, next_job) end
  end
  error("the script that used this call is gone", 0)
end

local function work(a)
  while not a.released and not a.done do
    local job = take(a)
    if job then serve(a, job) else wait.once(nil) end
  end
end

local function agent(from, handle)
  local a = { from = from, handle = handle, key = from .. ":" .. handle, queue = {} }
  a.st = { cause = "NONE", asked = a }
  agents[a.key] = a
  a.fiber = core.spawn("remote handle", function()
    local ok, problem = pcall(work, a)
    if not ok and not a.released then util.log(util.ERR, "a remote handle failed: " .. tostring(problem)) end
  end)
  return a
end

local function let_go(a)
  if a.released then return end
  agents[a.key], a.released = nil, true
  if a.current then reply(a.current, { { "lost", "1" } }) end
  for i = 1, #a.queue do reply(a.queue[i], { { "lost", "1" } }) end
  local ch = a.st.ch
  if a.dialling then -- the dial gives up by itself, and releases what it got
    a.dialling.cause = "ORIGINATOR_CANCEL"
    core.wake(a.fiber, 0, true)
    return
  end
  if a.current and ch then
    local playing = ch:data().playing
    if playing and ch:up() then ch:stop(playing) end
  end
  core.kill(a.fiber, "the script that used this call is gone")
  session.release(a.st)
end

owned[":dial"] = function(st, aleg, text, timeout_s)
  local a = st.asked
  local from = agents[a.from .. ":" .. (aleg or "")]
  a.dialling = {}
  local ch, cause = fs.originate.dial(text, { aleg = from and from.st.ch, timeout_s = timeout_s, cancel = a.dialling })
  a.dialling = nil
  st.cause = cause
  if not ch then
    agents[a.key], a.done = nil, true
    return false, cause
  end
  st.ch, st.allocated, st.uuid, st.mine, st.hup = ch, true, ch:uuid(), true, true
  wait.acquire(ch)
  channel.state(ch, "CS_SOFT_EXECUTE")
  if a.released then session.release(st) end
  return true, cause, st.uuid
end
owned[":bridge"] = function(st, other)
  local a = st.asked
  local b = agents[a.from .. ":" .. (other or "")]
  if not b or not b.st.ch or not st.ch then
    core.log(3, "Channels not ready\n")
    return
  end
  b.via = a
  local ok, problem = pcall(bridge.sessions, st, b.st)
  b.via = nil
  if not ok then error(problem, 0) end
end
owned[":menu"] = function(st, menu, name) fs.ivr.run(st, menu, name) end
owned[":come"] = function(st, process, token) return fs.loan.come(st, process, token) end
owned[":hook"] = function(st) callback.hangup_hook(st) end
function owned.sendEvent(st, e) if st.ch then st.ch:data().sent_event = e end end
function owned.setEventData(st, name) return st.ch and headers.about(name, st.ch) or {} end

-- --- the engine's doors ---

local layer = core.layer

function layer.call_method(from, p)
  local key, method = from .. ":" .. (p.handle or ""), p.method or ""
  if method == ":lend" then return fs.loan.taken(from, p) end
  if method == ":open" then
    local ch = channel.find_any(p.uuid)
    if not ch then return { { "found", "0" } } end
    local a = agent(from, p.handle)
    local st = a.st
    st.ch, st.allocated, st.uuid, st.mine, st.previous_owner = ch, true, ch:uuid(), true, ch:owner()
    ch:own(a.fiber)
    return { { "found", "1" }, { "uuid", st.uuid } }
  end
  local a = agents[key]
  if method == ":release" then
    if a then
      if not a.dialling then wished(a, p.state) end
      let_go(a)
    end
    return nil
  end
  if not a then
    if method ~= ":dial" then return { { "lost", "1" } } end
    a = agent(from, p.handle)
  end
  local op = wait.op()
  a.queue[#a.queue + 1] = { method = method, state = p.state, args = unpack_text(p.args) or { n = 0 }, fiber = core.self(), token = op.token }
  core.wake(a.fiber, 0, true)
  return wait.finish(op)
end

function layer.process_gone(process)
  for _, a in pairs(agents) do
    if a.from == process then let_go(a) end
  end
end

-- --- API commands ---

-- Which word of its arguments is a call's uuid.
local second = { sched_hangup = true, sched_transfer = true, sched_broadcast = true }
local first = { esl_sendmsg = true, esl_sendevent = true, esl_channel = true }
local at_seat = { uuid_transfer = true, uuid_dual_transfer = true, uuid_broadcast = true, uuid_fileman = true }
local joins = { intercept = true, eavesdrop = true, three_way = true }

-- uuid → process, for calls that the directory does not know; a call never moves.
local known, known_count = {}, 0

-- The process of the other worker that has this call, or nil.
function remote.process_of(uuid)
  if workers == 1 or not util.some(uuid) or core.channel(uuid) then return nil end
  local w = core.call_worker(uuid)
  if w then return w ~= here and WORKER_0 + w or nil end
  if known[uuid] then return known[uuid] end
  local process = others(function(process)
    local r = ask(process, "API", { { "command", "carillon_here" }, { "args", "uuid_exists " .. uuid } })
    if r and r.text == "true" then return process end
  end)
  if process then
    if known_count >= 1000 then known, known_count = {}, 0 end
    known[uuid], known_count = process, known_count + 1
  end
  return process
end

local function named(name, arguments)
  if second[name] then return match(arguments, "^%S+%s+(%S+)") end
  if name == "uuid_hold" or name == "uuid_media" then
    local a, b = match(arguments, "^(%S+)%s*(%S*)")
    return (a == "off" or a == "toggle") and b or a
  end
  if first[name] or find(name, "^uuid_") then return match(arguments, "^(%S+)") end
  if name == "expand" or name == "eval" then return match(arguments, "^uuid:(%S+)") end
  if name == "originate" then -- to a call that it then hears or takes: made where that call is
    for word, rest in string.gmatch(arguments, "([%a_]+)[%(:]([^%),']*)") do
      if joins[word] then return match(rest, "([^%s]+)%s*$") end
    end
    return match(arguments, "carillon_near=([%w%-_]+)")
  end
  if name == "lua" or name == "luarun" then -- a script that is told a call runs beside it
    for word in string.gmatch(arguments, "%S+") do
      if #word == 36 and match(word, "^%x+%-%x+%-%x+%-%x+%-%x+$") then return word end
    end
  end
end

-- The reply of the worker that has the call which this command names; nil if that is us, or nobody.
-- A call that is lent is commanded at its seat, if the command is about what it does there. `asked`: another worker asks us.
function remote.command(name, arguments, asked)
  local uuid = named(name, arguments)
  if not uuid or not core.can_wait() then return nil end
  local own = at_seat[name] and core.channel(uuid)
  local process = own and own:data().lent or not asked and remote.process_of(uuid)
  if not process then return nil end
  local r, status = ask(process, "API", { { "command", "carillon_here" }, { "args", name .. " " .. arguments } })
  if r then return r.text or "" end
  if status == EPIPE then
    known[uuid] = nil
    return "-ERR the call's worker is gone\n"
  end
  return format("-ERR the call's worker did not answer: %d\n", status)
end

-- Another worker wants a call of ours, to join it with one of its own.
api.commands.carillon_lend = { name = "carillon_lend", syntax = "", help = "", run = function(text) return fs.loan.lend_to_join(text) end }

-- Which worker this is: for tests, and for whoever wonders where a command ran.
api.commands.carillon_worker = { name = "carillon_worker", syntax = "", help = "", run = function() return format("%d", here) end }

-- The replies of all other workers to a command.
function remote.gather(line)
  local out = {}
  if workers == 1 then return out end
  others(function(process)
    local r = ask(process, "API", { { "command", "carillon_here" }, { "args", line } })
    if r and r.text then out[#out + 1] = r.text end
  end)
  return out
end
remote.many = workers > 1

-- A command's reply from another worker, or nil.
function remote.api(process, line)
  local r = ask(process, "API", { { "command", "carillon_here" }, { "args", line } })
  return r and r.text
end
