-- stdlib_io.lua: io. Files are opened directly; programs are read without holding up anybody; the default files are each script's own;
-- what a script left open is closed when it ends, in reverse order.
local core = ...

local lib = {}
core.base.io = lib

local native, type, error, select, unpack, setmetatable, tostring, tonumber = io, type, error, select, unpack, setmetatable, tostring, tonumber
local find, sub, concat = string.find, string.sub, table.concat

core.guard(debug.getmetatable(io.stdout))

lib.stdout, lib.stderr = io.stdout, io.stderr
lib.stdin = native.open("/dev/null", "r") -- a server has no terminal; and nobody waits for one

local function state()
  local data = core.script_data()
  local s = data.__io
  if not s then
    s = { files = setmetatable({}, { __mode = "k" }), input = lib.stdin, output = lib.stdout }
    data.__io = s
  end
  return s
end

-- Remembers a file, weakly: one that is collected closes itself.
local function kept(file)
  if file then state().files[file] = core.end_slot() end
  return file
end

-- Called by the engine at a script's end, before its handlers run: open files take their place among them.
function core.files_at_end()
  local data = core.script_data()
  local s = data and data.__io
  if not s then return end
  for file, slot in pairs(s.files) do
    core.on_end_at(slot, function() if native.type(file) == "file" then file:close() elseif type(file) == "table" then file:close() end end)
  end
end

function lib.open(...)
  local file, why, code = native.open(...)
  if not file then return nil, why, code end
  return kept(file)
end
lib.tmpfile = function() return kept(native.tmpfile()) end

-- --- programs ---

local pipe = {}
pipe.__index = pipe
pipe.__tostring = function(p) return p.child and "file (pipe)" or "file (closed)" end
pipe.__name = "FILE*"
core.guard(pipe)

local function checked(p)
  if not p.child then error("attempt to use a closed file", 3) end
  return p
end

-- Reads more into the buffer; false at the end of file.
local function more(p)
  while not p.ended do
    local text, token = core.child_read(p.child)
    if text then
      p.buffer = p.buffer .. text
      return true
    elseif text == false then
      p.ended = true
    else
      core.await(token)
    end
  end
  return false
end

-- Long outputs are gathered in a list: appending each part to one string would copy it all each time.
local function read_all(p)
  local parts, n = { p.buffer }, 1
  p.buffer = ""
  while more(p) do
    n = n + 1
    parts[n] = p.buffer
    p.buffer = ""
  end
  return concat(parts)
end

local function read_count(p, count)
  while #p.buffer < count and more(p) do end
  if p.buffer == "" and (count > 0 or not more(p)) then return nil end
  local text = sub(p.buffer, 1, count)
  p.buffer = sub(p.buffer, count + 1)
  return text
end

local function read_line(p, keep)
  local from = 1
  while true do
    local at = find(p.buffer, "\n", from, true)
    if at then
      local line = sub(p.buffer, 1, keep and at or at - 1)
      p.buffer = sub(p.buffer, at + 1)
      return line
    end
    from = #p.buffer + 1
    if not more(p) then break end
  end
  if p.buffer == "" then return nil end
  local line = p.buffer
  p.buffer = ""
  return line
end

local function read_number(p)
  while not find(p.buffer, "^%s*[^%s]+%s") and more(p) do end
  local _, last, text = find(p.buffer, "^%s*([%x%.xX+-]+)")
  local number = text and tonumber(text)
  if number then p.buffer = sub(p.buffer, last + 1) end
  return number
end

local function read_one(p, format)
  if type(format) == "number" then return read_count(p, format) end
  local letter = type(format) == "string" and sub(format, 1, 1) == "*" and sub(format, 2, 2) or sub(tostring(format), 1, 1)
  if letter == "a" then return read_all(p) end
  if letter == "l" then return read_line(p) end
  if letter == "L" then return read_line(p, true) end
  if letter == "n" then return read_number(p) end
  error("bad argument #1 to 'read' (invalid format)", 3)
end

function pipe:read(...)
  checked(self)
  local n = select("#", ...)
  if n == 0 then return read_line(self) end
  local results = {}
  for i = 1, n do
    results[i] = read_one(self, (select(i, ...)))
    if results[i] == nil then break end
  end
  return unpack(results, 1, n)
end

function pipe:lines(...)
  checked(self)
  local format = ...
  return function() return read_one(self, format == nil and "*l" or format) end
end

function pipe:write(...)
  checked(self)
  for i = 1, select("#", ...) do
    local text = (select(i, ...))
    if type(text) ~= "string" and type(text) ~= "number" then
      error("bad argument #" .. i .. " to 'write' (string expected, got " .. type(text) .. ")", 2)
    end
    text = tostring(text)
    local at, token = core.child_write(self.child, text, 0)
    while token do
      core.await(token)
      at, token = core.child_write(self.child, text, at)
    end
    if not at then return nil, token end
  end
  return self
end

function pipe:flush() return true end
function pipe:setvbuf() return true end
function pipe:seek() return nil, "Illegal seek", 29 end

-- As Lua 5.2: true, "exit" | "signal", number. At a script's end nobody waits for the program.
function pipe:close()
  checked(self)
  local child = self.child
  self.child = nil
  local status, token = core.child_wait(child)
  if token and core.can_wait() then
    status, token = core.await(token), nil
  end
  core.child_drop(child)
  state().files[self] = nil
  if token then return true end
  if status % 128 == 0 then
    local code = math.floor(status / 256)
    return code == 0 or nil, "exit", code
  end
  return nil, "signal", status % 128
end

function lib.popen(command, mode)
  mode = mode or "r"
  if type(command) ~= "string" and type(command) ~= "number" then
    error("bad argument #1 to 'popen' (string expected, got " .. (command == nil and "no value" or type(command)) .. ")", 2)
  end
  if mode ~= "r" and mode ~= "w" then error("bad argument #2 to 'popen' (invalid mode)", 2) end
  local child = core.await(core.child_start(tostring(command), mode))
  if type(child) == "string" then return nil, child end
  return kept(setmetatable({ child = child, buffer = "" }, pipe))
end

-- --- the default files ---

function lib.type(v)
  if type(v) == "table" and debug.getmetatable(v) == pipe then return v.child and "file" or "closed file" end
  return native.type(v)
end

local function default(which, mode)
  return function(file)
    local s = state()
    if file == nil then return s[which] end
    if type(file) == "string" then
      local opened, why = native.open(file, mode)
      if not opened then error(why, 2) end
      file = kept(opened)
    elseif not lib.type(file) then
      error("bad argument #1 to '" .. which .. "' (FILE* expected, got " .. type(file) .. ")", 2)
    end
    s[which] = file
    return file
  end
end
lib.input = default("input", "r")
lib.output = default("output", "w")

function lib.read(...) return state().input:read(...) end
function lib.write(...) return state().output:write(...) end
function lib.flush() return state().output:flush() end
function lib.close(file)
  if file == nil then file = state().output end
  return file:close()
end

function lib.lines(name, ...)
  if name == nil then return state().input:lines(...) end
  local file, why = native.open(name, "r")
  if not file then error(why, 2) end
  kept(file)
  local format = ...
  return function()
    if not file then error("file is already closed", 2) end
    local line = format == nil and file:read("*l") or format ~= nil and file:read(format) or nil
    if line == nil then
      file:close()
      file = nil
    end
    return line
  end
end

-- print calls tostring, whose metamethods may wait, before anything is written.
function core.base.print(...)
  local n = select("#", ...)
  local parts = {}
  for i = 1, n do
    local text = tostring((select(i, ...)))
    if type(text) ~= "string" then error("'tostring' must return a string to 'print'", 2) end
    parts[i] = text
  end
  native.stdout:write(concat(parts, "\t"), "\n")
end
