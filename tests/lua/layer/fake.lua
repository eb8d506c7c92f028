-- fake.lua: a `core` written in Lua alone, with a clock of its own, so that the layer runs without the engine: fibers are coroutines,
-- channels are tables, media are durations. SIP calls go to the fake itself, into the context `conformance`.
local ffi = require("ffi")
local fake = { log_lines = {}, events = {}, verbose = os.getenv("FAKE_LOG") ~= nil }

-- --- clock, fibers -----------------------------------------------------------------------------------------------------

local now, started_us, serial = 0, os.time() * 1000000, 0
local ready, timers, current = {}, {}, nil
local core = { config_values = {}, global_values = { core_uuid = "11111111-2222-4333-8444-555555555555", hostname = "fakehost" } }
fake.core = core

local function schedule(ms, f)
  serial = serial + 1
  local t = { at = now + ms, n = serial, f = f }
  timers[#timers + 1] = t
  return t
end
local function cancel(t) if t then t.f = nil end end
local function make_ready(fiber)
  if fiber.waiting and not fiber.queued then
    fiber.queued = true
    ready[#ready + 1] = fiber
  end
end
local function post(fiber, ...)
  if not fiber or fiber.dead then return end
  fiber.mail[#fiber.mail + 1] = { n = select("#", ...), ... }
  make_ready(fiber)
end

local function new_fiber(name, f, ...)
  local fiber = { name = name, mail = {}, waiting = true }
  local args, n = { ... }, select("#", ...)
  fiber.co = coroutine.create(function() return f(unpack(args, 1, n)) end)
  make_ready(fiber)
  return fiber
end

local function resume(fiber)
  local before = current
  current = fiber
  fiber.queued, fiber.waiting = false, false
  local ok, problem = coroutine.resume(fiber.co)
  current = before
  if coroutine.status(fiber.co) == "dead" then
    fiber.dead = true
    if fiber.over then fiber.over(ok, problem) elseif not ok then
      io.stderr:write("fiber " .. fiber.name .. ": " .. tostring(problem) .. "\n" .. debug.traceback(fiber.co) .. "\n")
    end
  else
    fiber.waiting = true
    if #fiber.mail > 0 then make_ready(fiber) end
  end
end

local function step()
  if #ready > 0 then
    resume(table.remove(ready, 1))
    return true
  end
  local best
  for i = 1, #timers do
    local t = timers[i]
    if t.f and (not best or t.at < best.at or t.at == best.at and t.n < best.n) then best = t end
  end
  if not best then return false end
  if #timers > 200 then
    local keep = {}
    for i = 1, #timers do if timers[i].f then keep[#keep + 1] = timers[i] end end
    timers = keep
  end
  if best.at > now then now = best.at end
  local f = best.f
  best.f = nil
  f()
  return true
end

-- Runs until `done()`; false if nothing is left to do, or after `limit` ms of the fake's time.
function fake.run(done, limit)
  local till = now + (limit or 120000)
  while not done() do
    if now > till or not step() then return false end
  end
  return true
end
function fake.now() return now end

function core.wait(ms)
  local fiber = current
  if #fiber.mail == 0 then
    local t
    local fired = false
    if ms then t = schedule(math.max(ms, 0), function() fired = true make_ready(fiber) end) end
    repeat coroutine.yield() until #fiber.mail > 0 or fired
    cancel(t)
  end
  local m = table.remove(fiber.mail, 1)
  if not m then return nil end
  return unpack(m, 1, m.n)
end
local token = 1000
function core.token() token = token + 1 return token end
function core.now() return now end
function core.utc_us() return started_us + now * 1000 end
function core.spawn(name, f, ...) return new_fiber(name, f, ...) end
function core.wake(fiber, t, value) post(fiber, "wake", nil, t, value) end
function core.self() return current end
function core.fiber_alive(fiber) return fiber ~= nil and not fiber.dead end

-- --- scripts, objects ----------------------------------------------------------------------------------------------------

core.fs, core.base, core.layer = {}, {}, {}
function core.script_data() return current and current.script end
function core.on_end(f)
  local ends = current.script.ends
  ends[#ends + 1] = f
  return { ends, #ends }
end
function core.off_end(h) h[1][h[2]] = function() end end

local base_names = { "assert", "error", "ipairs", "pcall", "xpcall", "select", "tonumber", "tostring", "type", "unpack", "next", "pairs", "rawget", "rawset",
  "rawequal", "getmetatable", "setmetatable", "math", "os", "io", "string", "table", "coroutine", "debug", "collectgarbage", "print", "package", "require" }
function core.script(request)
  local token_of = not request.detached and core.token() or nil
  local asker = current
  local g = {}
  for _, n in ipairs(base_names) do g[n] = _G[n] end
  g._G = g
  for k, v in pairs(core.base) do
    if type(v) == "table" and not getmetatable(v) then
      local c = {}
      for a, b in pairs(v) do c[a] = b end
      g[k] = c
    else g[k] = v end
  end
  g.dofile = function(path) return setfenv(assert(loadfile(path)), g)() end
  g.argv = request.argv
  for k, v in pairs(request.globals or {}) do g[k] = v end
  local chunk, why
  if request.code then chunk, why = loadstring(request.code, "=line")
  else
    local f = io.open(request.file, "rb")
    if f then
      chunk, why = loadstring(f:read("*a"), "@" .. request.file)
      f:close()
    else why = "cannot open " .. request.file end
  end
  local function finish(ok, problem)
    if not ok then core.log(3, tostring(problem)) end
    if token_of then core.wake(asker, token_of, { ok = ok, error = not ok and tostring(problem) or nil }) end
  end
  if not chunk then
    finish(false, why)
    return token_of
  end
  if core.layer.new_globals then core.layer.new_globals(g) end
  if request.session and core.layer.script_session then core.layer.script_session(request.session, g) end
  setfenv(chunk, g)
  local fiber = new_fiber("script", chunk)
  fiber.script = { __globals = g, ends = {} }
  fiber.over = function(ok, problem)
    local before = current
    current = fiber
    for i = #fiber.script.ends, 1, -1 do fiber.script.ends[i]() end
    current = before
    finish(ok, problem)
  end
  return token_of
end

local objects = setmetatable({}, { __mode = "k" })
function core.object(name, meta, state)
  local o = newproxy(true)
  local m = getmetatable(o)
  for k, v in pairs(meta) do if k ~= "__gc" then m[k] = v end end
  m.__tostring = function() return "<userdata of type 'LUA::" .. name .. " *' at 0x0>" end
  objects[o] = { name, state }
  return o
end
function core.state(o) return objects[o] and objects[o][2] end
function core.class_of(o) return type(o) == "userdata" and objects[o] and objects[o][1] or nil end

-- --- host ------------------------------------------------------------------------------------------------------------------

function core.global_get(name) return core.global_values[name] end
function core.global_set(name, value) core.global_values[name] = value ~= "" and value or nil end
function core.globals() local t = {} for k, v in pairs(core.global_values) do t[k] = v end return t end
function core.config(path, default) local v = core.config_values[path] if v == nil then return default end return v end
function core.worker() return 0 end
function core.workers() return 1 end
function core.call_worker() return nil end
local tables = {}
local handlers = {}
fake.handlers = handlers
function handlers.TABLE(p)
  local key = (p.table or "hash") .. "/" .. (p.realm or "") .. "/" .. (p.key or "")
  local there = tables[key]
  if p.op == "insert" then tables[key] = p.value return { found = there and "1" or "0" } end
  if p.op == "select" then return { found = there and "1" or "0", value = there } end
  if p.op == "delete" then tables[key] = nil return { found = there and "1" or "0" } end
  return { found = "1" }
end
local function as_map(list)
  local m = {}
  for k, v in pairs(list or {}) do if type(v) == "table" then m[v[1]] = v[2] else m[k] = v end end
  return m
end
function core.request(_, kind, list)
  local t, me = core.token(), current
  local h = handlers[kind]
  local reply = h and h(as_map(list)) or {}
  post(me, "reply", nil, t, { status = 0, pairs = reply })
  return t
end
function core.note() end
local subscribers, next_subscriber = {}, 0
function core.subscribe(types, f)
  next_subscriber = next_subscriber + 1
  subscribers[next_subscriber] = { types = types, f = f }
  return next_subscriber
end
function core.subscribe_types(id, types) subscribers[id].types = types end
function core.unsubscribe(id) subscribers[id] = nil end
local function wants(s, n)
  if s.types == "all" then return true end
  for _, t in ipairs(s.types) do if t == n then return true end end
  return s.types[n] == true
end
function core.event_wanted(n) for _, s in pairs(subscribers) do if wants(s, n) then return true end end return fake.all_events or false end
function core.publish(n, ch, list)
  fake.events[#fake.events + 1] = { n, ch, list }
  for _, s in pairs(subscribers) do if wants(s, n) then s.f(list, {}) end end
end
local jobs = {}
function jobs.read_file(path) local f = io.open(path, "rb") if not f then return nil end local t = f:read("*a") f:close() return t end
function jobs.write_file(path, text, mode) local f = io.open(path, mode or "wb") if not f then return false end f:write(text) f:close() return true end
function jobs.popen_read(c) local p = io.popen(c) local t = p:read("*a") p:close() return t end
function jobs.system(c) return os.execute(c) end
function core.job(name, ...)
  local t = core.token()
  post(current, "job", nil, t, jobs[name](...))
  return t
end
function core.log(level, text, uuid)
  fake.log_lines[#fake.log_lines + 1] = { level, text }
  if fake.verbose then io.stderr:write(string.format("[%d] %s %s\n", level, uuid or "", (text:gsub("\n$", "")))) end
end
function core.log_raw(text) core.log(7, text) end

-- --- tools -------------------------------------------------------------------------------------------------------------------

local causes = { NONE = 0, UNALLOCATED_NUMBER = 1, NO_ROUTE_DESTINATION = 3, NORMAL_CLEARING = 16, USER_BUSY = 17, NO_USER_RESPONSE = 18, NO_ANSWER = 19,
  SUBSCRIBER_ABSENT = 20, CALL_REJECTED = 21, NUMBER_CHANGED = 22, DESTINATION_OUT_OF_ORDER = 27, INVALID_NUMBER_FORMAT = 28, NORMAL_UNSPECIFIED = 31,
  NORMAL_TEMPORARY_FAILURE = 41, SERVICE_UNAVAILABLE = 63, CHAN_NOT_IMPLEMENTED = 66, INCOMPATIBLE_DESTINATION = 88, MANDATORY_IE_MISSING = 96,
  RECOVERY_ON_TIMER_EXPIRE = 102, SUCCESS = 142, ORIGINATOR_CANCEL = 487, LOSE_RACE = 702, MANAGER_REQUEST = 703, ALLOTTED_TIMEOUT = 802,
  PROGRESS_TIMEOUT = 807, INVALID_GATEWAY = 808, INVALID_PROFILE = 811, PICKED_OFF = 805, NORMAL_CIRCUIT_CONGESTION = 34, INVALID_URL = 810 }
local by_number = {}
for k, v in pairs(causes) do by_number[v] = k end
function core.cause_number(w) w = tostring(w) return tonumber(w) or causes[w:upper()] or 16 end
function core.cause_name(n) return by_number[n] or "UNKNOWN" end

ffi.cdef [[
typedef struct pcre2_code pcre2_code; typedef struct pcre2_match_data pcre2_match_data;
pcre2_code *pcre2_compile_8(const char *, size_t, uint32_t, int *, size_t *, void *);
pcre2_match_data *pcre2_match_data_create_from_pattern_8(pcre2_code *, void *);
int pcre2_match_8(pcre2_code *, const char *, size_t, size_t, uint32_t, pcre2_match_data *, void *);
size_t *pcre2_get_ovector_pointer_8(pcre2_match_data *);
]]
local pcre = ffi.load("libpcre2-8.so.0")
local compiled = {}
function core.regex(pattern, subject)
  local inner, flags = pattern:match("^/(.*)/(%a*)$")
  pattern = inner or pattern
  local re = compiled[pattern]
  if not re then
    local e, at = ffi.new("int[1]"), ffi.new("size_t[1]")
    re = pcre.pcre2_compile_8(pattern, #pattern, (flags or ""):find("i") and 8 or 0, e, at, nil)
    if re == nil then return nil end
    compiled[pattern] = re
  end
  local data = pcre.pcre2_match_data_create_from_pattern_8(re, nil)
  local n = pcre.pcre2_match_8(re, subject, #subject, 0, 0, data, nil)
  if n < 0 then return nil end
  local o, r = pcre.pcre2_get_ovector_pointer_8(data), { starts = {}, ends = {} }
  for i = 0, n - 1 do
    local set = o[2 * i] ~= ffi.cast("size_t", -1)
    r.starts[i], r.ends[i] = set and tonumber(o[2 * i]) + 1 or 0, set and tonumber(o[2 * i + 1]) or 0
    r[i] = subject:sub(r.starts[i], r.ends[i])
  end
  return r
end

local entities = { lt = "<", gt = ">", amp = "&", quot = '"', apos = "'" }
local function unescape(t) return (t:gsub("&(%w+);", entities)) end
function core.xml(text)
  local root, stack, at, line = { attr = {} }, {}, 1, 1
  stack[1] = root
  while true do
    local from, to, close, tag, rest, empty = text:find("<(/?)([%w_%-:%.]+)(.-)(/?)>", at)
    if not from then break end
    local _, lines = text:sub(at, from):gsub("\n", "")
    line = line + lines
    local between = text:sub(at, from - 1)
    if between:find("%S") then stack[#stack].text = (stack[#stack].text or "") .. unescape(between) end
    if close == "/" then
      if stack[#stack].tag ~= tag then return nil, "text:" .. line .. ": mismatched tag " .. tag end
      table.remove(stack)
    else
      local node = { tag = tag, attr = {}, line = line }
      for k, v in rest:gmatch('([%w_%-:%.]+)%s*=%s*"([^"]*)"') do node.attr[k] = unescape(v) end
      table.insert(stack[#stack], node)
      if empty ~= "/" then stack[#stack + 1] = node end
    end
    local _, inner = text:sub(from + 1, to):gsub("\n", "")
    line, at = line + inner, to + 1
  end
  if #stack > 1 then return nil, "text:" .. line .. ": no closing tag for " .. stack[#stack].tag end
  return root[1]
end
function core.md5(t) return t end
function core.uuid()
  return (("xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx"):gsub("x", function() return string.format("%x", math.random(0, 15)) end))
end
function core.url_encode(t) return core.fs.util.url_encode(t) end
function core.url_decode(t) return core.fs.util.url_decode(t) end
function core.strftime(f, t, zone) return os.date((zone == "UTC" and "!" or "") .. f, t) end
function core.regex_replace(pattern, subject) return subject end

-- --- channels --------------------------------------------------------------------------------------------------------------------

local Channel = {}
Channel.__index = Channel
local all = {}
local function new_channel(kind, uuid, outbound)
  if uuid and all[uuid] and all[uuid].is_up then uuid = nil end
  local ch = setmetatable({ id = uuid or core.uuid(), k = kind, s = "CS_INIT", out = outbound, is_up = true, vars = {}, order = {}, prof = {}, d = {}, queue = {},
    watchers = {}, t = { created = core.utc_us() }, ops = {} }, Channel)
  ch.prof.uuid, ch.prof.direction = ch.id, outbound and "outbound" or "inbound"
  all[ch.id] = ch
  return ch
end
local function changed(ch)
  post(ch.own_fiber, "state", ch)
  if ch.dialler and ch.dialler ~= ch.own_fiber then post(ch.dialler, "state", ch) end
  for f in pairs(ch.watchers) do if f ~= ch.own_fiber then post(f, "state", ch) end end
end
function Channel:uuid() return self.id end
function Channel:kind() return self.k end
function Channel:state() return self.s end
function Channel:outbound() return self.out end
function Channel:answered() return self.is_answered or false end
function Channel:early() return self.is_early or false end
function Channel:ringing() return self.is_ringing or false end
function Channel:media_ready() return self.is_up and (self.is_answered or self.is_early) or false end
function Channel:up() return self.is_up end
function Channel:transferring() return self.xfer or false end
function Channel:bridged() return self.partner ~= nil end
function Channel:cause() return self.why end
function Channel:times() return self.t end
function Channel:get(n) return self.vars[n:lower()] end
function Channel:set(n, v)
  local k = n:lower()
  if v == "" then v = nil end
  if self.vars[k] == nil and v ~= nil then self.order[#self.order + 1] = n end
  self.vars[k] = v and tostring(v)
end
function Channel:variables()
  local r = {}
  for _, n in ipairs(self.order) do if self.vars[n:lower()] then r[#r + 1] = { n, self.vars[n:lower()] } end end
  return r
end
function Channel:profile(f) return self.prof[f] end
function Channel:profile_set(f, v) self.prof[f] = v end
function Channel:data() return self.d end
local function both(ch, f) f(ch) if ch.peer then f(ch.peer) end end
function Channel:ring() if not self.is_up then return nil end both(self, function(c) c.is_ringing = true c.t.progress = core.utc_us() changed(c) end) return true end
function Channel:early_media() if not self.is_up then return nil end both(self, function(c) c.is_early = true c.t.progress_media = core.utc_us() changed(c) end) return true end
function Channel:answer()
  if not self.is_up then return nil end
  both(self, function(c)
    if c.is_answered then return end
    c.is_answered = true
    c.t.answered = core.utc_us()
    if c.dialler then post(c.dialler, "dialled", c, nil, { result = "answered", codec = "PCMU" }) c.dialler = nil end
    changed(c)
  end)
  return true
end
local function op_end(ch, op, reason)
  if op.over then return end
  op.over = true
  ch.ops[op.token] = nil
  cancel(op.timer)
  local position = math.floor(math.max(op.position(), 0) * 8)
  if op.finish then op.finish(position) end
  post(op.fiber, "done", ch, op.token, { reason = reason, samples = op.samples and op.samples() or position, rate = 8000, ms = math.floor((op.samples and op.samples() or position) / 8), position = position, bytes = 0 })
end
local function drop(ch, cause, by_us)
  if not ch.is_up then return end
  ch.is_up, ch.why, ch.s = false, cause, "CS_HANGUP"
  ch.t.hangup = core.utc_us()
  if ch.k == "sip" and not by_us then
    if ch.is_answered then ch:set("sip_hangup_disposition", "recv_bye")
    elseif ch.out then
      ch:set("sip_hangup_disposition", "recv_refuse")
      if cause == "USER_BUSY" then ch:set("sip_term_status", "486") ch:set("proto_specific_hangup_cause", "sip:486") end
    else ch:set("sip_hangup_disposition", "recv_cancel") end
  end
  for _, op in pairs(ch.ops) do op_end(ch, op, "gone") end
  if ch.partner then ch.partner.partner = nil ch.partner = nil end
  changed(ch)
  if ch.dialler then post(ch.dialler, "dialled", ch, nil, { result = "failed", cause = cause }) ch.dialler = nil end
  local fiber = new_fiber("over", function() core.layer.channel_over(ch) end)
end
function Channel:hangup(cause)
  local peer = self.peer
  drop(self, cause, true)
  if peer and peer.is_up then
    local theirs = cause
    if self.k == "sip" then
      if self.out and not self.is_answered then theirs = "ORIGINATOR_CANCEL" end
      if core.cause_number(cause) > 700 then theirs = "NORMAL_CLEARING" end
    end
    schedule(self.k == "sip" and 5 or 0, function() drop(peer, theirs) end)
  end
  return true
end
function Channel:respond(status) return self:hangup(status == 486 and "USER_BUSY" or "NORMAL_UNSPECIFIED") end
function Channel:state_set(s) self.s = s changed(self) return true end
function Channel:transferring_set(on) self.xfer = on changed(self) return true end

-- Duration in ms of a source; nil if it cannot be opened.
local function duration(source)
  local ms = source:match("^silence_stream://(%-?%d+)")
  if ms then return tonumber(ms) < 0 and 1e9 or tonumber(ms) end
  local tones = source:match("^tone_stream://(.*)$")
  if tones then
    local total = 0
    for on, off in tones:gmatch("%%%((%d+),(%d+)") do total = total + on + off end
    local loops = tonumber(tones:match("loops=(%-?%d+)") or "1")
    return loops < 0 and 1e9 or total * loops
  end
  if source:find("://") then return nil, "bad_source" end
  if not source:find("%.wav$") then return nil, "bad_source" end
  local f = io.open(source, "rb")
  if not f then return nil, "not_found" end
  local size = f:seek("end")
  f:close()
  return math.max((size - 44) / 16, 0)
end
local function timed_op(ch, token_of, total, reason)
  local op = { token = token_of, fiber = current, from = 0, at = now, total = total, speed = 1 }
  op.position = function() return op.paused and op.from or math.min(op.from + (now - op.at), op.total) end
  function op.arm()
    cancel(op.timer)
    if not op.paused then op.timer = schedule(op.total - op.from, function() op_end(ch, op, reason) end) end
  end
  function op.seek(ms)
    op.from, op.at = math.max(math.min(ms, op.total), 0), now
    op.arm()
  end
  ch.ops[token_of] = op
  return op
end
function Channel:play(t, source, start, loop)
  if not self.is_up then return nil, "the call is over" end
  for _, op in pairs(self.ops) do if op.kind == "play" then op_end(self, op, "replaced") end end
  local ms, why = duration(source)
  if not ms then
    post(current, "done", self, t, { reason = why })
    return true
  end
  local op = timed_op(self, t, loop and 1e9 or ms, "finished")
  op.kind = "play"
  local heard_from, played = now, 0
  op.samples = function() return math.floor((now - heard_from) * 8) end
  op.seek((start or 0) / 8)
  return true
end
local function little(n, b) local r = {} for i = 1, b do r[i] = string.char(n % 256) n = math.floor(n / 256) end return table.concat(r) end
function Channel:record(t, params)
  if not self.is_up then return nil end
  local old = params.append and jobs.read_file(params.path)
  local f = io.open(params.path, "wb")
  if not f then
    post(current, "done", self, t, { reason = "cannot_open" })
    return true
  end
  local silent = not (self.peer and self.peer.prof.destination_number == "tone")
  local total, reason = (params.limit_ms or 0) > 0 and params.limit_ms or 1e9, "limit"
  if (params.silence_threshold or 0) > 0 and silent and params.silence_ms < total then total, reason = params.silence_ms, "silence" end
  local op = timed_op(self, t, total, reason)
  op.kind = "record"
  local size = 0
  op.samples = function() return size end
  op.finish = function(position)
    local data = (old and old:sub(45) or "") .. ("\0\0"):rep(position)
    size = #data / 2
    f:write("RIFF" .. little(#data + 36, 4) .. "WAVEfmt " .. little(16, 4) .. little(1, 2) .. little(1, 2) .. little(8000, 4) .. little(16000, 4) .. little(2, 2)
      .. little(16, 2) .. "data" .. little(#data, 4) .. data)
    f:close()
  end
  op.arm()
  return true
end
function Channel:send_digits(t, digits, ms)
  local at = 0
  for d in digits:gmatch(".") do
    if d == "w" then at = at + 500 elseif d == "W" then at = at + 1000 else
      at = at + (ms or 250)
      local far = self.peer
      schedule(at, function() if far and far.is_up then far:queue_digit(d, (ms or 250) * 8) end end)
      at = at + 40
    end
  end
  return true
end
function Channel:control(t, word, value)
  local op = self.ops[t]
  if not op then return nil end
  if word == "pause_toggle" then
    if op.paused then op.paused, op.at = false, now op.arm() else op.from, op.paused = op.position(), true cancel(op.timer) end
  elseif word == "restart" then op.seek(0)
  elseif word == "seek_ms" then op.seek(value)
  elseif word == "seek_by_ms" then op.seek(op.position() + value) end
  return true
end
function Channel:stop(t) local op = self.ops[t] if op then op_end(self, op, "stopped") end return true end
function Channel:bridge(other)
  self.partner, other.partner = other, self
  self.s, other.s = "CS_EXCHANGE_MEDIA", "CS_EXCHANGE_MEDIA"
  self.t.bridged, other.t.bridged = core.utc_us(), core.utc_us()
  return true
end
function Channel:unbridge() if self.partner then self.partner.partner = nil self.partner = nil end return true end
function Channel:echo() return true end
function Channel:room_join() return true end
function Channel:room_leave() return true end
function Channel:digits() return #self.queue end
function Channel:take_digit() local d = table.remove(self.queue, 1) if d then return d[1], d[2] end end
function Channel:flush_digits() self.queue = {} end
function Channel:queue_digit(d, n) self.queue[#self.queue + 1] = { d, n or 2000 } post(self.own_fiber, "digit", self) end
function Channel:own(f) self.own_fiber = f end
function Channel:owner() return self.own_fiber end
function Channel:watch(f, on) self.watchers[f] = on and true or nil end
function Channel:break_media(a) post(self.own_fiber, "break", self, nil, a) end
function Channel:queue_event(list)
  local l = {}
  for k, v in pairs(list) do if type(v) == "table" then l[#l + 1] = v else l[#l + 1] = { k, v } end end
  post(self.own_fiber, "event", self, nil, l)
end

function core.channels()
  local r = {}
  for _, ch in pairs(all) do r[#r + 1] = ch end
  return r
end
function core.channel(uuid) return all[uuid] end
function core.new_null(uuid)
  local ch = new_channel("null", uuid, true)
  ch.is_answered, ch.t.answered = true, core.utc_us()
  return ch
end
function core.new_loopback(uuid)
  local a, b = new_channel("loopback", uuid, true), new_channel("loopback", nil, false)
  a.peer, b.peer = b, a
  a:set("other_loopback_leg_uuid", b.id)
  b:set("other_loopback_leg_uuid", a.id)
  return a, b
end
function core.dial(uuid, pairs_of)
  local a, b = new_channel("sip", uuid, true), new_channel("sip", nil, false)
  a.peer, b.peer, a.dialler = b, a, current
  local user = (pairs_of.uri or ""):match("^sip:([^@]*)") or pairs_of.number
  a:set("sip_call_id", core.uuid())
  b:set("sip_call_id", a:get("sip_call_id"))
  for _, c in ipairs({ a, b }) do
    for k, v in pairs({ read_codec = "PCMU", write_codec = "PCMU", read_rate = "8000", write_rate = "8000", remote_media_port = "4000" }) do c:set(k, v) end
  end
  for k, v in pairs(pairs_of) do local h = k:match("^h%.(.*)$") if h then b:set("sip_h_" .. h, v) end end
  b.prof.destination_number, b.prof.context, b.prof.dialplan = user, "conformance", "XML"
  b.prof.caller_id_number, b.prof.caller_id_name = pairs_of.cid_number or "0000000000", pairs_of.cid_name or ""
  schedule(2, function() new_fiber("inbound", function() core.layer.channel_start(b) end) end)
  return a
end
function core.dial_cancel(ch, cause) ch:hangup(cause) end

-- --- the layer -------------------------------------------------------------------------------------------------------------------

function fake.load(dir)
  function core.load(name)
    if name:find("^stdlib") or name == "compat" then return end -- the engine's own
    local f = io.open(dir .. "/" .. name .. ".lua", "rb")
    if not f then return end
    local text = f:read("*a")
    f:close()
    return assert(loadstring(text, "@" .. name .. ".lua"))(core)
  end
  local text = jobs.read_file(dir .. "/init.lua")
  -- The engine's own files need the engine.
  text = text:gsub("load%(\"stdlib\".-%)\n", "\n"):gsub("core%.fs = {}", ""):gsub("local layer = {}\ncore%.layer = layer", "local layer = core.layer"):gsub("core%.base_set%(core%.base%)", "")
  assert(loadstring(text, "@init.lua"))(core)
  return core.fs
end

-- Runs a function in a fiber to its end; what it returned.
function fake.fiber(f, limit)
  local result, failed
  local fiber = new_fiber("test", function() result = { f() } end)
  fiber.over = function(ok, problem) if not ok then failed = problem end fiber.finished = true end
  local ended = fake.run(function() return fiber.finished end, limit)
  if failed then error(failed, 0) end
  if not ended then error("the fiber did not end", 0) end
  return unpack(result)
end

return fake
