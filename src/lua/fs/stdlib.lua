-- stdlib.lua: waiting, and the globals that every script begins with: core.base. What is here is shared by all scripts of a worker,
-- so nothing of it keeps anything but in the running script's own data.
local core = ...

local arm, take, yield = core.arm, core.take, coroutine.yield

-- Suspends the fiber until its next happening, or for ms: what, channel, token, x.
function core.wait(ms)
  if arm(ms) then yield() end
  return take()
end

-- The same for the happening with this token alone; all others stay queued, in order.
function core.wait_token(token, ms)
  if arm(ms, token) then yield() end
  return take()
end

-- For our own libraries: the result of a job that was just started.
function core.await(token)
  local _, _, _, x = core.wait_token(token)
  return x
end

local base = {
  assert = assert, error = error, ipairs = ipairs, pcall = pcall, select = select, tonumber = tonumber, tostring = tostring,
  type = type, unpack = unpack, rawequal = rawequal, rawset = rawset, _VERSION = _VERSION,
  next = core.safe_next, pairs = core.safe_pairs, rawget = core.safe_rawget, rawlen = rawlen,
  getmetatable = core.safe_getmetatable, setmetatable = core.safe_setmetatable,
  getfenv = core.safe_getfenv, setfenv = core.safe_setfenv, newproxy = core.safe_newproxy,
  math = {}, os = {}, bit = {},
}
core.base = base

-- The handler is not called for what the engine ends a script with (see preempt.c). Tail calls: it sees the same levels as ever.
local xpcall, from_hook = xpcall, core.from_hook
function base.xpcall(f, handler, ...)
  if type(handler) ~= "function" then return xpcall(f, handler, ...) end
  return xpcall(f, function(e)
    if from_hook(e) then return e end
    return handler(e)
  end, ...)
end

local function copy(to, from)
  for k, v in pairs(from) do to[k] = v end
end

copy(base.math, math)
base.math.random = core.safe_random
base.math.randomseed = core.safe_randomseed
copy(base.bit, bit)

-- The collector is everybody's: a script may ask for its own size, and now and then for a whole collection (old scripts do, to have
-- their objects finalised), but not tune or stop it.
local collected_ms = -1e9
function base.collectgarbage(option, argument)
  option = option or "collect"
  if option == "count" then return core.memory() / 1024 end
  if option == "collect" then
    if core.now() - collected_ms > 1000 then
      collected_ms = core.now()
      local token = core.collect()
      if token then core.wait_token(token) end
    end
    return 0
  end
  if option == "step" then return true end
  if option == "isrunning" then return true end
  if option == "setpause" or option == "setstepmul" then return 200 end
  if option == "stop" or option == "restart" or option == "generational" or option == "incremental" then return 0 end
  error("bad argument #1 to 'collectgarbage' (invalid option '" .. tostring(option) .. "')", 2)
end
function base.gcinfo() return math.floor(core.memory() / 1024) end

-- --- os ---

local os_lib = base.os
copy(os_lib, os)

function os_lib.exit() core.log(3, "Surely you jest! exiting is a bad plan....", core.script_uuid()) end

function os_lib.setlocale(locale)
  if locale == nil or locale == "" or locale == "C" or locale == "POSIX" then return "C" end
  return nil
end

-- The shell's status as Lua 5.1 returns it: wait(2)'s word.
function os_lib.execute(command)
  if command == nil then return 1 end
  if type(command) ~= "string" and type(command) ~= "number" then
    error("bad argument #1 to 'execute' (string expected, got " .. type(command) .. ")", 2)
  end
  local child = core.await(core.child_start(tostring(command), ""))
  if type(child) == "string" then return -1 end
  local status, token = core.child_wait(child)
  if token then status = core.await(token) end
  core.child_drop(child)
  return status
end

-- --- jit: harmless ---

base.jit = {
  on = function() end, off = function() end, flush = function() end,
  status = function() return false end,
  version = jit.version, version_num = jit.version_num, os = jit.os, arch = jit.arch,
}
