-- isolated.lua: the agent of a script that runs in a state of its own, on a thread of its own (isolated.h).
--
-- The agent is the script as far as the engine knows: a fiber with globals, sessions, handles and an end. It does what the thread asks for, and
-- in the middle of that it may ask the thread (callbacks, global variables of the script). Messages are lists, packed:
--
--   thread → agent   "start" · "run" · "call", kind, class, name, n, … · "answer", ok, n, … · "end", ok, error, globals     drops = references it forgot
--   agent → thread   the classes · the script and what it is given · "return", n, … · "error", text, placed · "ask", function, n, … · "global", name     sets = globals to be set
--
-- Functions and objects cross as references: o1 is the sender's first, y1 the receiver's own. All that a function of the script's is handed
-- for is over when the call returns that brought it; so is its reference then, unless it was a global.
local core = ...
local fs = core.fs
local class, pack = fs.class, fs.pack

local error, format, match, pairs, pcall, rawset, select, setmetatable, sub, tonumber, tostring, type, unpack =
  error, string.format, string.match, pairs, pcall, rawset, select, setmetatable, string.sub, tonumber, tostring, type, unpack

local ERR = 3

local isolated = fs.isolated

-- --- references ---

local function agent_new(handle, globals)
  local a = { handle = handle, globals = globals, fiber = core.self(), exports = {}, ids = {}, count = 0, sets = {}, connections = {} }

  function a.refer(v)
    if a.imported and a.imported[v] then return "y" .. a.imported[v] end
    local id = a.ids[v]
    if not id then
      id = a.count + 1
      a.count, a.ids[v], a.exports[id] = id, id, v
    end
    return format("o%d:%s", id, core.class_of(v) or type(v))
  end

  a.imported = setmetatable({}, { __mode = "k" }) -- our function for one of the thread's → its number there
  function a.resolve(text)
    local whose, id, kind = match(text, "^([oy])(%d+):?(.*)$")
    id = tonumber(id)
    if whose == "y" then return a.exports[id] end
    if kind ~= "function" then return nil end
    local function f(...) return a.ask("ask", id, select("#", ...), ...) end
    a.imported[f] = id
    return f
  end
  return a
end

local function reply(a, message)
  if #a.sets > 0 then
    message.sets = a.sets
    a.sets = {}
  end
  core.isolated_reply(a.handle, pack.pack(message, a.refer))
end

local function request(a)
  local text, token = core.isolated_take(a.handle)
  while not text do
    core.wait_token(token)
    text, token = core.isolated_take(a.handle)
  end
  if text == "" then return { "end", false, "its state ended too early (see the log)" } end
  local message = pack.unpack(text, a.resolve)
  for _, id in pairs(message.drops or {}) do
    local v = a.exports[id]
    if v ~= nil then a.exports[id], a.ids[v] = nil, nil end
  end
  return message
end

-- --- what the thread calls ---

local kinds = {}
function kinds.f(_, name) return core.base.freeswitch[name] end
function kinds.new(c) return class.all[c].new end
function kinds.method(c, name) return class.all[c].fn[name] end
function kinds.get(c, name)
  return function(object) return class.all[c].get[name](core.state(object)) end
end
function kinds.set(c, name)
  return function(object, value) return class.all[c].set[name](core.state(object), value) end
end
function kinds.value() return function(f, ...) return f(...) end end
function kinds.text() return tostring end
function kinds.os(_, name) return core.base.os[name] end
-- Connections of the module ESL, which the thread knows by number.
function kinds.tcp(_, name, a)
  if name ~= "connect" then return function(id, ...) return core.tcp[name](a.connections[id], ...) end end
  return function(host, port)
    local connection, why = core.tcp.connect(host, port)
    if not connection then return nil, why end
    a.connections[#a.connections + 1] = connection
    return #a.connections
  end
end

-- An error that blames its caller's line blames this chunk, whose name no file has; the thread puts its own line there.
local PLACE = "\1:1: "
local function results(...) return { n = select("#", ...), ... } end
local placed = loadstring("local results = ... return function(f, ...) return results(f(...)) end", "=\1")(results)

local function call(a, message)
  local kind, c, name, n = message[2], message[3], message[4], message[5]
  local f = kinds[kind] and kinds[kind](c, name, a)
  local ok, r = pcall(placed, f, unpack(message, 6, 5 + n))
  if ok then
    reply(a, { "return", r.n, unpack(r, 1, r.n) })
    return
  end
  if core.is_kill(r) then error(r, 0) end
  if type(r) == "string" and sub(r, 1, #PLACE) == PLACE then reply(a, { "error", sub(r, #PLACE + 1), true })
  else reply(a, { "error", r, false }) end
end

-- Asks the thread in the middle of a call, and does what it calls meanwhile.
local function ask_for(a)
  return function(...)
    if a.over or core.self() ~= a.fiber or not core.can_wait() then return nil end
    reply(a, { ... })
    while true do
      local message = request(a)
      if message[1] == "call" then call(a, message)
      elseif message[1] == "answer" then
        if not message[2] then error(message[4], 0) end
        return unpack(message, 4, 3 + message[3])
      else error("the script ended in the middle of a callback", 0) end
    end
  end
end

-- --- the script ---

local described -- what the classes have, for the stubs; the same for all
local function describe()
  if described then return described end
  local function names(t)
    local list = {}
    for name in pairs(t) do list[name] = true end
    return list
  end
  described = { functions = {}, values = {}, classes = {} }
  for name, v in pairs(core.base.freeswitch) do
    if type(v) == "function" then described.functions[name] = true
    elseif not class.all[name] then described.values[name] = v end
  end
  for name, c in pairs(class.all) do
    described.classes[name] = { fn = names(c.fn), get = names(c.get), set = names(c.set) }
  end
  return described
end

-- The thread's globals as the engine's code reads and sets them.
local function globals_open(a)
  local globals, given = a.globals, {}
  for name, v in pairs(globals) do
    if core.base[name] == nil and name ~= "_G" then given[name] = v end
    globals[name] = nil
  end
  setmetatable(globals, {
    __index = function(_, name) return a.ask("global", name) end,
    __newindex = function(_, name, v) a.sets[#a.sets + 1] = { name, v } end,
  })
  return given
end

-- The script did not end well: its own traceback is logged, and whoever asked is told.
local function failed(text, trace)
  core.log(ERR, trace or text, core.script_uuid())
  core.script_failed(text)
end

-- The whole life of an agent; task: as core.script's request.
local function run(task, globals)
  local handle, why = core.isolated_start()
  if not handle then return failed("the script cannot run isolated: " .. why) end
  local a = agent_new(handle, globals)
  a.ask = ask_for(a)
  core.on_end(function()
    a.over = true
    core.isolated_leave(handle)
  end)
  local given = globals_open(a)
  request(a) -- "start"
  reply(a, describe())
  request(a) -- "run"
  local path, cpath = core.package_paths()
  local file = not task.code and core.script_path(task.file) or nil
  reply(a, { code = task.code, file = file, name = file and "@" .. file or task.name or "line", given = given, argv = task.argv,
    path = path, cpath = cpath })
  while true do
    local message = request(a)
    if message[1] == "call" then call(a, message)
    elseif message[1] == "end" then
      for name, v in pairs(message[4] or {}) do rawset(globals, name, v) end
      if not message[2] then failed(message[3], message[5]) end
      return
    end
  end
end

-- A function for core.script_start: new for each script, since it is given that script's environment.
function isolated.main(task, globals)
  return function() return run(task, globals) end
end
