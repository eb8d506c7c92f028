-- api.lua: API commands: the table of them, how one is run, and the class freeswitch.API.
--
--   api.command("toupper", "<text>", "upper case of a text", function(arguments, context) return … end)
-- `arguments` is never nil and has no blanks at its ends. `context`: channel = the call it runs in, session = true if a script started by the
-- command gets it, env = event state for `env`, stream = request body (HTTP), here = for this worker alone. A command returns its reply, or nil for an empty one.
local core = ...
local fs = core.fs
local class, util = fs.class, fs.util

local format, gsub, lower, match = string.format, string.gsub, string.lower, string.match
local pcall, tostring = pcall, tostring

local api = { commands = {}, order = {} }
fs.api = api

function api.command(name, syntax, help, run)
  if not api.commands[name] then api.order[#api.order + 1] = name end
  api.commands[name] = { name = name, syntax = syntax, help = help, run = run }
end

function api.alias(name, other) api.commands[name] = api.commands[other] end

function api.find(name) return name and api.commands[lower(name)] end

function api.usage(name) return "-USAGE: " .. api.commands[name].syntax .. "\n" end

-- Each command, known or not, is an event of type API.
local function tell(name, arguments)
  if not core.event_wanted(fs.event_types.number.API) then return end
  local e = fs.event.make("API", nil, "switch_loadable_module.c")
  fs.event.add(e, "API-Command", name)
  fs.event.add(e, "API-Command-Argument", arguments)
  fs.event.fire(e)
end

-- Runs a command; nil if there is none of that name.
function api.run(name, arguments, context)
  name, arguments = util.trim(name or ""), util.trim(arguments or "")
  tell(name, arguments)
  local command = api.find(name)
  if not command then return nil end
  if fs.remote.many then -- a call of another worker?
    local reply = fs.remote.command(command.name, arguments, context and context.here)
    if reply then return reply end
  end
  local ok, reply = pcall(command.run, arguments, context or {})
  if ok then return reply or "" end
  local why = tostring(reply)
  if core.is_kill and core.is_kill(reply) then error(reply, 0) end
  core.log(util.ERR, format("command %s failed: %s", name, why), context and context.channel and context.channel:uuid() or nil)
  return "-ERR " .. (gsub(why, "\n.*", "")) .. "\n"
end

-- As scripts and ${name(arguments)} call it.
function api.execute(name, arguments, context)
  return api.run(name, arguments, context) or "INVALID COMMAND!\n"
end

-- As an operator types it: one line.
function api.line(text, context)
  local name, arguments = match(text, "^%s*(%S+)%s*(.-)%s*$")
  if not name then return "-ERR no command given\n" end
  return api.run(name, arguments, context) or format("-ERR %s Command not found!\n", name)
end

-- --- the class ---

local C = class.define("API")

class.new(C, "API::API", "L", 0, 1, function(session)
  return class.object(C, { session = session })
end)

local function context_of(state)
  local session = state.session
  if not session or not session.ch then return {} end
  return { channel = session.ch, session = true }
end

class.method(C, "execute", "API::execute", "SS", 1, 2, function(state, name, arguments)
  if not name or name == "" then return "-ERR No application specified" end
  return api.execute(name, arguments, context_of(state))
end)

class.method(C, "executeString", "API::executeString", "S", 1, 1, function(state, text)
  if not text or text == "" then return "-ERR No application specified" end
  local name, arguments = match(text, "^([^ ]*) ?(.*)$")
  return api.execute(name, arguments, context_of(state))
end)

class.method(C, "getTime", "API::getTime", "", 0, 0, function() return format("%.0f", core.utc_us() / 1000 - 0.5) end)
