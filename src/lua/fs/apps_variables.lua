-- apps_variables.lua: applications on variables: set, unset, multiset, export, push, set_global, eval, hash, db …
local core = ...
local fs = core.fs
local util, variables, apps = fs.util, fs.variables, fs.apps

local match, sub = string.match, string.sub
local define = apps.define

-- What names nothing is an error, and nothing happens.
local function named(ch, text)
  if text ~= "" then return true end
  util.err(ch, "No variable name specified.\n")
end

-- set, push and unshift: the value is expanded once more.
local function assign(put)
  return function(ch, text)
    if not named(ch, text) then return end
    local name, value = variables.assignment(text, true)
    put(ch, name, variables.expand(ch, value))
  end
end
local set = assign(variables.set)
define("set", "ZI", "`name=value` sets a channel variable; an empty value unsets it", set)
define("unset", "ZI", "`name` unsets a variable", function(ch, text) if named(ch, text) then variables.set(ch, text, nil) end end)
define("multiset", "ZI", "`[^^D]a=b c=d` sets several", function(ch, text)
  for _, part in ipairs((util.delimited(text, " "))) do if part ~= "" then set(ch, part) end end
end)
define("multiunset", "ZI", "`[^^D]a b` unsets several", function(ch, text)
  for _, part in ipairs((util.delimited(text, " "))) do if part ~= "" then variables.set(ch, part, nil) end end
end)
define("export", "ZI", "`[nolocal:]name=value` sets it here and on legs that this call makes", function(ch, text)
  if named(ch, text) then variables.export(ch, text) end
end)
define("bridge_export", "ZI", "as export, for legs of the application bridge", function(ch, text)
  if named(ch, text) then variables.export(ch, text, "bridge_export_vars") end
end)
define("push", "ZI", "`name=value` appends to an array", assign(variables.push))
define("unshift", "ZI", "`name=value` puts in front of an array", assign(function(ch, name, value) variables.push(ch, name, value, true) end))
define("set_global", "ZI", "`name=value` sets a global variable", function(ch, text)
  if not named(ch, text) then return end
  local name, value = variables.assignment(text)
  core.global_set(name, value)
end)
define("set_profile_var", "ZI", "`field=value` sets a field of the caller profile", function(ch, text)
  local name, value = variables.assignment(text)
  if named(ch, text) then ch:profile_set(name, value or "") end
end)
define("set_name", "ZI", "names the channel", function(ch, text)
  ch:profile_set("chan_name", text)
  ch:set("channel_name", text)
end)
define("transfer_vars", "Z", "copies variables (`~prefix` or `a,b`) to the bridged leg", function(ch, text)
  local other = ch:data().partner or ch:data().originator
  if not other then return end
  local prefix = match(text, "^~(.*)$")
  for _, pair in ipairs(ch:variables()) do
    if text == "" or (prefix and sub(pair[1], 1, #prefix) == prefix) then other:set(pair[1], pair[2]) end
  end
  if not prefix then
    for name in string.gmatch(text, "[^,%s]+") do
      local value = ch:get(name)
      if value then other:set(name, value) end
    end
  end
end)
define("set_user", "ZI", "`user@domain [prefix]` takes a directory user's variables", function(ch, text)
  local who, prefix = match(text, "^(%S+)%s*(%S*)")
  local id, domain = match(who or "", "^([^@]*)@?(.*)$")
  local user = id and fs.directory.user(id, util.some(domain))
  if not user then return util.warn(ch, "can't find user [%s]", text) end
  for name, value in pairs(user.variables) do ch:set(prefix .. name, value ~= "" and value or nil) end
  ch:set("user_name", user.id)
  ch:set("domain_name", user.domain)
end)
define("eval", "ZI", "expands its data, for what that does", function() end)
define("verbose_events", "ZI", "all events of this call carry its variables", function(ch) ch:set("verbose_events", "true") end)

local function command(name) return function(_, text) fs.run_api(name, text, {}) end end
define("hash", "Z", "`insert/realm/key/value`, `delete/realm/key`: the table in memory", command("hash"))
define("db", "Z", "`insert/realm/key/value`, `delete/realm/key`: the table that stays", command("db"))

define("limit", "", "`backend realm id [max[/interval]] [extension [dialplan [context]]]`: takes a place or goes elsewhere", function(ch, text)
  local w = util.separate(text, " ", 7)
  if #w < 3 then return util.err(ch, "USAGE: limit <backend> <realm> <id> [<max>[/interval]] [number [dialplan [context]]]\n") end
  fs.limits.apply(ch, w)
end)
define("limit_execute", "", "`backend realm id max[/interval] app data`: runs the application if there is a place, then gives the place back", function(ch, text)
  local w = util.separate(text, " ", 6)
  if #w < 6 then return util.err(ch, "USAGE: limit_execute <backend> <realm> <id> <max>[/interval] <application> [application arguments]\n") end
  if w[5] == "" then return util.err(ch, "Missing application\n") end
  if not fs.limits.take(ch, w[1], w[2], w[3], fs.limits.most(w[4])) then return end
  apps.execute(ch, w[5], w[6])
  if ch:state() == "CS_EXECUTE" then fs.limits.release(ch, w[2], w[3]) end
end)
define("limit_hash", "", "as limit with the backend hash", function(ch, text) apps.execute(ch, "limit", "hash " .. text) end)
define("limit_hash_execute", "", "as limit_execute with the backend hash", function(ch, text) apps.execute(ch, "limit_execute", "hash " .. text) end)
