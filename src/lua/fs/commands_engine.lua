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
local units = { us = 1, ms = 1000, s = 1000000, m = 60000000, h = 3600000000, d = 86400000000, microseconds = 1, milliseconds = 1000,
  seconds = 1000000, minutes = 60000000, hours = 3600000000, days = 86400000000 }
command("uptime", "[us|ms|s|m|h|d|microseconds|milliseconds|seconds|minutes|hours|days]", "Show uptime", function(text)
  local scale = text == "" and units.s or units[lower(text)]
  if not scale then return api.usage("uptime") end
  return format("%d\n", floor((core.utc_us() - started_us) / scale))
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

-- --- modules: all are built in ---

command("module_exists", "<module>", "Check if module exists", function(name)
  if name == "" then return "" end
  return fs.module_known(name) and "true" or "false"
end)

-- A name behind flags; nil if there is none.
local function module_of(text) return util.some(match(text, "^%-%S* (.*)$") or text) end
local function reread()
  local ok = fs.xmlconf.reload()
  return ok ~= false and "+OK Reloading XML\n" or ""
end
command("load", "<mod_name>", "Load Module", function(name)
  if name == "" then return api.usage("load") end
  if fs.module_known(name) then return reread() .. "-ERR [Module already loaded]\n" end
  return reread() .. "-ERR [module load file routine returned an error]\n"
end)
command("unload", "[-f] <mod_name>", "Unload module", function(text)
  local name = module_of(text)
  if not name then return api.usage("unload") end
  return fs.module_known(name) and "-ERR [Module is not unloadable]\n" or "-ERR [No such module!]\n"
end)
-- A module's own configuration is read anew with all the rest.
command("reload", "[-f] <mod_name>", "Reload module", function(text)
  local name = module_of(text)
  if not name then return api.usage("reload") end
  if fs.module_known(name) then return reread() .. "+OK module unloaded\n+OK module loaded\n" end
  return reread() .. "-ERR unloading module [No such module!]\n-ERR loading module [module load file routine returned an error]\n"
end)

-- --- calls ---

command("originate", "<call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] [<cid_name>] [<cid_num>] [<timeout_sec>]",
  "makes a call", function(text) return fs.originate.command(text) end)

command("hupall", "<cause> [<var> <value>] [<var2> <value2>]", "hupall", function(text, context)
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
  local name = channel.cause(cause)
  if #wanted == 0 then return format("+OK hangup all channels with cause %s\n", name) end
  return format("+OK hangup all channels matching [%s]=[%s]%s with cause: %s\n", words[2], words[3], #wanted > 1 and "..." or "", name)
end)

local fsctl_syntax = "[api_expansion [on|off]|recover|send_sighup|hupall|pause [inbound|outbound]|resume [inbound|outbound]|"
  .. "shutdown [cancel|elegant|asap|now|restart]|uuid_version [4|7]|sps|sps_peak_reset|sync_clock|sync_clock_when_idle|reclaim_mem|max_sessions|"
  .. "min_dtmf_duration [num]|max_dtmf_duration [num]|default_dtmf_duration [num]|min_idle_cpu|loglevel [level]|debug_level [level]|"
  .. "mdns_resolve [enable|disable]]"

-- What is set in the configuration file: asking tells it, a value that is given is not taken.
local function from_config(key) return tostring(core.config(key) or 0) end
local on_off = { api_expansion = "on", verbose_events = "off", threaded_system_exec = "true" }
local done = { flush_db_handles = 1, send_sighup = 1, calibrate_clock = 1, save_history = 1, reclaim_mem = 1 }
local texts = { sps_peak_reset = "+OK max sessions per second counter reset\n", last_sps = "+OK last sessions per second: 0\n",
  sync_clock = "+OK clock synchronized\n", sync_clock_when_idle = "+OK clock synchronized\n", recover = "+OK 0 session(s) recovered in total\n",
  ready_check = "true", shutdown_check = "false", min_idle_cpu = "+OK min idle cpu: DISABLED\n", debug_level = "+OK DEBUG level: 0\n" }
local durations = { max_dtmf_duration = { "max dtmf duration", 192000 }, min_dtmf_duration = { "min dtmf duration", 400 },
  default_dtmf_duration = { "default dtmf duration", 2000 } }
local level_names = { [0] = "CONSOLE", "ALERT", "CRIT", "ERR", "WARNING", "NOTICE", "INFO", "DEBUG" }

local switches = {}
function switches.hupall()
  api.run("hupall", "", {})
  return "+OK\n"
end
function switches.pause(w) return engine("pause", w[2]) and "+OK\n" or "-ERR\n" end
function switches.resume(w) return engine("resume", w[2]) and "+OK\n" or "-ERR\n" end
function switches.pause_check() return core.global_get("carillon_paused") == "true" and "true" or "false" end
function switches.max_sessions() return format("+OK max sessions: %s\n", from_config("slots")) end
function switches.sps() return format("+OK sessions per second: %s\n", from_config("limits.sps")) end
function switches.uuid_version() return "+OK set uuid version: 4\n" end
function switches.loglevel(w)
  if w[2] and not util.level_known(w[2]) then return "-ERR syntax error, log level not set!\n" end
  local level = util.level(w[2] or core.config("log.level", "info"))
  return format("+OK log level: %s [%d]\n", level_names[level], level)
end
function switches.shutdown(w)
  for i = 2, #w do if lower(w[i]) == "cancel" then return "+OK\n" end end
  return engine("shutdown", w[2]) and "+OK\n" or "-ERR\n"
end

command("fsctl", fsctl_syntax, "FS control messages", function(text)
  local w = util.separate(text, " ", 6)
  if not w[1] then return api.usage("fsctl") end
  local what = lower(w[1])
  if switches[what] then return switches[what](w) end
  if done[what] then return "+OK\n" end
  if texts[what] then return texts[what] end
  if on_off[what] then return format("+OK %s is %s \n", what, on_off[what]) end
  if durations[what] then return format("+OK %s: %d\n", durations[what][1], durations[what][2]) end
  return "-ERR Invalid command\nUSAGE: fsctl " .. fsctl_syntax .. "\n"
end)
command("shutdown", "", "stops the engine", function() return engine("shutdown") and "+OK\n" or "-ERR\n" end)

-- --- configuration ---

command("reloadxml", "", "reads the XML anew", function()
  local ok, problem = true, nil
  if fs.xmlconf and fs.xmlconf.reload then ok, problem = fs.xmlconf.reload() end
  return "+OK [" .. (ok == false and tostring(problem) or "Success") .. "]\n"
end)
command("reloadacl", "", "Reload ACL", function(text)
  local ok, problem = fs.xmlconf.reload()
  return (lower(text) == "reloadxml" and "This option is deprecated, we now always reloadxml.\n" or "")
    .. (ok == false and "-ERR [" .. tostring(problem) .. "]\n" or "+OK acl reloaded\n")
end)
command("log", "<level> <message>", "Log", function(text)
  local level, message = match(text, "^([^ ]*) (.*)$")
  core.log(level and util.level_known(level) and util.level(level) or 7, (message or text) .. "\n")
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
  elseif (what == "status" or what == "xmlstatus") and kind == "profile" and match(text, "^%S+%s+%S+%s+%S+%s+%S") then
    local how, filter = match(text, "^%S+%s+%S+%s+%S+%s+(%S+)%s*(.-)$")
    if not fs.endpoints.profile_known(name) then return "Invalid Profile!\n" end
    return fs.registrations.status(name, how, filter, what == "xmlstatus") or engine("profile", name) or "Invalid Profile!\n"
  elseif what == "status" and kind == "profile" then
    return fs.endpoints.profile_known(name) and fs.registrations.status(name) or "Invalid Profile!\n"
  elseif what == "status" or what == "xmlstatus" or what == "jsonstatus" then
    return engine("sofia", what) or engine("trunk", "list") or "-ERR\n"
  elseif what == "profile" and name == "flush_inbound_reg" then
    return fs.registrations.flush(match(text, "flush_inbound_reg%s+(%S+)") or "")
  elseif what == "profile" then
    return "+OK\n"
  elseif what == "loglevel" or what == "tracelevel" or what == "global" then
    return "+OK\n"
  end
  return api.usage("sofia")
end)
-- JSON without the blanks between its parts.
local function compact(text)
  local out, at = {}, 1
  while at <= #text do
    local from, to = find(text, '"[^"\\]*"', at)
    local open = find(text, '"', at, true)
    if open and from ~= open then -- a string with escapes in it
      from, to = open, open + 1
      while to <= #text and sub(text, to, to) ~= '"' do to = to + (sub(text, to, to) == "\\" and 2 or 1) end
    end
    out[#out + 1] = gsub(sub(text, at, (from or #text + 1) - 1), "%s", "")
    if not from then break end
    out[#out + 1] = sub(text, from, to)
    at = to + 1
  end
  return concat(out)
end

-- The request comes back, with what became of it.
command("json", "JSON", "JSON API", function(text)
  if text == "" then return "-ERR No JSON supplied.\n" end
  local request = json.decode(text)
  if request == nil then return "-ERR Parse error.\n" end
  local object = match(compact(text), "^({.*)}$")
  if not object then return compact(text) .. "\n" end
  local f = type(request) == "table" and request.data ~= nil and json.commands[request.command]
  local told = f and '"status":"success","response":' .. json.encode(f(type(request.data) == "table" and request.data or {}) or {})
    or '"status":"error","message":"Invalid request or non-existant command","response":null'
  return object .. (object ~= "{" and "," or "") .. told .. "}\n"
end)
command("memory", "", "memory of the scripts", function() return format("scripts: %d KB\n", floor(collectgarbage("count"))) end)
command("curl", "<url> [headers|json|content-type <type>|connect-timeout <s>|timeout <s>] [get|head|post|delete|put [<data>]]", "an HTTP request", function(text)
  return fs.curl and fs.curl.command(text) or "-ERR\n"
end)
