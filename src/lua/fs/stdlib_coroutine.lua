-- stdlib_coroutine.lua: a script's own coroutines. When one of them waits, the whole script waits: whoever resumed it sees that the fiber
-- is suspending, yields in turn, and goes on with the same coroutine afterwards.
local core = ...

local resume, yield, create, running, status = coroutine.resume, coroutine.yield, coroutine.create, coroutine.running, coroutine.status
local suspending, at_bottom = core.suspending, core.at_bottom
local error, type = error, type

-- The engine yields without a value, so only then is suspending() asked.
local function after(co, ok, ...)
  if (...) == nil and ok and suspending() then
    yield()
    return after(co, resume(co))
  end
  return ok, ...
end

local function co_resume(co, ...) return after(co, resume(co, ...)) end

local function results(ok, ...)
  if ok then return ... end
  error((...), 0)
end

local lib = {}
core.base.coroutine = lib

lib.create = create
lib.status = status
lib.resume = function(co, ...)
  if type(co) ~= "thread" then return resume(co, ...) end
  return after(co, resume(co, ...))
end
function lib.wrap(f)
  local co = create(f)
  return function(...) return results(co_resume(co, ...)) end
end
function lib.yield(...)
  if at_bottom() then error("attempt to yield from outside a coroutine", 2) end
  return yield(...)
end
-- nil in the script's main thread, as in Lua 5.1.
function lib.running()
  if at_bottom() then return nil end
  return running()
end
function lib.isyieldable() return not at_bottom() end
