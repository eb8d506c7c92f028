-- init.lua: loads the layer's files in their order and says what the engine needs of them.
--
-- Each file is called with `core` and leaves its functions in `core.fs`; a file that does not exist is passed over.
local core = ...
core.fs = core.fs or {}
local fs = core.fs

local order = {
  -- the standard library as scripts get it (core.base), waiting, starting scripts
  "stdlib", "stdlib_coroutine", "stdlib_string", "stdlib_table", "stdlib_debug", "stdlib_io", "stdlib_load", "stdlib_script", "compat",
  -- text, classes, events
  "util", "class", "event_types", "event", "variables",
  -- calls
  "headers", "wait", "hooks", "channel", "callback", "script", "digits", "play", "record", "xmlconf", "directory", "say", "say_en",
  "dialplan", "transfer", "messages", "bridge", "cdr",
  "dialstring", "endpoints", "originate",
  "session", "session_media",
  "apps", "apps_variables", "apps_call", "apps_media", "apps_control", "apps_bridge", "apps_digits", "apps_misc", "digit_actions",
  "ivr",
  -- commands and the other classes
  "stream", "json", "api", "consumer", "dbh", "expr", "commands_text", "commands_tables", "commands_script", "commands_call",
  "commands_engine", "commands_directory",
  -- the table `freeswitch` takes every class made so far
  "freeswitch",
}
for i = 1, #order do core.load(order[i]) end

local layer = {
  base = { freeswitch = fs.freeswitch },
  channel_start = function(ch) fs.channel.begin(ch) end,
  channel_run = function(ch, script, arguments) return fs.channel.campaign(ch, script, arguments) end,
  channel_over = function(ch) fs.channel.ended(ch) end,
  api = function(command, arguments) return fs.api.door and fs.api.door(command, arguments) or fs.api.line(command .. " " .. (arguments or "")) end,
  script_session = function(object, globals) fs.session.script_session(object, globals) end,
}

-- Each script begins with a flat copy of these globals.
for name, value in pairs(layer.base) do core.base[name] = value end
core.base_set(core.base)
core.layer = layer
return layer
