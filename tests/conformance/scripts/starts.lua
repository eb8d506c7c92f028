-- lua.conf's startup script: leaves a mark.
freeswitch.setGlobalVariable("started_with", table.concat(argv, "|"))
freeswitch.setGlobalVariable("started_kinds", type(session) .. " " .. type(stream) .. " " .. type(env) .. " " .. tostring(freeswitch.running()))
