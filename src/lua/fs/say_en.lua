-- say_en.lua: English: which files say a number, a time, a sum of money, a telephone number; to the letter as mod_say_en.
--
-- Each function gets `say` = { list of names without suffix, method, kind, zone = the call's time zone } and the text; false and what is
-- wrong if it cannot be said.
local core = ...
local fs = core.fs
local util = fs.util

local byte, find, floor, format, gmatch, gsub, lower, match, sub, tonumber =
  string.byte, string.find, math.floor, string.format, string.gmatch, string.gsub, string.lower, string.match, string.sub, tonumber

local PARSE_ERROR = "Parse Error!"

local function add(say, name) say[#say + 1] = name end

-- --- numbers ---

local function group(say, counted, n, what)
  local a, b, c = floor(n / 100), floor(n / 10) % 10, n % 10
  if a > 0 then
    add(say, "digits/" .. a)
    add(say, "digits/hundred")
  end
  if b > 1 then
    add(say, (c == 0 and counted and "digits/h-" or "digits/") .. b .. "0")
  elseif b == 1 then
    add(say, "digits/1" .. c)
    c = 0
  end
  if c > 0 then add(say, (counted and "digits/h-" or "digits/") .. c) end
  if what and n > 0 then add(say, what) end
end

local function pronounce(say, n, counted)
  if n == 0 then return add(say, "digits/0") end
  group(say, false, floor(n / 1000000), "digits/million")
  group(say, false, floor(n / 1000) % 1000, "digits/thousand")
  group(say, counted, n % 1000)
end

local function year(say, n)
  local century, rest = floor(n / 100), n % 100
  if n == 0 or rest == 0 or century % 10 == 0 then return pronounce(say, n) end
  pronounce(say, century)
  pronounce(say, rest)
end

local function count(say, text)
  if not find(text, "^[%d,]*$") then return false, PARSE_ERROR end
  local digits = gsub(text, ",", "")
  if say.method == "iterated" then
    for c in gmatch(digits, ".") do add(say, "digits/" .. c) end
    return true
  end
  if #digits > 9 then return false, PARSE_ERROR end
  local n = tonumber(digits) or 0
  if say.method == "pronounced_year" then year(say, n)
  elseif n == 0 or say.method == "pronounced" or say.method == "counted" then pronounce(say, n, say.method == "counted") end
  return true
end

local function money(say, text)
  if #text > 15 then return false, PARSE_ERROR end
  local dollars, cents = match(gsub(text, "[^%d.+-]", ""), "^([^.]*)%.?(.*)$")
  local sign = sub(dollars, 1, 1)
  if sign == "-" then add(say, "currency/negative") end
  if sign == "-" or sign == "+" then dollars = sub(dollars, 2) end
  count(say, dollars)
  add(say, util.int(dollars) == 1 and "currency/dollar" or "currency/dollars")
  if find(text, ".", 1, true) then
    cents = sub(cents, 1, 2)
    add(say, "currency/and")
    count(say, cents)
    add(say, util.int(cents) == 1 and "currency/cent" or "currency/cents")
  end
  return true
end

-- --- times ---

local function unit(say, n, name)
  if n == 0 then add(say, "digits/0") else pronounce(say, n) end
  add(say, "time/" .. name .. (n == 1 and "" or "s"))
end

local function duration(say, text)
  local hours, minutes, seconds = 0, 0, 0
  if find(text, ":", 1, true) then
    local front, last = match(text, "^(.*):([^:]*)$")
    local h, m = match(front, "^([^:]*):(.*)$")
    hours, minutes, seconds = util.int(h or "0"), util.int(m or front), util.int(last)
  else
    seconds = util.int(text)
    if seconds <= 0 then seconds = floor(core.utc_us() / 1000000) end
    hours, minutes, seconds = floor(seconds / 3600), floor(seconds / 60) % 60, seconds % 60
  end
  unit(say, hours, "hour")
  unit(say, minutes, "minute")
  unit(say, seconds, "second")
  return true
end

-- The parts of a second since 1970 in the call's zone: a name, or an offset in seconds.
local function parts(epoch, zone)
  local offset = util.int(zone)
  local text
  if offset ~= 0 then text = core.strftime("%Y %m %d %H %M %w %j", epoch + offset, "UTC")
  else text = core.strftime("%Y %m %d %H %M %w %j", epoch, util.some(zone)) end
  local t = {}
  for word in gmatch(text, "%d+") do t[#t + 1] = tonumber(word) end
  return { year = t[1], month = t[2] - 1, day = t[3], hour = t[4], minute = t[5], weekday = t[6], yearday = t[7] }
end

-- What is said of a date: dow month day year, or today, yesterday.
local function date_of(kind, t, now)
  if kind == "current_time" then return {} end
  local all = { dow = true, month = true, day = true, year = true }
  if kind ~= "short_date_time" then return all end
  local later = t.month > now.month or t.month == now.month and t.day > now.day
  if t.year ~= now.year or later then return all end
  if t.yearday == now.yearday then return { today = true } end
  if t.yearday == now.yearday - 1 then return { yesterday = true } end
  if t.yearday >= now.yearday - 5 then return { dow = true } end
  return { dow = true, month = true, day = true }
end

local function military(say, t)
  local hour = t.hour == 0 and t.minute == 0 and 24 or t.hour
  if hour < 10 then add(say, "digits/0") end
  pronounce(say, hour)
  if t.minute == 0 then
    add(say, "digits/hundred")
  else
    if t.minute < 10 then add(say, "digits/0") end
    pronounce(say, t.minute)
  end
  add(say, "time/hours")
end

local function clock(say, t)
  pronounce(say, t.hour % 12 == 0 and 12 or t.hour % 12)
  if t.minute == 0 then
    add(say, "time/oclock")
  else
    if t.minute < 10 then add(say, "time/oh") end
    pronounce(say, t.minute)
  end
  add(say, t.hour >= 12 and "time/p-m" or "time/a-m")
end

-- "2026-11-25 10:30:00" in local time, or seconds since 1970; 0 for anything else.
local function epoch_of(text)
  local y, mo, d, h, mi, s = match(text, "^%s*(%d+)%-(%d+)%-(%d+)%s*(%d*):?(%d*):?(%d*)$")
  if y and find(text, ":", 1, true) then
    return os.time({ year = tonumber(y), month = tonumber(mo), day = tonumber(d), hour = tonumber(h) or 0, min = tonumber(mi) or 0, sec = tonumber(s) or 0 })
  end
  return util.int(text)
end

local function when(say, text)
  local now, epoch = floor(core.utc_us() / 1000000), epoch_of(text)
  local t = parts(epoch > 0 and epoch or now, say.zone)
  local date = date_of(say.kind, t, parts(now, say.zone))
  if date.today then add(say, "time/today") end
  if date.yesterday then add(say, "time/yesterday") end
  if date.dow then add(say, "time/day-" .. t.weekday) end
  if date.month then add(say, "time/mon-" .. t.month) end
  if date.day then pronounce(say, t.day, true) end
  if date.year then year(say, t.year) end
  if say.kind == "current_date" then return true end
  if date.today or date.yesterday or date.dow then add(say, "time/at") end
  if say.method == "iterated" then military(say, t) else clock(say, t) end
  return true
end

-- --- other things ---

local function address(say, text)
  local a, b, c, d = match(text, "^([^.]*)%.([^.]*)%.([^.]*)%.(.*)$")
  if not a then return false end
  for i, part in ipairs({ a, b, c, d }) do
    if i > 1 then add(say, "digits/dot") end
    local n = util.int(part)
    local ok, problem = count(say, format("%d", n < 0 and n + 2 ^ 32 or n))
    if not ok then return false, problem end
  end
  return true
end

local function telephone(say, text)
  local pause = false
  for c in gmatch(lower(text), ".") do
    local sound = find(c, "%d") and "digits/" .. c or find(c, "[%l+]") and "ascii/" .. byte(c)
    if sound or not pause then add(say, sound or "silence_stream://100") end
    pause = not sound
  end
  return true
end

local function spell(folder)
  return function(say, text)
    for c in gmatch(lower(text), ".") do add(say, find(c, "%d") and "digits/" .. c or folder .. byte(c)) end
    return true
  end
end

local kinds = { number = count, items = count, persons = count, messages = count, currency = money, time_measurement = duration,
  current_date = when, current_time = when, current_date_time = when, short_date_time = when, ip_address = address,
  telephone_number = telephone, name_spelled = spell("ascii/"), name_phonetic = spell("phonetic-ascii/") }

fs.say.modules.en = function(text, kind, method, _, zone)
  if not kinds[kind] then return nil, "Unknown Say type" end
  local say = { kind = kind, method = method, zone = zone }
  local ok, problem = kinds[kind](say, text)
  return say, not ok and problem or nil
end
