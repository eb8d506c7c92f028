-- wait.lua: the one place where the layer waits: happenings are sorted, a call is served until something ends the wait.
--
-- A *fiber* that works on a call is its owner and gets its happenings. serve() runs queued commands, calls back the script and
-- watches the clock; it knows nothing of files or digits, which come as `op` (a media operation) and `on_digit`.
local core = ...
local fs = core.fs

local remove = table.remove

local wait = {}
fs.wait = wait

-- By token: what somebody waits for. Weak: when the one who waits is gone, so is its entry.
local ops = setmetatable({}, { __mode = "v" })

-- A new operation: { token =, done = nil until it ended }.
function wait.op()
  local op = { token = core.token() }
  ops[op.token] = op
  return op
end
function wait.watch_token(token)
  local op = { token = token }
  ops[token] = op
  return op
end
function wait.forget(op) ops[op.token] = nil end

-- Puts one happening where it belongs.
local function take(what, ch, token, x)
  if what == "done" or what == "reply" or what == "job" or what == "wake" then
    local op = token and ops[token]
    if op then
      ops[token] = nil
      op.done = x == nil and true or x
      op.result = x
    end
  elseif what == "event" then
    local data = ch:data()
    local command = false
    for i = 1, #x do
      if string.lower(x[i][1]) == "call-command" then command = true end
    end
    local name = command and "commands" or "events"
    data[name] = data[name] or {}
    data[name][#data[name] + 1] = x
  elseif what == "break" then
    ch:data().broken = x and 2 or 1
  elseif what == "dialled" then
    ch:data().dialled = x or {}
  elseif what == "state" and ch and not ch:up() then
    fs.channel.over(ch)
  end
end

-- Waits for one happening, at most ms (nil = for ever); its kind, nil on timeout.
function wait.once(ms)
  local what, ch, token, x = core.wait(ms)
  if what then take(what, ch, token, x) end
  return what, ch
end

-- Takes all that has happened so far, and lets the others work once: for whatever a script may do in a tight loop.
function wait.breathe() while wait.once(0) do end end

-- Waits for an operation alone, whatever else happens; nil if the time is over first.
function wait.finish(op, ms)
  local deadline = ms and core.now() + ms
  while not op.done do
    local left = deadline and deadline - core.now()
    if left and left <= 0 then
      wait.forget(op)
      return nil
    end
    wait.once(left)
  end
  return op.result
end

-- A request to another process: its pairs, or nil and the status.
function wait.request(to, kind, pairs_list, timeout_ms)
  local x = wait.finish(wait.watch_token(core.request(to, kind, pairs_list, timeout_ms or 10000)), (timeout_ms or 10000) + 1000)
  if type(x) ~= "table" then return nil, -110 end
  if x.status and x.status ~= 0 then return nil, x.status, x.pairs end
  return x.pairs or {}
end

function wait.job(...) return wait.finish(wait.watch_token(core.job(...))) end

-- Makes this fiber the owner of a call.
function wait.acquire(ch)
  local me = core.self()
  if ch:owner() ~= me then ch:own(me) end
end

function wait.clear(ch)
  local data = ch:data()
  data.commands, data.events = nil, nil
end

-- True when nothing more may be done with this call here: it is over, or on its way elsewhere.
function wait.gone(ch) return not ch:up() or ch:transferring() or ch:data().pending ~= nil end

-- Serves a call until
--   "done", result   o.op ended                 "timeout"  o.deadline (core.now) passed     "hangup"  it is over or leaves
--   "break"          uuid_break                 "stop", v  the callback or on_digit said so "check", v  o.check() gave v
-- o: op, deadline, st (session whose input callback is in force), apply(value) → true to stop, on_digit(digit, duration), check,
--    keep_breaks, and no_commands.
function wait.serve(ch, o)
  local data = ch:data()
  local st = o.st
  wait.acquire(ch)
  while true do
    if o.op and o.op.done then return "done", o.op.result end
    if not ch:up() then
      fs.channel.over(ch)
      return "hangup"
    end
    if ch:transferring() or data.pending then return "hangup" end
    if not data.seen_answered and ch:answered() or not data.seen_early and ch:early() then fs.channel.notice(ch) end
    if data.broken and not o.keep_breaks then
      data.broke_all = data.broken == 2
      if data.broke_all then wait.clear(ch) end
      data.broken = nil
      return "break"
    end
    if data.bound then fs.digit_actions.work(ch) end -- keys bound to actions work whatever the call waits for
    local worked = false
    if data.commands and not o.no_commands then
      local command = remove(data.commands, 1)
      if #data.commands == 0 then data.commands = nil end
      fs.messages.run(ch, command)
      worked = true
    elseif st and st.cb_function and st.ch == ch then
      local value, was = nil, nil
      if data.events then
        local e = remove(data.events, 1)
        if #data.events == 0 then data.events = nil end
        worked, was, value = true, "event", fs.callback.event(st, e)
      elseif fs.digits.waiting(ch) > 0 then
        local digit, duration = fs.digits.take(ch)
        if digit then worked, was, value = true, "dtmf", fs.callback.digit(st, digit, duration) end
      end
      if worked and o.apply(value) then return "stop", value, was end
    elseif o.on_digit and fs.digits.waiting(ch) > 0 then
      local digit, duration = fs.digits.take(ch)
      worked = true
      if digit and o.on_digit(digit, duration) then return "stop", digit end
    end
    if o.check then
      local v = o.check()
      if v then return "check", v end
    end
    if not worked then
      local left = o.deadline and o.deadline - core.now()
      if left and left <= 0 then return "timeout" end
      local due = data.bound and fs.digit_actions.due(ch)
      if due and (not left or due < left) then left = due end
      wait.once(left)
    end
  end
end

-- Sleeps on the call without looking at its digits.
function wait.pause(ch, ms) return wait.serve(ch, { deadline = core.now() + ms }) end
