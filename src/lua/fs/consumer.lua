-- consumer.lua: freeswitch.EventConsumer: a bounded queue of events that a script asked for.
local core = ...
local fs = core.fs
local class, event, types, util, wait = fs.class, fs.event, fs.event_types, fs.util, fs.wait

local format, lower, match = string.format, string.lower, string.match

local consumer = {}
fs.consumer = consumer

local BINDS_MAX = #types.names
local QUEUE_DEFAULT = 5000

-- Does a bind want an event (a list of pairs)? Its type, or all; and where a subclass was said, events of it alone ("file:x" and
-- "func:x": of the headers `file` and `function`).
local function wants(bind, list)
  local name, subclass = event.kind(list)
  if not bind.all and bind.name ~= name then return false end
  if not bind.subclass or bind.subclass == subclass then return true end
  if not subclass or not bind.header then return false end
  local said = event.get(event.from_pairs(list), bind.header)
  return not said or said == bind.value
end

local headers_said = { file = "file", func = "function" }

local function new_bind(name, subclass)
  local word, value = match(subclass or "", "^(%a+):(.*)$")
  return { name = name, all = name == "ALL", subclass = subclass, header = word and headers_said[lower(word)], value = value }
end

local function queue(state, e)
  if state.last - state.first + 1 >= state.length then
    core.log(util.ERR, "Cannot queue any more events.....\n")
    return
  end
  state.last = state.last + 1
  state.queue[state.last] = e
end

-- Runs outside any fiber: queues, once for each bind that wants it, and wakes; never waits.
local function deliver(state, list)
  for i = 1, #state.binds do
    if wants(state.binds[i], list) then queue(state, event.from_pairs(list)) end
  end
  local waiter = state.waiter
  if waiter and state.first <= state.last then
    state.waiter = nil
    core.wake(waiter.fiber, waiter.token, true)
  end
end

local function type_numbers(state)
  local list = {}
  for i = 1, #state.binds do
    if state.binds[i].all then return "all" end
    list[#list + 1] = types.number[state.binds[i].name]
  end
  return list
end

local function bind(state, name, subclass)
  if state.over then return 0 end
  local number, upper = types.find(name)
  if not number then
    core.log(util.WARN, format("Can't bind to %s, event not found\n", name or ""))
    return 0
  end
  if #state.binds >= BINDS_MAX then
    core.log(util.ERR, format("Cannot bind to %s %s\n", name, subclass or ""))
    return 0
  end
  state.binds[#state.binds + 1] = new_bind(upper, util.some(subclass))
  if state.subscription then
    core.subscribe_types(state.subscription, type_numbers(state))
  else
    state.subscription = core.subscribe(type_numbers(state), function(list) deliver(state, list) end)
  end
  return 1
end

-- The end of a consumer: nothing is bound or popped any more.
local function cleanup(state)
  if state.subscription then core.unsubscribe(state.subscription) end
  state.subscription, state.over = nil, true
  state.binds, state.queue, state.first, state.last = {}, {}, 1, 0
  if state.on_end then
    core.off_end(state.on_end)
    state.on_end = nil
  end
end

local C = class.define("EventConsumer", { gc = cleanup })

C.get.node_index = function(state) return #state.binds end

class.new(C, "EventConsumer::EventConsumer", "SSi", 0, 3, function(name, subclass, length)
  local state = { binds = {}, queue = {}, first = 1, last = 0, length = length and length > 0 and length or QUEUE_DEFAULT }
  if core.script_data() then
    state.on_end = core.on_end(function()
      state.on_end = nil
      cleanup(state)
    end)
  end
  if util.some(name) then bind(state, name, subclass) end
  return class.object(C, state)
end)

class.method(C, "bind", "EventConsumer::bind", "SS", 1, 2, bind)
class.method(C, "cleanup", "EventConsumer::cleanup", "", 0, 0, cleanup)

local function take(state)
  if state.first > state.last then return nil end
  local e = state.queue[state.first]
  state.queue[state.first] = nil
  state.first = state.first + 1
  return event.object(e)
end

-- Waits until something is queued; ms nil = for ever.
local function wait_for_event(state, ms)
  local deadline = ms and core.now() + ms
  while state.first > state.last and not state.over do
    local left = deadline and deadline - core.now()
    if left and left <= 0 then return end
    local op = wait.op()
    state.waiter = { fiber = core.self(), token = op.token }
    wait.finish(op, left)
    if not op.done then state.waiter = nil end
  end
end

class.method(C, "pop", "EventConsumer::pop", "ii", 0, 2, function(state, block, timeout)
  if state.first > state.last then
    -- What was published in this very turn of the loop is read by waiting for no time at all.
    if block and block ~= 0 then wait_for_event(state, timeout and timeout > 0 and timeout or nil)
    else wait.once(0) end
  end
  return take(state)
end)
