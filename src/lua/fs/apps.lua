-- apps.lua: the table of dialplan applications and the running of one: expansion, scope variables, media, events.
local core = ...
local fs = core.fs
local util, variables, headers, wait, channel = fs.util, fs.variables, fs.headers, fs.wait, fs.channel

local find, format, lower, match, pcall, sub, tostring = string.find, string.format, string.lower, string.match, pcall, string.sub, tostring

local apps = { all = {}, order = {} }
fs.apps = apps

-- Flags: Z runs on a call that is over, M needs media, I may run inline while the dialplan is read, R its data is not expanded.
function apps.define(name, flags, summary, f)
  local app = { name = name, flags = flags, summary = summary, f = f,
    zombie = find(flags, "Z", 1, true) ~= nil, media = find(flags, "M", 1, true) ~= nil, raw = find(flags, "R", 1, true) ~= nil,
    routing = find(flags, "I", 1, true) ~= nil }
  apps.all[lower(name)] = app
  apps.order[#apps.order + 1] = app
end

function apps.find(name) return apps.all[lower(name)] end

-- What `current_application_response` says.
function apps.response(ch, text) ch:set("current_application_response", text) end

local MEDIA_WAIT_MS = 2000

local function media_for(ch, app)
  if channel.media(ch) then return true end
  local how = wait.serve(ch, { deadline = core.now() + MEDIA_WAIT_MS, no_commands = true, keep_breaks = true, check = function() return ch:media_ready() end })
  if how == "check" then return true end
  if ch:up() then util.warn(ch, "Application %s needs media, and there is none: skipped", app.name) end
  return false
end

-- Runs one application. options: event_uuid of a message. False when it could not run.
function apps.execute(ch, name, data, options)
  local app = apps.find(name)
  if not app then
    util.err(ch, "Invalid Application %s\n", name)
    channel.hangup(ch, "DESTINATION_OUT_OF_ORDER")
    return false
  end
  if not ch:up() then
    channel.over(ch)
    if not app.zombie then return false end
  end
  local call = ch:data()
  local scope
  if data then
    scope, data = variables.scope(data)
    if scope then
      call.scopes = call.scopes or {}
      call.scopes[#call.scopes + 1] = scope
    end
    if not app.raw then data = variables.expand(ch, data) end
    if not scope then
      scope, data = variables.scope(data)
      if scope then
        call.scopes = call.scopes or {}
        call.scopes[#call.scopes + 1] = scope
      end
    end
  end
  local ok, problem = true, nil
  if not app.media or media_for(ch, app) then
    if ch:up() then
      wait.acquire(ch)
      if not (options and options.event_uuid) then call.broken = nil end
    end
    if not util.truth(ch:get("disable_app_log")) then
      call.app_log = call.app_log or {}
      if #call.app_log < 200 then call.app_log[#call.app_log + 1] = { app.name, data or "", core.utc_us() } end
    end
    -- These two stay until the next application.
    ch:set("current_application", app.name)
    ch:set("current_application_data", data)
    ch:set("current_application_response", nil)
    call.last_app = { app.name, data }
    local id = { "Application-UUID", options and options.event_uuid or util.some(ch:get("app_uuid")) }
    local name = { "Application-UUID-Name", util.some(ch:get("app_uuid_name")) }
    if id[2] then ch:set("app_uuid", nil) end
    if name[2] then ch:set("app_uuid_name", nil) end
    local about = { { "Application", app.name }, { "Application-Data", data }, id, name }
    if core.event_wanted(fs.event_types.number.CHANNEL_EXECUTE) then
      id[2] = id[2] or core.uuid()
      headers.fire("CHANNEL_EXECUTE", ch, about)
    end
    ok, problem = pcall(app.f, ch, data or "")
    if core.event_wanted(fs.event_types.number.CHANNEL_EXECUTE_COMPLETE) then
      id[2] = id[2] or core.uuid()
      table.insert(about, 3, { "Application-Response", ch:get("current_application_response") or "_none_" })
      headers.fire("CHANNEL_EXECUTE_COMPLETE", ch, about)
    end
  end
  if scope then table.remove(call.scopes) end
  if not ok then error(problem, 0) end
  return true
end
