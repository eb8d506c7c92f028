-- ivr.lua: menus: the class IVRMenu and the menus of the XML; all as switch_ivr_menu_execute does it.
--
-- A menu is a table; those of one stack stand in menu.list in the order in which they were made, and a menu finds those made after it.
local core = ...
local fs = core.fs
local util, class, variables, headers, event, wait, play, say, digits =
  fs.util, fs.class, fs.variables, fs.headers, fs.event, fs.wait, fs.play, fs.say, fs.digits

local find, floor, format, lower, match, select, sub = string.find, math.floor, string.format, string.lower, string.match, select, string.sub

local ivr = {}
fs.ivr = ivr

local RECURSION_MAX = 12

-- --- menus ---

local function some(text) if text and text ~= "" and lower(text) ~= "undef" then return text end end

local function new_menu(main, name, o)
  local menu = { name = some(name) or "no name", actions = {}, main = not main,
    greet_long = some(o.greet_long), greet_short = some(o.greet_short), invalid = some(o.invalid), exit = some(o.exit), transfer = some(o.transfer),
    confirm_macro = some(o.confirm_macro), confirm_key = some(o.confirm_key), tts_engine = some(o.tts_engine), tts_voice = some(o.tts_voice),
    confirm_attempts = o.confirm_attempts ~= 0 and o.confirm_attempts or 3, timeout = o.timeout > 0 and o.timeout or 10000,
    inter_timeout = o.inter_timeout ~= 0 and o.inter_timeout or floor(o.timeout / 2), digit_len = math.max(o.digit_len, 0),
    max_failures = o.max_failures > 0 and o.max_failures or 3, max_timeouts = o.max_timeouts > 0 and o.max_timeouts or 3 }
  menu.list = main and main.list or {}
  menu.place = #menu.list + 1
  menu.list[menu.place] = menu
  return menu
end

-- Of those from `stack` on.
local function menu_find(stack, name)
  for i = stack.place, #stack.list do
    if stack.list[i].name == name then return stack.list[i] end
  end
end

local known = { ["menu-exit"] = 1, ["menu-sub"] = 1, ["menu-exec-app"] = 1, ["menu-play-sound"] = 1, ["menu-back"] = 1, ["menu-top"] = 1,
  ["menu-say-phrase"] = 1 }

local function bind(menu, action, arg, keys)
  action = lower(action or "")
  if not known[action] then
    core.log(3, format("invalid action %s\n", action))
    return false
  end
  if not keys or keys == "" then return false end
  local regex = sub(keys, 1, 1) == "/"
  if not regex and #keys > menu.digit_len then menu.digit_len = #keys end
  menu.actions[#menu.actions + 1] = { action = action, arg = arg, keys = keys, regex = regex }
  return true
end

local function tell(ch, kind, menu)
  if not event.wanted("CUSTOM") then return end
  local e = event.make("CUSTOM", kind, "switch_ivr_menu.c")
  event.add(e, "Menu-Name", menu.name)
  headers.add(e, ch)
  headers.variables(e, ch)
  event.fire(e, ch)
end

-- --- sounds and keys ---

local function stop_at_key() return true end

-- A sound that any key ends; the key is lost.
local function sound(ch, file) return (play.file(ch, variables.expand(ch, file), { on_digit = stop_at_key })) end

-- Keys that a macro has read out: do they hold? Without a key to confirm with they never do.
local function confirmed(ch, menu, keys, terminators)
  local options = menu.confirm_key and { on_digit = stop_at_key } or {}
  for _ = 1, menu.confirm_attempts do
    local how, key = say.phrase(ch, menu.confirm_macro, keys, nil, options)
    if menu.confirm_key then
      if how ~= "stop" then key = digits.collect(ch, { max = 1, terminators = terminators, first_ms = menu.timeout }) end
      if key and key ~= "" then return key == sub(menu.confirm_key, 1, 1) end
    end
    if wait.gone(ch) then break end
  end
  return false
end

-- Greeting and keys: the keys, and whether the time was over. A key pressed during the greeting is the first one, terminator or not.
local function collect(ch, menu, greeting)
  if not greeting then return "" end
  local how, first = play.file(ch, variables.expand(ch, greeting), { on_digit = stop_at_key })
  if menu.digit_len == 0 then return "" end
  first = how == "stop" and first or ""
  if #first >= menu.digit_len or wait.gone(ch) then return first end
  local terminators = util.some(variables.get(ch, "ivr_menu_terminator")) or "#"
  local rest
  rest, _, how = digits.collect(ch, { max = menu.digit_len - #first, terminators = terminators, inter_ms = menu.inter_timeout,
    first_ms = first ~= "" and menu.inter_timeout or menu.timeout, abs_ms = menu.timeout })
  local keys = first .. rest
  if menu.confirm_macro and how == "success" and keys ~= "" and not confirmed(ch, menu, keys, terminators) then return "" end
  return keys, how == "timeout"
end

-- --- actions: each gives the status that the menu has behind it: success, or what ends it ---

local execute

local function exec_app(ch, text)
  local app, data = match(text, "^([^ ]*) ?(.*)$")
  if app ~= "" and fs.apps.find(app) then
    fs.apps.execute(ch, app, data)
    return "success"
  end
  return "false"
end

local actions = {
  ["menu-exit"] = function() return "false" end,
  ["menu-back"] = function(_, run)
    run.over = true
    return "success"
  end,
  ["menu-top"] = function(_, run)
    run.stack.to_main = true
    return "break"
  end,
  ["menu-play-sound"] = function(ch, _, _, arg) return (play.file(ch, arg, {})) end,
  ["menu-say-phrase"] = function(ch, _, _, arg)
    local macro, data = match(arg or "", "^([^,]*),?(.*)$")
    return (say.phrase(ch, macro, data, nil, {}))
  end,
  ["menu-exec-app"] = function(ch, _, menu, arg)
    if menu.transfer and find(arg or "", "^transfer%f[ %z]") then sound(ch, menu.transfer) end
    return exec_app(ch, arg or "")
  end,
  ["menu-sub"] = function(ch, run, menu, arg)
    if arg == menu.name then return "success" end
    run.rounds = -1
    tell(ch, "menu::exit", menu)
    local status = execute(ch, run.stack, arg)
    tell(ch, "menu::enter", menu)
    return status
  end,
}

-- Does the entry take these keys? Its argument with captures put in.
local function taken(entry, keys)
  if not entry.regex then return entry.keys == keys, entry.arg end
  local captures = core.regex(entry.keys, keys)
  if not captures then return false end
  return true, entry.arg and say.substitute(entry.arg, captures)
end

-- All entries that take the keys, in turn; whether there were any.
local function dispatch(ch, run, menu, keys)
  local any = false
  for i = 1, #menu.actions do
    local entry = menu.actions[i]
    local yes, arg = taken(entry, keys)
    if yes then
      any, run.failures = true, 0
      run.status = actions[entry.action](ch, run, menu, arg)
    end
  end
  if keys ~= "" and menu.main and run.stack.to_main then
    run.stack.to_main, run.status, run.over = nil, "success", false
    return true
  end
  return any
end

-- --- rounds ---

local function speak_as(ch, menu)
  if not menu.tts_engine or not menu.tts_voice then return end
  ch:set("tts_engine", menu.tts_engine)
  ch:set("tts_voice", menu.tts_voice)
end

local function limit_reached(ch, run, menu)
  local status, app
  if run.failures == menu.max_failures then status, app = "failure", menu.on_failures
  elseif run.timeouts == menu.max_timeouts then status, app = "timeout", menu.on_timeouts
  else return false end
  ch:set("ivr_menu_status", status)
  if app then exec_app(ch, app) end
  return true
end

local function rounds(ch, stack, menu)
  local run = { stack = stack, status = "success", failures = 0, timeouts = 0, rounds = 0, over = false }
  while not run.over and run.status == "success" and not wait.gone(ch) do
    if limit_reached(ch, run, menu) then break end
    local keys, late = collect(ch, menu, run.rounds > 0 and menu.greet_short or menu.greet_long)
    if keys == "" and late then
      run.timeouts = run.timeouts + 1
    else
      speak_as(ch, menu)
      if not dispatch(ch, run, menu, keys) or keys == "" then
        if keys ~= "" and menu.invalid then sound(ch, menu.invalid) end
        run.failures = run.failures + 1
      end
    end
    run.rounds = run.rounds + 1
  end
  return run.status
end

-- The PIN of a menu of the XML: three tries.
local function admitted(ch, menu)
  if not menu.pin then return true end
  return digits.play_and_get(ch, { min = #menu.pin, max = #menu.pin, tries = 3, timeout_ms = 3000, terminators = "#", prompt = menu.pin_file,
    invalid = menu.bad_pin_file, regex = "^" .. menu.pin .. "$", digit_timeout_ms = 10000 }) ~= ""
end

function execute(ch, stack, name)
  stack.depth = (stack.depth or 0) + 1
  local menu = util.some(name) and menu_find(stack, name)
  local status = "false"
  if stack.depth > RECURSION_MAX then
    util.err(ch, "Too many levels of recursion.\n")
    menu = nil
  elseif not menu then
    util.err(ch, name and name ~= "" and "Invalid Menu!\n" or "Invalid menu context\n")
  else
    speak_as(ch, menu)
    ch:set("ivr_menu_status", "success")
    tell(ch, "menu::enter", menu)
    if admitted(ch, menu) then
      status = rounds(ch, stack, menu)
      if stack.depth == 1 and menu.exit then status = sound(ch, menu.exit) end
    end
  end
  stack.depth = stack.depth - 1
  if menu then tell(ch, "menu::exit", menu) end
  return status
end

-- Of a Session: the hangup hook runs around it. An earlier run that was ended in the middle left its depth.
function ivr.run(session, stack, name)
  local ch = session.ch
  if not ch then return end
  fs.callback.hangup_hook(session)
  stack.depth = 0
  if not wait.gone(ch) then execute(ch, stack, name) end
  fs.callback.hangup_hook(session)
end

-- --- the class ---

local C = class.define("IVRMenu")
ivr.class = C

class.new(C, "IVRMenu::IVRMenu", "MSSSSSSSSSSiiiiii", 17, 17,
  function(main, name, greet_long, greet_short, invalid, exit, transfer, confirm_macro, confirm_key, tts_engine, tts_voice, confirm_attempts,
      inter_timeout, digit_len, timeout, max_failures, max_timeouts)
    return class.object(C, { menu = new_menu(main and main.menu, name, { greet_long = greet_long, greet_short = greet_short, invalid = invalid, exit = exit,
      transfer = transfer, confirm_macro = confirm_macro, confirm_key = confirm_key, tts_engine = tts_engine, tts_voice = tts_voice,
      confirm_attempts = confirm_attempts, inter_timeout = inter_timeout, digit_len = digit_len, timeout = timeout,
      max_failures = max_failures, max_timeouts = max_timeouts }) })
  end)

-- Sixteen arguments, as older builds took them: the seventh is the transfer sound, unless it names a phrase macro (then the confirmation).
local seventeen = C.new
function C.new(...)
  if select("#", ...) ~= 16 then return seventeen(...) end
  local a = { ... }
  local macro = type(a[7]) == "string" and a[7] ~= "" and fs.xmlconf.macro("en", a[7])
  for i = 17, macro and 8 or 9, -1 do a[i] = a[i - 1] end
  a[macro and 7 or 8] = nil
  return seventeen(unpack(a, 1, 17))
end

class.method(C, "bindAction", "IVRMenu::bindAction", "sSS", 3, 3, function(st, action, arg, keys) bind(st.menu, action, arg, keys) end)
class.method(C, "execute", "IVRMenu::execute", "LS", 2, 2, function(st, session, name)
  if not session or not (session.ch or session.far) then
    core.log(3, "Invalid menu context\n")
    return
  end
  if session.far then return fs.remote.menu(session, st.menu, name) end
  ivr.run(session, st.menu, name)
end)

-- --- menus of the XML ---

local build

local function build_entry(menu, entry)
  local a = entry.attr
  if not known[a.action or ""] or not util.some(a.digits) then
    core.log(4, format("Invalid Action [%s]\n", a.action or ""))
    return false
  end
  local target = a.param or ""
  if a.action == "menu-sub" and not menu_find(menu.list[1], target) and fs.xmlconf.menu(target) and not build(target, menu) then return false end
  return bind(menu, a.action, target, a.digits)
end

-- The menu and all that it leads to; nil if an entry is wrong.
function build(name, main)
  local node = fs.xmlconf.menu(name)
  local a = node.attr
  local function n(key) return util.int(a[key] or "0") end
  local menu = new_menu(main, name, { greet_long = a["greet-long"], greet_short = a["greet-short"], invalid = a["invalid-sound"],
    exit = a["exit-sound"], transfer = a["transfer-sound"], confirm_macro = a["confirm-macro"], confirm_key = a["confirm-key"],
    tts_engine = a["tts-engine"], tts_voice = a["tts-voice"], confirm_attempts = n("confirm-attempts"), inter_timeout = n("inter-digit-timeout"),
    digit_len = n("digit-len"), timeout = n("timeout"), max_failures = n("max-failures"),
    max_timeouts = n(util.some(a["max-timeouts"]) and "max-timeouts" or "max-failures") })
  menu.on_failures, menu.on_timeouts = util.some(a["exec-on-max-failures"]), util.some(a["exec-on-max-timeouts"])
  menu.pin = util.some(a.pin)
  menu.pin_file = util.some(a["pin-file"]) or "ivr/ivr-please_enter_pin_followed_by_pound.wav"
  menu.bad_pin_file = util.some(a["bad-pin-file"]) or "conference/conf-bad-pin.wav"
  local good = true
  fs.xmlconf.each(node, "entry", function(entry) good = good and build_entry(menu, entry) end)
  return good and menu or nil
end

function ivr.app(ch, name)
  if not fs.xmlconf.menu(name) then return util.err(ch, "Unable to find menu %s", name) end
  local menu = build(name, nil)
  if not menu then return util.err(ch, "Unable to create menu %s", name) end
  execute(ch, menu, name)
end
