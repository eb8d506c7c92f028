-- init.lua: loads the layer's files in their order and says what the engine needs of them.
--
-- Each file is called with `core` and leaves its functions in `core.fs`; a file that does not exist is passed over.
local core = ...
core.fs, core.layer = core.fs or {}, {}

local order = {
  -- the standard library as scripts get it (core.base), waiting, starting scripts
  "stdlib", "stdlib_coroutine", "stdlib_string", "stdlib_table", "stdlib_debug", "stdlib_io", "stdlib_load", "stdlib_script", "compat", "pack",
  -- text, classes, events
  "util", "class", "event_types", "event_headers", "event_forms", "event", "variables",
  -- calls
  "headers", "wait", "hooks", "channel", "callback", "script", "digits", "play", "record", "xmlconf", "xml_handler", "directory", "speech", "say", "say_en",
  "timecheck", "dialplan", "transfer", "messages", "bridge", "loan", "cdr",
  "dialstring", "endpoints", "originate",
  "session", "session_media",
  "apps", "apps_variables", "apps_call", "apps_media", "apps_detect", "apps_control", "apps_bridge", "conference", "apps_digits", "apps_misc",
  "digit_actions",
  "ivr",
  -- commands and the other classes
  "stream", "json", "api", "consumer", "esl_module", "dbh", "expr", "commands_text", "commands_machine", "commands_tables", "commands_script",
  "commands_call", "commands_media", "commands_detect", "commands_conference", "commands_engine", "commands_show", "commands_directory", "registrations", "pickup",
  "commands_socket", "commands_console",
  -- calls of other workers
  "remote",
  -- the table `freeswitch` takes every class made so far
  "freeswitch",
  -- scripts on threads of their own, which get all of it by stubs
  "isolated_rule", "isolated",
}
for i = 1, #order do core.load(order[i]) end

-- Each script begins with a flat copy of these globals.
core.base_set(core.base)
core.layer.base = core.base
return core.layer
