-- callback.lua: the script's input callback and hangup hook: when they run, what they get, what their answers mean.
local core = ...
local fs = core.fs
local util = fs.util

local find, format, lower, match, sub, tonumber, tostring, type, pcall, error =
  string.find, string.format, string.lower, string.match, string.sub, tonumber, tostring, type, pcall, error
local floor = math.floor

local callback = {}
fs.callback = callback

local NESTING_MAX = 25

-- What a callback returned, as FreeSWITCH takes it from the Lua stack: strings and numbers; anything else means "go on".
local function answer(value)
  if type(value) == "string" then return value end
  if type(value) == "number" then return value == floor(value) and format("%d", value) or tostring(value) end
end

local function globals(st) return st.globals or (core.script_data() or {}).__globals or {} end

-- Calls the global function `name`; an error is logged and counts as the given answer.
local function call(st, name, failed, ...)
  local f = globals(st)[name]
  local ok, value = pcall(f, ...)
  if not ok then
    util.err(st.ch, "error in %s: %s", name, tostring(value))
    return failed
  end
  return answer(value)
end

local function input(st, kind, object)
  local name, arg = st.cb_function, st.cb_arg
  if arg and arg ~= "" then return call(st, name, "break", fs.session.object_of(st), kind, object, globals(st)[arg]) end
  return call(st, name, "break", fs.session.object_of(st), kind, object)
end

-- A session of another worker's script (st.asked) asks there.
function callback.digit(st, digit, duration)
  if st.asked then return fs.remote.ask_back(st, "dtmf", digit, duration or 2000) end
  return input(st, "dtmf", { digit = digit, duration = duration or 2000 })
end

function callback.event(st, pairs_list)
  if st.asked then return fs.remote.ask_back(st, "event", pairs_list) end
  local e = fs.event.object(fs.event.from_pairs(pairs_list), true)
  globals(st).__Input_Event__ = e
  return input(st, "event", e)
end

-- Blocking methods count how deep callbacks have called them: beyond the limit they refuse.
function callback.enter(st)
  st.nesting = (st.nesting or 0) + 1
  if st.nesting > NESTING_MAX then
    util.err(st.ch, "RECURSION ERROR!  It's not the best idea to call things that collect input recursively from an input callback.")
    return false
  end
  return true
end
function callback.leave(st) st.nesting = st.nesting - 1 end

-- --- what an answer does ---

local go_on = { [""] = true, ["true"] = true, undefined = true }

-- Elsewhere than at a file: words stop.
function callback.stops(value) return value ~= nil and not go_on[value] end

-- A sign, and a number behind it; `default` for none and for 0.
local function signed(text, default)
  local sign, digits = match(text, "^([+-])(%d*)")
  if not sign then return nil end
  local n = tonumber(digits) or 0
  if n == 0 then n = default end
  return sign == "-" and -n or n
end

-- While a file plays or is written: control words go to the operation. True when it is to stop.
function callback.control(ch, token, value)
  if value == nil or go_on[value] then return false end
  local word = lower(value)
  local rest = match(word, ":(.*)$") -- what comes between these words and the colon is not looked at
  local level = sub(word, 1, 5) == "speed" and "speed" or sub(word, 1, 6) == "volume" and "volume"
  if level then
    if not rest then return true end
    local by = signed(rest, 1)
    if by then ch:control(token, level .. "_by", by) else ch:control(token, level, util.int(rest)) end
    return false
  elseif word == "pause" then
    ch:control(token, "pause_toggle", 0)
    return false
  elseif word == "restart" then
    ch:control(token, "restart", 0)
    return false
  elseif sub(word, 1, 4) == "seek" then
    if not rest then return false end
    local by = signed(rest, 1000)
    if by then ch:control(token, "seek_by_ms", by) else ch:control(token, "seek_ms", util.int(rest)) end
    return false
  elseif word == "truncate" then
    ch:control(token, "truncate", 0)
    return true
  end
  return true
end

-- --- the hangup hook ---

-- The hook itself: what it answered.
function callback.run_hook(st, status)
  if st.asked then return fs.remote.ask_back(st, "hook", status) end
  if st.hook_arg and st.hook_arg ~= "" then
    return call(st, st.hook_function, nil, fs.session.object_of(st), status, globals(st)[st.hook_arg])
  end
  return call(st, st.hook_function, nil, fs.session.object_of(st), status)
end

-- Runs it if the call ended or left since; once. "exit" and "die" end the script by an error.
function callback.hangup_hook(st, level)
  local name = st.hook_function
  if not name or st.hook_ran or not st.ch then return end
  local ch = st.ch
  local status
  if not ch:up() then status = "hangup" elseif ch:transferring() then status = "transfer" else return end
  st.hook_ran = true
  local value = callback.run_hook(st, status)
  if value then
    if ch and st.ch == ch then ch:set("lua_hangup_hook_return_val", value) end
    local word = lower(value)
    if word == "exit" or word == "die" then error(value, 0) end
  end
end
