-- say_en.lua: English: which files say a number, a time, a sum of money, a telephone number.
local core = ...
local fs = core.fs

local byte, find, floor, format, gmatch, gsub, lower, match, sub, tonumber =
  string.byte, string.find, math.floor, string.format, string.gmatch, string.gsub, string.lower, string.match, string.sub, tonumber

local function add(list, ...)
  for i = 1, select("#", ...) do list[#list + 1] = (select(i, ...)) .. ".wav" end
end

-- Below a thousand. counted: the last word is an ordinal ("h-3").
local function below_thousand(list, n, counted)
  local hundreds, rest = floor(n / 100), n % 100
  if hundreds > 0 then add(list, "digits/" .. hundreds, counted and rest == 0 and "digits/h-hundred" or "digits/hundred") end
  if rest == 0 then return end
  local h = counted and "digits/h-" or "digits/"
  if rest <= 20 then add(list, h .. rest)
  else
    local tens, ones = floor(rest / 10) * 10, rest % 10
    if ones == 0 then add(list, h .. tens) else add(list, "digits/" .. tens, h .. ones) end
  end
end

local function number(list, n, counted)
  if n < 0 then
    add(list, "currency/negative")
    n = -n
  end
  if n == 0 then return add(list, "digits/0") end
  local millions, thousands, rest = floor(n / 1000000), floor(n / 1000) % 1000, n % 1000
  if millions > 0 then
    below_thousand(list, millions % 1000, false)
    add(list, "digits/million")
  end
  if thousands > 0 then
    below_thousand(list, thousands, false)
    add(list, "digits/thousand")
  end
  below_thousand(list, rest, counted)
end

local function iterate(list, text)
  for c in gmatch(text, ".") do
    if find(c, "%d") then add(list, "digits/" .. c)
    elseif c == "." then add(list, "digits/dot")
    elseif c == "*" then add(list, "digits/star")
    elseif c == "#" then add(list, "digits/pound") end
  end
end

local function spell(list, text, folder)
  for c in gmatch(lower(text), ".") do add(list, format("%s/%d", folder, byte(c))) end
end

local function general(text, kind, method)
  local list = {}
  local plain = gsub(text, "[,%s]", "")
  if method == "iterated" then
    iterate(list, plain)
    return list
  end
  local sign, whole, fraction = match(plain, "^([+-]?)(%d+)%.?(%d*)$")
  if not whole then return nil, "Parse Error!" end
  if #whole > 9 then
    iterate(list, plain)
    return list
  end
  if sign == "-" then add(list, "currency/negative") end
  if method == "pronounced_year" then
    local year = tonumber(whole)
    if year >= 1000 and year < 10000 and floor(year / 100) % 10 ~= 0 then
      number(list, floor(year / 100))
      if year % 100 == 0 then add(list, "digits/hundred") else
        if year % 100 < 10 then add(list, "digits/0") end
        number(list, year % 100)
      end
      return list
    end
  end
  number(list, tonumber(whole), method == "counted")
  if fraction ~= "" then
    add(list, "digits/dot")
    iterate(list, fraction)
  end
  return list
end

local function money(text)
  local list = {}
  local sign, dollars, cents = match(gsub(text, "[,$%s]", ""), "^([+-]?)(%d+)%.?(%d*)$")
  if not dollars then return nil, "Parse Error!" end
  if sign == "-" then add(list, "currency/negative") end
  number(list, tonumber(dollars))
  add(list, tonumber(dollars) == 1 and "currency/dollar" or "currency/dollars")
  cents = tonumber(sub(cents .. "00", 1, 2))
  add(list, "currency/and")
  number(list, cents)
  add(list, cents == 1 and "currency/cent" or "currency/cents")
  return list
end

local function duration(text)
  local list = {}
  local h, m, s = match(text, "^(%d+):(%d+):(%d+)$")
  if not h then
    m, s = match(text, "^(%d+):(%d+)$")
    h = 0
  end
  if not m then
    local total = tonumber(match(text, "^%d+$"))
    if not total then return nil, "Parse Error!" end
    h, m, s = floor(total / 3600), floor(total / 60) % 60, total % 60
  end
  local any = false
  for _, part in ipairs({ { tonumber(h), "hour" }, { tonumber(m), "minute" }, { tonumber(s), "second" } }) do
    if part[1] > 0 then
      any = true
      number(list, part[1])
      add(list, "time/" .. part[2] .. (part[1] == 1 and "" or "s"))
    end
  end
  if not any then add(list, "digits/0", "time/seconds") end
  return list
end

local function when(text, kind)
  local list = {}
  local epoch = tonumber(match(text, "^%d+$")) or floor(core.utc_us() / 1000000)
  local function part(f) return tonumber(core.strftime(f, epoch)) end
  local date, clock = kind ~= "current_time", kind ~= "current_date"
  if kind == "short_date_time" then
    local days = floor(core.utc_us() / 1000000 / 86400) - floor(epoch / 86400)
    if days == 0 then
      add(list, "time/today")
      date = false
    elseif days == 1 then
      add(list, "time/yesterday")
      date = false
    end
  end
  if date then
    add(list, "time/day-" .. part("%w"), "time/mon-" .. part("%m") - 1)
    number(list, part("%d"), true)
    if kind ~= "short_date_time" then
      for _, f in ipairs(general(tostring(part("%Y")), "number", "pronounced_year")) do list[#list + 1] = f end
    end
  end
  if clock then
    if kind == "short_date_time" then add(list, "time/at") end
    local hour, minute = part("%H"), part("%M")
    local h = hour % 12
    number(list, h == 0 and 12 or h)
    if minute > 9 then number(list, minute) elseif minute > 0 then
      add(list, "time/oh")
      number(list, minute)
    else add(list, "time/oclock") end
    add(list, hour >= 12 and "time/p-m" or "time/a-m")
  end
  return list
end

local function address(text)
  local list = {}
  local parts = fs.util.split(text, ".")
  for i = 1, #parts do
    local n = tonumber(match(parts[i], "^%d+$"))
    if not n then
      spell(list, text, "ascii")
      return list
    end
    number(list, n)
    if i < #parts then add(list, "digits/dot") end
  end
  return list
end

local kinds = { number = general, items = general, persons = general, messages = general, currency = money, time_measurement = duration,
  current_date = when, current_time = when, current_date_time = when, short_date_time = when, ip_address = address }
for _, kind in ipairs({ "telephone_number", "telephone_extension", "account_number" }) do
  kinds[kind] = function(text) local list = {} iterate(list, text) return list end
end
for _, kind in ipairs({ "name_spelled", "url", "email_address", "e-mail_address", "postal_address" }) do
  kinds[kind] = function(text) local list = {} spell(list, text, "ascii") return list end
end
function kinds.name_phonetic(text)
  local list = {}
  spell(list, text, "phonetic-ascii")
  return list
end

fs.say.modules.en = function(text, kind, method, gender) return kinds[kind](text, kind, method, gender) end
