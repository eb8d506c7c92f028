-- loan.lua: joining calls of different workers: one of them is lent to the other's worker.
--
-- Audio, and whoever joins calls, is of one worker. ch:lend() ties the call's leg to an audio link; on the other worker a *guest* stands
-- for it (src/worker/channel_guest.c), and bridge, eavesdrop, conference … work on a guest as on any call. At home the call's own fiber
-- waits in loan.lend() until the guest is let go, and then does what the guest was told to do next (`leave`): calls are routed and parked
-- at home alone. So a call is always worked on in one place, its *seat*: home, or where it is lent.
--
--   what is done there   app    an application, with the guest as its call
--                        join   uuid_bridge with a call of that worker
--                        hand   for a script there that has asked for it (loan.fetch)
local core = ...
local fs = core.fs
local bridge, channel, transfer, util, wait = fs.bridge, fs.channel, fs.transfer, fs.util, fs.wait

local byte, format, ipairs, match, pcall, tonumber, tostring, type = string.byte, string.format, ipairs, string.match, pcall, tonumber, tostring, type

local loan = {}
fs.loan = loan

local WORKER_0 = 3 -- its process number: bus/limits.h
local HOME_WAITS_MS = 2000 -- for a guest that was called back
local GUEST_WAITS_MS = 1000 -- for whoever still works on a guest

local guests = {} -- uuid → guest
local expected = {} -- token → op of the fiber that fetches a call

-- --- at home ---

local function told(x)
  local p = type(x) == "table" and (not x.status or x.status == 0) and x.pairs
  return p and fs.pack.unpack(p.results) or nil
end

-- What the guest was told to do is done here.
local function go_on(ch, leave)
  if not leave or not ch:up() or wait.gone(ch) then return end
  if leave[1] == "transfer" then transfer.transfer(ch, leave[2], leave[3], leave[4])
  elseif leave[1] == "park" then transfer.park(ch)
  elseif leave[1] == "actions" then transfer.actions(ch, leave[2])
  elseif leave[1] == "execute" then fs.apps.execute(ch, leave[2], leave[3]) end
end

-- Lends the call for `what` until its guest is let go. True when it was done there; false if it could not be lent, or its guest's worker died.
function loan.lend(ch, process, what)
  local data = ch:data()
  local list, why = ch:lend(process)
  if not list then
    util.err(ch, "cannot join %s with a call of another worker: %s", ch:uuid(), why)
    return false
  end
  data.lent = process
  what.bound = data.bound
  list[#list + 1] = { "method", ":lend" }
  list[#list + 1] = { "args", fs.pack.pack(what) }
  local op = wait.watch_token(core.request(process, "CALL_METHOD", list, 0))
  for _, one in ipairs(data.passed or {}) do ch:queue_digit(one[1], one[2]) end -- pressed before: they go along
  data.passed = nil
  while ch:digits() > 0 do ch:queue_digit(ch:take_digit()) end
  while not op.done do
    if wait.serve(ch, { op = op, no_commands = true, keep_breaks = true }) == "hangup" then
      ch:recall()
      wait.finish(op, HOME_WAITS_MS)
      break
    end
  end
  ch:reclaim()
  data.lent = nil
  local result = told(op.result)
  if not result then
    if ch:up() then util.log(util.WARN, format("the worker that call %s was lent to is gone\n", ch:uuid()), ch) end
    return false
  end
  data.bound = result.bound
  if data.all_digits then for _, digit in ipairs(result.digits or {}) do data.all_digits[#data.all_digits + 1] = digit end end
  go_on(ch, result.leave)
  return true
end

-- The partner's worker died: for this call that is its partner's hangup.
local function partner_lost(ch)
  if not ch:up() or not ch:get("bridge_uuid") then return end
  local about = { { "Bridge-A-Unique-ID", ch:get("bridge_uuid") }, { "Bridge-B-Unique-ID", ch:uuid() } }
  ch:set("bridge_uuid", nil)
  ch:set("bridge_channel", nil)
  ch:set("bridge_hangup_cause", "DESTINATION_OUT_OF_ORDER")
  ch:set("last_bridge_hangup_cause", "DESTINATION_OUT_OF_ORDER")
  fs.headers.fire("CHANNEL_UNBRIDGE", ch, about)
end

-- Where a call is worked on: itself if here (a guest, too), or nil and the process to go to; nil, nil if there is none.
function loan.seat(uuid)
  local ch = channel.find(uuid)
  if ch and not ch:data().lent then return ch end
  if ch then return nil, ch:data().lent end
  return nil, fs.remote.process_of(uuid)
end

function loan.is_guest(ch) return ch:kind() == "guest" end

-- The guest is let go; `leave` is done at home.
function loan.leave(ch, leave)
  local data = ch:data()
  data.leave = leave
  if data.partner then bridge.leave(ch) end
  ch:transferring_set(true)
  transfer.wake(ch)
  return true
end

-- Runs an application of this call on another worker.
function loan.app(ch, process, app, text)
  if loan.is_guest(ch) then return loan.leave(ch, { "execute", app, text }) end
  if not loan.lend(ch, process, { kind = "app", app = app, text = text }) then partner_lost(ch) end
end

-- An application that joins this call with another: its seat; or nil, and then the application was run there, if there is such a call.
function loan.other(ch, uuid, app, text)
  local other, process = loan.seat(uuid)
  if other or not process then return other, false end
  loan.app(ch, process, app, text)
  return nil, true
end

-- The worker where a room, lot or queue of that name is: the same for whoever asks.
function loan.process_of_name(name)
  local hash = 0
  for i = 1, #name do hash = (hash * 31 + byte(name, i)) % 2147483647 end
  return WORKER_0 + hash % core.workers()
end

-- True if the application was run on the worker where things of that name are.
function loan.at(ch, name, app, text)
  if not fs.remote.many then return false end
  local process = loan.process_of_name(name)
  if process == WORKER_0 + core.worker() then return false end
  loan.app(ch, process, app, text)
  return true
end

-- --- where it is lent ---

local kinds = {}

function kinds.app(ch, what)
  local app = fs.apps.find(what.app)
  if app then app.f(ch, what.text or "") end
end

function kinds.join(ch, what)
  local a = loan.seat(what.with)
  if a then bridge.join(a, ch) end
end

function kinds.hand(ch, what)
  local op = expected[what.token]
  if not op then return end
  local data = ch:data()
  data.holder = op.fiber
  core.wake(op.fiber, op.token, ch)
  while ch:up() and not data.handed_back and core.fiber_alive(op.fiber) do wait.once(1000) end
end

-- What a guest's own fiber does: first what it came for, then whatever is next here (transfer.next), until it is over or to leave.
local function life(ch, what)
  local data = ch:data()
  ch:own(core.self())
  ch:watch(core.self(), true)
  data.pending = function() kinds[what.kind](ch, what) end
  while data.pending and ch:up() and not ch:transferring() do
    local f = data.pending
    data.pending = nil
    local ok, problem = pcall(f, ch)
    if not ok then
      if core.is_kill and core.is_kill(problem) then break end
      util.err(ch, "what call %s was lent for failed: %s", ch:uuid(), tostring(problem))
    end
  end
  local till = core.now() + GUEST_WAITS_MS
  while data.partner and core.now() < till do wait.once(20) end
  ch:watch(core.self(), false)
end

-- A request of a call's home: the guest, from first to last.
function loan.taken(from, p)
  local ch = core.guest(from, p.loan or "")
  local what = fs.pack.unpack(p.args)
  if not ch or not what or not kinds[what.kind] then return nil end
  local data = ch:data()
  local uuid = ch:uuid()
  data.created, data.begun, data.bound, data.all_digits = true, true, what.bound, {}
  guests[uuid] = ch
  local op, me = wait.op(), core.self()
  data.life = core.spawn("guest", function()
    local ok, problem = pcall(life, ch, what)
    if not ok then util.err(ch, "a guest failed: %s", tostring(problem)) end
    core.wake(me, op.token, true)
  end)
  while not op.done and core.fiber_alive(data.life) do wait.once(1000) end
  if guests[uuid] == ch then guests[uuid] = nil end
  local result = { leave = data.leave, bound = data.bound, digits = data.all_digits }
  data.partner, data.life = nil, nil
  ch:release()
  return { { "results", fs.pack.pack(result) } }
end

function loan.guest(uuid) return guests[uuid] end

-- --- calls that a script or command here wants ---

-- A call of another worker comes here, by its remote handle: its guest, for this fiber until loan.back(guest); or nil.
function loan.fetch(st)
  local op = wait.op()
  op.fiber = core.self()
  local token = format("%.0f", op.token)
  expected[token] = op
  local coming = fs.remote.call(st, ":come", WORKER_0 + core.worker(), token)
  local ch = coming and wait.finish(op, 10000)
  expected[token] = nil
  wait.forget(op)
  return ch or nil
end

function loan.back(ch)
  local data = ch:data()
  data.handed_back = true
  if data.life and core.fiber_alive(data.life) then core.wake(data.life, 0, true) end
end

-- At home: lends the call to a script there, beside whatever the handle's fiber is asked meanwhile.
function loan.come(st, process, token)
  local ch = st.ch
  if not ch or not ch:up() then return false end
  core.spawn("lent call", function()
    local owner = ch:owner()
    local done = loan.lend(ch, process, { kind = "hand", token = token })
    if ch:owner() == core.self() then ch:own(owner and core.fiber_alive(owner) and owner or nil) end
    if done then return end
    local bridged = ch:get("bridge_uuid")
    partner_lost(ch)
    if bridged and ch:up() and not wait.gone(ch) and not bridge.onwards(ch) then channel.hangup(ch, "NORMAL_CLEARING") end
  end)
  return true
end

-- uuid_bridge with `b` of another worker: asks there for it. False if there is no such call.
function loan.join(a, uuid)
  local b, process = loan.seat(uuid)
  if b or not process or not a:up() then return false end
  return fs.remote.api(process, format("carillon_lend %s %d %s", uuid, WORKER_0 + core.worker(), a:uuid())) == "+OK\n"
end

-- The other side of it: that worker asks for a call of ours.
function loan.lend_to_join(text)
  local uuid, process, with = match(text, "^(%S+) (%d+) (%S+)$")
  local ch = uuid and channel.find(uuid)
  if not ch or loan.is_guest(ch) then return "-ERR\n" end
  transfer.next(ch, function()
    channel.state(ch, "CS_HIBERNATE")
    if not loan.lend(ch, tonumber(process), { kind = "join", with = with }) then partner_lost(ch) end
    if ch:up() and not wait.gone(ch) and not bridge.onwards(ch) then bridge.rest(ch) end
  end)
  return "+OK\n"
end
