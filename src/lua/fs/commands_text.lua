-- commands_text.lua: API commands that only work on text, numbers, time and addresses.
local core = ...
local fs = core.fs
local api, util, variables, event, expr = fs.api, fs.util, fs.variables, fs.event, fs.expr

local concat, find, floor, format, gsub, lower, match, sub, upper = table.concat, string.find, math.floor, string.format, string.gsub,
  string.lower, string.match, string.sub, string.upper
local tonumber = tonumber
local command = api.command

command("toupper", "<string>", "Upper Case a string", function(text) return upper(text) end)
command("tolower", "<string>", "Lower Case a string", function(text) return lower(text) end)
command("echo", "<data>", "Echo", function(text) return text end)
command("url_encode", "<string>", "Url encode a string", function(text) return core.url_encode(text) end)
command("url_decode", "<string>", "Url decode a string", function(text) return util.url_decode(text) end)
command("md5", "<data>", "Return md5 hash", function(text)
  if text == "" then return "!err!" end
  return core.md5(text)
end)
command("sql_escape", "<string>", "Escape a string to prevent sql injection", function(text) return (gsub(text, "'", "''")) end)
command("quote_shell_arg", "<data>", "Quote/escape a string for use on shell command line", function(text)
  return text == "" and "" or util.shell_word(text)
end)
local escapes = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", [" "] = "\\s", ["$"] = "\\$" }
command("escape", "<data>", "Escape a string", function(text) return (gsub(text, "[\n\r\t $]", escapes)) end)
command("coalesce", "[^^<delim>]<value1>,<value2>,...", "Return first nonempty parameter", function(text)
  local list = util.delimited(text)
  if #list == 0 then return api.usage("coalesce") end
  for i = 1, #list do if list[i] ~= "" then return list[i] end end
  return ""
end)

-- "m:D…" chooses the delimiter of what follows: one of | ~ /; | otherwise. The fields, at most n.
local function fields(text, n)
  local d, rest = match(text, "^m:([|~/])(.*)$")
  return util.separate(rest or text, d or "|", n)
end

command("replace", "<data>|<string1>|<string2>", "Replace a string", function(text)
  local f = fields(text, 3)
  if #f < 3 then return "-ERR" end
  if f[2] == "" then return f[1] end
  local out, at = {}, 1
  while true do
    local from, to = find(f[1], f[2], at, true)
    if not from then break end
    out[#out + 1] = sub(f[1], at, from - 1)
    out[#out + 1] = f[3]
    at = to + 1
  end
  return concat(out) .. sub(f[1], at)
end)

-- $1 and ${1} in a substitution; % as well as $ where a dialplan would expand the dollar.
local function substitute(template, captures)
  template = gsub(template, "%%", "$")
  local function group(n) return captures[tonumber(n)] or "" end
  return (gsub(gsub(template, "%${(%d+)}", group), "%$(%d+)", group))
end

-- A substitution has room for the data, the template and ten more, once for each group that matched.
local function room(f, captures)
  local matched = 1
  for i = 1, #captures do if (captures.starts[i] or 0) > 0 then matched = i + 1 end end
  return (#f[1] + #f[3] + 10) * matched - 1
end

command("regex", "<data>|<pattern>[|<subst string>][n|b]", "Evaluate a regex", function(text)
  local f = fields(text, 4)
  if #f < 2 then return "-ERR" end
  local captures = core.regex(f[2], f[1])
  if not f[3] then return captures and "true" or "false" end
  if captures then return sub(substitute(f[3], captures), 1, room(f, captures)) end
  local flags = f[4] or ""
  if find(flags, "n", 1, true) then return "" end
  if find(flags, "b", 1, true) then return "false" end
  return f[1]
end)

command("expr", "<expr>", "Eval an expression", function(text) return text ~= "" and expr.evaluate(text) or "!err!" end)

-- An operand of a condition at `at`: its text, where it ends, whether it was quoted; nil without a blank behind it.
local function operand(text, at)
  if sub(text, at, at) ~= "'" then
    local stop = find(text, " ", at, true)
    if stop then return sub(text, at, stop - 1), stop + 1, false end
    return nil
  end
  local i = at + 1
  while i <= #text and sub(text, i, i) ~= "'" do
    if find(text, "^\\[\\']", i) then i = i + 1 end
    i = i + 1
  end
  if find(text, "^'%s", i) then return sub(text, at + 1, i - 1), i + 1, true end
end

-- A number as it is read, after what may be no more than a sign; nil for a text.
local function number(text, quoted)
  if quoted or not match(text, "^[+-]?[%d.]*$") then return nil end
  return tonumber(match(text, "^[+-]?%d+%.?%d*") or match(text, "^[+-]?%.%d+")) or 0
end

-- Numbers (not quoted) are compared as such; two texts as text for equality; else the length counts for what is no number.
local function compare(a, a_quoted, op, b, b_quoted)
  local x, y = number(a, a_quoted), number(b, b_quoted)
  if not x and not y and (op == "==" or op == "!=") then return (a == b) == (op == "==") end
  x, y = x or #a, y or #b
  if op == "!=" then return x ~= y elseif op == ">" then return x > y elseif op == ">=" then return x >= y
  elseif op == "<" then return x < y elseif op == "<=" then return x <= y end
  return x == y
end

-- Exactly one character may stand between the operator and what is compared with, and it is passed over whatever it is.
command("cond", "<expr> ? <true val> : <false val>", "Evaluate a conditional", function(text)
  local a, at, a_quoted = operand(text, 1)
  if not a then return "-ERR" end
  at = match(text, "^%s*()", at)
  local op = match(text, "^[!<>=]=", at) or match(text, "^[<>]", at)
  if not op then return "-ERR" end
  at = match(text, "^%s*()", at + #op + 1)
  if not at then return "-ERR" end
  local b, behind, b_quoted = operand(text, at)
  behind = b and match(text, "^%s*%?()", behind)
  if not behind then return "-ERR" end
  local texts = util.separate(":" .. sub(text, behind), ":", 3)
  if #texts < 2 then return "-ERR" end
  if compare(a, a_quoted, op, b, b_quoted) then return texts[2] end
  return texts[3] or ""
end)

-- --- expansion ---

-- "uuid:X rest": the rest, nil if there is none, and X if it is a call.
local function of_call(text)
  if not find(text, "^[uU][uU][iI][dD]:") then return text end
  local uuid, rest = match(text, "^.....([^ ]*) (.*)$")
  return util.some(rest), fs.channel.find(uuid)
end

-- What ${…} may name: the headers of such an event, and of the call if there is one.
local function headers_of(name, ch)
  if ch then return fs.headers.snapshot(ch) end
  return event.make(name)
end

command("eval", "[uuid:<uuid> ]<expression>", "eval (noop)", function(text)
  local rest, ch = of_call(text)
  return rest and variables.expand_event(headers_of("CHANNEL_DATA", ch), rest) or ""
end)
command("expand", "[uuid:<uuid> ]<cmd> <args>", "Execute an api with variable expansion", function(text, context)
  local rest, ch = of_call(text)
  if not util.some(rest) then return "-ERR No input\n" end
  local e = headers_of("API", ch)
  event.add(e, "API-Command", "expand")
  event.add(e, "API-Command-Argument", text)
  local name, arguments = match(rest, "^([^ ]*) ?(.*)$")
  return api.run(name, variables.expand_event(e, arguments), context) or "INVALID COMMAND!\n-ERR Cannot execute command\n"
end)

-- --- time ---

local function now_s() return floor(core.utc_us() / 1000000) end
local default_format = "%Y-%m-%d %T"

-- The character behind the bar is passed over.
command("strftime", "<format_string>", "strftime", function(text)
  local epoch, form = match(text, "^([^|]*)|.?(.*)$")
  return core.strftime(util.some(form or text) or default_format, epoch and util.int(epoch) or now_s()) or ""
end)
command("strftime_tz", "<timezone_name> [<epoch>|][format string]", "Display formatted time of timezone", function(text)
  local zone, rest = match(text, "^([^ ]*) ?(.*)$")
  local epoch, form = match(rest, "^([^|]*)|(.*)$")
  epoch = epoch and util.int(epoch) or 0
  local out = core.strftime(util.some(form or rest) or default_format, epoch ~= 0 and epoch or now_s(), util.some(zone) or "GMT")
  return util.some(out) or "-ERR Invalid timezone/format\n"
end)

command("strepoch", "<string>", "Convert a date string into epoch time", function(text)
  return format("%d", text == "" and now_s() or fs.timecheck.epoch_of(text) or 0)
end)
command("strmicroepoch", "<string>", "Convert a date string into micoepoch time", function(text)
  return format("%.0f", text == "" and core.utc_us() or (fs.timecheck.epoch_of(text) or 0) * 1000000)
end)
command("create_uuid", "<uuid> <other_uuid>", "Create a uuid", function() return core.uuid() end)

-- --- addresses ---

local function ipv4(text)
  local a, b, c, d = match(text or "", "^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  if not a or tonumber(a) > 255 or tonumber(b) > 255 or tonumber(c) > 255 or tonumber(d) > 255 then return nil end
  return ((tonumber(a) * 256 + tonumber(b)) * 256 + tonumber(c)) * 256 + tonumber(d)
end

-- An address within a network "a.b.c.d/bits"; nil if either is no IPv4.
function util.in_network(address, network)
  local base, bits = match(network, "^([%d%.]+)/(%d+)$")
  local a, n = ipv4(address), ipv4(base or network)
  bits = tonumber(bits or 32)
  if not a or not n or bits > 32 then return nil end
  local size = 2 ^ (32 - bits)
  return floor(a / size) == floor(n / size)
end

local builtin_lists = {
  ["loopback.auto"] = { "127.0.0.0/8" },
  ["rfc1918.auto"] = { "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16" },
  ["any_v4.auto"] = { "0.0.0.0/0" },
}
command("acl", "<ip> <list_name>", "Compare an ip to an acl list", function(text)
  local address, list = match(text, "^(%S+)%s+(%S+)")
  if not address then return "false" end
  if util.in_network(address, list) then return "true" end
  local networks = builtin_lists[list]
  if networks then
    for i = 1, #networks do if util.in_network(address, networks[i]) then return "true" end end
  elseif fs.acl and fs.acl.check then
    return fs.acl.check(address, list) and "true" or "false"
  end
  return "false"
end)

-- Beginnings of addresses that no network outside knows.
local lan = { "10.", "192.168.", "127.", "255.", "0.", "1.", "2.", "192.0.2.", "169.254." }
for n = 16, 31 do lan[#lan + 1] = format("172.%d.", n) end
command("is_lan_addr", "<ip>", "See if an ip is a lan addr", function(address)
  for i = 1, #lan do if sub(address, 1, #lan[i]) == lan[i] then return "true" end end
  return "false"
end)

command("say_string", "<module_name>[.<ext>] <lang>[.<ext>] <say_type> <say_method> [<say_gender>] <text>", "what `say` would play", function(text, context)
  local w = util.separate(text, " ", 6)
  if #w ~= 5 and #w ~= 6 then return "-ERR Usage: " .. api.commands.say_string.syntax .. "\n" end
  local module_suffix, lang, lang_suffix = match(w[1], "%.(.*)$"), match(w[2], "^([^.]*)%.?(.*)$")
  local said, strip = w[#w], false
  if sub(said, 1, 1) == "~" then said, strip = sub(said, 2), true end
  if module_suffix then lang = w[2] end
  local string = fs.say.string(context.channel, said, lang, w[3], w[4], #w == 6 and w[5] or nil, module_suffix or util.some(lang_suffix) or "wav")
  if not string then return "-ERR Usage: " .. api.commands.say_string.syntax .. "\n" end
  return strip and sub(string, 15) or string
end)
