-- session.lua: the Session class: making, attaching, facts, variables, hangup, callbacks by name, and letting go.
-- What plays, records or collects digits is added by session_media.lua.
--
-- State: ch (nil when dead), allocated, hup (auto-hangup), cause (of the dial), cb_function and cb_arg, hook_function and hook_arg,
-- tts_name, voice_name, nesting (callbacks within callbacks), globals (of its script).
local core = ...
local fs = core.fs
local util, class, callback, channel, headers, variables, wait, event =
  fs.util, fs.class, fs.callback, fs.channel, fs.headers, fs.variables, fs.wait, fs.event

local error, format, getmetatable, ipairs, lower, match, newproxy, setmetatable, tostring =
  error, string.format, getmetatable, ipairs, string.lower, string.match, newproxy, setmetatable, tostring

local session = {}
fs.session = session

local objects = setmetatable({}, { __mode = "v" }) -- state → its userdata

local C = class.define("Session", { self_type = "CoreSession *", gc = function(st) session.release(st) end,
  far = function(...) return fs.remote.call(...) end })
session.class = C

function session.object_of(st) return objects[st] or objects[st.real] end

-- --- life of an object ---

-- Gives up the call: hangs it up if that was wished and it did not go elsewhere. Never waits.
function session.release(st)
  local ch = st.ch
  if not ch then
    if st.far then fs.remote.release(st) end
    return
  end
  st.ch, st.allocated = nil, false
  if st.end_handle then
    core.off_end(st.end_handle)
    st.end_handle = nil
  end
  local globals = st.globals
  if globals then globals[ch:uuid()] = nil end
  local data = ch:data()
  if st.mine then
    ch:own(st.previous_owner and core.fiber_alive(st.previous_owner) and st.previous_owner or nil)
  end
  if st.hup and ch:up() and not ch:transferring() and not st.transferred and not data.pending then
    channel.hangup(ch, "NORMAL_CLEARING")
  elseif not ch:up() then
    channel.over(ch)
  elseif st.mine and not ch:owner() and not data.pending and not ch:transferring() then
    channel.idle(ch)
  end
end

local function adopt(st, ch)
  st.ch, st.allocated, st.uuid = ch, true, ch:uuid()
  local script = core.script_data()
  st.globals = script and script.__globals
  if st.globals then st.globals[st.uuid] = objects[st] end
end

-- Sessions of this script whose calls are over need not be found by name any more.
local function sweep()
  local script = core.script_data()
  local list = script and script.sessions
  if not list then return end
  local n = 0
  for i = 1, #list do
    local st = list[i]
    list[i] = nil
    if st.ch and st.ch:up() then
      n = n + 1
      list[n] = st
    elseif st.ch and st.globals then
      st.globals[st.uuid] = nil
    end
  end
end

-- A script's own session: released when the script ends.
local function register(st)
  local script = core.script_data()
  if not script then return end
  script.sessions = script.sessions or {}
  script.sessions[#script.sessions + 1] = st
  st.end_handle = core.on_end(function()
    st.end_handle = nil
    session.release(st)
  end)
end

session.register = register

local function new_state()
  local st = { cause = "NONE" }
  objects[st] = class.object(C, st)
  return st, objects[st]
end

-- An object on a call for a script that is about to start (global `session`): no auto-hangup.
function session.attach(ch)
  local st, object = new_state()
  st.ch, st.allocated, st.uuid = ch, true, ch:uuid()
  return object, st
end

-- The engine tells that a script with a session begins: now its globals are known.
function session.script_session(object, globals)
  local st = core.state(object)
  st.globals = globals
  if st.uuid then globals[st.uuid] = object end
end

local function dial(st, dialstring, aleg)
  local far = aleg and aleg.far or not aleg and fs.remote.near(dialstring)
  if far then
    local ok
    ok, st.cause = fs.remote.dial(st, dialstring, far, 60)
    st.hup = ok or nil
    return false
  end
  local ch, cause = fs.originate.dial(dialstring, { aleg = aleg and aleg.ch, timeout_s = 60 })
  st.cause = cause
  if not ch then return false end
  adopt(st, ch)
  st.mine = true
  wait.acquire(ch)
  channel.state(ch, "CS_SOFT_EXECUTE")
  return true
end

class.overloaded_new(C, { "", "L", "sL", "s" }, function(target, aleg)
  sweep()
  local st, object = new_state()
  if target == nil and aleg == nil then return object end
  if type(target) == "table" then -- Session(session): another object on the same call
    if target.ch then adopt(st, target.ch) elseif target.far then fs.remote.open(st, target.uuid) end
    return object
  end
  local name = not string.find(target or "", "/", 1, true) and target
  local live = name and channel.find_any(name)
  if live then
    adopt(st, live)
    local owner = live:owner()
    if owner ~= core.self() then st.mine, st.previous_owner = true, owner end
    register(st)
    return object
  end
  if name and fs.remote.many and fs.remote.open(st, name) then return object end
  if dial(st, target or "", aleg) then
    st.hup = true
    register(st)
  end
  return object
end)

-- --- defining methods ---

-- The call, or nil and one log line.
local function live(st)
  if st.ch and st.allocated then return st.ch end
  core.log(3, "session is not initalized\n")
end
session.live = live

-- f(st, ch, …) runs only with a call; `dead` is answered without one.
local VOID = {} -- as `dead`: the method returns nothing
session.VOID = VOID
function session.method(name, signature, least, most, dead, f, where)
  local run
  if dead == VOID then
    run = function(st, ...)
      local ch = live(st)
      if ch then f(st, ch, ...) end
    end
  else
    run = function(st, ...)
      local ch = live(st)
      if not ch then return dead end
      return f(st, ch, ...)
    end
  end
  class.method(C, name, where or "CoreSession::" .. name, signature, least, most, run)
end
local method = session.method

-- A method that blocks: refuses when nested too deep, runs a due hangup hook before and after.
function session.blocking(name, signature, least, most, dead, refused, f)
  local function run(st, ch, ...)
    if not callback.enter(st) then
      callback.leave(st)
      return refused
    end
    callback.hangup_hook(st)
    if st.ch ~= ch then
      callback.leave(st)
      return refused
    end
    local ok, r1 = pcall(f, st, ch, ...)
    callback.leave(st)
    if not ok then error(r1, 0) end
    callback.hangup_hook(st)
    return r1
  end
  method(name, signature, least, most, dead, run)
end

-- --- attributes ---

-- A C value that scripts can only hand on.
local function opaque(kind)
  local value = newproxy(true)
  local address = match(tostring(value), "0x%x+")
  getmetatable(value).__tostring = function() return format("<userdata of type '%s' at %s>", kind, address) end
  return value
end

C.get.uuid = function(st) return st.uuid end
C.get.session = function(st) return st.ch and opaque("switch_core_session_t *") end
C.get.channel = function(st) return st.ch and opaque("switch_channel_t *") end
C.get.hook_state = function() return opaque("switch_channel_state_t *") end
C.get.cause = function() return opaque("switch_call_cause_t *") end
C.get.flags = function(st) return st.hup and 1 or 0 end
C.get.allocated = function(st) return st.allocated and 1 or 0 end
for attribute, field in pairs({ tts_name = "tts_name", voice_name = "voice_name", cb_function = "cb_function", cb_arg = "cb_arg",
  hangup_func_str = "hook_function", hangup_func_arg = "hook_arg" }) do
  C.get[attribute] = function(st) return st[field] end
  C.set[attribute] = function(st, value) st[field] = value ~= nil and tostring(value) or nil end
end
C.set.uuid = function() end
C.set.flags = function(st, value) st.hup = util.int(value) % 2 == 1 end

-- --- facts ---

class.method(C, "ready", "LUA::Session::ready", "", 0, 0, function(st)
  local ch = st.ch
  if not ch then return false end
  callback.hangup_hook(st)
  if st.ch ~= ch then return false end
  if not ch:up() then channel.over(ch) end
  if st.transferred then return false end
  local state = ch:state()
  return ch:up() and not ch:transferring() and not ch:data().pending and state ~= "CS_NEW" and state ~= "CS_INIT"
    and state ~= "CS_ROUTING" and state ~= "CS_RESET"
end)
class.method(C, "answered", "CoreSession::answered", "", 0, 0, function(st) return st.ch ~= nil and st.ch:answered() end)
class.method(C, "bridged", "CoreSession::bridged", "", 0, 0, function(st) return st.ch ~= nil and st.ch:up() and st.ch:bridged() end)
class.method(C, "mediaReady", "CoreSession::mediaReady", "", 0, 0, function(st) return st.ch ~= nil and st.ch:media_ready() end)
class.method(C, "getState", "CoreSession::getState", "", 0, 0, function(st) return st.ch and st.ch:state() or "ERROR" end)
class.method(C, "hangupCause", "CoreSession::hangupCause", "", 0, 0, function(st) return st.cause end)
class.method(C, "get_uuid", "CoreSession::get_uuid", "", 0, 0, function(st) return st.uuid or "uninitialized" end)

-- --- variables ---

method("getVariable", "s", 1, 1, "", function(_, ch, name) return variables.get(ch, name) end)
method("setVariable", "ss", 2, 2, VOID, function(_, ch, name, value) variables.set(ch, name, value) end)
method("getPrivate", "s", 1, 1, nil, function(_, ch, name)
  local private = ch:data().private
  return private and name and private[name]
end)
method("setPrivate", "sv", 2, 2, VOID, function(_, ch, name, value)
  local data = ch:data()
  data.private = data.private or {}
  if name then data.private[name] = value ~= nil and tostring(value) or nil end
end)

-- --- what is done with the call ---

method("answer", "", 0, 0, -1, function(_, ch)
  return channel.answer(ch) and 1 or 0
end)
method("preAnswer", "", 0, 0, -1, function(_, ch)
  return channel.pre_answer(ch) and 1 or 0
end)
class.method(C, "hangup", "CoreSession::hangup", "S", 0, 1, function(st, cause)
  local ch = live(st)
  if not ch then return end
  if ch:up() then channel.hangup(ch, cause) end
  callback.hangup_hook(st)
end)
class.method(C, "hangupState", "CoreSession::hangupState", "", 0, 0, function(st)
  local ch = live(st)
  if not ch then return end
  if not ch:up() then channel.over(ch) end
  callback.hangup_hook(st)
end)
method("transfer", "sss", 1, 3, -1, function(st, ch, extension, dialplan, context)
  local up = ch:up()
  local gone = fs.transfer.transfer(ch, extension, dialplan, context)
  st.transferred = ch:up() or nil
  callback.hangup_hook(st)
  return (gone or not up) and 1 or 0
end)
session.blocking("execute", "SS", 1, 2, VOID, nil, function(st, ch, app, data)
  if not util.some(app) then
    util.err(ch, "No application specified\n")
    return
  end
  fs.apps.execute(ch, app, data)
end)
class.overload(C, "destroy", "Session_destroy", { "", "S" }, function(st, problem)
  if not st.ch and not st.far then return end
  session.release(st)
  st.uuid, st.cause, st.hup, st.tts_name, st.voice_name = nil, "NONE", nil, nil, nil
  st.cb_function, st.cb_arg, st.hook_function, st.hook_arg = nil, nil, nil, nil
  if util.some(problem) then error(problem, 2) end
end)
class.method(C, "originate", "LUA::Session::originate", "Lsi", 3, 3, function(st, aleg, dialstring, timeout_s)
  if not util.some(dialstring) then
    core.log(3, "Missing destination.\n")
    return 0
  end
  session.release(st)
  st.hook_ran, st.transferred = nil, nil
  local far = aleg and aleg.far or not aleg and fs.remote.near(dialstring)
  if far then
    local ok
    ok, st.cause = fs.remote.dial(st, dialstring, far, timeout_s > 0 and timeout_s or 60)
    return ok and 0 or 1
  end
  local ch, cause = fs.originate.dial(dialstring, { aleg = aleg and aleg.ch, timeout_s = timeout_s > 0 and timeout_s or 60 })
  st.cause = cause
  if not ch then return 1 end
  adopt(st, ch)
  st.mine = true
  wait.acquire(ch)
  channel.state(ch, "CS_SOFT_EXECUTE")
  register(st)
  return 0
end)
session.blocking("waitForAnswer", "L", 1, 1, VOID, nil, function(_, ch)
  wait.serve(ch, { check = function() return ch:answered() or ch:early() end })
end)

class.method(C, "setAutoHangup", "CoreSession::setAutoHangup", "b", 1, 1, function(st, on)
  if not live(st) then return -1 end
  st.hup = on
  return 0
end)

-- --- callbacks, by the names of global functions ---

class.overload(C, "setInputCallback", "Session_setInputCallback", { "s", "ss" }, function(st, name, arg)
  if not live(st) then return end
  st.cb_function, st.cb_arg = name, arg
end)
class.method(C, "unsetInputCallback", "LUA::Session::unsetInputCallback", "", 0, 0, function(st)
  if not live(st) then return end
  st.cb_function, st.cb_arg = nil, nil
end)
class.overload(C, "setHangupHook", "Session_setHangupHook", { "s", "ss" }, function(st, name, arg)
  if not live(st) then return end
  -- It waits for what is still to come.
  local over = st.ch and (not st.ch:up() or st.ch:transferring())
  st.hook_function, st.hook_arg, st.hook_ran = util.some(name), arg, over or nil
end)
class.method(C, "setDTMFCallback", "CoreSession::setDTMFCallback", "vs", 2, 2, function() end)

-- --- logging, events, reports ---

class.method(C, "consoleLog", "CoreSession::consoleLog", "ss", 2, 2, function(st, level, text)
  core.log(util.level(level), text or "", st.uuid)
end)
class.method(C, "consoleLog2", "CoreSession::consoleLog2", "sssis", 5, 5, function(st, level, _, _, _, text)
  core.log(util.level(level), text or "", st.uuid)
end)
method("sendEvent", "E", 1, 1, VOID, function(_, ch, e)
  if e then ch:data().sent_event = { list = e.list, body = e.body } end
end)
method("setEventData", "E", 1, 1, VOID, function(_, ch, e)
  for _, header in ipairs(e and headers.about(e.name, ch) or {}) do event.add(e, header[1], header[2]) end
end)
method("getXMLCDR", "", 0, 0, "", function(_, ch) return fs.cdr.xml(ch) end)
method("print", "s", 1, 1, -1, function() return 0 end)

-- Plumbing that some scripts call.
class.method(C, "begin_allow_threads", "LUA::Session::begin_allow_threads", "", 0, 0, function(st) callback.hangup_hook(st) return true end)
class.method(C, "end_allow_threads", "LUA::Session::end_allow_threads", "", 0, 0, function(st) callback.hangup_hook(st) return true end)
class.method(C, "check_hangup_hook", "LUA::Session::check_hangup_hook", "", 0, 0, function(st) callback.hangup_hook(st) end)
class.method(C, "process_callback_result", "CoreSession::process_callback_result", "s", 1, 1, function(_, text)
  return callback.stops(text) and 1 or 0
end)
class.method(C, "get_cb_args", "CoreSession::get_cb_args", "", 0, 0, function(st) return st.cb_arg end)
class.method(C, "run_dtmf_callback", "LUA::Session::run_dtmf_callback", "vi", 2, 2, function() return 0 end)
class.method(C, "setLUA", "LUA::Session::setLUA", "v", 1, 1, function() end)
