-- The message waiting lamp of a registered phone, on or off.
--   luarun examples/mwi.lua 1002@example.com yes
local account, waiting = argv[1], argv[2] == "yes" and "yes" or "no"
local event = freeswitch.Event("message_waiting")
event:addHeader("MWI-Messages-Waiting", waiting)
event:addHeader("MWI-Message-Account", "sip:" .. account)
event:addHeader("Sofia-Profile", "internal")
event:fire()
