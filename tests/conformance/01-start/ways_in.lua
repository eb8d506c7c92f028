-- Which globals each way of starting a script gives.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local kinds = [[
local function k(n) return n .. "=" .. type(_G[n]) end
local text = table.concat({ k"session", k"stream", k"env", k"argv", k"event", k"message", k"params", k"XML_REQUEST", k"freeswitch" }, " ")
]]
local api = T.script("api.lua", kinds .. "stream:write(text)")
T.show("api lua", T.api("lua " .. api))
local file = T.script("file.lua", kinds .. [[local f = io.open(argv[1], "w") f:write(text .. "\nend\n") f:close()]])
T.show("luarun answers", T.api("luarun " .. file .. " " .. T.work .. "/luarun"))
T.show("luarun", T.await(T.work .. "/luarun"))
T.show("luarun without words", T.api("luarun"))
T.show("lua without words", T.api("lua"))
local s = T.far("script", "sip_h_X-Script=" .. file .. ",sip_h_X-Words=" .. T.work .. "/app")
T.show("application", T.await(T.work .. "/app"))
s:hangup()
local n = T.null("api_hangup_hook='lua " .. file .. " " .. T.work .. "/hook'")
n:hangup()
T.show("hangup hook", T.await(T.work .. "/hook"))
n = T.null("session_in_hangup_hook=true,api_hangup_hook='lua " .. file .. " " .. T.work .. "/hook2'")
n:hangup()
T.show("hangup hook with session", T.await(T.work .. "/hook2"))
T.show("in a call's api", freeswitch.API(T.null()):executeString("lua " .. api))
T.show("startup script", T.wait(function() return freeswitch.getGlobalVariable("started_with") end), freeswitch.getGlobalVariable("started_kinds"))
