-- Looks after a call to its end: the hook writes a line into a file, whoever hung up.
--   <action application="lua" data="examples/hangup_hook.lua FILE"/>
target = { path = argv[1], started = os.time() }

function on_hangup(s, status, about)
  local f = io.open(about.path, "a")
  f:write(("%s %s %d s\n"):format(status, s:getVariable("destination_number") or "?", os.time() - about.started))
  f:close()
  return "exit" -- nothing after this: the script ends
end

session:setHangupHook("on_hangup", "target")
session:answer()
while session:ready() do session:streamFile("tone_stream://%(200,800,440)") end
