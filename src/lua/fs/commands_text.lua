-- commands_text.lua: API commands that only work on text, numbers and time.
local core = ...
local fs = core.fs
local api, util, variables, event, expr = fs.api, fs.util, fs.variables, fs.event, fs.expr

local byte, concat, find, floor, format, gmatch, gsub, lower, match, sub, upper = string.byte, table.concat, string.find, math.floor,
  string.format, string.gmatch, string.gsub, string.lower, string.match, string.sub, string.upper
local os, tonumber, tostring = os, tonumber, tostring
local command = api.command

-- "m:D…" chooses the delimiter of what follows; | otherwise.
local function delimited(text)
  local d, rest = match(text, "^m:(.)(.*)$")
  return rest or text, d or "|"
end

-- At most n fields; the last takes the rest.
local function fields(text, d, n)
  local list, at = {}, 1
  while #list + 1 < n do
    local stop = find(text, d, at, true)
    if not stop then break end
    list[#list + 1] = sub(text, at, stop - 1)
    at = stop + 1
  end
  list[#list + 1] = sub(text, at)
  return list
end

command("toupper", "<text>", "the text in upper case", function(text) return upper(text) end)
command("tolower", "<text>", "the text in lower case", function(text) return lower(text) end)
command("echo", "<text>", "the text itself", function(text) return text end)
command("url_encode", "<text>", "the text with %XX", function(text) return util.url_encode(text) end)
command("url_decode", "<text>", "the text without %XX", function(text) return util.url_decode(text) end)
command("md5", "<text>", "its MD5 in hexadecimal digits", function(text)
  if text == "" then return "!err!" end
  return core.md5(text)
end)
command("sql_escape", "<text>", "quotes doubled", function(text) return (gsub(text, "'", "''")) end)
command("quote_shell_arg", "<text>", "one word for a shell", function(text) return "'" .. gsub(text, "'", "'\\''") .. "'" end)
local escapes = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["$"] = "\\$" }
command("escape", "<text>", "control characters written as \\n, \\r, \\t …", function(text)
  return (gsub(text, "[\n\r\t$]", escapes))
end)
command("coalesce", "[^^<delim>]<value>[,<value> …]", "the first value that is not empty", function(text)
  local list = util.delimited(text)
  for i = 1, #list do if list[i] ~= "" then return list[i] end end
  return ""
end)

command("replace", "[m:<delim>]<data>|<search>|<replacement>", "replaces all occurrences of a text", function(text)
  local rest, d = delimited(text)
  local f = fields(rest, d, 3)
  if #f < 3 or f[2] == "" or f[3] == "" then return "-ERR" end
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
  return (gsub(gsub(template, "[$%%]{(%d+)}", function(n) return captures[tonumber(n)] or "" end), "[$%%](%d)", function(n)
    return captures[tonumber(n)] or ""
  end))
end

command("regex", "[m:<delim>]<data>|<pattern>[|<substitution>][|n|b]", "true or false, or the substitution", function(text)
  local rest, d = delimited(text)
  local f = fields(rest, d, 4)
  if #f < 2 or f[2] == "" or (f[3] == "" and not f[4]) then return "-ERR" end
  local captures = core.regex(f[2], f[1])
  if not f[3] then return captures and "true" or "false" end
  if captures then return substitute(f[3], captures) end
  if f[4] == "n" then return "" end
  if f[4] == "b" then return "false" end
  return f[1]
end)

command("expr", "<expression>", "arithmetic", function(text) return text ~= "" and expr.evaluate(text) or "!err!" end)

-- A word of a condition: quoted, or up to the next blank; and what follows it.
local function operand(text)
  local inside, rest = match(text, "^'(.-)'%s(.*)$")
  if inside then return inside, rest, true end
  return match(text, "^(%S*) (.*)$")
end

-- Numbers (not quoted) are compared as such; two texts as text for equality; else the length counts for what is no number.
local function compare(a, a_quoted, op, b, b_quoted)
  local x, y = not a_quoted and tonumber(a), not b_quoted and tonumber(b)
  if not x and not y and (op == "=" or op == "==" or op == "!=") then return (a == b) == (op ~= "!=") end
  x, y = x or #a, y or #b
  if op == "!=" then return x ~= y elseif op == ">" then return x > y elseif op == ">=" then return x >= y
  elseif op == "<" then return x < y elseif op == "<=" then return x <= y end
  return x == y
end

command("cond", "<a> <op> <b> ? <true> : <false>", "one of two texts", function(text)
  local a, rest, a_quoted = operand(text)
  if not a then return "-ERR" end
  local op, behind = match(rest, "^%s*([!<>=]=?)%s*(.*)$")
  if not op or op == "!" then return "-ERR" end
  local b, chosen, b_quoted = operand(behind)
  chosen = b and match(chosen, "^%s*%?(.*)$")
  if not chosen then return "-ERR" end
  local texts = util.separate(chosen, ":", 2)
  if compare(a, a_quoted, op, b, b_quoted) then return texts[1] end
  return texts[2] or ""
end)

-- --- expansion ---

-- "uuid:X rest": the rest, and X if it is a call.
local function of_call(text)
  local uuid, rest = match(text, "^uuid:(%S+)%s*(.*)$")
  if not uuid then return text end
  return rest, fs.channel.find(uuid)
end

local function expanded(text, ch)
  if ch then return variables.expand_event(fs.headers.snapshot(ch), text) end
  return variables.expand_global(text)
end

command("eval", "[uuid:<uuid> ]<expression>", "the text with ${…} expanded", function(text) return expanded(of_call(text)) end)
command("expand", "[uuid:<uuid> ]<command> <arguments>", "expands ${…}, then runs the command", function(text, context)
  local name, arguments = match(expanded(of_call(text)), "^%s*(%S+)%s*(.*)$")
  if not name then return api.usage("expand") end
  return api.execute(name, arguments, context)
end)

-- --- time ---

command("strftime", "[<epoch>|][<format>]", "date and time as text", function(text)
  local epoch, form = match(text, "^(%d+)|.?(.*)$")
  if not epoch then form = text end
  if form == "" then form = "%Y-%m-%d %T" end
  return core.strftime(form, tonumber(epoch) or floor(core.utc_us() / 1000000)) or ""
end)
command("strftime_tz", "<zone> [<epoch>|][<format>]", "date and time of a zone", function(text)
  local zone, rest = match(text, "^(%S+)%s*(.*)$")
  if not zone then return "-ERR Invalid timezone/format\n" end
  local epoch, form = match(rest, "^(%d+)|(.*)$")
  form = epoch and form or rest
  if form == "" then form = "%Y-%m-%d %T" end
  return core.strftime(form, tonumber(epoch) or floor(core.utc_us() / 1000000), zone) or "-ERR Invalid timezone/format\n"
end)
command("strepoch", "[<date text>]", "seconds since 1970", function(text)
  if text == "" then return format("%d", floor(core.utc_us() / 1000000)) end
  local y, mo, d, rest = match(text, "^(%d%d%d%d)-(%d%d?)-(%d%d?)(.*)$")
  if not y then return format("%d", tonumber(match(text, "^%d+") or "0") or 0) end
  local h, mi, s = match(rest, "^[ T](%d%d?):(%d%d):?(%d?%d?)")
  local epoch = os.time({ year = tonumber(y), month = tonumber(mo), day = tonumber(d), hour = tonumber(h) or 0, min = tonumber(mi) or 0,
    sec = tonumber(s) or 0, isdst = nil })
  return format("%d", epoch or 0)
end)
command("create_uuid", "", "a new uuid", function() return core.uuid() end)

-- --- the machine ---

command("getenv", "<name>", "a variable of the environment", function(name)
  if name == "" then return "_undef_" end
  return os.getenv(name) or "_undef_"
end)
command("file_exists", "<path>", "true or false", function(path)
  local f = path ~= "" and io.open(path, "rb")
  if f then f:close() end
  return f and "true" or "false"
end)
command("system", "<command>", "runs a shell command; what it printed", function(text)
  if text == "" then return "-USAGE: <command>\n" end
  local reply = fs.wait.job("popen_read", text)
  return type(reply) == "table" and (reply.text or reply[1] or "") or tostring(reply or "")
end)
command("bg_system", "<command>", "runs a shell command beside", function(text)
  if text == "" then return "-USAGE: <command>\n" end
  core.spawn("bg_system", function() fs.wait.job("system", text) end)
  return "+OK\n"
end)
command("msleep", "<ms>", "waits", function(text)
  local op = fs.wait.op()
  fs.wait.finish(op, tonumber(text) or 0)
  return "+OK\n"
end)
command("host_lookup", "<name>", "its address", function(name)
  local out = fs.wait.job("popen_read", "getent hosts " .. "'" .. gsub(name, "'", "'\\''") .. "'")
  local text = type(out) == "table" and (out.text or "") or tostring(out or "")
  return match(text, "^(%S+)") or "-ERR\n"
end)

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
command("acl", "<address> <list or network>", "true or false", function(text)
  local address, list = match(text, "^(%S+)%s+(%S+)$")
  if not address then return "-ERR\n" end
  if util.in_network(address, list) then return "true" end
  local networks = builtin_lists[list]
  if networks then
    for i = 1, #networks do if util.in_network(address, networks[i]) then return "true" end end
  elseif fs.acl and fs.acl.check then
    return fs.acl.check(address, list) and "true" or "false"
  end
  return "false"
end)
