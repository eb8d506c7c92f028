-- timecheck.lua: dates and times as text: what a condition of the dialplan asks of the clock, and the epoch of a written date.
local core = ...
local fs = core.fs
local util, variables = fs.util, fs.variables

local floor, gmatch, lower, match, sub, tonumber = math.floor, string.gmatch, string.lower, string.match, string.sub, tonumber
local os = os

local timecheck = {}
fs.timecheck = timecheck

local DAY_HOURS_MAX = 24 * 366 -- more is no time of a day

-- Seconds since 1970 of "Y-m-d [H:M:S]", or of H[:M[:S]] today; nil if it is neither.
function timecheck.epoch_of(text)
  local y, mo, d, h, mi, s = match(text, "^(%d+)%-(%d+)%-(%d+)%s*(%d*):?(%d*):?(%d*)")
  if not y then
    h, mi, s = match(text, "^(%d*):?(%d*):?(%d*)$")
    if not h then return nil end
    local today = os.date("*t", floor(core.utc_us() / 1000000))
    y, mo, d = today.year, today.month, today.day
  end
  local midnight = os.time({ year = tonumber(y), month = tonumber(mo), day = tonumber(d), hour = 0 })
  return midnight and midnight + math.min(tonumber(h) or 0, DAY_HOURS_MAX) * 3600 + (tonumber(mi) or 0) * 60 + (tonumber(s) or 0)
end

-- A range from a to b holds n; one that is turned round (22-6) holds what is not between.
local function within(n, a, b)
  if a <= b then return n >= a and n <= b end
  return n >= a or n <= b
end

-- "1-5,7" holds n; what is no number ends the list.
local function numbers(text, n)
  for part in gmatch(text, "[^,]+") do
    local a, b = match(part, "^%s*([+-]?%d+)%-%s*([+-]?%d*)")
    a = a or match(part, "^%s*([+-]?%d+)")
    if within(n, tonumber(a) or 0, tonumber(b or a) or 0) then return true end
    if not match(part, "^%s*[+-]?%d+$") and not match(part, "^%s*%d+%-%d+$") then return false end
  end
  return false
end

local days = { sun = 1, mon = 2, tue = 3, wed = 4, thu = 5, fri = 6, sat = 7 }
local function day(word) return tonumber(word) or days[sub(lower(word), 1, 3)] end

local function weekdays(text, n)
  for part in gmatch(text, "[^,%s]+") do
    local a, b = match(part, "^(%w+)%-(%w+)$")
    a, b = day(a or part), day(b or part)
    if not a or not b then return false end
    if within(n, a, b) then return true end
  end
  return false
end

local function seconds_of_day(text)
  local h, m, s = match(text, "^%s*(%d+):(%d+):?(%d*)")
  return h and tonumber(h) * 3600 + tonumber(m) * 60 + (tonumber(s) or 0)
end
local function times_of_day(text, now)
  for part in gmatch(text, "[^,]+") do
    local a, b = match(part, "^([^%-]*)%-(.*)$")
    a, b = a and seconds_of_day(a), b and seconds_of_day(b)
    if a and b and within(now, a, b) then return true end
  end
  return false
end

-- "from~to,from~to": the end is outside.
local function dates(text, epoch)
  for part in gmatch(text, "[^,]+") do
    local a, b = match(part, "^([^~]*)~(.*)$")
    a, b = a and timecheck.epoch_of(a), b and timecheck.epoch_of(b)
    if a and b and a <= epoch and b > epoch then return true end
  end
  return false
end

-- The clock as a condition sees it: in the call's tod_tz_offset (hours), its timezone, or this machine's.
local function clock(ch)
  local epoch = floor(core.utc_us() / 1000000)
  local offset, zone = variables.get(ch, "tod_tz_offset"), util.some(variables.get(ch, "timezone"))
  local shifted = epoch
  if util.some(offset) and match(offset, "^[+-]?[%d.]+$") then
    offset = util.int(offset)
    shifted, zone = epoch + offset * 3600, "UTC"
  else
    local sign, hours = match(core.strftime("%z", epoch, zone) or "", "^([+-])(%d%d)")
    offset = (tonumber(hours) or 0) * (sign == "-" and -1 or 1)
  end
  local function part(f) return tonumber(core.strftime(f, shifted, zone)) or 0 end
  local c = { epoch = epoch, offset = offset, year = part("%Y"), yday = part("%j"), mon = part("%m"), mday = part("%d"), wday = part("%w") + 1,
    hour = part("%H"), minute = part("%M"), second = part("%S"), dst = os.date("*t", epoch).isdst }
  c.week = floor((c.yday - 1) / 7) + 1
  c.mweek = math.ceil((c.mday + (7 - math.fmod(c.mday - c.wday, 7)) % 7) / 7)
  return c
end

-- What may be asked, in this order: attribute, question.
local questions = {
  { "tz-offset", function(t, c) return not match(t, "^[+-]?%d+$") or util.int(t) == c.offset end },
  { "dst", function(t, c) return c.dst and util.truth(t) end },
  { "date-time", function(t, c) return dates(t, c.epoch) end },
  { "year", function(t, c) return numbers(t, c.year) end },
  { "yday", function(t, c) return numbers(t, c.yday) end },
  { "mon", function(t, c) return numbers(t, c.mon) end },
  { "mday", function(t, c) return numbers(t, c.mday) end },
  { "week", function(t, c) return numbers(t, c.week) end },
  { "mweek", function(t, c) return numbers(t, c.mweek) end },
  { "wday", function(t, c) return weekdays(t, c.wday) end },
  { "hour", function(t, c) return numbers(t, c.hour) end },
  { "minute", function(t, c) return numbers(t, c.minute) end },
  { "minute-of-day", function(t, c) return numbers(t, c.hour * 60 + c.minute + 1) end },
  { "time-of-day", function(t, c) return times_of_day(t, c.hour * 3600 + c.minute * 60 + c.second) end },
}

-- True, false, or nil when the attributes ask for no time.
function timecheck.matches(ch, attr)
  local c
  for i = 1, #questions do
    local text = attr[questions[i][1]]
    if text then
      c = c or clock(ch)
      if not questions[i][2](text, c) then return false end
    end
  end
  if c then return true end
end
