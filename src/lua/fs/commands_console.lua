-- commands_console.lua: `console_complete`: what may follow on the line that somebody types (fs_cli's TAB key asks for it).
--
-- A command's own syntax says what its words may be: <uuid> = a living call, a|b|c = one of these, `[x]` = perhaps x. What a syntax
-- cannot say stands in `more`.
local core = ...
local fs = core.fs
local api = fs.api

local concat, format, gmatch, ipairs, match, sort, sub, tonumber = table.concat, string.format, string.gmatch, ipairs, string.match, table.sort, string.sub, tonumber

local function calls()
  local out = {}
  for _, ch in ipairs(core.channels()) do if ch:up() then out[#out + 1] = ch:uuid() end end
  for _, text in ipairs(fs.remote.gather("carillon_uuids")) do
    for uuid in gmatch(text, "%S+") do out[#out + 1] = uuid end
  end
  return out
end

-- For the other workers: the calls here.
api.commands.carillon_uuids = { name = "carillon_uuids", syntax = "", help = "", run = function()
  local out = {}
  for _, ch in ipairs(core.channels()) do if ch:up() then out[#out + 1] = ch:uuid() end end
  return concat(out, " ")
end }

local function commands()
  local out = {}
  for i, name in ipairs(api.order) do out[i] = name end
  return out
end

local function gateways()
  local out, list = {}, fs.engine("trunk", "list") or ""
  for name in gmatch(list, "\n([^\t\n]+)\t") do out[#out + 1] = name end
  return out
end

local function variables()
  local out = {}
  for name in pairs(core.globals()) do out[#out + 1] = name end
  return out
end

-- By "command word word …" of what stands before.
local more = {
  ["sofia status gateway"] = gateways, ["sofia xmlstatus gateway"] = gateways, ["global_getvar"] = variables, ["global_setvar"] = variables,
  ["bgapi"] = commands, ["help"] = commands, ["originate"] = function() return { "sofia/gateway/", "loopback/", "null/", "user/" } end,
  ["sofia status"] = function() return { "profile", "gateway" } end, ["sofia xmlstatus"] = function() return { "profile", "gateway" } end,
  ["sofia"] = function() return { "status", "xmlstatus", "jsonstatus", "profile", "loglevel" } end,
}

-- The words that a command's syntax allows at place n (1 = its first argument).
local function by_syntax(syntax, n)
  local at = 0
  for token in gmatch(syntax, "%S+") do
    at = at + 1
    if at == n then
      if match(token, "^%[?<[%w_]*uuid[%w_]*>%]?$") then return calls() end
      local out = {}
      for word in gmatch(match(token, "^%[?([%w_|%-]+)%]?$") or "", "[^|]+") do out[#out + 1] = word end
      return out
    end
  end
  return {}
end

local function candidates(before)
  if #before == 0 then return commands() end
  local found = more[concat(before, " ")]
  if found then return found() end
  local command = api.find(before[1])
  return command and by_syntax(command.syntax or "", #before) or {}
end

local function common(a, b)
  local n = 0
  while n < #a and n < #b and sub(a, n + 1, n + 1) == sub(b, n + 1, n + 1) do n = n + 1 end
  return sub(a, 1, n)
end

-- `[c=PLACE;]LINE`: the candidates, four to a line, and last how many characters before the cursor give way to what.
api.commands.console_complete = { name = "console_complete", syntax = "<line>", help = "", run = function(text)
  local cursor, line = match(text, "^c=(%d+);(.*)$")
  if not cursor then line = text end
  if cursor then -- a blank at its end was lost on the way
    cursor = tonumber(cursor)
    line = sub(line, 1, cursor) .. (cursor > #line and " " or "")
  end
  local words, last = {}, match(line, "(%S*)$")
  for word in gmatch(sub(line, 1, #line - #last), "%S+") do words[#words + 1] = word end
  local list, out, hits, partial = candidates(words), { "\n\n" }, 0, nil
  sort(list)
  for i, one in ipairs(list) do
    if sub(one, 1, #last) == last and one ~= list[i - 1] then
      hits = hits + 1
      partial = partial and common(partial, one) or one
      out[#out + 1] = format("[%20s]\t", one) .. (hits % 4 == 0 and "\n" or "")
    end
  end
  out[#out + 1] = "\n\n"
  if hits == 1 then out[#out + 1] = format("write=%d:%s%s", #last, partial, match(partial, "/$") and "" or " ")
  elseif hits > 1 and partial ~= "" then out[#out + 1] = format("write=%d:%s", #last, partial) end
  return concat(out)
end }
