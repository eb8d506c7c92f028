-- digits.lua: collecting keys: getDigits, read, playAndGetDigits, collectDigits, and the grammar of terminators.
local core = ...
local fs = core.fs
local util, headers, wait, channel = fs.util, fs.headers, fs.wait, fs.channel

local find, format, match, sub = string.find, string.format, string.match, string.sub

local digits = {}
fs.digits = digits

local BUFFER_MAX = 511

-- The next key that was pressed, with its DTMF event.
function digits.pressed(ch)
  local digit, duration = ch:take_digit()
  if not digit then return nil end
  local data = ch:data()
  if data.all_digits then data.all_digits[#data.all_digits + 1] = digit end
  headers.fire("DTMF", ch, { { "DTMF-Digit", digit }, { "DTMF-Duration", format("%d", duration or 2000) }, { "DTMF-Source", "RTP" } })
  return digit, duration
end

-- Presses keys, or what stands in their place where the call drops them (drop_dtmf, uuid_drop_dtmf). False if nothing goes out.
function digits.send(ch, token, keys, ms)
  if util.truth(ch:get("drop_dtmf")) then
    local file, mask = ch:get("drop_dtmf_masking_file"), ch:get("drop_dtmf_masking_digits") or ""
    local _, pressed = string.gsub(keys, "[0-9A-Da-d*#]", "")
    if file and pressed > 0 then fs.run_api("uuid_broadcast", ch:uuid() .. " " .. file .. " aleg", {}) end
    keys = string.rep(string.gsub(mask, "[^0-9A-Da-d*#]", ""), pressed)
    if keys == "" then return false end
  end
  return ch:send_digits(token, keys, ms)
end

-- How many keys wait, and the next one: those that no action is bound to (digit_actions.lua).
function digits.waiting(ch)
  local data = ch:data()
  if data.bound then fs.digit_actions.work(ch) end
  return (data.passed and #data.passed or 0) + (data.bound and 0 or ch:digits())
end
function digits.take(ch)
  local data = ch:data()
  if data.bound then fs.digit_actions.work(ch) end
  if data.passed and data.passed[1] then
    local one = table.remove(data.passed, 1)
    return one[1], one[2]
  end
  if not data.bound then return digits.pressed(ch) end
end
function digits.flush(ch)
  ch:data().passed = nil
  ch:flush_digits()
end

local DURATION_MS, DURATION_MS_MIN, DURATION_MS_MAX = 250, 50, 24000

-- "12@100+3": keys as if the far end had pressed them. True if there was one, false if there were only others, nil if there was nothing.
function digits.receive(ch, text)
  local sent, bad = false, false
  for _, part in ipairs(util.separate((string.gsub(text, "^~", "")), "+")) do
    local keys, ms = match(part, "^([^@]*)@?(.*)$")
    ms = util.int(ms)
    if ms <= DURATION_MS_MIN then ms = DURATION_MS end
    for key in string.gmatch(keys, ".") do
      if find(key, "[%d%*#A-Da-dFfwW]") then
        ch:queue_digit(key, math.min(ms, DURATION_MS_MAX) * 8)
        sent = true
      else
        bad = true
      end
    end
  end
  if sent then return true end
  return not bad and nil
end

local function listed(terminators, digit) return terminators and terminators ~= "" and find(terminators, digit, 1, true) ~= nil end

-- A time as C takes it: below zero is as good as for ever.
local function unsigned(ms) return ms and ms < 0 and ms + 2 ^ 32 or ms or 0 end

-- Collects up to o.max keys behind o.buffer. first_ms, inter_ms, abs_ms: 0 = none. uuid_break does not end it.
-- Gives the keys, the terminator or nil, and how it ended: success timeout hangup.
function digits.collect(ch, o)
  local buffer = o.buffer or ""
  local max = o.max < 0 and BUFFER_MAX or math.min(o.max, BUFFER_MAX)
  if #buffer >= max then return buffer, nil, "full" end
  for i = 1, #buffer do
    if listed(o.terminators, sub(buffer, i, i)) then return sub(buffer, 1, i - 1), sub(buffer, i, i), "success" end
  end
  local first, inter, total = unsigned(o.first_ms), unsigned(o.inter_ms), unsigned(o.abs_ms)
  if first > 0 and inter <= 0 then inter = first elseif first <= 0 and inter > 0 then first = inter end
  local stop_at = total > 0 and core.now() + total or nil
  local wait_ms = first
  while true do
    local deadline = wait_ms > 0 and core.now() + wait_ms or nil
    if stop_at and (not deadline or stop_at < deadline) then deadline = stop_at end
    local how, digit = wait.serve(ch, { deadline = deadline, on_digit = function() return true end, keep_breaks = true })
    if how ~= "stop" then return buffer, nil, how end
    if listed(o.terminators, digit) then return buffer, digit, "success" end
    buffer = buffer .. digit
    if #buffer >= max then return buffer, nil, "success" end
    wait_ms = inter
  end
end

-- Prompt and keys as o.min, o.max and the terminators want them: keys, status, and the terminator.
local function prompt_and_collect(ch, o, terminators)
  local buffer = ""
  if util.some(o.prompt) and string.lower(o.prompt) ~= "silence" then
    local how, value = fs.play.file(ch, o.prompt, { on_digit = function() return true end })
    if how == "stop" then buffer = value
    elseif how ~= "success" and how ~= "break" then return "", how end
  end
  if not ch:up() then return buffer, "hangup" end
  if #buffer >= o.max then return buffer, "success" end
  local digit_timeout = (o.digit_timeout_ms or 0) ~= 0 and o.digit_timeout_ms or o.timeout_ms
  local keys, terminator, how = digits.collect(ch, { buffer = buffer, max = o.max, terminators = terminators,
    first_ms = #buffer > 0 and digit_timeout or o.timeout_ms, inter_ms = digit_timeout })
  return keys, how, terminator
end

local results = { success = "success", timeout = "timeout" }
local unplayed = { notfound = true, nomedia = true, failed = true }

-- Prompt and keys. o: min max prompt timeout_ms terminators digit_timeout_ms var. Gives keys and status:
-- success timeout too_small restart hangup notfound.
function digits.read(ch, o)
  local terminators = o.terminators or ""
  local required = sub(terminators, 1, 1) == "="
  if o.max < o.min then
    util.warn(ch, "Max digits %d is less than Min %d, forcing Max to %d", o.max, o.min, o.min)
    o.max = o.min
  end
  ch:set("read_result", nil)
  if util.some(o.var) then ch:set(o.var, nil) end
  local buffer, status, terminator = prompt_and_collect(ch, o, terminators)
  if unplayed[status] then return buffer, status end
  if terminator then
    ch:set("read_terminator_used", terminator)
    local at = find(terminators, terminator, 1, true)
    local mark = at > 1 and sub(terminators, at - 1, at - 1)
    if mark == "+" or mark == "x" then
      buffer = buffer .. terminator
      if mark == "x" then status = "restart" end
    end
  elseif required then
    status = "too_small"
  end
  if o.min > 0 and #buffer < o.min then status = "too_small" end
  ch:set("read_result", results[status] or "failure")
  -- A single key that ended the prompt was never held against the terminators.
  if status ~= "restart" and o.max == 1 and #buffer == 1 and listed(terminators, buffer) then buffer = "" end
  if util.some(o.var) and buffer ~= "" then ch:set(o.var, buffer) end
  return buffer, status
end

local function transfer_away(ch, target)
  local words = util.separate(target, " ")
  util.warn(ch, "PAGD failure! Transfer to: %s / %s / %s", words[1] or "", words[2] or "", words[3] or "")
  fs.transfer.transfer(ch, words[1], words[2], words[3])
end

-- Asks up to o.tries times until the keys match o.regex. o: as read, tries, invalid, regex, transfer_on_failure.
function digits.play_and_get(ch, o)
  local var, regex = util.some(o.var), util.some(o.regex)
  if var and regex then ch:set(var .. "_invalid", nil) end
  local tries = o.tries < 0 and math.huge or o.tries
  while tries > 0 and not wait.gone(ch) do
    local keys, status = digits.read(ch, o)
    if status == "restart" then return keys end
    if status == "timeout" and #keys >= o.min then status = "success" end
    if o.min == 0 and keys == "" and ch:get("read_terminator_used") then return "" end
    if status == "success" and keys ~= "" then
      if not regex or core.regex(regex, keys) then return keys end
      if var then
        ch:set(var, nil)
        ch:set(var .. "_invalid", keys)
      end
    end
    if wait.gone(ch) then break end
    if util.some(o.invalid) then fs.play.file(ch, o.invalid, {}) end
    tries = tries - 1
  end
  if util.some(o.transfer_on_failure) and not wait.gone(ch) then transfer_away(ch, o.transfer_on_failure) end
  return ""
end
