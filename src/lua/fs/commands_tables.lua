-- commands_tables.lua: what the whole engine shares: global variables, the tables hash and db, limits. The broker keeps them.
local core = ...
local fs = core.fs
local api, util, wait = fs.api, fs.util, fs.wait

local concat, find, format, gmatch, match, sub, tonumber = table.concat, string.find, string.format, string.gmatch, string.match, string.sub, tonumber
local command = api.command

-- --- global variables ---

command("global_getvar", "[<name>]", "a global variable, or all of them", function(name)
  if name ~= "" then return core.global_get(name) or "" end
  local out = {}
  for k, v in pairs(core.globals()) do out[#out + 1] = k .. "=" .. v end
  table.sort(out)
  return concat(out, "\n") .. "\n"
end)
command("global_setvar", "<name>=<value> [=<value2>]", "sets a global variable", function(text)
  local name, value = match(text, "^([^=%s]+)%s*=?(.*)$")
  if not name then return api.usage("global_setvar") end
  local new, old = match(value, "^(.-)%s*=(.*)$")
  if new and old ~= "" and core.global_get(name) ~= old then return "+OK" end -- not set, and nothing said
  core.global_set(name, new or value)
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
  local op, realm, key, value = match(text, "^([^/]+)/([^/]*)/([^/]*)/(.*)$")
  if op then return op, realm, key, value end
  op, realm, key = match(text, "^([^/]+)/([^/]*)/([^/]*)$")
  if op then return op, realm, key end
  return match(text, "^([^/]+)/([^/]*)$")
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
    if names[#names] ~= name then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local db_ops = {
  insert = function(realm, key, value)
    if not value then return "!err!" end
    return ask("db", "insert", realm, key, value) and "+OK" or "!err!"
  end,
  select = function(realm, key)
    local reply = key and ask("db", "select", realm, key)
    return reply and reply.value or ""
  end,
  exists = function(realm, key) return found(ask("db", "select", realm, key)) and "true" or "false" end,
  delete = function(realm, key) return ask("db", "delete", realm, key) and "+OK" or "!err!" end,
  list = function(realm) return concat(db_names(realm), ",") end,
  count = function(realm) return format("%d", #db_names(realm)) end,
}
command("db", "[insert|delete|select|exists|count|list]/<realm>/<key>/<value>", "a table that stays", function(text)
  local op, realm, key, value = parts(text)
  if not op then op = text end
  if not db_ops[op] then return "!err!" end
  if (op == "insert" or op == "exists" or op == "delete") and not key then return "!err!" end
  return db_ops[op](realm, key, value)
end)

-- --- limits: counted per backend, realm and id, for as long as a call holds them ---

local limits = { held = {} }
fs.limits = limits

local function limit_key(realm, id) return realm .. "_" .. id end

-- Takes one for a call: true, or false if more than `max` would be taken (max < 0: only counted).
function limits.take(ch, realm, id, max, interval)
  local data = ch:data()
  data.limits = data.limits or {}
  local key = limit_key(realm, id)
  if data.limits[key] then return true end
  local reply = wait.request("broker", "TABLE", { { "table", "limit" }, { "op", "take" }, { "realm", realm }, { "key", id },
    { "value", format("%d", max) }, { "interval", format("%d", interval or 0) } })
  if reply and reply.found == "0" then return false end
  data.limits[key] = { realm, id }
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
command("limit_usage", "<backend> <realm> <id> [rate]", "how many are taken", function(text)
  local _, realm, id = match(text, "^(%S+)%s+(%S+)%s+(%S+)")
  if not realm then return api.usage("limit_usage") end
  local reply = wait.request("broker", "TABLE", { { "table", "limit" }, { "op", "select" }, { "realm", realm }, { "key", id } })
  return reply and reply.value or "0"
end)
command("limit_status", "<backend>", "what is taken", function() return "+OK\n" end)
command("limit_reset", "<backend>", "forgets all", function()
  wait.request("broker", "TABLE", { { "table", "limit" }, { "op", "reset" }, { "realm", "" } })
  return "+OK\n"
end)
