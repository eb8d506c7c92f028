-- hooks.lua: what variables hang on a call's events: execute_on_*, api_on_*, api_hangup_hook, api_reporting_hook.
local core = ...
local fs = core.fs
local util, variables, event, headers = fs.util, fs.variables, fs.event, fs.headers

local find, lower, match, sort, sub = string.find, string.lower, string.match, table.sort, string.sub

local hooks = {}
fs.hooks = hooks

-- Variables named `name`, or `name` and a suffix, in order of name; nil if there are none.
local function hung(ch, name)
  local list
  local all = ch:variables(name)
  local length = #name
  for i = 1, #all do
    if lower(sub(all[i][1], 1, length)) == name then
      local rest = sub(all[i][1], length + 1)
      if rest == "" or find(rest, "^[_%d%[]") then
        list = list or {}
        for _, one in ipairs(variables.array(all[i][2])) do list[#list + 1] = { all[i][1], one } end
      end
    end
  end
  if list and #list > 1 then
    local order = {}
    for i = 1, #list do order[list[i]] = i end
    sort(list, function(a, b) if a[1] ~= b[1] then return a[1] < b[1] end return order[a] < order[b] end)
  end
  return list
end

-- "app args", "app:args", or "app::args" (queued to the call and run when it next listens).
local function execute(ch, text)
  local app, data = match(text, "^%s*([^%s:]+)::(.*)$")
  if app then
    fs.messages.send(ch, { { "call-command", "execute" }, { "execute-app-name", app }, { "execute-app-arg", data } })
    return
  end
  app, data = match(text, "^%s*([^%s:]+)[%s:]?%s*(.*)$")
  if not app then return end
  -- What the call is to do next waits: the application has the call until it is done, or sends it elsewhere.
  local call = ch:data()
  local pending = call.pending
  call.pending = nil
  fs.apps.execute(ch, app, data ~= "" and data or nil)
  call.pending = call.pending or pending
end

-- The hooks of one moment: answer, ring, media, originate …
function hooks.run(ch, moment)
  local apps = hung(ch, "execute_on_" .. moment)
  for i = 1, apps and #apps or 0 do execute(ch, variables.expand(ch, apps[i][2])) end
  local commands = hung(ch, "api_on_" .. moment)
  for i = 1, commands and #commands or 0 do
    local command, arguments = match(variables.expand(ch, commands[i][2]), "^%s*(%S+)%s*(.*)$")
    if command then fs.run_api(command, arguments, { channel = ch }) end
  end
end

-- api_hangup_hook and its like, "command arguments" or "command::arguments": the headers of env stand for ${…} in the arguments.
function hooks.api(ch, name)
  local text = util.some(ch:get(name))
  if not text then return end
  local command, arguments = match(text, "^([^: ]*)::(.*)$")
  if not command then command, arguments = match(text, "^([^ ]*) ?(.*)$") end
  local env = headers.of_hook(ch)
  local ok, reply = pcall(fs.run_api, command, variables.expand_event(env, arguments),
    { channel = ch, session = util.truth(ch:get("session_in_hangup_hook")), env = env, hook = true })
  if ok then core.log(7, string.format("%s: %s", name, tostring(reply)), ch:uuid())
  else util.err(ch, "%s failed: %s", name, tostring(reply)) end
end
