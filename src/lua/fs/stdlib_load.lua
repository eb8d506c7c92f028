-- stdlib_load.lua: loading code: load, loadstring, loadfile, dofile, require, module and package, each script's own.
local core = ...
local base = core.base

local native_loadstring, native_load, type, error, tostring, setmetatable, getfenv, setfenv, ipairs, pcall =
  loadstring, load, type, error, tostring, setmetatable, core.safe_getfenv, core.safe_setfenv, ipairs, pcall
local gsub, gmatch, find, sub, concat, format = string.gsub, string.gmatch, string.find, string.sub, table.concat, string.format

base.loadstring = native_loadstring

-- The pieces come from a function, which may wait.
function base.load(chunk, name, mode, env)
  if type(chunk) == "function" then
    local parts = {}
    while true do
      local part = chunk()
      if part == nil or part == "" then break end
      if type(part) ~= "string" then return nil, "reader function must return a string" end
      parts[#parts + 1] = part
    end
    chunk, name = concat(parts), name or "=(load)"
  elseif type(chunk) ~= "string" then
    error("bad argument #1 to 'load' (function expected, got " .. (chunk == nil and "no value" or type(chunk)) .. ")", 2)
  end
  if env == nil then return native_load(chunk, name or chunk, mode) end
  return native_load(chunk, name or chunk, mode, env)
end

function base.loadfile(name, mode, env)
  if name == nil then return nil, "cannot read standard input" end
  local f, why = core.chunk_file(name)
  if not f then return nil, why end
  if env ~= nil then setfenv(f, env) end
  return f
end

function base.dofile(name)
  if name == nil then error("cannot read standard input", 2) end
  local f, why = core.chunk_file(name)
  if not f then error(why, 0) end
  return f()
end

-- --- package ---

local path_default = package.path
local cpath_default = package.cpath
local config = package.config

-- Patterns of the configuration come first: lua.conf's script-directory; scripts.path, a list or one text; then the script directory;
-- then LUA_PATH. A directory without a `?` means the modules in it.
local function path_first()
  local all = {}
  local function add(one) if one and one ~= "" then all[#all + 1] = find(one, "?", 1, true) and one or one .. "/?.lua" end end
  for _, one in ipairs(core.fs.script_directories or {}) do add(one) end
  local more = core.config("scripts.path")
  if type(more) == "table" then more = concat(more, ";") end
  if more and more ~= "" then all[#all + 1] = more end
  add(core.script_dir())
  all[#all + 1] = path_default
  return concat(all, ";")
end

-- Likewise module-directory for C modules, which isolated scripts load.
local function cpath_first()
  local all = {}
  for i, one in ipairs(core.fs.module_directories or {}) do all[i] = find(one, "?", 1, true) and one or one .. "/?.so" end
  all[#all + 1] = cpath_default
  return concat(all, ";")
end

function core.package_paths() return path_first(), cpath_first() end

local function search(name, path, separator)
  name = gsub(name, "%.", separator or "/")
  local tried = {}
  for template in gmatch(path, "[^;]+") do
    local file = gsub(template, "%?", (gsub(name, "%%", "%%%%")))
    local handle = io.open(file, "r")
    if handle then
      handle:close()
      return file
    end
    tried[#tried + 1] = "\n\tno file '" .. file .. "'"
  end
  return nil, concat(tried)
end

core.package_search = search

local own -- the running script's package table

local function loader_preload(name)
  local f = own().preload[name]
  return f or format("\n\tno field package.preload['%s']", name)
end

local function loader_lua(name)
  local path = own().path
  if type(path) ~= "string" then error("'package.path' must be a string", 0) end
  local file, tried = search(name, path)
  if not file then return tried end
  local f, why = core.chunk_file(file)
  if not f then error(format("error loading module '%s' from file '%s':\n\t%s", name, file, why), 0) end
  return f, file
end

local refused = "error loading module '%s' from file '%s':\n\ta C module would be shared by all scripts of the worker, and could hold them all up; %s"

local function loader_c(name)
  local cpath = own().cpath
  if type(cpath) ~= "string" then error("'package.cpath' must be a string", 0) end
  local file, tried = search(name, cpath)
  if not file then return tried end
  error(format(refused, name, file, core.fs.isolated.learn()), 0)
end

local function fill(p)
  local data = core.script_data()
  local globals = data.__globals
  data.__package = p
  p.path, p.cpath, p.config = path_first(), cpath_first(), config
  p.preload = {}
  for name, f in pairs(core.fs.builtin_modules or {}) do p.preload[name] = f end
  p.loaders = { loader_preload, loader_lua, loader_c }
  p.searchers = p.loaders
  p.loaded = { _G = globals, package = p }
  for _, name in ipairs { "string", "table", "math", "io", "os", "debug", "coroutine", "bit", "jit", "bit32", "utf8", "freeswitch" } do
    p.loaded[name] = core.raw(globals, name)
  end
  p.loaded["table.new"] = function() return {} end
  p.loaded["table.clear"] = function(t) for k in pairs(t) do t[k] = nil end end
  function p.seeall(m)
    local mt = base.getmetatable(m) or {}
    mt.__index = globals
    setmetatable(m, mt)
  end
  function p.loadlib() return nil, "C libraries cannot be loaded into the scripts' shared state; " .. core.fs.isolated.learn(), "absent" end
  function p.searchpath(name, path, separator, replacement)
    local file, tried = search(separator and (gsub(name, "%" .. separator, replacement or "/")) or name, path)
    return file, tried
  end
end

base.package = core.lazy_table(fill)

-- A script that overwrote its global `package` still has one for require.
function own()
  local data = core.script_data()
  local p = data.__package
  if p then return p end
  p = core.raw(data.__globals, "package")
  if type(p) == "table" and type(p.loaders) == "table" and data.__package then return data.__package end
  p = {}
  fill(p)
  return p
end

local loading = {} -- marks a module whose body runs

local function loader_find(p, name)
  local tried = ""
  for _, loader in ipairs(p.loaders) do
    local f, extra = loader(name)
    if type(f) == "function" then return f, extra end
    if type(f) == "string" then tried = tried .. f end
  end
  error(format("module '%s' not found:%s", name, tried), 3)
end

function base.require(name)
  if type(name) == "number" then name = tostring(name) end
  if type(name) ~= "string" then error("bad argument #1 to 'require' (string expected, got " .. (name == nil and "no value" or type(name)) .. ")", 2) end
  if name == "ffi" then error("module 'ffi' would reach into the scripts' shared state; " .. core.fs.isolated.learn(), 2) end
  local p = own()
  local loaded = p.loaded
  local value = loaded[name]
  if value == loading then error(format("loop or previous error loading module '%s'", name), 2) end
  if value then return value end
  local f = loader_find(p, name)
  loaded[name] = loading
  local result = f(name)
  if result ~= nil then
    loaded[name] = result
  elseif loaded[name] == loading then
    loaded[name] = true
  end
  return loaded[name]
end

-- --- module ---

local function table_at(globals, name)
  local at = globals
  for part in gmatch(name, "[^.]+") do
    local next = core.raw(at, part)
    if next == nil then
      next = {}
      at[part] = next
    elseif type(next) ~= "table" then
      return nil
    end
    at = next
  end
  return at
end

function base.module(name, ...)
  local p = own()
  local m = p.loaded[name]
  if type(m) ~= "table" then
    m = table_at(core.script_data().__globals, name)
    if not m then error(format("name conflict for module '%s'", name), 2) end
    p.loaded[name] = m
  end
  if core.raw(m, "_NAME") == nil then
    m._M, m._NAME, m._PACKAGE = m, name, (gsub(name, "[^.]*$", ""))
  end
  setfenv(2, m)
  for i = 1, select("#", ...) do
    local option = (select(i, ...))
    if type(option) == "function" then option(m) end
  end
end
