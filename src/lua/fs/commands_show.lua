-- commands_show.lua: `show` and `help`: lists of calls, of what is known by name, of tasks and aliases, as columns, XML or JSON.
local core = ...
local fs = core.fs
local api, headers, tables, util = fs.api, fs.headers, fs.tables, fs.util

local concat, find, floor, format, gsub, lower, match, sort, sub, tonumber, tostring =
  table.concat, string.find, math.floor, string.format, string.gsub, string.lower, string.match, table.sort, string.sub, tonumber, tostring
local ipairs, pairs = ipairs, pairs
local command = api.command

-- --- calls ---

local channel_columns = { "uuid", "direction", "created", "created_epoch", "name", "state", "cid_name", "cid_num", "ip_addr", "dest", "application",
  "application_data", "dialplan", "context", "read_codec", "read_rate", "read_bit_rate", "write_codec", "write_rate", "write_bit_rate", "secure",
  "hostname", "presence_id", "presence_data", "accountcode", "callstate", "callee_name", "callee_num", "callee_direction", "call_uuid",
  "sent_callee_name", "sent_callee_num", "initial_cid_name", "initial_cid_num", "initial_ip_addr", "initial_dest", "initial_dialplan", "initial_context" }

-- Which of a channel's columns a list of calls has, of the first leg and (behind b_) of the second.
local leg = { "uuid", "direction", "created", "created_epoch", "name", "state", "cid_name", "cid_num", "ip_addr", "dest" }
local media = { "application", "application_data", "dialplan", "context", "read_codec", "read_rate", "read_bit_rate", "write_codec", "write_rate",
  "write_bit_rate", "secure" }
local shown = { "presence_id", "presence_data", "accountcode", "callstate", "callee_name", "callee_num", "callee_direction" }

local function joined(...)
  local out = {}
  for _, list in ipairs({ ... }) do for _, name in ipairs(list) do out[#out + 1] = name end end
  return out
end
local function behind_b(...)
  local out = joined(...)
  for i = 1, #out do out[i] = "b_" .. out[i] end
  return out
end
local sent = { "sent_callee_name", "sent_callee_num" }
local call_columns = joined(leg, shown, { "call_uuid", "hostname" }, sent, behind_b(leg, shown, sent), { "call_created_epoch" })
local detailed_columns = joined(leg, media, { "hostname" }, shown, { "call_uuid" }, sent, behind_b(leg, media, { "hostname" }, shown, { "call_uuid" }, sent),
  { "call_created_epoch" })

local bit_rates = { PCMU = "64000", PCMA = "64000", G722 = "64000", L16 = "128000" }

local function channel_row(ch)
  local epoch = floor((ch:times().created or 0) / 1000000)
  local codec, out = ch:get("read_codec"), ch:get("write_codec")
  local initial = ch:data().initial or {}
  local function first(field) return initial[field] or ch:profile(field) end
  return {
    uuid = ch:uuid(), direction = ch:outbound() and "outbound" or "inbound", created = core.strftime("%Y-%m-%d %H:%M:%S", epoch),
    created_epoch = format("%d", epoch), name = ch:profile("chan_name"), state = ch:state(), cid_name = ch:profile("caller_id_name"),
    cid_num = ch:profile("caller_id_number"), ip_addr = ch:profile("network_addr"), dest = ch:profile("destination_number"),
    application = ch:get("current_application"), application_data = ch:get("current_application_data"), dialplan = ch:profile("dialplan"),
    context = ch:profile("context"), read_codec = codec, read_rate = ch:get("read_rate"), read_bit_rate = bit_rates[codec], write_codec = out,
    write_rate = ch:get("write_rate"), write_bit_rate = bit_rates[out], hostname = core.global_get("hostname"),
    presence_id = ch:get("presence_id"), presence_data = ch:get("presence_data"), accountcode = ch:get("accountcode"),
    callstate = headers.call_state(ch), callee_name = ch:profile("callee_id_name"), callee_num = ch:profile("callee_id_number"),
    call_uuid = ch:get("call_uuid"), initial_cid_name = first("caller_id_name"), initial_cid_num = first("caller_id_number"),
    initial_ip_addr = first("network_addr"), initial_dest = first("destination_number"), initial_dialplan = first("dialplan"),
    initial_context = first("context"),
  }
end

local function channel_rows()
  local rows = {}
  for _, ch in ipairs(core.channels()) do if ch:up() then rows[#rows + 1] = channel_row(ch) end end
  return rows
end

-- One row for each call: of a bridge, the first leg with the second beside it. bridged: these alone.
local function call_rows(bridged)
  local rows = {}
  for _, ch in ipairs(core.channels()) do
    local data = ch:data()
    local partner = data.partner
    local elsewhere = data.lent and ch:get("bridge_uuid") -- shown by the worker that it is lent to
    if ch:up() and not elsewhere and not (partner and data.bridge_side == "originatee") and (partner or not bridged) then
      local row = channel_row(ch)
      if partner then
        for name, value in pairs(channel_row(partner)) do row["b_" .. name] = value end
        row.call_created_epoch = format("%d", floor((ch:times().bridged or 0) / 1000000))
      end
      rows[#rows + 1] = row
    end
  end
  return rows
end

-- --- what is known by name ---

local homes = { hash = "mod_hash", db = "mod_db", group = "mod_db", expr = "mod_expr", strftime = "mod_dptools", strepoch = "mod_dptools",
  strmicroepoch = "mod_dptools", lua = "mod_lua", luarun = "mod_lua", curl = "mod_curl", conference = "mod_conference", sofia = "mod_sofia",
  fifo = "mod_fifo", valet_park = "mod_valet_parking" }
local function home(name, otherwise) return homes[name] or match(name, "^sofia_") and "mod_sofia" or otherwise end

local fixed = {
  codec = { { "PROXY PASS-THROUGH", "CORE_PCM_MODULE" }, { "G.711 alaw", "CORE_PCM_MODULE" }, { "G.711 ulaw", "CORE_PCM_MODULE" },
    { "G.722", "mod_spandsp" }, { "G.729", "mod_g729" }, { "GSM", "mod_spandsp" }, { "OPUS (STANDARD)", "mod_opus" }, { "RAW Signed Linear (16 bit)", "CORE_PCM_MODULE" } },
  dialplan = { { "XML", "mod_dialplan_xml" }, { "inline", "mod_dptools" }, { "LUA", "mod_lua" } },
  endpoint = { { "error", "mod_dptools" }, { "group", "mod_dptools" }, { "loopback", "mod_loopback" }, { "null", "mod_loopback" },
    { "pickup", "mod_dptools" }, { "sofia", "mod_sofia" }, { "user", "mod_dptools" } },
  file = { { "silence_stream", "mod_tone_stream" }, { "tone_stream", "mod_tone_stream" }, { "wav", "mod_sndfile" } },
  limit = { { "db", "mod_db" }, { "hash", "mod_hash" } },
  say = { { "en", "mod_say_en" } },
  speech = { { "flite", "mod_flite" } },
  timer = { { "soft", "CORE_SOFTTIMER_MODULE" } },
}

-- All of a kind, in order of name.
local function interfaces(kind)
  local rows = {}
  local function add(name, ikey, description, syntax)
    rows[#rows + 1] = { type = kind, name = name, ikey = ikey, description = description, syntax = syntax, hostname = core.global_get("hostname") }
  end
  if kind == "api" then
    for _, name in ipairs(api.order) do
      local c = api.commands[name]
      if c.help ~= "" then add(name, home(name, "mod_commands"), c.help, c.syntax) end
    end
  elseif kind == "application" then
    for _, app in pairs(fs.apps.all) do add(app.name, home(app.name, "mod_dptools"), app.summary, "") end
  else
    for _, one in ipairs(fixed[kind] or {}) do add(one[1], one[2]) end
  end
  sort(rows, function(a, b) return a.name < b.name end)
  return rows
end

local kinds = { "api", "application" }
for kind in pairs(fixed) do kinds[#kinds + 1] = kind end
sort(kinds)
local function all_interfaces()
  local rows = {}
  for _, kind in ipairs(kinds) do for _, row in ipairs(interfaces(kind)) do rows[#rows + 1] = row end end
  return rows
end

local function kept(rows, f)
  local out = {}
  for _, row in ipairs(rows) do if f(row) then out[#out + 1] = row end end
  return out
end

-- What the engine answers as a module: each is built in.
local modules = { "mod_commands", "mod_dptools", "mod_dialplan_xml", "mod_sofia", "mod_loopback", "mod_lua", "mod_expr", "mod_hash", "mod_db",
  "mod_sndfile", "mod_tone_stream", "mod_say_en", "mod_event_socket", "mod_pgsql", "mod_console", "mod_logfile", "mod_native_file", "mod_local_stream",
  "mod_curl", "mod_opus", "mod_conference", "mod_xml_rpc", "mod_flite", "mod_g729", "mod_valet_parking", "mod_fifo" }
local known_module = {}
for _, name in ipairs(modules) do known_module[name] = true end
function fs.module_known(name) return known_module[name] or false end

-- --- the listings: name → columns, rows; words: what else was asked ---

local three, four = { "type", "name", "ikey" }, { "name", "description", "syntax", "ikey" }

local listings = {
  channels = function() return channel_columns, channel_rows() end,
  calls = function() return call_columns, call_rows(false) end,
  bridged_calls = function() return call_columns, call_rows(true) end,
  detailed_calls = function() return detailed_columns, call_rows(false) end,
  detailed_bridged_calls = function() return detailed_columns, call_rows(true) end,
  interfaces = function() return three, all_interfaces() end,
  interface_types = function()
    local rows = {}
    for _, kind in ipairs(kinds) do rows[#rows + 1] = { type = kind, total = tostring(#interfaces(kind)) } end
    return { "type", "total" }, rows
  end,
  tasks = function()
    local rows = {}
    for _, task in pairs(fs.schedule.tasks) do
      rows[#rows + 1] = { task_id = tostring(task.id), task_desc = task.what or "", task_group = task.group, task_runtime = format("%d", task.at),
        task_sql_manager = "0", hostname = core.global_get("hostname") }
    end
    sort(rows, function(a, b) return tonumber(a.task_id) < tonumber(b.task_id) end)
    return { "task_id", "task_desc", "task_group", "task_runtime", "task_sql_manager", "hostname" }, rows
  end,
  registrations = function()
    return { "reg_user", "realm", "token", "url", "expires", "network_ip", "network_port", "network_proto", "hostname", "metadata" },
      fs.registrations and fs.registrations.rows() or {}
  end,
  aliases = function()
    local rows = {}
    for _, name in ipairs(tables.names("carillon:alias")) do
      local sticky, line = match(tables.value("carillon:alias", name), "^(%d):(.*)$")
      rows[#rows + 1] = { sticky = sticky, alias = name, command = line, hostname = core.global_get("hostname") }
    end
    return { "sticky", "alias", "command", "hostname" }, rows
  end,
  complete = function()
    local columns, rows = { "sticky" }, {}
    for i = 1, 10 do columns[i + 1] = "a" .. i end
    columns[12] = "hostname"
    for _, line in ipairs(tables.names("carillon:complete")) do
      local row = { sticky = tables.value("carillon:complete", line), hostname = core.global_get("hostname") }
      for i, word in ipairs(util.separate(line, " ")) do row["a" .. i] = word ~= "_any_" and word or "" end
      rows[#rows + 1] = row
    end
    return columns, rows
  end,
  nat_map = function() return { "port", "proto", "proto_num", "sticky" }, {} end,
}
for _, kind in ipairs({ "codec", "dialplan", "file", "timer", "chat", "limit", "say", "management", "endpoint", "speech" }) do
  listings[kind] = function() return three, interfaces(kind) end
end
for _, kind in ipairs({ "application", "api" }) do
  listings[kind] = function(words)
    local name = words[2] and lower(words[2]) ~= "as" and words[2]
    return four, name and kept(interfaces(kind), function(row) return row.name == name end) or interfaces(kind)
  end
end
listings.modules = function(words)
  local name = words[2] and lower(words[2]) ~= "as" and words[2]
  local rows = all_interfaces()
  return { "type", "name", "ikey", "filename" }, name and kept(rows, function(row) return row.ikey == name end) or rows
end

-- These are asked for by any word that begins so; a plural s is all the same.
local beginnings = { "codec", "dialplan", "file", "timer", "chat", "limit", "say", "management", "endpoint", "module" }

local function listing_of(word)
  word = lower(word)
  for _, start in ipairs(beginnings) do
    if sub(word, 1, #start) == start then
      if start == "module" then return listings.modules, "modules" end
      return listings[(gsub(word, "s$", ""))] or function() return three, {} end, word
    end
  end
  return listings[word], word
end

-- --- forms ---

local forms = {}

function forms.json(columns, rows)
  if #rows == 0 then return '{"row_count": 0}\n' end
  local out = {}
  for i, row in ipairs(rows) do
    local fields = {}
    for k, name in ipairs(columns) do fields[k] = util.json_text(name) .. ":" .. util.json_text(row[name] or "") end
    out[i] = "{" .. concat(fields, ",") .. "}"
  end
  return format('{"row_count":%d,"rows":[%s]}', #rows, concat(out, ","))
end
function forms.xml(columns, rows)
  if #rows == 0 then return '<result row_count="0"/>\n' end
  local out = { format('<result row_count="%d">\n', #rows) }
  for i, row in ipairs(rows) do
    out[#out + 1] = format('  <row row_id="%d">\n', i)
    for _, name in ipairs(columns) do out[#out + 1] = format("    <%s>%s</%s>\n", name, util.xml_text(row[name] or ""), name) end
    out[#out + 1] = "  </row>\n"
  end
  return concat(out) .. "</result>\n"
end
local function table_text(columns, rows, delim)
  local out = {}
  for i, row in ipairs(rows) do
    local fields = {}
    for k, name in ipairs(columns) do fields[k] = row[name] or "" end
    out[i] = concat(fields, delim) .. "\n"
  end
  return concat(out)
end
function forms.delim(columns, rows, delim)
  if #rows == 0 then return "\n0 total.\n" end
  return concat(columns, delim) .. "\n" .. table_text(columns, rows, delim) .. format("\n%d total.\n", #rows)
end
forms.csv = forms.delim

local counts = { json = '{"row_count":%d,"rows":[]}', xml = '<result row_count="%d"></result>\n', delim = "\n%d total.\n", csv = "\n%d total.\n" }

-- --- all workers ---

-- For the other workers: the rows of a listing of calls, as a table's text.
api.commands.carillon_rows = { name = "carillon_rows", syntax = "", help = "", run = function(what)
  local listing = listings[what]
  if not listing then return "" end
  local _, rows = listing({})
  return fs.pack.pack(rows)
end }
local everywhere = { channels = true, calls = true, bridged_calls = true, detailed_calls = true, detailed_bridged_calls = true, tasks = true }

local function rows_everywhere(what, rows)
  for _, text in ipairs(fs.remote.gather("carillon_rows " .. what)) do
    for _, row in ipairs(fs.pack.unpack(text) or {}) do rows[#rows + 1] = row end
  end
  for i = 1, #rows do rows[i].at = i end
  sort(rows, function(a, b)
    local x, y = tonumber(a.created_epoch) or 0, tonumber(b.created_epoch) or 0
    if x ~= y then return x < y end
    return a.at < b.at
  end)
end

-- --- the command ---

-- SQL's LIKE: % and _; without a % anywhere within. As a pattern of Lua's.
local function like(pattern)
  if not find(pattern, "%", 1, true) then pattern = "%" .. pattern .. "%" end
  pattern = "^" .. gsub(lower(pattern), "%W", function(c) return c == "%" and ".*" or c == "_" and "." or "%" .. c end) .. "$"
  return function(row)
    for _, name in ipairs({ "uuid", "name", "cid_name", "cid_num", "presence_data", "accountcode" }) do
      if row[name] and match(lower(row[name]), pattern) then return true end
    end
    return false
  end
end

-- In which form: the word behind "as", and where it stands.
local function form_of(words)
  for i = 2, 4 do
    if words[i] and lower(words[i]) == "as" and words[i + 1] then return lower(words[i + 1]), words[4] end
  end
  return "delim", ","
end

local countable = { calls = true, channels = true, registrations = true }
local syntax = "codec|endpoint|application|api|dialplan|file|timer|calls [count]|channels [count|like <match string>]|calls|detailed_calls|"
  .. "bridged_calls|detailed_bridged_calls|aliases|complete|chat|management|modules|nat_map|say|interfaces|interface_types|tasks|limits|status"

command("show", syntax, "Show various reports", function(text, context)
  local words = util.separate(text, " ", 6)
  if not words[1] then return api.usage("show") end
  if match(lower(words[1]), "^status") then return api.run("status", "", {}) end
  local listing, what = listing_of(words[1])
  if not listing then return api.usage("show") end
  local columns, rows = listing(words)
  if fs.remote.many and everywhere[what] and not context.here then rows_everywhere(what, rows) end
  local form, delim = form_of(words)
  if not forms[form] then return "-ERR Cannot find format " .. form .. "\n" end
  local second = lower(words[2] or "")
  if second == "count" and countable[what] then return format(counts[form], #rows) end
  if second == "like" and what == "channels" and words[3] then rows = kept(rows, like(words[3])) end
  return forms[form](columns, rows, delim or ",")
end)

command("help", "", "Show help for all the api commands", function(text)
  return (text == "" and "\nValid Commands:\n\n" or "") .. table_text({ "name", "syntax", "description", "ikey" }, interfaces("api"), ",")
end)

-- --- what a console remembers: nothing is run by another name for it ---

command("alias", "[add|stickyadd] <alias> <command> | del [<alias>|*]", "Alias", function(text)
  local w = util.separate(text, " ", 3)
  local op = lower(w[1] or "")
  if (op == "add" or op == "stickyadd") and #w == 3 and w[2] ~= w[3] then
    tables.ask("db", "insert", "carillon:alias", w[2], (op == "add" and "0:" or "1:") .. w[3])
  elseif op == "del" and #w == 2 then
    for _, name in ipairs(w[2] == "*" and tables.names("carillon:alias") or { w[2] }) do tables.ask("db", "delete", "carillon:alias", name) end
  else
    return api.usage("alias")
  end
  return "+OK\n"
end)
command("complete", "add <word>|del [<word>|*]", "Complete", function(text)
  local op, rest = match(text, "^(%S+)%s*(.*)$")
  op = lower(op or "")
  if op == "add" or op == "stickyadd" then
    tables.ask("db", "insert", "carillon:complete", rest, op == "add" and "0" or "1")
  elseif op == "del" and rest ~= "" then
    for _, line in ipairs(rest == "*" and tables.names("carillon:complete") or { rest }) do tables.ask("db", "delete", "carillon:complete", line) end
  else
    return api.usage("complete")
  end
  return "+OK\n"
end)
