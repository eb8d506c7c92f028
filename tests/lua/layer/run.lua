-- run.lua: the tests of the FreeSWITCH layer upon the fake core: `luajit tests/lua/layer/run.lua [part of a name]`.
-- Prints what failed and `N passed, N failed`; the exit code is 1 if anything failed.
local here = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = here .. "/?.lua;" .. package.path
local fake = require("fake")
local core = fake.core
core.config_values.freeswitch_dir = here .. "/conf"
core.config_values.sounds_dir = "/nonexistent"
core.config_values["sip.listen"] = { { name = "internal" } }
local fs = fake.load(here .. "/../../../src/lua/fs")

local passed, failed = 0, 0
local T = { fake = fake, core = core, fs = fs, here = here }

local function show(v)
  if type(v) == "string" then return string.format("%q", v) end
  return tostring(v)
end
local current
function T.equal(what, got, want)
  if got == want then passed = passed + 1
  else
    failed = failed + 1
    print(string.format("FAIL %s: %s: got %s, want %s", current, what, show(got), show(want)))
  end
end
function T.truth(what, got) T.equal(what, got and true or false, true) end

-- Runs a script as the command `lua` does; what it wrote. Inline code, so quotes are free.
function T.script(code)
  return fake.fiber(function()
    local object, out = fs.stream.new(nil)
    fs.script.wait({ code = code, name = "test", globals = { stream = object } })
    return fs.stream.text(out)
  end)
end
-- The same, taken apart into lines name=value.
function T.values(code)
  local r = {}
  for name, value in (T.script("local function say(n, v) stream:write(n .. '=' .. tostring(v) .. '\\n') end\n" .. code)):gmatch("([^\n=]+)=([^\n]*)\n") do r[name] = value end
  return r
end

local only = arg[1]
local function test(name, f)
  if only and not name:find(only, 1, true) then return end
  current = name
  local ok, problem = pcall(f)
  if not ok then
    failed = failed + 1
    print("FAIL " .. name .. ": " .. tostring(problem))
  end
end

for _, file in ipairs({ "text", "event", "dialstring", "variables", "dialplan", "session", "digits", "originate", "bridge", "menu", "calls", "hangup" }) do
  assert(loadfile(here .. "/" .. file .. "_test.lua"))(T, test)
end
test("the documentation's lists are those of the code", function()
  local docs = require("docs")
  local root = here .. "/../../.."
  for path, text in pairs(docs.wanted(fs, root)) do
    T.truth(path .. " is old: run luajit tests/lua/layer/docs.lua", docs.read(root .. path) == text)
  end
end)
test("docs/variables.md names every variable that the layer reads or sets", function()
  T.equal("not there", table.concat(require("docs").variables_missing(here .. "/../../.."), " "), "")
end)
print(string.format("%d passed, %d failed", passed, failed))
os.exit(failed == 0 and 0 or 1)
