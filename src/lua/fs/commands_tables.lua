-- commands_tables.lua: what the whole engine shares: global variables, the tables hash and db, limits. The broker keeps them.
local core = ...
local fs = core.fs
local api, util, wait = fs.api, fs.util, fs.wait

local concat, find, format, gmatch, ipairs, lower, match, sub = table.concat, string.find, string.format, string.gmatch, ipairs, string.lower, string.match, string.sub
local command = api.command

-- --- global variables ---

command("global_getvar", "<var>", "Get global var", function(name)
  if name ~= "" then return core.global_get(name) or "" end
  local out = {}
  for k, v in pairs(core.globals()) do out[#out + 1] = k .. "=" .. v end
  table.sort(out)
  return concat(out, "\n") .. "\n"
end)
command("global_setvar", "<var>=<value> [=<value2>]", "Set global var", function(text)
  local w = util.separate(text, "=", 3)
  if not util.some(w[1]) then return api.usage("global_setvar") end
  if util.some(w[3]) and core.global_get(w[1]) ~= w[3] then return "+OK" end -- not set, and nothing said
  core.global_set(w[1], util.some(w[2]))
  return "+OK"
end)

-- --- tables ---

-- One operation on a table: the reply's pairs, or nil.
local function ask(kind, op, realm, key, value)
  local pairs_list = { { "table", kind }, { "op", op }, { "realm", realm } }
  if key then pairs_list[#pairs_list + 1] = { "key", key } end
  if value then pairs_list[#pairs_list + 1] = { "value", value } end
  return wait.request("broker", "TABLE", pairs_list)
end
local tables = { ask = ask }
fs.tables = tables

local function found(reply) return reply ~= nil and reply.found == "1" end

-- "op/realm/key/value": the value may hold slashes.
local function parts(text)
  local w = util.separate(text, "/", 4)
  return w[1] and lower(w[1]), w[2], w[3], w[4]
end

local hash_usage = "-ERR Usage: hash insert|insert_ifempty|select|delete|delete_ifmatch/realm/key[/value]\n"
local hash_ops = {
  insert = function(realm, key, value)
    if not value then return hash_usage end
    ask("hash", "insert", realm, key, value)
    return "+OK\n"
  end,
  insert_ifempty = function(realm, key, value)
    if not value then return hash_usage end
    return found(ask("hash", "insert_ifempty", realm, key, value)) and "-ERR key already exists\n" or "+OK\n"
  end,
  select = function(realm, key)
    local reply = ask("hash", "select", realm, key)
    return reply and reply.value or ""
  end,
  delete = function(realm, key) return found(ask("hash", "delete", realm, key)) and "+OK\n" or "-ERR Not found\n" end,
  delete_ifmatch = function(realm, key, value)
    if not value then return hash_usage end
    return found(ask("hash", "delete_ifmatch", realm, key, value)) and "+OK\n" or "-ERR Doesn't match\n"
  end,
}
command("hash", "insert|insert_ifempty|select|delete|delete_ifmatch/<realm>/<key>[/<value>]", "a table in memory", function(text)
  local op, realm, key, value = parts(text)
  if not op or not hash_ops[op] or not key then return hash_usage end
  return hash_ops[op](realm, key, value)
end)
-- As the application `hash`: the same without a reply.
function tables.hash(text) return api.execute("hash", text) end

-- Keys of a realm (or the realms) in order of name.
local function db_names(realm)
  local reply, names = ask("db", "list", realm or ""), {}
  for name in gmatch(reply and reply.value or "", "[^,]+") do
    if names[#names] ~= name and not (not realm and find(name, "^carillon:")) then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

-- For tables of the engine's own: their realms begin with "carillon:" and are not listed.
tables.names = db_names
function tables.value(realm, key)
  local reply = ask("db", "select", realm, key)
  return reply and reply.value or ""
end

local db_ops = {
  insert = function(realm, key, value)
    if not value then return "!err!" end
    return ask("db", "insert", realm, key, value) and "+OK" or "!err!"
  end,
  select = function(realm, key)
    if not key then return "!err!" end
    local reply = ask("db", "select", realm, key)
    return reply and reply.value or ""
  end,
  exists = function(realm, key)
    if not key then return "!err!" end
    local reply = ask("db", "select", realm, key)
    return reply and util.some(reply.value) and "true" or "false"
  end,
  delete = function(realm, key)
    if not realm then return "!err!" end
    return ask("db", "delete", realm, key or "") and "+OK" or "!err!"
  end,
  list = function(realm, key) return key and "!err!" or concat(db_names(realm), ",") end,
  count = function(realm, key) return key and "!err!" or format("%d", #db_names(realm)) end,
}
command("db", "[insert|delete|select|exists|count|list]/<realm>/<key>/<value>", "db get/set", function(text)
  local op, realm, key, value = parts(text)
  if not op or not db_ops[op] then return "!err!" end
  return db_ops[op](realm, key, value)
end)

-- Groups of dial strings, in the same table: realm "group:NAME", the dial string as key.
local group_ops = {
  insert = function(realm, url)
    if not url then return "!err!" end
    ask("db", "delete", realm, url)
    return ask("db", "insert", realm, url, "1") and "+OK" or "!err!"
  end,
  delete = function(realm, url)
    if not url then return "!err!" end
    for _, name in ipairs(url == "*" and db_names(realm) or { url }) do ask("db", "delete", realm, name) end
    return "+OK"
  end,
  call = function(realm, how)
    local between = { order = "|", multi = ":_:" }
    return concat(db_names(realm), between[lower(how or "")] or ",")
  end,
}
command("group", "[insert|delete|call]:<group name>:<url>", "group [insert|delete|call]", function(text)
  local w = util.separate(text, ":", 3)
  local op = w[2] and group_ops[lower(w[1])]
  if not op then return "!err!" end
  return op("group:" .. w[2], util.some(w[3]))
end)

-- --- limits: counted per backend, realm and id, for as long as a call holds them ---

local limits = { held = {} }
fs.limits = limits

local function limit_key(realm, id) return realm .. "_" .. id end

-- Takes one for a call: true, or false if more than `max` would be taken (max < 0: only counted) or, with an interval in seconds, more than
-- that were asked for within it. A call holds a place once. What is known then is left in the call's variables.
function limits.take(ch, backend, realm, id, max, interval)
  local data = ch:data()
  data.limits = data.limits or {}
  local key = limit_key(realm, id)
  local reply = wait.request("broker", "TABLE", { { "table", "limit" }, { "op", "take" }, { "realm", realm }, { "key", id },
    { "value", format("%d", max) }, { "interval", format("%d", interval or 0) }, { "held", data.limits[key] and "1" or "0" } })
  if not reply or reply.found == "0" then return false end
  data.limits[key] = { realm, id }
  ch:set("limit_usage", reply.value)
  ch:set("limit_usage_" .. key, reply.value)
  if lower(backend) == "db" then
    ch:set("limit_realm", realm)
    ch:set("limit_id", id)
    ch:set("limit_max", format("%d", max))
  else
    ch:set("limit_rate", reply.rate)
    ch:set("limit_rate_" .. key, reply.rate)
  end
  local before = ch:get("limit_backend")
  if not before then ch:set("limit_backend", backend)
  elseif not find("," .. before .. ",", "," .. backend .. ",", 1, true) then ch:set("limit_backend", before .. "," .. backend) end
  return true
end
function limits.release(ch, realm, id)
  local data = ch:data()
  for key, held in pairs(data.limits or {}) do
    if not realm or (held[1] == realm and held[2] == id) then
      data.limits[key] = nil
      core.note("broker", "TABLE", { { "table", "limit" }, { "op", "release" }, { "realm", held[1] }, { "key", held[2] } })
    end
  end
end
-- "max[/interval]": how many, and in how many seconds; a minus (or nothing) only counts.
function limits.most(text)
  if not text or sub(text, 1, 1) == "-" then return -1 end
  local most, interval = match(text, "^([^/]*)/?(.*)$")
  return math.max(util.int(most), 0), util.int(interval)
end

-- Words as the application `limit` has them: takes a place, or sends the call elsewhere ("!CAUSE" ends it).
function limits.apply(ch, w)
  if limits.take(ch, w[1], w[2], w[3], limits.most(w[4])) then return end
  local target = w[5] or "limit_exceeded"
  local cause = match(target, "^!(.*)$")
  if cause then return fs.channel.hangup(ch, cause) end
  fs.transfer.transfer(ch, target, w[6], w[7])
end

local backends = { hash = true, db = true }
local usage_syntax = "USAGE: limit_usage <backend> <realm> <id> [rate]\n"
local function usage_of(text)
  local w = util.separate(text, " ", 5)
  if #w == 2 then table.insert(w, 1, "db") end -- an older form
  if #w < 3 then return usage_syntax end
  local reply = wait.request("broker", "TABLE", { { "table", "limit" }, { "op", "select" }, { "realm", w[2] }, { "key", w[3] } })
  local count = reply and reply.value or "0"
  return w[4] and lower(w[4]) == "rate" and count .. "/" .. (reply and reply.rate or "0") or count
end
command("limit_usage", "<backend> <realm> <id>", "Get the usage count of a limited resource", usage_of)
command("limit_hash_usage", "<realm> <id>", "Deprecated: gets the usage count of a limited resource", function(text)
  if text == "" then
    return "USAGE: limit_hash_usage <realm> <id> [rate] (Using deprecated limit api, check limit_usage with backend param)\n"
  end
  return usage_of("hash " .. text)
end)

-- A command on a whole backend.
local function of_backend(name, least, help, run)
  local syntax = least == 1 and "<backend>" or "<backend> <realm> <resource>"
  command(name, syntax, help, function(text)
    local w = util.separate(text, " ", 5)
    if #w < least then return "USAGE: " .. name .. " " .. syntax .. "\n" end
    return run(w)
  end)
end
of_backend("limit_status", 1, "Get the status of a limit backend", function(w)
  if w[1] == "hash" then return "-ERR not supported yet (locking problems)." end
  return "-ERR"
end)
of_backend("limit_reset", 1, "Reset the counters of a limit backend", function(w)
  if not backends[w[1]] then return "-ERR" end
  wait.request("broker", "TABLE", { { "table", "limit" }, { "op", "reset" }, { "realm", "" } })
  return "+OK"
end)
of_backend("limit_interval_reset", 3, "Reset the interval counter for a limited resource", function(w)
  wait.request("broker", "TABLE", { { "table", "limit" }, { "op", "reset_interval" }, { "realm", w[2] }, { "key", w[3] } })
  return "+OK"
end)
