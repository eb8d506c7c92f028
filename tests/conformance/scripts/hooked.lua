-- lua.conf's event hook: `event` is the event.
local what = event:getHeader("Question")
if what then
  freeswitch.setGlobalVariable("hooked_" .. what, event:getType() .. " " .. (event:getHeader("Event-Subclass") or "") .. " " .. (event:getBody() or "no body") ..
    " fire=" .. tostring(event:fire()))
end
