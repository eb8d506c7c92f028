-- registrations.lua: which telephones users have registered, as the broker knows it, and the commands about them.
--
-- The other way round the broker asks here who a user is (carillon_directory_user): the directory is read by workers alone.
local core = ...
local fs = core.fs
local api, directory, util = fs.api, fs.directory, fs.util

local concat, find, floor, format, gmatch, gsub, lower, match, sub, tonumber = table.concat, string.find, math.floor, string.format, string.gmatch,
  string.gsub, string.lower, string.match, string.sub, tonumber
local ipairs, pairs = ipairs, pairs
local command = api.command

local registrations = {}
fs.registrations = registrations

-- Rows by the names of the broker's table (src/registrar/location.h), the oldest first; of one user, or all.
function registrations.list(user, domain)
  local text = fs.engine("registrations", user or "", domain or "") or ""
  local names, rows = nil, {}
  for line in gmatch(text, "[^\n]+") do
    local fields, n = {}, 0
    for field in gmatch(line .. "\t", "(.-)\t") do
      n = n + 1
      if names then fields[names[n] or n] = field else fields[n] = field end
    end
    if names then rows[#rows + 1] = fields else names = fields end
  end
  return rows
end

-- The URI of a contact, as a dial string has it.
local function url(row) return "sofia/" .. row.profile .. "/sip:" .. (match(row.contact, "<sips?:([^>]*)>") or match(row.contact, "<?([^>]*)")) end

-- --- profiles and domains ---

local function listeners()
  local list = core.config("sip.listen")
  return type(list) == "table" and list or {}
end

-- The listener of that name; or, as FreeSWITCH's profiles have their domains as aliases, the one whose users have that domain.
local function profile_of(name)
  if not util.some(name) then return nil end
  local alias
  for _, l in ipairs(listeners()) do
    if l.name == name then return l end
    if type(l.users) == "table" and not alias and (l.users.domain == name or l.address == name or directory.domain(name)) then alias = l end
  end
  return alias
end

-- "[profile/]user[@domain][/prefix]" in its parts.
local function address(text)
  local profile, rest = match(text, "^([^/]*)/(.*)$")
  local user, domain, prefix = match(rest or text, "^([^@/]*)@?([^/]*)/?(.*)$")
  return { profile = profile, user = user, domain = util.some(domain), prefix = prefix }
end

local function default_domain()
  local _, name = directory.domain(nil)
  return name
end

-- --- who is where ---

local function contact(text, context)
  local agent
  local front, behind = match(text, "^([^~]*)~(.*)$")
  local a
  if front then
    local rest
    agent, rest = match(behind, "^([^/]*)/?(.*)$")
    a = address(front .. "/" .. rest)
  else
    a = address(text)
  end
  a.domain = a.domain or default_domain()
  if not a.domain then return "error/user_not_registered" end
  local profile = a.profile ~= "*" and profile_of(a.profile) or nil
  if profile and profile.name == a.profile and type(profile.users) == "table" then a.domain = util.some(profile.users.domain) or a.domain end
  local exclude = context.channel and context.channel:get("sip_exclude_contact")
  agent = agent or context.channel and context.channel:get("sip_match_user_agent")
  local out, seen = {}, {}
  for _, row in ipairs(registrations.list(a.user, a.domain)) do
    local wanted = (not profile or row.profile == profile.name) and (not agent or find(lower(row.agent), lower(agent), 1, true))
    if wanted and exclude and find(row.contact, exclude, 1, true) then wanted = false end
    local one = a.prefix .. url(row)
    if wanted and not seen[one] then
      seen[one] = true
      out[#out + 1] = one
    end
  end
  return #out > 0 and concat(out, ",") or "error/user_not_registered"
end
command("sofia_contact", "[profile/]<user>@<domain>", "Sofia Contacts", function(text, context)
  if text == "" then return "" end
  return contact(text, context)
end)

-- The contacts that an address means, nil if it names no profile.
local function found(text)
  local a = address(text)
  local profile = profile_of(a.profile or a.domain)
  if not profile and a.domain then
    profile = profile_of(a.domain)
    a.domain = nil
  end
  if not profile then return nil end
  local domain = a.domain
  if not domain or not find(domain, ".", 1, true) then domain = type(profile.users) == "table" and util.some(profile.users.domain) or profile.name end
  local rows = {}
  for _, row in ipairs(util.some(a.user) and registrations.list(a.user, domain) or registrations.list()) do
    if lower(row.domain) == lower(domain) then rows[#rows + 1] = row end
  end
  return rows
end
command("sofia_count_reg", "[profile/]<user>@<domain>", "Count Sofia registration", function(text)
  if text == "" then return "" end
  local rows = found(text)
  return rows and format("%d", #rows) or "-1"
end)
command("sofia_username_of", "[profile/]<user>@<domain>", "Sofia Username Lookup", function(text)
  local rows = text ~= "" and found(text)
  return rows and rows[1] and rows[#rows].auth_user or ""
end)

command("sofia_presence_data", "[list|status|rpid|user_agent] [profile/]<user>@domain", "Sofia Presence Data", function(text)
  local what, who = match(text, "^(%S+)%s+(%S+)")
  if not what then return "" end
  what = lower(what)
  local a = address(who)
  local domain = a.domain or default_domain()
  local profile = a.profile ~= "*" and profile_of(a.profile or domain) or nil
  local out = {}
  for _, row in ipairs(domain and registrations.list(a.user, domain) or {}) do
    if not profile or row.profile == profile.name then
      if what == "user_agent" then out[#out + 1] = row.agent
      elseif what == "status" or what == "rpid" then out[#out + 1] = "unknown" -- of its presence, which is none
      else
        if #out == 0 then out[1] = "status|rpid|user_agent|network_ip|network_port\n" end
        out[#out + 1] = concat({ "unknown", "unknown", row.agent, row.network_ip, row.network_port }, "|") .. "\n"
      end
    end
  end
  if what == "list" then out[#out + 1] = "+OK\n" end
  return concat(out)
end)

-- For `show registrations`.
registrations.columns = { "reg_user", "realm", "token", "url", "expires", "network_ip", "network_port", "network_proto", "hostname", "metadata" }
function registrations.rows()
  local rows = {}
  for i, row in ipairs(registrations.list()) do
    rows[i] = { reg_user = row.user, realm = row.domain, token = row.call_id, url = url(row), expires = row.expires_s, network_ip = row.network_ip,
      network_port = row.network_port, network_proto = row.transport, hostname = core.global_get("hostname") or "localhost", metadata = "" }
  end
  return rows
end

-- --- sofia status profile NAME reg, sofia profile NAME flush_inbound_reg ---

local line = "================================================================================================="

local function entry(row)
  local now, expires = floor(core.utc_us() / 1000000), tonumber(row.expires_s) or 0
  return format("Call-ID:    \t%s\nUser:       \t%s@%s\nContact:    \t%s\nAgent:      \t%s\nStatus:     \t%s(%s) EXP(%s) EXPSECS(%d)\n"
    .. "Ping-Status:\t%s\nPing-Time:\t%0.2f\nHost:       \t%s\nIP:         \t%s\nPort:       \t%s\nAuth-User:  \t%s\nAuth-Realm: \t%s\nMWI-Account:\t%s@%s\n\n",
    row.call_id, row.user, row.domain, row.contact, row.agent, row.status, "unknown", core.strftime("%Y-%m-%d %H:%M:%S", expires), expires - now,
    row.ping_status, tonumber(row.ping_ms) or 0, core.global_get("hostname") or "localhost", row.network_ip, row.network_port, row.auth_user,
    row.auth_realm, row.mwi_user, row.mwi_domain)
end

local function entry_xml(row)
  local now, expires = floor(core.utc_us() / 1000000), tonumber(row.expires_s) or 0
  local function tag(name, value) return format("        <%s>%s</%s>\n", name, util.xml_escape(value), name) end
  return concat({ "    <registration>\n", tag("call-id", row.call_id), tag("user", row.user .. "@" .. row.domain), tag("contact", row.contact),
    tag("agent", row.agent), tag("status", format("%s(unknown) exp(%s) expsecs(%d)", row.status, core.strftime("%Y-%m-%d %H:%M:%S", expires), expires - now)),
    tag("ping-status", row.ping_status), tag("ping-time", format("%0.2f", tonumber(row.ping_ms) or 0)),
    tag("host", core.global_get("hostname") or "localhost"), tag("network-ip", row.network_ip), tag("network-port", row.network_port),
    tag("sip-auth-user", row.auth_user), tag("sip-auth-realm", row.auth_realm), tag("mwi-account", row.mwi_user .. "@" .. row.mwi_domain),
    "    </registration>\n" })
end

-- A listener in FreeSWITCH's words: those of its lines that are true here.
local function profile_text(name)
  local l = profile_of(name)
  local users = type(l.users) == "table" and l.users or {}
  local host = util.some(l.external) or l.address
  if find(host, ":", 1, true) then host = "[" .. host .. "]" end
  local out = { line }
  local function put(label, value) if util.some(value) then out[#out + 1] = format("%-17s\t%s", label, value) end end
  put("Name", name)
  put("Domain Name", util.some(users.domain) or "N/A")
  put("Dialplan", "XML")
  put("Context", l.context)
  put("Challenge Realm", util.some(users.domain) or "auto_to")
  for _, address in ipairs(core.config("media.addresses") or {}) do put("RTP-IP", address) end
  put("Ext-RTP-IP", core.config("media.external"))
  put("SIP-IP", l.address)
  put("Ext-SIP-IP", l.external)
  put("URL", format("sip:carillon@%s:%s", host, l.port))
  put("DTMF-MODE", "rfc2833")
  local count = 0
  for _, row in ipairs(registrations.list()) do if row.profile == name then count = count + 1 end end
  put("REGISTRATIONS", format("%d", count))
  return concat(out, "\n") .. "\n"
end

-- what: nothing | reg [<part of a contact>] | user <user>@<domain>. nil if it is none of these.
function registrations.status(profile, what, filter, as_xml)
  if what ~= "reg" and what ~= "user" then return not as_xml and profile_text(profile) or nil end
  local rows, user, domain = {}, match(filter or "", "^([^@]*)@?(.*)$")
  for _, row in ipairs(registrations.list()) do
    local wanted = row.profile == profile
    if what == "reg" and util.some(filter) then wanted = wanted and find(row.contact, filter, 1, true)
    elseif what == "user" then wanted = wanted and (user == "" or row.user == user) and (domain == "" or row.domain == domain) end
    if wanted then rows[#rows + 1] = row end
  end
  local out = { as_xml and '<?xml version="1.0" encoding="ISO-8859-1"?>\n<profile>\n  <registrations>\n' or format("\nRegistrations:\n%s\n", line) }
  for _, row in ipairs(rows) do out[#out + 1] = as_xml and entry_xml(row) or entry(row) end
  out[#out + 1] = as_xml and "  </registrations>\n</profile>\n" or format("Total items returned: %d\n%s\n", #rows, line)
  return concat(out)
end

function registrations.flush(what)
  local user, domain = match(what, "^([^@]*)@(.+)$")
  fs.engine("unregister", user or what, domain or "")
  if what == "" then return "+OK flushing all registrations\n" end
  return "+OK flushing all registrations matching specified call_id\n"
end

-- --- the broker's question ---

local function number(n) return string.char(n % 256, floor(n / 256) % 256, floor(n / 65536) % 256, floor(n / 16777216) % 256) end

-- As core/kv.h encodes them.
local function encoded(list)
  local out = {}
  for i, pair in ipairs(list) do out[i] = number(#pair[1]) .. number(#pair[2]) .. pair[1] .. "\0" .. pair[2] .. "\0" end
  return concat(out)
end

api.commands.carillon_directory_user = { name = "carillon_directory_user", syntax = "<user> <realm>", help = "", run = function(text, context)
  local id, realm = match(text, "^(%S+) (%S+)$")
  local about = {}
  for _, pair in ipairs(context.env and context.env.list or {}) do -- what a script that makes the directory wants to know
    if pair[1] == "action" or pair[1] == "ip" or find(pair[1], "^sip_") then about[#about + 1] = pair end
  end
  local user = id and directory.user(id, realm, about)
  if not user then return "" end
  local list = { { "id", user.id }, { "domain", user.domain }, { "auth_username", id }, { "auth_realm", realm },
    { "number_alias", util.some(user.attr["number-alias"]) or id } }
  for name, value in pairs(user.params) do
    name = lower(name)
    list[#list + 1] = { "p." .. name, value }
    if name == "sip-forbid-register" then list[#list + 1] = { "forbidden", value } end
  end
  for name, value in pairs(user.variables) do list[#list + 1] = { "v." .. name, value } end
  return encoded(list)
end }
