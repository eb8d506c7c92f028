-- isolated_state.lua: what an isolated script finds in its own state: LuaJIT's whole library, and `freeswitch` made of stubs, whose calls
-- its agent does (isolated.lua, where the messages are described).
local load, exchange, log, over = ...
local pack = load("pack")({})

local error, find, format, getmetatable, ipairs, loadstring, match, open, newproxy, pairs, pcall, rawget, rawset, select, setmetatable, tonumber, tostring,
  type, unpack, traceback, gsub, sub, xpcall =
  error, string.find, string.format, getmetatable, ipairs, loadstring, string.match, io.open, newproxy, pairs, pcall, rawget, rawset, select, setmetatable,
  tonumber, tostring, type, unpack, debug.traceback, string.gsub, string.sub, xpcall

local globals = _G
local described

-- --- references ---

local exports, ids, count = {}, {}, 0                 -- our functions that the agent knows
local objects = setmetatable({}, { __mode = "v" })    -- the agent's number → our object or function for it
local numbers = setmetatable({}, { __mode = "k" })    -- and back
local dropped = {}                                    -- numbers of objects that were collected
local prototypes = {}                                 -- class → a userdata whose metatable all its objects have
local newest                                          -- functions exported by this message

local function refer(v)
  if numbers[v] then return "y" .. numbers[v] end
  if type(v) ~= "function" then return nil end
  local id = ids[v]
  if not id then
    count = count + 1
    id = count
    ids[v], exports[id] = id, v
    if newest then newest[#newest + 1] = id end
  end
  return format("o%d:function", id)
end

local talk

-- Stubs call it as their last act, so that talk's caller is the script.
local function call(kind, class, name, ...) return talk({ "call", kind, class, name, select("#", ...), ... }) end

local function class_prototype(name)
  local d = described.classes[name] or { fn = {}, get = {}, set = {} }
  local proxy = newproxy(true)
  local mt = getmetatable(proxy)
  local fn = {}
  for method in pairs(d.fn) do
    fn[method] = function(...) return call("method", name, method, ...) end
  end
  mt[".type"], mt[".fn"], mt[".get"], mt[".set"] = name, fn, {}, {}
  mt.__index = function(object, key)
    if d.get[key] then return call("get", name, key, object) end
    return fn[key]
  end
  mt.__newindex = function(object, key, value)
    if d.set[key] then return call("set", name, key, object, value) end
    error("Assignment not possible. No setter/member with this name. For custom assignments implement __setitem method.", 2)
  end
  mt.__tostring = function(object) return call("text", nil, nil, object) end
  mt.__gc = function(object) dropped[#dropped + 1] = numbers[object] end
  return proxy
end

local function resolve(text)
  local whose, id, kind = match(text, "^([oy])(%d+):?(.*)$")
  id = tonumber(id)
  if whose == "y" then return exports[id] end
  local v = objects[id]
  if v ~= nil then return v end
  if kind == "function" then
    local key
    v = function(...) return call("value", nil, nil, key, ...) end
    key = v
  else
    prototypes[kind] = prototypes[kind] or class_prototype(kind)
    v = newproxy(prototypes[kind])
  end
  objects[id], numbers[v] = v, id
  return v
end

-- --- talking ---

local function send(message)
  if #dropped > 0 then
    message.drops = dropped
    dropped = {}
  end
  local reply = pack.unpack(exchange(pack.pack(message, refer)), resolve)
  for _, set in pairs(reply.sets or {}) do rawset(globals, set[1], set[2]) end
  return reply
end

local function answer(ok, ...) return send({ "answer", ok, select("#", ...), ... }) end

-- The agent's question: a function's call, or a global variable.
local function answered(reply)
  if reply[1] == "global" then return answer(true, rawget(globals, reply[2])) end
  local f = exports[reply[2]]
  return answer(pcall(f, unpack(reply, 4, 3 + reply[3])))
end

-- One call until its end, with the questions in between.
function talk(message)
  local outer = newest
  newest = {}
  local reply = send(message)
  local mine = newest
  newest = outer
  while reply[1] == "ask" or reply[1] == "global" do reply = answered(reply) end
  for i = 1, #mine do
    local f = exports[mine[i]]
    ids[f], exports[mine[i]] = nil, nil
  end
  if reply[1] == "error" then error(reply[2], reply[3] and 2 or 0) end
  return unpack(reply, 3, 2 + reply[2])
end

-- --- the globals ---

local function freeswitch_open()
  local freeswitch = {}
  for name, v in pairs(described.values) do freeswitch[name] = v end
  for name in pairs(described.functions) do
    freeswitch[name] = function(...) return call("f", nil, name, ...) end
  end
  for name in pairs(described.classes) do
    freeswitch[name] = setmetatable({}, {
      __call = function(_, ...) return call("new", name, nil, ...) end,
      __metatable = "freeswitch." .. name,
    })
  end
  globals.freeswitch = freeswitch
  package.loaded.freeswitch = freeswitch
end

-- The module ESL upon the agent's connections, as esl_module.lua has it for other scripts.
local function esl_open()
  local core = { fs = {}, tcp = { attach = function() return nil end } }
  for _, name in ipairs({ "connect", "send", "receive", "descriptor", "close" }) do
    core.tcp[name] = function(...) return call("tcp", nil, name, ...) end
  end
  load("event_types")(core)
  globals.ESL = load("esl")(core)()
  return globals.ESL
end

-- What would reach beyond this state: the process, its terminal, its language. Programs are started as other scripts' are.
local function library_open(run)
  package.path, package.cpath = run.path, run.cpath
  package.preload.ESL = esl_open
  io.input("/dev/null")
  function os.exit() log(3, "Surely you jest! exiting is a bad plan....") end
  function os.setlocale(locale) return (locale == nil or locale == "" or locale == "C" or locale == "POSIX") and "C" or nil end
  function os.execute(...) return call("os", nil, "execute", ...) end
end

-- --- the script ---

-- The frames below the script's main chunk are ours: they are not shown.
local function trace_of(e)
  local text = traceback(type(e) == "string" and e or e == nil and "nil" or tostring(e), 3)
  local at, cut = 1, nil
  while true do
    local from, to = find(text, "in main chunk", at, true)
    if not from then break end
    cut, at = to, to + 1
  end
  return cut and sub(text, 1, cut) or text
end

-- Its text: what was given, or its file's.
local function text_of(run)
  local text = run.code
  if not text then
    local file = assert(open(run.file, "rb"))
    text = file:read("*a")
    file:close()
  end
  if sub(text, 1, 3) == "\239\187\191" then text = sub(text, 4) end
  if sub(text, 1, 1) == "#" then text = gsub(text, "^[^\n]*", "", 1) end
  return text
end

described = send({ "start" }) -- before the first object comes
local run = send({ "run" })
load("compat")({ base = globals })
library_open(run)
freeswitch_open()
for name, v in pairs(run.given) do globals[name] = v end
globals.argv = run.argv

local f, why = loadstring(text_of(run), run.name)
local ok, trace = false, nil
if f then
  local argv = run.argv or {}
  run = nil
  ok, why = xpcall(function() f(unpack(argv)) end, function(e)
    trace = trace_of(e)
    return e
  end)
end
over()
if not ok and type(why) ~= "string" then why = tostring(why) end
send({ "end", ok, why, { ACTIONS = rawget(globals, "ACTIONS"), XML_STRING = rawget(globals, "XML_STRING") }, trace })
