-- class.lua: objects that scripts see as SWIG made them: userdata with `.fn`, `.get` and `.set`, checked arguments, its error texts.
--
--   class.define("Event", { … })                        a class; its table stands in `freeswitch`
--   class.method(C, "addHeader", "Event::addHeader", "ss", 2, 2, f)
-- A signature has one letter per argument after self: s `char *`, S `char const *`, i int, b bool, A…Z objects by `objects`, o opaque.
-- f(state, …) gets the object's state and converted arguments (nil stays nil); its results go to the script. Of a class with
-- options.far, an object whose state has `far` is somebody else's: far(state, method, …) is called in f's place.
local core = ...
local fs = core.fs

local concat, error, find, floor, format, getmetatable, ipairs, loadstring, pairs, rawget, rawset, select, setmetatable, sub, tonumber, tostring, type =
  table.concat, error, string.find, math.floor, string.format, getmetatable, ipairs, loadstring, pairs, rawget, rawset, select, setmetatable, string.sub, tonumber, tostring, type

local class = { all = {} }
fs.class = class

-- What SWIG calls the type of a value: mod_lua's own classes stand in the namespace LUA.
local of_lua = { Session = true, Dbh = true, JSON = true }
local function typename(v)
  local name = core.class_of(v)
  if name then return (of_lua[name] and "LUA::" or "") .. name .. " *" end
  return type(v)
end
class.typename = typename

local expected = { s = "char *", S = "char const *", i = "int", n = "unsigned int", R = "CoreSession &", b = "bool", c = "char", u = "uint32_t", p = "switch_priority_t", v = "void *", f = "SWIGLUA_FN" }
class.expected = expected

-- One argument: converted, or an error naming it. `where` is Class::method, `name` Class_method, `level` the caller to blame.
local checks = {}
class.checks = checks
function checks.s(v, where, at, level, kind)
  local t = type(v)
  if t == "number" then
    v = v == floor(v) and v > -1e15 and v < 1e15 and format("%d", v) or tostring(v)
  elseif t ~= "string" and v ~= nil then
    error(format("Error in %s (arg %d), expected '%s' got '%s'", where, at, expected[kind], typename(v)), level)
  end
  if v then
    local zero = find(v, "\0", 1, true)
    if zero then v = sub(v, 1, zero - 1) end
  end
  return v
end
checks.S = checks.s
function checks.i(v, where, at, level)
  local n = type(v) == "number" and v or type(v) == "string" and tonumber(v) or nil
  if not n then error(format("Error in %s (arg %d), expected 'int' got '%s'", where, at, typename(v)), level) end
  return n < 0 and -floor(-n) or floor(n)
end
function checks.n(v, where, at, level)
  local n = type(v) == "number" and v or type(v) == "string" and tonumber(v) or nil
  if not n then error(format("Error in %s (arg %d), expected 'unsigned int' got '%s'", where, at, typename(v)), level) end
  if n < 0 then error("number must not be negative", level) end
  return floor(n)
end
function checks.b(v, where, at, level)
  if type(v) ~= "boolean" then error(format("Error in %s (arg %d), expected 'bool' got '%s'", where, at, typename(v)), level) end
  return v
end
function checks.c(v, where, at, level)
  if type(v) ~= "string" and type(v) ~= "number" then error(format("Error in %s (arg %d), expected 'char' got '%s'", where, at, typename(v)), level) end
  return sub(tostring(v), 1, 1)
end
-- Opaque C things that Lua can never make.
function checks.u(v, where, at, level, kind)
  error(format("Error in %s (arg %d), expected '%s' got '%s'", where, at, expected[kind], typename(v)), level)
end
checks.p = checks.u
function checks.f(v, where, at, level)
  if type(v) ~= "function" then error(format("Error in %s (arg %d), expected 'SWIGLUA_FN' got '%s'", where, at, typename(v)), level) end
  return v
end
function checks.v(v) return v end

-- Objects: the letters stand for classes that are accepted there (nil too). The state is handed on.
local objects = { M = "IVRMenu", L = "Session", E = "Event" }
local object_names = { M = "IVRMenu *", L = "CoreSession *", E = "Event *" }
for letter, name in pairs(objects) do
  checks[letter] = function(v, where, at, level)
    if v == nil then return nil end
    if core.class_of(v) == name then return core.state(v) end
    if type(v) == "userdata" then where = (string.gsub(string.gsub(where, "^LUA::", ""), "::", "_")) end
    error(format("Error in %s (arg %d), expected '%s' got '%s'", where, at, object_names[letter], typename(v)), level)
  end
end

-- A session that may not be nil.
function checks.R(v, where, at, level)
  if core.class_of(v) == "Session" then return core.state(v) end
  error(format("Error in %s (arg %d), expected 'CoreSession &' got '%s'", where, at, typename(v)), level)
end

-- The wrapper is written out for its signature: no table, no loop per call.
local function wrapper(where, signature, least, most, self_class, self_type, f, name, far)
  local src, names = {}, {}
  local base = self_class and 1 or 0
  for i = 1, #signature do names[i] = "a" .. i end
  src[#src + 1] = "local where, checks, check_self, wrong_count, select, f, name, far = ...\nlocal "
  for i = 1, #signature do src[#src + 1] = (i > 1 and ", " or "") .. "c" .. i end
  if #signature == 0 then src[#src + 1] = "_" end
  src[#src + 1] = " = "
  for i = 1, #signature do src[#src + 1] = (i > 1 and ", " or "") .. "checks." .. sub(signature, i, i) end
  if #signature == 0 then src[#src + 1] = "nil" end
  src[#src + 1] = "\nreturn function(...)\n  local n = select('#', ...)\n"
  src[#src + 1] = format("  if n < %d or n > %d then wrong_count(n) end\n", least + base, most + base)
  local params = concat(names, ", ")
  if base == 1 then
    src[#src + 1] = "  local self" .. (#signature > 0 and ", " .. params or "") .. " = ...\n  self = check_self(self)\n"
  elseif #signature > 0 then
    src[#src + 1] = "  local " .. params .. " = ...\n"
  end
  for i = 1, #signature do
    local line = format("a%d = c%d(a%d, where, %d, 3, '%s')", i, i, i, i + base, sub(signature, i, i))
    if i > least then src[#src + 1] = format("  if n >= %d then %s end\n", i + base, line)
    else src[#src + 1] = "  " .. line .. "\n" end
  end
  if far then src[#src + 1] = "  if self.far then return far(self, name" .. (#signature > 0 and ", " or "") .. params .. ") end\n" end
  src[#src + 1] = "  return f(" .. (base == 1 and "self" or "") .. (base == 1 and #signature > 0 and ", " or "") .. params .. ")\nend\n"

  local under = string.gsub(string.gsub(where, "^LUA::", ""), "::", "_")
  local function wrong_count(n)
    error(format("Error in %s expected %d..%d args, got %d", where, least + base, most + base, n), 3)
  end
  local function check_self(v)
    local name = core.class_of(v)
    if name == self_class then return core.state(v) end
    error(format("Error in %s (arg 1), expected '%s' got '%s'", name and under or where, self_type, typename(v)), 3)
  end
  return assert(loadstring(concat(src), "=" .. where))(where, checks, check_self, wrong_count, select, f, name, far)
end

-- A function of the `freeswitch` table.
function class.func(where, signature, least, most, f) return wrapper(where, signature, least, most, nil, nil, f) end

-- What a method takes, for the documentation: "(text, number[, text])".
local words = { s = "text", S = "text", i = "number", b = "boolean", c = "character", u = "number", p = "priority", v = "value", f = "function",
  n = "number", t = "table", R = "Session", M = "IVRMenu", L = "Session", E = "Event" }
local function describe(signature, least)
  local out = {}
  for i = 1, #signature do
    out[#out + 1] = (i == least + 1 and "[" or "") .. (i > 1 and ", " or "") .. (words[sub(signature, i, i)] or "value")
  end
  return "(" .. concat(out) .. (least < #signature and "]" or "") .. ")"
end

function class.method(c, name, where, signature, least, most, f)
  c.described[name] = describe(signature, least)
  local self_type = find(where, "^LUA::") and "LUA::" .. c.name .. " *" or c.self_type
  c.raw[name] = f
  c.fn[name] = wrapper(where, signature, least, most, c.name, self_type, f, name, c.far)
end

-- Overloaded: `forms` is a list of signatures tried in turn; no fit is SWIG's other error. f gets the state and the arguments.
local function fits(signature, base, n, ...)
  if n ~= #signature + base then return false end
  for i = 1, #signature do
    local v = select(i + base, ...)
    local kind, t = sub(signature, i, i), type(v)
    if kind == "s" or kind == "S" then
      if t ~= "string" and t ~= "number" and v ~= nil then return false end
    elseif kind == "i" then
      if t ~= "number" and not (t == "string" and tonumber(v)) then return false end
    elseif kind == "b" then
      if t ~= "boolean" then return false end
    elseif kind == "t" then
      if t ~= "table" then return false end
    elseif objects[kind] then
      if v ~= nil and core.class_of(v) ~= objects[kind] then return false end
    end
  end
  return true
end
-- The forms as C++ has them, one in each line: "LUA::Dbh::test_reactive(char *,char *)".
local function prototypes(c, name, forms)
  local class_name, method = string.match(name, "^([^_]+)_(.*)$")
  if class_name == "new" then class_name, method = c.name, c.name end
  if of_lua[class_name] then class_name = "LUA::" .. class_name end
  local out = {}
  for i, signature in ipairs(forms) do
    local kinds = {}
    for k = 1, #signature do kinds[k] = expected[sub(signature, k, k)] or object_names[sub(signature, k, k)] end
    out[i] = class_name .. "::" .. method .. "(" .. concat(kinds, ",") .. ")"
  end
  return concat(out, "\n    ")
end
local function overloaded(c, name, forms, f, method)
  local base, far = method and 1 or 0, c.far
  return function(...)
    local n = select("#", ...)
    for i = 1, #forms do
      if fits(forms[i], base, n, ...) and (base == 0 or core.class_of((...)) == c.name) then
        local a, signature = { ... }, forms[i]
        if base == 1 then a[1] = core.state(a[1]) end
        for k = 1, #signature do
          local kind = sub(signature, k, k)
          a[k + base] = checks[kind](a[k + base], name, k + base, 3, kind)
        end
        if base == 1 and far and a[1].far then return far(a[1], method, unpack(a, 2, n)) end
        return f(unpack(a, 1, n))
      end
    end
    error(format("Wrong arguments for overloaded function '%s'\n  Possible C/C++ prototypes are:\n    %s\n", name, prototypes(c, name, forms)), 2)
  end
end
function class.overload(c, name, where, forms, f)
  c.described[name] = describe(forms[#forms], #forms[1])
  c.raw[name] = f
  c.fn[name] = overloaded(c, where, forms, f, name)
end
function class.overloaded_new(c, forms, f) c.new = overloaded(c, "new_" .. c.name, forms, f, nil) end
function class.new(c, where, signature, least, most, f) c.new = wrapper(where, signature, least, most, nil, nil, f) end

-- --- the class itself ---

local no_setter = "Assignment not possible. No setter/member with this name. For custom assignments implement __setitem method."

-- What a script added to a class's methods (through getmetatable(o)['.fn']) stays with that script.
local function of_script(kind, name)
  local data = core.script_data()
  local store = data and data[kind]
  return store and store[name]
end

function class.define(name, options)
  options = options or {}
  local c = { name = name, fn = {}, raw = {}, far = options.far, get = {}, set = {}, described = {}, self_type = options.self_type or name .. " *", gc = options.gc }
  class.all[name] = c
  local fn, get, set = c.fn, c.get, c.set
  local meta = {
    [".type"] = name, [".fn"] = fn, [".get"] = get, [".set"] = set,
    __index = function(object, key)
      local g = get[key]
      if g then return g(core.state(object)) end
      local f = fn[key]
      if f then return f end
      local own = of_script("class_fn", name)
      return own and own[key] or nil
    end,
    __newindex = function(object, key, value)
      local s = set[key]
      if s then return s(core.state(object), value) end
      error(no_setter, 2)
    end,
    __gc = options.gc,
  }
  if options.eq then meta.__eq = options.eq end
  c.metatable = meta

  -- The callable table in `freeswitch`. It is shared by all scripts, so it stays empty: what a script writes is kept with the script.
  c.table = setmetatable({}, {
    __call = function(_, ...) return c.new(...) end,
    __index = function(_, key) local own = of_script("class_fields", name) return own and own[key] end,
    __newindex = function(_, key, value)
      local data = core.script_data()
      if not data then return end
      data.class_fields = data.class_fields or {}
      data.class_fields[name] = data.class_fields[name] or {}
      data.class_fields[name][key] = value
    end,
    __metatable = "freeswitch." .. name,
  })
  return c
end

function class.object(c, state) return core.object(c.name, c.metatable, state) end

-- For getmetatable(object) of scripts: a view whose `.fn` is the script's own copy; additions there are found by method calls.
function class.view(object)
  local name = core.class_of(object)
  local c = name and class.all[name]
  if not c then return nil end
  local data = core.script_data() or {}
  data.class_fn = data.class_fn or {}
  local own = data.class_fn[name]
  if not own then
    own = {}
    for k, v in pairs(c.fn) do own[k] = v end
    data.class_fn[name] = own
  end
  local get, set = {}, {}
  for k, v in pairs(c.get) do get[k] = v end
  for k, v in pairs(c.set) do set[k] = v end
  return { [".type"] = name, [".fn"] = own, [".get"] = get, [".set"] = set, __index = c.metatable.__index, __newindex = c.metatable.__newindex }
end
