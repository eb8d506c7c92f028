-- util.lua: the small text rules of FreeSWITCH that every file here needs: separating with quotes, true words, lists.
local core = ...
local fs = core.fs

local byte, concat, find, format, gmatch, gsub, lower, match, rep, sub =
  string.byte, table.concat, string.find, string.format, string.gmatch, string.gsub, string.lower, string.match, string.rep, string.sub
local tonumber, type, pairs = tonumber, type, pairs

local util = {}
fs.util = util

local true_words = { yes = true, on = true, ["true"] = true, t = true, enabled = true, active = true, allow = true }
local false_words = { no = true, off = true, ["false"] = true, f = true, disabled = true, inactive = true, disallow = true }

-- switch_true: one of the words, or a number other than 0.
function util.truth(text)
  if text == nil then return false end
  if text == true then return true end
  if true_words[lower(text)] then return true end
  local n = tonumber(text)
  return n ~= nil and n ~= 0
end

function util.falsity(text)
  if text == nil then return false end
  if false_words[lower(text)] then return true end
  return tonumber(text) == 0
end

function util.trim(text) return match(text, "^%s*(.-)%s*$") end

-- atoi: the leading integer, otherwise 0.
function util.int(text)
  if type(text) == "number" then return text < 0 and -math.floor(-text) or math.floor(text) end
  return tonumber(match(text or "", "^%s*([+-]?%d+)")) or 0
end

-- Nil for nil and "".
function util.some(text) if text ~= nil and text ~= "" then return text end end

local escapes = { n = "\n", r = "\r", t = "\t", s = " " }

-- One element as FreeSWITCH cleans it: outer space gone, quotes taken off, escapes resolved.
local function cleanup(text, delim)
  local out, n, i, last, inside = {}, #text, 1, 0, false
  while sub(text, i, i) == " " do i = i + 1 end
  while i <= n do
    local c = sub(text, i, i)
    local done = false
    if c == "\\" then
      local e = sub(text, i + 1, i + 1)
      if e == "'" or e == '"' or e == delim or e == "\\" then done = e elseif escapes[e] then done = escapes[e] end
      if done then
        out[#out + 1] = done
        last, i = #out, i + 2
      end
    end
    if not done then
      if c == "'" and (inside or find(text, "'", i + 1, true)) then
        inside = not inside
        if inside then last = #out end
      else
        out[#out + 1] = c
        if c ~= " " or inside then last = #out end
      end
      i = i + 1
    end
  end
  return concat(out, "", 1, last)
end
util.cleanup = cleanup

-- switch_separate_string: separates at one character; quotes and backslashes protect it. With " " runs of blanks count once, and a quote
-- that never closes protects all that follows. A delimiter at the very end begins no element. `limit`: the last element takes the rest.
function util.separate(text, delim, limit)
  local list, at, n, inside = {}, 1, #text, false
  local blank = delim == " "
  local function skip_blanks() while sub(text, at, at) == " " do at = at + 1 end end
  while at <= n do
    local begin, found = at, false
    if limit and #list + 1 >= limit then
      list[#list + 1] = cleanup(sub(text, begin), not blank and delim)
      break
    end
    if blank then skip_blanks() end
    while at <= n and not found do
      local c = sub(text, at, at)
      if c == "\\" then at = at + 1
      elseif c == "'" and (blank or inside or find(text, "'", at + 1, true)) then inside = not inside
      elseif c == delim and not inside then found = true end
      at = at + 1
    end
    list[#list + 1] = cleanup(sub(text, begin, found and at - 2 or n), not blank and delim)
    if blank then skip_blanks() end
  end
  return list
end

-- Plain split at a literal.
function util.split(text, literal)
  local list, at = {}, 1
  while true do
    local from, to = find(text, literal, at, true)
    if not from then break end
    list[#list + 1] = sub(text, at, from - 1)
    at = to + 1
  end
  list[#list + 1] = sub(text, at)
  return list
end

-- Text that may begin with ^^D: the list of its elements, D replacing the comma.
function util.delimited(text, delim)
  local d, rest = match(text, "^%^%^(.)(.*)$")
  if d then return util.separate(rest, d), d end
  return util.separate(text, delim or ","), delim or ","
end

-- A case-insensitive table: names as written last, found in any case, in order of setting.
local names = {}
names.__index = names
function util.names() return setmetatable({ order = {}, by = {} }, names) end
function names:set(name, value)
  local key = lower(name)
  local e = self.by[key]
  if not e then
    e = { name = name }
    self.by[key] = e
    self.order[#self.order + 1] = e
  end
  e.value = value
end
function names:get(name)
  local e = self.by[lower(name)]
  return e and e.value
end
function names:each(f) for i = 1, #self.order do f(self.order[i].name, self.order[i].value) end end
function names:merge(other) if other then other:each(function(n, v) self:set(n, v) end) end return self end
function names:copy() return util.names():merge(self) end

-- A cause word list ("USER_BUSY,17") holds this cause.
function util.cause_listed(list, cause)
  for word in gmatch(list, "[^,%s]+") do
    if lower(word) == lower(cause) or word == tostring(core.cause_number(cause)) then return true end
  end
  return false
end

function util.file_exists(path)
  local f = io.open(path, "rb")
  if not f then return false end
  local readable = f:read(0) ~= nil or f:seek("end") == 0
  f:close()
  return readable
end

function util.xml_escape(text)
  return (gsub(gsub(gsub(gsub(text, "&", "&amp;"), "<", "&lt;"), ">", "&gt;"), '"', "&quot;"))
end

-- As the text of an element: quotes stay.
function util.xml_text(text) return (gsub(gsub(gsub(text, "&", "&amp;"), "<", "&lt;"), ">", "&gt;")) end

-- switch_url_encode: what is not printable ASCII, and these.
local unsafe = '[^%w%-_%./\'!%$%(%)%*,~]'
function util.url_encode(text)
  return (gsub(text, unsafe, function(c) return format("%%%02X", byte(c)) end))
end
-- switch_url_decode: one digit will do, but two characters are taken.
function util.url_decode(text)
  return (gsub(text, "%%(..)", function(two)
    local digits = match(two, "^%s*(%x%x?)")
    return digits and string.char(tonumber(digits, 16)) or nil
  end))
end

-- A text as one word of a shell's line.
function util.shell_word(text) return "'" .. gsub(text, "'", "'\\''") .. "'" end

local json_escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }
function util.json_text(text)
  return '"' .. gsub(text, '[%z\1-\31"\\]', function(c) return json_escapes[c] or format("\\u%04x", byte(c)) end) .. '"'
end

function util.log(level, text, ch)
  core.log(level, text, ch and ch:uuid() or nil)
end
-- Level numbers as FreeSWITCH counts them.
util.CONSOLE, util.ALERT, util.CRIT, util.ERR, util.WARN, util.NOTICE, util.INFO, util.DEBUG = 0, 1, 2, 3, 4, 5, 6, 7
local levels = { console = 0, alert = 1, crit = 2, err = 3, warning = 4, notice = 5, info = 6, debug = 7 }
-- Is it the name of a level (any beginning of it will not do), or a number of one?
function util.level_known(word) return levels[lower(word)] ~= nil or match(word, "^[0-7]$") ~= nil end
-- Names in any case or digits; anything else is debug.
function util.level(word)
  if not word then return 7 end
  local n = levels[lower(word)]
  if n then return n end
  n = tonumber(match(word, "^%d+$"))
  if n and n <= 7 then return n end
  return 7
end

function util.err(ch, ...) core.log(3, format(...), ch and ch:uuid() or nil) end
function util.warn(ch, ...) core.log(4, format(...), ch and ch:uuid() or nil) end
