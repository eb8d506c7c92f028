-- commands_engine.lua: API commands about the engine as a whole: status, show, originate, hupall, sofia …
local core = ...
local fs = core.fs
local api, channel, headers, json, util, variables, wait = fs.api, fs.channel, fs.headers, fs.json, fs.util, fs.variables, fs.wait

local concat, find, floor, format, gmatch, gsub, lower, match, sub, tonumber, tostring =
  table.concat, string.find, math.floor, string.format, string.gmatch, string.gsub, string.lower, string.match, string.sub, tonumber, tostring
local ipairs, pairs, type = ipairs, pairs, type
local command = api.command

-- What the broker knows: the text of an engine command, or nil.
local function engine(name, ...)
  local list = { { "command", name } }
  for i = 1, select("#", ...) do list[#list + 1] = { "a" .. i, (select(i, ...)) } end
  local reply = wait.request("broker", "ENGINE", list)
  return reply and reply.text, reply
end
fs.engine = engine

-- --- who we are ---

fs.version = { short = "1.10.12", full = "FreeSWITCH Version 1.10.12-carillon (compatible; Carillon)" }
command("version", "[short]", "the version", function(text)
  if text == "short" then return fs.version.short .. "\n" end
  return fs.version.full .. "\n"
end)
command("hostname", "", "this machine's name", function() return core.global_get("hostname") or "localhost" end)
command("switchname", "", "this engine's name", function() return core.global_get("switchname") or core.global_get("hostname") or "localhost" end)

local started_us = core.utc_us()
local units = { us = 1, ms = 1000, s = 1000000, m = 60000000, h = 3600000000, d = 86400000000 }
command("uptime", "[us|ms|s|m|h|d|microseconds|…]", "how long it runs", function(text)
  return format("%d\n", floor((core.utc_us() - started_us) / (units[text] or units.s)))
end)

local function plural(n, word) return format("%d %s%s", n, word, n == 1 and "" or "s") end

local function counted(f)
  local n = 0
  for _, ch in ipairs(core.channels()) do if ch:up() and (not f or f(ch)) then n = n + 1 end end
  return n
end

-- For the other workers: how many calls are up here.
api.commands.carillon_count = { name = "carillon_count", syntax = "", help = "", run = function() return format("%d", counted()) end }

command("status", "", "the engine in a few lines", function()
  local up = counted()
  for _, text in ipairs(fs.remote.gather("carillon_count")) do up = up + (tonumber(text) or 0) end
  local us = core.utc_us() - started_us
  local s = floor(us / 1000000)
  local _, reply = engine("counters")
  local numbers = reply or {}
  local total = tonumber(numbers.calls_started or "") or fs.calls_made or 0
  return concat({
    format("UP %s, %s, %s, %s, %s, %s, %s\n", plural(floor(s / 31536000), "year"), plural(floor(s / 86400) % 365, "day"), plural(floor(s / 3600) % 24, "hour"),
      plural(floor(s / 60) % 60, "minute"), plural(s % 60, "second"), plural(floor(us / 1000) % 1000, "millisecond"), plural(us % 1000, "microsecond")),
    format("FreeSWITCH (Version %s) is ready\n", match(fs.version.full, "Version (.*)$")),
    format("%d session(s) since startup\n", total),
    format("%d session(s) - peak %d, last 5min %d \n", up, tonumber(numbers.calls_peak or "") or up, up),
    format("%d session(s) per Sec out of max %d, peak %d, last 5min %d \n", 0, tonumber(core.config("limits.sps", 0)) or 0, 0, 0),
    format("%d session(s) max\n", tonumber(core.config("slots", 0)) or 0),
    "min idle cpu 0.00/100.00\n",
    "Current Stack Size/Max 240K/8192K\n",
  })
end)

command("dnc", "status | reload | check NUMBER [CAMPAIGN] | add NUMBER [CAMPAIGN|- [REASON]] | remove NUMBER [CAMPAIGN]", "numbers that are never called",
  function(text)
    local words = {}
    for word in gmatch(text, "%S+") do words[#words + 1] = word end
    if #words > 4 then words[4] = concat(words, " ", 4) end
    return engine("dnc", words[1] or "status", words[2] or "", words[3] or "", words[4] or "") or "-ERR the broker does not answer\n"
  end)

-- --- show ---

local channel_columns = { "uuid", "direction", "created", "created_epoch", "name", "state", "cid_name", "cid_num", "ip_addr", "dest", "application",
  "application_data", "dialplan", "context", "read_codec", "read_rate", "read_bit_rate", "write_codec", "write_rate", "write_bit_rate", "secure",
  "hostname", "presence_id", "presence_data", "accountcode", "callstate", "callee_name", "callee_num", "callee_direction", "call_uuid",
  "sent_callee_name", "sent_callee_num", "initial_cid_name", "initial_cid_num", "initial_ip_addr", "initial_dest", "initial_dialplan", "initial_context" }

local function channel_row(ch)
  local t = ch:times()
  local epoch = floor((t.created or 0) / 1000000)
  local bits = { PCMU = "64000", PCMA = "64000", G722 = "64000", L16 = "128000" }
  local codec = ch:get("read_codec")
  return {
    uuid = ch:uuid(), direction = ch:outbound() and "outbound" or "inbound", created = core.strftime("%Y-%m-%d %H:%M:%S", epoch),
    created_epoch = format("%d", epoch), name = ch:profile("chan_name"), state = ch:state(), cid_name = ch:profile("caller_id_name"),
    cid_num = ch:profile("caller_id_number"), ip_addr = ch:profile("network_addr"), dest = ch:profile("destination_number"),
    application = ch:get("current_application"), application_data = ch:get("current_application_data"), dialplan = ch:profile("dialplan"),
    context = ch:profile("context"), read_codec = codec, read_rate = ch:get("read_rate"), read_bit_rate = bits[codec], write_codec = ch:get("write_codec"),
    write_rate = ch:get("write_rate"), write_bit_rate = bits[ch:get("write_codec")], hostname = core.global_get("hostname"),
    presence_id = ch:get("presence_id"), accountcode = ch:get("accountcode"), callstate = headers.call_state(ch),
    callee_name = ch:profile("callee_id_name"), callee_num = ch:profile("callee_id_number"), call_uuid = ch:get("call_uuid"),
    initial_cid_name = ch:profile("caller_id_name"), initial_cid_num = ch:profile("caller_id_number"), initial_ip_addr = ch:profile("network_addr"),
    initial_dest = ch:profile("destination_number"), initial_dialplan = ch:profile("dialplan"), initial_context = ch:profile("context"),
  }
end

local function channel_rows(f)
  local rows = {}
  for _, ch in ipairs(core.channels()) do if ch:up() and (not f or f(ch)) then rows[#rows + 1] = channel_row(ch) end end
  return rows
end

local function name_rows(names, kind)
  local rows = {}
  for _, name in ipairs(names) do rows[#rows + 1] = { type = kind, name = name, ikey = "carillon" } end
  return rows
end
local modules = { "mod_commands", "mod_dptools", "mod_dialplan_xml", "mod_sofia", "mod_loopback", "mod_lua", "mod_expr", "mod_hash", "mod_db",
  "mod_sndfile", "mod_tone_stream", "mod_say_en", "mod_event_socket", "mod_pgsql", "mod_console", "mod_logfile", "mod_native_file", "mod_local_stream",
  "mod_curl", "mod_opus", "mod_conference", "mod_xml_rpc", "mod_flite", "mod_g729" }
local known_module = {}
for _, name in ipairs(modules) do known_module[name] = true end

local listings = {
  channels = function() return channel_columns, channel_rows() end,
  calls = function()
    return channel_columns, channel_rows(function(ch) return not (ch:data().partner and ch:data().originator) end)
  end,
  bridged_calls = function() return channel_columns, channel_rows(function(ch) return ch:bridged() end) end,
  modules = function() return { "type", "name", "ikey" }, name_rows(modules, "generic") end,
  codec = function() return { "type", "name", "ikey" }, name_rows({ "PCMU", "PCMA", "G722", "opus", "L16", "G729", "GSM" }, "codec") end,
  api = function()
    local rows = {}
    for _, name in ipairs(api.order) do
      local c = api.commands[name]
      rows[#rows + 1] = { name = name, description = c.help, syntax = c.syntax, ikey = "mod_commands" }
    end
    return { "name", "description", "syntax", "ikey" }, rows
  end,
  application = function()
    local rows = {}
    for name in pairs(fs.apps.all or {}) do rows[#rows + 1] = { name = name, ikey = "mod_dptools" } end
    table.sort(rows, function(a, b) return a.name < b.name end)
    return { "name", "ikey" }, rows
  end,
  tasks = function()
    local rows = {}
    for _, task in pairs(fs.schedule.tasks) do
      rows[#rows + 1] = { task_id = tostring(task.id), task_desc = task.what or "", task_group = task.group, task_runtime = format("%d", task.at) }
    end
    return { "task_id", "task_desc", "task_group", "task_runtime" }, rows
  end,
  registrations = function()
    return { "reg_user", "realm", "token", "url", "expires", "network_ip", "network_port", "network_proto", "hostname", "metadata" }, {}
  end,
}
listings.detailed_calls, listings.detailed_bridged_calls = listings.calls, listings.bridged_calls
listings.module, listings.application_names = listings.modules, nil

local function row_matches(row, like)
  like = lower((gsub(like, "%%", "")))
  for _, v in pairs(row) do if type(v) == "string" and find(lower(v), like, 1, true) then return true end end
  return false
end

local function show_json(columns, rows)
  if #rows == 0 then return '{"row_count": 0}\n' end
  local out = {}
  for i, row in ipairs(rows) do
    local fields = {}
    for k, name in ipairs(columns) do fields[k] = util.json_text(name) .. ":" .. util.json_text(row[name] or "") end
    out[i] = "{" .. concat(fields, ",") .. "}"
  end
  return format('{"row_count":%d,"rows":[%s]}', #rows, concat(out, ","))
end
local function show_xml(columns, rows)
  local out = { format('<result row_count="%d">\n', #rows) }
  for i, row in ipairs(rows) do
    out[#out + 1] = format('  <row row_id="%d">\n', i)
    for _, name in ipairs(columns) do out[#out + 1] = format("    <%s>%s</%s>\n", name, util.xml_escape(row[name] or ""), name) end
    out[#out + 1] = "  </row>\n"
  end
  return concat(out) .. "</result>\n"
end
local function show_text(columns, rows, delim)
  if #rows == 0 then return "\n0 total.\n" end
  local out = { concat(columns, delim) }
  for _, row in ipairs(rows) do
    local fields = {}
    for k, name in ipairs(columns) do fields[k] = row[name] or "" end
    out[#out + 1] = concat(fields, delim)
  end
  return concat(out, "\n") .. format("\n\n%d total.\n", #rows)
end

-- For the other workers: the rows of a listing of calls, as a table's text.
api.commands.carillon_rows = { name = "carillon_rows", syntax = "", help = "", run = function(what)
  local listing = listings[what]
  if not listing then return "" end
  local _, rows = listing()
  return fs.pack.pack(rows)
end }
local everywhere = { channels = true, calls = true, bridged_calls = true, detailed_calls = true, detailed_bridged_calls = true, tasks = true }

local function rows_everywhere(what, rows)
  for _, text in ipairs(fs.remote.gather("carillon_rows " .. what)) do
    for _, row in ipairs(fs.pack.unpack(text) or {}) do rows[#rows + 1] = row end
  end
  for i = 1, #rows do rows[i].at = i end
  table.sort(rows, function(a, b)
    local x, y = tonumber(a.created_epoch) or 0, tonumber(b.created_epoch) or 0
    if x ~= y then return x < y end
    return a.at < b.at
  end)
end

command("show", "channels|calls|bridged_calls|registrations|modules|api|application|codec|tasks … [count] [like <text>] [as xml|json|delim <c>]",
  "lists", function(text, context)
    local what = match(text, "^(%S+)")
    local listing = what and listings[what]
    if not listing then return api.usage("show") end
    local columns, rows = listing()
    if fs.remote.many and everywhere[what] and not context.here then rows_everywhere(what, rows) end
    local like = match(text, "%slike%s+(%S+)")
    if like then
      local kept = {}
      for _, row in ipairs(rows) do if row_matches(row, like) then kept[#kept + 1] = row end end
      rows = kept
    end
    if match(text, "^%S+%s+count") then
      if match(text, "as%s+json") then return format('{"row_count": %d}\n', #rows) end
      return format("\n%d total.\n", #rows)
    end
    if match(text, "as%s+json") then return show_json(columns, rows) end
    if match(text, "as%s+xml") then return show_xml(columns, rows) end
    return show_text(columns, rows, match(text, "as%s+delim%s+(%S)") or ",")
  end)
command("module_exists", "<module>", "true or false", function(name) return known_module[name] and "true" or "false" end)
for _, name in ipairs({ "load", "unload", "reload" }) do
  command(name, "<module>", "modules are built in", function(module)
    if module == "" then return "-USAGE: <mod_name>\n" end
    if not known_module[module] then return "-ERR no such module\n" end
    if name == "reload" then api.run("reloadxml", "", {}) end
    return "+OK\n"
  end)
end

-- --- calls ---

command("originate", "<call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] [<cid_name>] [<cid_num>] [<timeout_sec>]",
  "makes a call", function(text) return fs.originate.command(text) end)

command("hupall", "[<cause> [<var> <value>]…]", "hangs up all calls, or those with these variables", function(text, context)
  if not context.here then fs.remote.gather("hupall " .. text) end
  local words = util.separate(text, " ")
  local cause = words[1] or "MANAGER_REQUEST"
  local wanted = {}
  for i = 2, #words - 1, 2 do wanted[#wanted + 1] = { words[i], words[i + 1] } end
  for _, ch in ipairs(core.channels()) do
    local all = ch:up()
    for _, w in ipairs(wanted) do if variables.get(ch, w[1]) ~= w[2] then all = false end end
    if all then channel.hangup(ch, cause) end
  end
  if #wanted == 0 then return format("+OK hangup all channels with cause %s\n", channel.cause(cause)) end
  local list = {}
  for i, w in ipairs(wanted) do list[i] = format("[%s]=[%s]", w[1], w[2]) end
  return format("+OK hangup all channels matching %s with cause: %s\n", concat(list, " "), channel.cause(cause))
end)

local settings = { max_sessions = "slots", sps = "limits.sps" }
command("fsctl", "pause|resume|hupall|max_sessions|sps|shutdown|loglevel|sync_clock|last_sps …", "the engine's switches", function(text)
  local what, rest = match(text, "^(%S+)%s*(.*)$")
  if what == "hupall" then
    api.run("hupall", rest, {})
    return "+OK\n"
  elseif what == "pause" or what == "resume" then
    return engine(what, rest) and "+OK\n" or "-ERR\n"
  elseif settings[what or ""] then
    return format("+OK %s: %s\n", what, tostring(core.config(settings[what], 0)))
  elseif what == "last_sps" then
    return "+OK last sessions per second: 0\n"
  elseif what == "sync_clock" or what == "loglevel" or what == "min_dtmf_duration" or what == "max_dtmf_duration" or what == "default_dtmf_duration" then
    return "+OK\n"
  elseif what == "shutdown" then
    return engine("shutdown", rest) and "+OK\n" or "-ERR\n"
  end
  return api.usage("fsctl")
end)
command("shutdown", "", "stops the engine", function() return engine("shutdown") and "+OK\n" or "-ERR\n" end)

-- --- configuration ---

command("reloadxml", "", "reads the XML anew", function()
  local ok, problem = true, nil
  if fs.xmlconf and fs.xmlconf.reload then ok, problem = fs.xmlconf.reload() end
  if ok == false then return "-ERR " .. tostring(problem) .. "\n" end
  return "+OK [Success]\n"
end)
command("reloadacl", "", "reads the lists of networks anew", function()
  return "+OK acl reloaded\n"
end)
command("log", "<level> <message>", "writes a line to the log", function(text)
  local level, message = match(text, "^(%S+)%s+(.*)$")
  if not level then return api.usage("log") end
  core.log(util.level(level), message .. "\n")
  return "+OK\n"
end)
command("console", "help|loglevel [<level>]|colorize [on|off]", "the console", function() return "+OK\n" end)

-- --- SIP ---

local function gateway_lines(name, row)
  return concat({ "=================================================================================================\n",
    "Name    \t", name, "\n", "Profile \t", row.profile or "external", "\n", "Scheme  \tDigest\n", "Realm   \t", row.realm or row.address or "", "\n",
    "Username\t", row.user or "", "\n", "Password\t", row.password and "yes" or "no", "\n", "From    \t<sip:", row.user or name, "@", row.address or "", ">\n",
    "Proxy   \tsip:", row.address or "", "\n", "State   \t", row.state or "NOREG", "\n", "Status  \t", row.status or "UP", "\n",
    "CallsIN \t", row.calls_in or "0", "\n", "CallsOUT\t", row.calls_out or "0", "\n", "FailedCallsIN\t", row.failed_in or "0", "\n",
    "FailedCallsOUT\t", row.failed_out or "0", "\n",
    "=================================================================================================\n" })
end

local function gateway(name)
  if fs.xmlconf and fs.xmlconf.gateway then
    local g = fs.xmlconf.gateway(name)
    if g then return { address = g.proxy or g.realm, user = g.username, realm = g.realm, profile = g.profile } end
  end
  local address = core.config("trunks." .. name .. ".address")
  if not address then return nil end
  local row = { address = address, user = core.config("trunks." .. name .. ".user") }
  for key, value in gmatch(engine("trunk", "show", name) or "", "([%w_]+)\t([^\n]*)\n") do row[key] = value end
  return row
end

command("sofia", "status [profile <name>|gateway <name>] | xmlstatus … | jsonstatus … | profile <name> … | loglevel …", "SIP", function(text)
  local what, kind, name = match(text, "^(%S+)%s*(%S*)%s*(%S*)")
  if what == "status" and kind == "gateway" and name ~= "" then
    local row = gateway(match(name, "::(.*)$") or name)
    return row and gateway_lines(name, row) or "Invalid Gateway!\n"
  elseif what == "status" and kind == "profile" then
    return engine("profile", name) or "Invalid Profile!\n"
  elseif what == "status" or what == "xmlstatus" or what == "jsonstatus" then
    return engine("sofia", what) or engine("trunk", "list") or "-ERR\n"
  elseif what == "profile" then
    return "+OK\n"
  elseif what == "loglevel" or what == "tracelevel" or what == "global" then
    return "+OK\n"
  end
  return api.usage("sofia")
end)
command("sofia_contact", "[<profile>/]<user>@<domain>", "where a user is registered", function(text)
  local user = match(text, "([^/]+)$")
  if not user then return api.usage("sofia_contact") end
  local _, reply = engine("contact", user)
  return reply and util.some(reply.contact) or "error/user_not_registered"
end)
command("sofia_count_reg", "[profile/]<user>@<domain>", "how many contacts", function() return "0" end)
command("help", "", "all commands", function()
  local out = { "\nValid Commands:\n\n" }
  for _, name in ipairs(api.order) do
    local c = api.commands[name]
    out[#out + 1] = format("%s,%s,%s,mod_commands\n", name, c.syntax, c.help)
  end
  return concat(out)
end)
command("json", "JSON", "a JSON API command", function(text)
  local request = json.decode(text)
  local f = type(request) == "table" and json.commands[request.command]
  if not f then return json.encode({ status = "error", message = "no such command" }) end
  request.status, request.response = "success", f(type(request.data) == "table" and request.data or {})
  return json.encode(request)
end)
command("memory", "", "memory of the scripts", function() return format("scripts: %d KB\n", floor(collectgarbage("count"))) end)
command("interface_ip", "[auto|ipv4|ipv6] <ifname>", "an interface's address", function() return core.global_get("local_ip_v4") or "127.0.0.1" end)
command("curl", "<url> [headers|json|content-type <type>|connect-timeout <s>|timeout <s>] [get|head|post|delete|put [<data>]]", "an HTTP request", function(text)
  return fs.curl and fs.curl.command(text) or "-ERR\n"
end)
