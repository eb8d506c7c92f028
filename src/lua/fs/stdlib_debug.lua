-- stdlib_debug.lua: debug, without a way into the engine or into another script.
local core = ...

local lib = {}
core.base.debug = lib

local trusted, level_trusted = core.trusted, core.level_trusted
local getlocal, setlocal, type = debug.getlocal, debug.setlocal, type

lib.traceback = debug.traceback
lib.getmetatable = core.safe_getmetatable
lib.setmetatable = core.safe_debug_setmetatable
lib.getfenv = core.safe_debug_getfenv
lib.setfenv = core.safe_debug_setfenv
lib.upvalueid = debug.upvalueid

-- Hooks are the state's, and the engine's own.
function lib.sethook() end
function lib.gethook() return nil end
function lib.debug() end

-- Each script's own, empty at first.
function lib.getregistry()
  local data = core.script_data()
  data.__registry = data.__registry or {}
  return data.__registry
end

lib.getinfo = debug.getinfo

-- Tail calls: the natives see the script's own levels.
function lib.getlocal(thread, level, i)
  if type(thread) == "thread" then
    if level_trusted(thread, level) then return nil end
    return getlocal(thread, level, i)
  end
  if type(thread) ~= "number" then return nil end
  if level_trusted(nil, thread + 1) then return nil end
  return getlocal(thread, level)
end

function lib.setlocal(thread, level, i, v)
  if type(thread) == "thread" then
    if level_trusted(thread, level) then return nil end
    return setlocal(thread, level, i, v)
  end
  if level_trusted(nil, thread + 1) then return nil end
  return setlocal(thread, level, i)
end

for _, name in ipairs { "getupvalue", "setupvalue" } do
  local native = debug[name]
  lib[name] = function(f, ...)
    if trusted(f) then return nil end
    return native(f, ...)
  end
end

function lib.upvaluejoin(f, i, g, k)
  if trusted(f) or trusted(g) then error("the engine's own functions cannot be changed", 2) end
  return debug.upvaluejoin(f, i, g, k)
end

-- What a script gets for the metatable of one of our objects: the class's view, made once per script and class.
function core.object_view(object)
  local class = core.fs.class
  return class and class.view and class.view(object)
end
