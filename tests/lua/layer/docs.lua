-- docs.lua: the lists of docs/lua-api.md and docs/applications.md, from the tables next to the code.
-- `luajit tests/lua/layer/docs.lua` writes them anew; run.lua finds out when that was forgotten.
local docs = {}

local function sorted(t)
  local keys = {}
  for k in pairs(t) do keys[#keys + 1] = k end
  table.sort(keys)
  return keys
end

function docs.applications(fs)
  local out = { [[
# Dialplan applications

What `session:execute("name", "data")` and the dialplan know. `${variables}` and `${commands(…)}` in the data are expanded first; `%[a=1,b=2]data`
sets scope variables for one application. **Z**: also runs on a call that is over. **M**: needs media; an inbound call gets early media for it, an
outbound one that has none within two seconds skips it with a warning. An unknown application ends the call with DESTINATION_OUT_OF_ORDER.

This list is written by `tests/lua/layer/docs.lua` from the table of applications (`src/lua/fs/apps*.lua`).

| application | | data and behaviour |
|---|---|---|
]] }
  for _, key in ipairs(sorted(fs.apps.all)) do
    local a = fs.apps.all[key]
    out[#out + 1] = string.format("| `%s` | %s | %s |\n", a.name, a.flags, (a.summary:gsub("|", "\\|")))
  end
  return table.concat(out)
end

function docs.classes(fs)
  local out = {}
  for _, name in ipairs(sorted(fs.class.all)) do
    local c = fs.class.all[name]
    out[#out + 1] = "\n### " .. name .. "\n\n"
    for _, method in ipairs(sorted(c.fn)) do
      out[#out + 1] = string.format("- `%s%s`\n", method, c.described[method] or "(…) (an older name)")
    end
    local fields = sorted(c.get)
    if #fields > 0 then out[#out + 1] = "- fields: `" .. table.concat(fields, "` `") .. "`\n" end
  end
  local functions = {}
  for k, v in pairs(fs.freeswitch) do if type(v) == "function" then functions[k] = true end end
  out[#out + 1] = "\n### Functions of `freeswitch`\n\n`" .. table.concat(sorted(functions), "` `") .. "`\n"
  return table.concat(out)
end

local mark = "<!-- the list below is written by tests/lua/layer/docs.lua -->\n"

local function read(path) local f = io.open(path, "rb") if not f then return "" end local t = f:read("*a") f:close() return t end
local function write(path, text) local f = assert(io.open(path, "wb")) f:write(text) f:close() end

-- Whole texts of both files as they ought to be.
function docs.wanted(fs, root)
  local api = read(root .. "/docs/lua-api.md")
  local at = api:find(mark, 1, true)
  local head = at and api:sub(1, at - 1) or api
  return { ["/docs/applications.md"] = docs.applications(fs), ["/docs/lua-api.md"] = head .. mark .. docs.classes(fs) }
end

if arg and arg[0]:match("docs%.lua$") then
  local here = arg[0]:match("^(.*)/[^/]*$") or "."
  package.path = here .. "/?.lua;" .. package.path
  local fake = require("fake")
  fake.core.config_values["sip.listen"] = { { name = "internal" } }
  local root = here .. "/../../.."
  local fs = fake.load(root .. "/src/lua/fs")
  for path, text in pairs(docs.wanted(fs, root)) do write(root .. path, text) end
end
docs.read = read
return docs
