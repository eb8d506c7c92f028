-- apps_variables.lua: applications on variables: set, unset, multiset, export, push, set_global, eval, hash, db …
local core = ...
local fs = core.fs
local util, variables, apps = fs.util, fs.variables, fs.apps

local match, sub = string.match, string.sub
local define = apps.define

local function set(ch, text)
  local name, value = variables.assignment(text)
  if name == "" then return util.err(ch, "set: no variable name specified") end
  variables.set(ch, name, value)
end
define("set", "Z", "`name=value` sets a channel variable; an empty value unsets it", set)
define("unset", "Z", "`name` unsets a variable", function(ch, text) variables.set(ch, util.trim(text), nil) end)
define("multiset", "Z", "`[^^D]a=b c=d` sets several", function(ch, text)
  for _, item in ipairs((util.delimited(text, " "))) do if item ~= "" then set(ch, item) end end
end)
define("multiunset", "Z", "`[^^D]a b` unsets several", function(ch, text)
  for _, item in ipairs((util.delimited(text, " "))) do if item ~= "" then variables.set(ch, item, nil) end end
end)
define("export", "Z", "`[nolocal:]name=value` sets it here and on legs that this call makes", function(ch, text) variables.export(ch, text) end)
define("bridge_export", "Z", "as export, for legs of the application bridge", function(ch, text) variables.export(ch, text, "bridge_export_vars") end)
define("push", "Z", "`name=value` appends to an array", function(ch, text)
  local name, value = variables.assignment(text)
  if value then variables.push(ch, name, value) end
end)
define("unshift", "Z", "`name=value` puts in front of an array", function(ch, text)
  local name, value = variables.assignment(text)
  if value then variables.push(ch, name, value, true) end
end)
define("set_global", "Z", "`name=value` sets a global variable", function(_, text)
  local name, value = variables.assignment(text)
  if name ~= "" then core.global_set(name, value ~= "" and value or nil) end
end)
define("set_profile_var", "Z", "`field=value` sets a field of the caller profile", function(ch, text)
  local name, value = variables.assignment(text)
  if name ~= "" then ch:profile_set(name, value or "") end
end)
define("set_name", "Z", "names the channel", function(ch, text)
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
define("set_user", "Z", "`user@domain [prefix]` takes a directory user's variables", function(ch, text)
  local who, prefix = match(text, "^(%S+)%s*(%S*)")
  local id, domain = match(who or "", "^([^@]*)@?(.*)$")
  local user = id and fs.directory.user(id, util.some(domain))
  if not user then return util.warn(ch, "can't find user [%s]", text) end
  for name, value in pairs(user.variables) do ch:set(prefix .. name, value ~= "" and value or nil) end
  ch:set("user_name", user.id)
  ch:set("domain_name", user.domain)
end)
define("eval", "Z", "expands its data, for what that does", function() end)
define("verbose_events", "Z", "all events of this call carry its variables", function(ch) ch:set("verbose_events", "true") end)

local function command(name) return function(_, text) fs.run_api(name, text, {}) end end
define("hash", "Z", "`insert/realm/key/value`, `delete/realm/key`: the table in memory", command("hash"))
define("db", "Z", "`insert/realm/key/value`, `delete/realm/key`: the table that stays", command("db"))

define("limit", "Z", "`backend realm id max[/interval] [extension [dialplan [context]]]`: takes a place or goes elsewhere", function(ch, text)
  local w = util.separate(text, " ")
  if #w < 2 then return util.err(ch, "USAGE: limit <backend> <realm> <id> [<max>[/interval]] [number [dialplan [context]]]") end
  local max, interval = match(w[4] or "-1", "^(%-?%d+)/?(%d*)$")
  if fs.limits.take(ch, w[2], w[3] or "", tonumber(max) or -1, tonumber(interval)) then return end
  local target = w[5] or ch:get("limit_target") or "limit_exceeded"
  local cause = match(target, "^!(.*)$")
  if cause then return fs.channel.hangup(ch, cause) end
  fs.transfer.transfer(ch, target, w[6], w[7])
end)
define("limit_execute", "Z", "`backend realm id max app data`: runs the application if there is a place", function(ch, text)
  local w = util.separate(text, " ", 6)
  if #w < 5 then return end
  local max, interval = match(w[4], "^(%-?%d+)/?(%d*)$")
  if fs.limits.take(ch, w[2], w[3], tonumber(max) or -1, tonumber(interval)) then apps.execute(ch, w[5], w[6]) end
end)
define("limit_hash", "Z", "as limit with the backend hash", function(ch, text) apps.execute(ch, "limit", "hash " .. text) end)
