-- The command originate: every positional argument, and what it says when it fails.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local function uuid_of(reply) return reply:match("^%+OK (%S+)\n$") end
local function get(u, name) return T.api("uuid_getvar " .. u .. " " .. name) end
local function try(label, words, ...)
  local reply = T.api("originate " .. words)
  local u = uuid_of(reply)
  local out = {}
  if u then for i = 1, select("#", ...) do out[i] = T.word(get(u, (select(i, ...)))) end end
  T.print(label .. ": " .. T.word(u and "+OK <uuid>\n" or reply) .. " " .. table.concat(out, " "))
  if u then T.api("uuid_kill " .. u) end
end
try("application", "null/x &park()", "channel_name")
try("no parentheses", "null/x &park")
try("with variables", "{a=1,b='two words'}null/x &park()", "a", "b")
try("caller id", "null/x &park() XML default Ada 4711", "caller_id_name", "caller_id_number")
try("quoted name", "null/x &park() XML default 'Ada L' 4711", "caller_id_name", "caller_id_number")
try("undef", "null/x &park() undef undef undef 55", "caller_id_name", "caller_id_number")
try("timeout", "sofia/internal/rings@" .. T.sip .. " &park() undef undef undef undef 2")
try("fails", "error/USER_BUSY &park()")
try("nothing", "")
try("too few", "null/x")
try("too many", "null/x &park() a b c d e f g")
try("unknown endpoint", "nothing/x &park()")
local u = T.api("create_uuid")
try("its uuid", "{origination_uuid=" .. u .. "}null/x &park()", "uuid")
local tag = u:sub(1, 8)
T.hide(tag, "tag")
for _, where in ipairs({ "stay-" .. tag .. "1 XML far", "stay-" .. tag .. "2", "'set:landed=yes,park' inline" }) do
  local r = T.api("originate {a=1}null/x " .. where)
  local id = uuid_of(r)
  T.show(where, id ~= nil)
  if where:find("inline") then
    T.show("inline", T.wait(function() local v = get(id, "landed") return v ~= "_undef_" and v end))
  elseif where:find("XML") then
    T.show("landed", T.wait(function() local v = T.api("hash select/marks/" .. tag .. "1") return v ~= "" and v:gsub(":[^:]*$", "") end))
  else
    T.wait(function() return T.api("uuid_exists " .. id) == "false" end)
    T.show("default context has no such number", T.api("uuid_exists " .. id))
  end
  T.api("uuid_kill " .. id)
end
local con = freeswitch.EventConsumer("BACKGROUND_JOB")
local job = T.api("bgapi originate error/NO_ANSWER &park()"):match("Job%-UUID: (%S+)")
T.show("in the background", T.event(con, function(e) return e:getHeader("Job-UUID") == job end):getBody())
local script = T.script("o.lua", "session:setVariable('words', table.concat(argv, '|')) session:execute('park')")
u = uuid_of(T.api("originate null/x '&lua(" .. script .. " a b)'"))
T.show("&lua", T.wait(function() local v = get(u, "words") return v ~= "_undef_" and v end))
T.api("uuid_kill " .. u)
