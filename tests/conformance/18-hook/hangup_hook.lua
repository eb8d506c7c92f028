-- setHangupHook: when it runs, its arguments, what its answers do; api hooks and their env.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
info = { "the info" }
local log = {}
function hook(session, status, ...)
  log[#log + 1] = ("%s %d %s ready=%s v=%s"):format(status, select("#", ...), tostring((...) == info), tostring(session:ready()), tostring(session:getVariable("v")))
  return answer
end
local s = T.null("v=1")
s:setHangupHook("hook")
T.background([[freeswitch.msleep(200) freeswitch.API():executeString("uuid_kill " .. argv[1] .. " USER_BUSY")]], s.uuid)
s:sleep(5000)
s:ready()
T.show("hook", unpack(log))
T.show("once", #log, s:getVariable("lua_hangup_hook_return_val"))
log = {}
s = T.null("v=2")
s:setHangupHook("hook", "info")
s:hangup()
s:ready()
T.show("own hangup, with a name", unpack(log))
log = {}
answer = "some words"
s = T.null("v=3")
s:setHangupHook("hook", "info")
s:setAutoHangup(false)
s:transfer("stay-hook" .. s.uuid:sub(1, 8), "XML", "far")
s:ready()
T.show("transfer", (log[1] or "none"):match("^%S+"))
T.api("uuid_kill " .. s.uuid)
for _, word in ipairs({ "exit", "die", "other" }) do
  T.show("answer " .. word, T.api("lua " .. T.script("hook_" .. word .. ".lua", ([[
    function h() return "%s" end
    local s = freeswitch.Session("null/x")
    s:setHangupHook("h")
    stream:write("before ")
    freeswitch.API():executeString("uuid_kill " .. s.uuid)
    for i = 1, 20 do s:sleep(20) s:ready() end
    stream:write("after")]]):format(word))))
end
T.show("destroy in the hook", T.api("lua " .. T.script("hook_destroy.lua", [[
    function h(session) session:destroy("the end") end
    local s = freeswitch.Session("null/x")
    s:setHangupHook("h")
    freeswitch.API():executeString("uuid_kill " .. s.uuid)
    for i = 1, 20 do s:sleep(20) s:ready() end
    stream:write("went on")]])):match("went on"))
T.show("an error in the hook", T.api("lua " .. T.script("hook_error.lua", [[
    function h(session) error("broken hook") end
    local s = freeswitch.Session("null/x")
    s:setHangupHook("h")
    freeswitch.API():executeString("uuid_kill " .. s.uuid)
    for i = 1, 20 do s:sleep(20) s:ready() end
    stream:write("went on")]])))
local file = T.script("env.lua", [[
local f = io.open(argv[1], "w")
for _, name in ipairs({ "uuid", "mine", "variable_mine", "hangup_cause", "variable_hangup_cause", "Caller-Destination-Number", "Call-Direction", "variable_billsec" }) do
  f:write(name .. "=" .. tostring(env:getHeader(name)) .. "\n")
end
f:write("type=" .. env:getType() .. " all=" .. tostring(#env:serialize() > 500) .. " fires=" .. tostring(env:fire()) .. "\n")
f:write("expanded=" .. argv[2] .. "\nend\n")
f:close()]])
s = T.null("mine='two words'")
s:setVariable("api_hangup_hook", "lua " .. file .. " " .. T.work .. "/env ${mine}")
s:hangup("USER_BUSY")
T.lines("api_hangup_hook", T.await(T.work .. "/env"))
s = T.null("mine=x")
s:setVariable("api_reporting_hook", "lua " .. file .. " " .. T.work .. "/rep ${hangup_cause}")
s:hangup("CALL_REJECTED")
T.lines("api_reporting_hook", T.await(T.work .. "/rep"))
