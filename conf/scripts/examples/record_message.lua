-- Records a message: any key ends it, and so do three seconds of silence or one minute.
--   <action application="lua" data="examples/record_message.lua /var/spool/message.wav"/>
local path = argv[1]

function on_key(session, kind, obj)
  if kind == "dtmf" then
    session:setVariable("ended_by_key", obj.digit)
    return "break"
  end
end

session:answer()
session:streamFile("tone_stream://%(300,0,800)")
if session:ready() then
  session:setInputCallback("on_key", "")
  local by_itself = session:recordFile(path, 60, 200, 3)
  session:unsetInputCallback()
  local how = by_itself == 0 and (session:ready() and "key" or "hangup") or session:getVariable("silence_hits_exhausted") == "true" and "silence" or "time"
  session:setVariable("message_ended_by", how)
  session:consoleLog("info", ("%s: %s ms, ended by %s\n"):format(path, session:getVariable("record_ms") or "0", how))
end
