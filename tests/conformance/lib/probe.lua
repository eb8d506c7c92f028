-- Helpers of the probes. A probe begins with
--   local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
-- and prints lines of the form `what: values`; what changes from run to run is printed as a word in angle brackets.
local T = {}
local freeswitch, stream = freeswitch, stream
local names = {}
local UUID = ("%x"):rep(8) .. "%-" .. (("%x"):rep(4) .. "%-"):rep(3) .. ("%x"):rep(12)

T.api_object = freeswitch.API()
T.work, T.sounds, T.sip = argv and argv[1], argv and argv[2], argv and argv[3]

-- From now on `text` is printed as <word>.
function T.hide(text, word)
  if text and text ~= "" then table.insert(names, { text, "<" .. word .. ">" }) end
end

local function clean(text)
  for _, n in ipairs(names) do
    local from = 1
    while true do
      local a, b = text:find(n[1], from, true)
      if not a then break end
      text = text:sub(1, a - 1) .. n[2] .. text:sub(b + 1)
      from = a + #n[2]
    end
  end
  return (text:gsub(UUID, "<uuid>"):gsub("0x%x+", "<address>"))
end
T.clean = clean

-- A value as one word: strings in quotes, whole numbers without a fraction, tables by kind alone.
function T.word(v)
  if type(v) == "string" then
    return '"' .. clean(v):gsub('[%c\\"]', function(c)
      return c == "\n" and "\\n" or c == "\t" and "\\t" or c == "\r" and "\\r" or (c == '"' or c == "\\") and "\\" .. c or ("\\%03d"):format(c:byte())
    end) .. '"'
  end
  if type(v) == "number" then return v == math.floor(v) and math.abs(v) < 1e15 and ("%d"):format(v) or ("%.6g"):format(v) end
  if v == nil or type(v) == "boolean" then return tostring(v) end
  return "<" .. type(v) .. ">"
end

function T.words(...)
  local out = {}
  for i = 1, select("#", ...) do out[i] = T.word((select(i, ...))) end
  return table.concat(out, " ")
end

function T.print(line) (T.out or stream):write(line .. "\n") end
function T.show(what, ...) T.print(clean(what) .. ": " .. (select("#", ...) == 0 and "nothing" or T.words(...))) end

-- An error's text without place, traceback and the wording of one Lua version.
function T.problem(e)
  e = clean(tostring(e)):gsub("^[^\n:]*:%d+: ", ""):gsub("\n.*", "")
  e = e:gsub("%(a nil value%)", "(nil)"):gsub("call a nil value %((%w+) '([^']*)'%)", "call %1 '%2' (nil)")
  e = e:gsub("index a nil value %((%w+) '([^']*)'%)", "index %1 '%2' (nil)")
  return e
end
local function outcome(what, ok, ...)
  if ok then return T.show(what, ...) end
  T.print(what .. ": raised " .. T.problem((...)))
end
-- f(...), its results or what it raised.
function T.call(what, f, ...) outcome(what, pcall(f, ...)) end
-- object:method(...), the same way.
function T.method(what, object, method, ...)
  outcome(what, pcall(function(...) return object[method](object, ...) end, ...))
end

function T.between(what, value, low, high)
  value = tonumber(value)
  if value and value >= low and value <= high then T.print(("%s: %s to %s"):format(what, T.word(low), T.word(high)))
  else T.print(("%s: %s is not within %s and %s"):format(what, T.word(value), T.word(low), T.word(high))) end
end

function T.lines(what, text)
  if type(text) ~= "string" then return T.show(what, text) end
  for line in clean(text):gmatch("[^\n]+") do T.print(what .. "| " .. line) end
end

function T.api(line) return T.api_object:executeString(line) end
-- What an API command says, as one line.
function T.command(line, label) T.show(label or line, T.api(line)) end

function T.now() return tonumber(T.api_object:getTime()) end
-- f() until it gives something true, at most `ms` (5 s).
function T.wait(f, ms)
  local last = T.now() + (ms or 5000)
  repeat
    local v = f()
    if v then return v end
    freeswitch.msleep(20)
  until T.now() > last
  return f()
end
function T.took(f, ...)
  local t = T.now()
  f(...)
  return T.now() - t
end

-- A silent answered leg whose digits come from uuid_recv_dtmf.
function T.null(variables) return freeswitch.Session("{" .. (variables or "x=1") .. "}null/x") end
-- A call to the engine itself, to a number of the context `far`.
function T.far(number, variables)
  return freeswitch.Session("{" .. (variables or "x=1") .. "}sofia/internal/" .. number .. "@" .. T.sip)
end
function T.press(s, digits) T.api("uuid_recv_dtmf " .. s:get_uuid() .. " " .. digits) end
function T.is_gone(uuid, ms) return T.wait(function() return T.api("uuid_exists " .. uuid) == "false" end, ms) end
-- hangup_cause, once it is there.
function T.cause(s) return T.wait(function() return s:getVariable("hangup_cause") end, 3000) end

-- The next event of `con` for which f(event) is true.
function T.event(con, f, ms)
  local last = T.now() + (ms or 5000)
  repeat
    local e = con:pop(1, 100)
    if e and f(e) then return e end
  until T.now() > last
end

-- Code in the background: source text, run by luarun; `...` becomes argv.
function T.background(source, ...)
  T.count = (T.count or 0) + 1
  local path = ("%s/background%d.lua"):format(T.work, T.count)
  T.write(path, source)
  T.api("luarun " .. path .. " " .. table.concat({ ... }, " "))
end
-- A script file in the work folder; returns its path.
function T.script(name, source) return T.write(T.work .. "/" .. name, source) end

function T.write(path, text)
  local f = assert(io.open(path, "wb"))
  f:write(text)
  f:close()
  return path
end
function T.read(path)
  local f = io.open(path, "rb")
  if not f then return nil end
  local text = f:read("*a")
  f:close()
  return text
end
-- The file's text once it is complete: its writer's last line is `end`.
function T.await(path, ms)
  return T.wait(function()
    local text = T.read(path)
    return text and text:match("^(.*)\nend\n$")
  end, ms)
end

-- Samples of a WAV file (mono, 16 bit, 8 kHz).
function T.samples(path)
  local text = T.read(path)
  if not text then return nil end
  local at = text:find("data", 1, true)
  return at and math.floor((#text - at - 7) / 2)
end

function T.sorted(t)
  local keys = {}
  for k in pairs(t) do keys[#keys + 1] = k end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

T.hide(T.work, "work")
T.hide(T.sounds, "sounds")
T.hide(T.sip, "sip")
return T
