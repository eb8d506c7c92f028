-- docs.lua: the lists of docs/lua-api.md, docs/applications.md and docs/commands.md, from the tables next to the code; and whether
-- docs/variables.md names what the code reads and sets.
-- `luajit tests/lua/layer/docs.lua` writes them anew; run.lua finds out when that was forgotten.
local docs = {}

local function read(path) local f = io.open(path, "rb") if not f then return "" end local t = f:read("*a") f:close() return t end

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
sets scope variables for one application. **Z**: also runs on a call that is over. **I**: may be marked `inline` in the dialplan. **M**: needs media; an inbound call gets early media for it, an
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

function docs.commands(fs)
  local out = { [[
# API commands

What `freeswitch.API`, `carillon api`, the event socket, `${name(arguments)}` and `bgapi` know. An unknown call is answered with `-ERR No such channel!`, wrong
arguments with `-USAGE: …`, what does not exist with `INVALID COMMAND!`. A command on a call of another worker runs there; `show`, `status` and `hupall` cover all.

Different from FreeSWITCH on purpose:

- Media always passes through the engine: `uuid_media`, `uuid_media_3p`, `uuid_media_reneg`, `uuid_simplify`, `uuid_jitterbuffer`, `uuid_debug_media`,
  `uuid_phone_event`, `uuid_preprocess`, `uuid_chat` and `uuid_send_message` take their arguments and answer with an error in place of a success that nothing follows.
- What the configuration file sets is told by `fsctl`, not changed: `max_sessions`, `sps`, `loglevel`, `min_dtmf_duration` and the like.
- All modules are built in: `load` and `unload` refuse, `reload` reads the XML anew.
- `alias` and `complete` are kept and shown; no command runs by another name for it.
- `stun` finds no server; there is no NAT mapping (`show nat_map` is empty).
- `uuid_bridge` of calls on different workers is refused if neither can be lent (`docs/architecture.md`).
- `db list` and `db count` give names in their order, not in that of insertion; values are not cut at 255 characters.

This list is written by `tests/lua/layer/docs.lua` from the table of commands (`src/lua/fs/commands_*.lua`).

| command | arguments | |
|---|---|---|
]] }
  local function cell(text) return (text:gsub("|", "\\|")) end
  for _, name in ipairs(sorted(fs.api.commands)) do
    local c = fs.api.commands[name]
    if c.help ~= "" then
      out[#out + 1] = string.format("| `%s` | %s | %s |\n", name, c.syntax ~= "" and "`" .. cell(c.syntax) .. "`" or "", cell(c.help))
    end
  end
  return table.concat(out)
end

-- --- variables ---

-- Names of a channel's variables in a file of the layer: what it gets and sets by a literal name.
local function variables_in(text, names)
  for _, pattern in ipairs({ 'ch:get%("([%w_]+)"', 'ch:set%("([%w_]+)"', 'a:get%("([%w_]+)"', 'aleg:get%("([%w_]+)"', 'aleg:set%("([%w_]+)"',
    'a:set%("([%w_]+)"', 'b:set%("([%w_]+)"', '[^%w:.]get%("([%w_]+)"', 'vars:get%("([%w_]+)"', 'setting%("([%w_]+)"',
    'variables%.get%(%w+, "([%w_]+)"', 'variables%.set%(%w+, "([%w_]+)"', 'variables%.push%(%w+, "([%w_]+)"' }) do
    for name in text:gmatch(pattern) do names[name] = true end
  end
end

-- Not variables of a channel: fields of messages, events and parameters of other kinds.
local other = { _body = 1, base_dir = 1, carillon_paused = 1, core_uuid = 1, domain = 1, end_epoch = 1, energy = 1, hostname = 1, local_ip_v4 = 1, local_ip_v6 = 1,
  progress_sound = 1, record_ = 1, recordings_dir = 1, socket_path = 1, switchname = 1, command = 1, application = 1, args = 1, text = 1, lang = 1, code = 1, what = 1, loops = 1, id = 1, uuid = 1, name = 1, kind = 1 }

-- Variables that the layer uses and docs/variables.md does not name.
function docs.variables_missing(root)
  local page, names, missing = read(root .. "/docs/variables.md"), {}, {}
  local list = io.popen("ls " .. root .. "/src/lua/fs/*.lua")
  for path in list:lines() do variables_in(read(path), names) end
  list:close()
  for name in pairs(names) do
    local known = page:find("`" .. name .. "`", 1, true) or page:find("`" .. name:upper() .. "`", 1, true)
    local family = page:match("`" .. name:gsub("_$", "") .. "_[A-Z]")
    if not known and not family and not other[name] and not name:match("%-") then missing[#missing + 1] = name end
  end
  table.sort(missing)
  return missing
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

local function write(path, text) local f = assert(io.open(path, "wb")) f:write(text) f:close() end

-- Whole texts of the files as they ought to be.
function docs.wanted(fs, root)
  local api = read(root .. "/docs/lua-api.md")
  local at = api:find(mark, 1, true)
  local head = at and api:sub(1, at - 1) or api
  return { ["/docs/applications.md"] = docs.applications(fs), ["/docs/commands.md"] = docs.commands(fs),
    ["/docs/lua-api.md"] = head .. mark .. docs.classes(fs) }
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
