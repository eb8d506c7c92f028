-- ivr.lua: menus: the class IVRMenu and the menus of the XML.
local core = ...
local fs = core.fs
local util, class, variables, headers, wait, play, say, digits = fs.util, fs.class, fs.variables, fs.headers, fs.wait, fs.play, fs.say, fs.digits

local find, format, lower, match, select, sub, tonumber = string.find, string.format, string.lower, string.match, select, string.sub, tonumber

local ivr = {}
fs.ivr = ivr

local RECURSION_MAX = 12

-- --- one menu: a table; `top` is the outermost, which knows all by name ---

local function some(text) if text and text ~= "" and lower(text) ~= "undef" then return text end end

local function new_menu(top, name, o)
  local menu = { name = some(name) or "no name", actions = {}, longest = 1,
    greet_long = some(o.greet_long), greet_short = some(o.greet_short), invalid = some(o.invalid), exit = some(o.exit), transfer = some(o.transfer),
    confirm_macro = some(o.confirm_macro), confirm_key = some(o.confirm_key), tts_engine = some(o.tts_engine), tts_voice = some(o.tts_voice),
    confirm_attempts = o.confirm_attempts > 0 and o.confirm_attempts or 3, timeout = o.timeout > 0 and o.timeout or 10000,
    digit_len = o.digit_len > 0 and o.digit_len or 1, max_failures = o.max_failures > 0 and o.max_failures or 3,
    max_timeouts = o.max_timeouts > 0 and o.max_timeouts or 3 }
  menu.inter_timeout = o.inter_timeout > 0 and o.inter_timeout or math.floor(menu.timeout / 2)
  menu.top = top and top.top or menu
  menu.by_name = menu.top == menu and {} or nil
  menu.top.by_name[menu.name] = menu
  return menu
end

local known = { ["menu-exit"] = 1, ["menu-sub"] = 1, ["menu-exec-app"] = 1, ["menu-play-sound"] = 1, ["menu-back"] = 1, ["menu-top"] = 1,
  ["menu-say-phrase"] = 1 }

local function bind(menu, action, arg, keys)
  action = lower(action or "")
  if not known[action] then
    core.log(3, format("invalid action %s\n", action))
    return
  end
  if not keys or keys == "" then return end
  local regex = sub(keys, 1, 1) == "/"
  if not regex and #keys > menu.digit_len then menu.digit_len = #keys end
  menu.actions[#menu.actions + 1] = { action = action, arg = arg, keys = keys, regex = regex }
end

-- --- one round ---

local function stop_at_key() return true end

-- Greeting and keys: the keys, or "" ; second: the greeting could not be played.
local function collect(ch, menu, greeting)
  if not greeting then return "", true end
  local keys = ""
  local how, value = play.file(ch, greeting, { on_digit = stop_at_key })
  if how == "stop" then keys = value elseif how == "hangup" then return "" end
  if wait.gone(ch) then return "" end
  local terminators = variables.get(ch, "ivr_menu_terminator") or "#"
  return (digits.collect(ch, { buffer = keys, max = menu.digit_len, terminators = terminators,
    first_ms = keys == "" and menu.timeout or menu.inter_timeout, inter_ms = menu.inter_timeout }))
end

-- Confirmed keys, or "".
local function confirmed(ch, menu, keys)
  if not menu.confirm_macro or keys == "" then return keys end
  for _ = 1, menu.confirm_attempts do
    if wait.gone(ch) then return "" end
    local how, key = say.phrase(ch, menu.confirm_macro, keys, nil, { on_digit = stop_at_key })
    if how ~= "stop" then
      key = digits.collect(ch, { max = 1, first_ms = menu.timeout })
    end
    if key and key ~= "" then
      if not menu.confirm_key or key == sub(menu.confirm_key, 1, 1) then return keys end
      return ""
    end
  end
  return ""
end

-- Does the entry take these keys? Its argument with captures put in.
local function taken(entry, keys)
  if not entry.regex then return entry.keys == keys, entry.arg end
  local captures = core.regex(entry.keys, keys)
  if not captures then return false end
  return true, entry.arg and say.substitute(entry.arg, captures)
end

-- --- execution: gives "success" "failure" "timeout" or "top" (back to the outermost menu), and whether all is to end ---

local run

local function perform(ch, menu, action, arg, depth)
  if action == "menu-exit" then return "end" end
  if action == "menu-back" then return "back" end
  if action == "menu-top" then return "top" end
  if action == "menu-play-sound" then
    if arg then play.file(ch, arg, {}) end
  elseif action == "menu-say-phrase" then
    local macro, data = match(arg or "", "^([^,]*),?(.*)$")
    say.phrase(ch, macro, data, nil, {})
  elseif action == "menu-exec-app" then
    local app, data = match(arg or "", "^%s*(%S+)%s*(.*)$")
    if app then
      if menu.transfer and app == "transfer" then play.file(ch, menu.transfer, {}) end
      fs.apps.execute(ch, app, data)
    end
  elseif action == "menu-sub" then
    local sub_menu = menu.top.by_name[arg or ""] or (ivr.from_xml and ivr.from_xml(arg, menu.top))
    if not sub_menu then
      util.err(ch, "Invalid Menu! %s", arg or "")
      return "error"
    end
    local _, after = run(ch, sub_menu, depth + 1)
    return after
  end
end

function run(ch, menu, depth)
  if depth > RECURSION_MAX then
    util.err(ch, "Too many levels of recursion.\n")
    return "failure", "end"
  end
  headers.fire("CUSTOM", ch, { { "Menu-Name", menu.name } }, "menu::enter")
  local failures, timeouts, status, after = 0, 0, "success", nil
  local greeting = menu.greet_long
  while not wait.gone(ch) do
    local keys, silent = collect(ch, menu, greeting)
    greeting = menu.greet_short or menu.greet_long
    if wait.gone(ch) then break end
    if silent then
      failures = failures + 1
    elseif keys == "" then
      timeouts = timeouts + 1
    else
      local pressed = keys
      keys = confirmed(ch, menu, keys)
      local matched = false
      if keys ~= "" then
        for i = 1, #menu.actions do
          local yes, arg = taken(menu.actions[i], keys)
          if yes then
            if not matched then headers.fire("CUSTOM", ch, { { "Menu-Name", menu.name }, { "IVR-Keys", keys } }, "menu::select") end
            matched = true
            local what = perform(ch, menu, menu.actions[i].action, arg, depth)
            if what == "error" then
              matched = false
            elseif what == "top" and depth == 0 then
              greeting = menu.greet_long
            elseif what then
              after = what
              break
            end
            if wait.gone(ch) then break end
          end
        end
      end
      if matched then
        failures, timeouts = 0, 0
      elseif not wait.gone(ch) then
        if pressed ~= "" and menu.invalid then play.file(ch, menu.invalid, {}) end
        failures = failures + 1
      end
    end
    if after then break end
    if failures >= menu.max_failures then
      status, after = "failure", "end"
      break
    end
    if timeouts >= menu.max_timeouts then
      status, after = "timeout", "end"
      break
    end
  end
  headers.fire("CUSTOM", ch, { { "Menu-Name", menu.name } }, "menu::exit")
  ch:set("ivr_menu_status", status)
  if after == "back" then after = nil end
  return status, after
end

local function execute(ch, menu)
  run(ch, menu, 0)
  if menu.exit and not wait.gone(ch) then play.file(ch, menu.exit, {}) end
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
  local ch = session and session.ch
  if not ch and not (session and session.far) then
    core.log(3, "Invalid menu context\n")
    return
  end
  if not name or name == "" then
    util.err(ch, "Invalid menu context\n")
    return
  end
  local menu = st.menu.top.by_name[name]
  if not menu then
    util.err(ch, "Invalid Menu!\n")
    return
  end
  if session.far then return fs.remote.menu(session, menu) end
  ivr.run(session, menu)
end)
function ivr.run(session, menu)
  local ch = session.ch
  if not ch then return end
  fs.callback.hangup_hook(session)
  if not wait.gone(ch) then execute(ch, menu) end
  fs.callback.hangup_hook(session)
end

-- --- menus of the XML ---

function ivr.from_xml(name, top)
  local node = name and fs.xmlconf.menu(name)
  if not node then return nil end
  local a = node.attr
  local function n(key) return util.int(a[key] or "0") end
  local menu = new_menu(top and { top = top } or nil, name, { greet_long = a["greet-long"], greet_short = a["greet-short"], invalid = a["invalid-sound"],
    exit = a["exit-sound"], transfer = a["transfer-sound"], confirm_macro = a["confirm-macro"], confirm_key = a["confirm-key"],
    tts_engine = a["tts-engine"], tts_voice = a["tts-voice"], confirm_attempts = n("confirm-attempts"), inter_timeout = n("inter-digit-timeout"),
    digit_len = n("digit-len"), timeout = n("timeout"), max_failures = n("max-failures"), max_timeouts = n("max-timeouts") })
  fs.xmlconf.each(node, "entry", function(entry) bind(menu, entry.attr.action, entry.attr.param, entry.attr.digits) end)
  return menu
end

function ivr.app(ch, name)
  local menu = ivr.from_xml(name, nil)
  if not menu then return util.err(ch, "Unable to find menu %s", name) end
  execute(ch, menu)
end
