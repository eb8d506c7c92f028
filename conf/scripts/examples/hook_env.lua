-- As api_hangup_hook: all of the call's variables are in `env`.
--   <action application="set" data="api_hangup_hook=lua examples/hook_env.lua FILE"/>
local f = io.open(argv[1], "a")
f:write(("%s %s %s\n"):format(env:getHeader("uuid"), env:getHeader("hangup_cause"), env:getHeader("my_custom_var") or "-"))
f:close()
freeswitch.consoleLog("debug", env:serialize() .. "\n")
