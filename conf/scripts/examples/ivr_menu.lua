-- A menu with a sub menu, made in the script. Set the variable `menu_result` to see what was chosen.
--   <action application="lua" data="examples/ivr_menu.lua"/>
session:answer()
local beep = "tone_stream://%(150,50,500)"
local function menu(parent, name)
  return freeswitch.IVRMenu(parent, name, beep, beep, "tone_stream://%(150,0,250)", "", "", "", "", "", "", 3, 1500, 1, 3000, 3, 3)
end

local top = menu(nil, "top")
local sub = menu(top, "sub")
top:bindAction("menu-exec-app", "set menu_result=sales", "1")
top:bindAction("menu-sub", "sub", "2")
top:bindAction("menu-exec-app", "set menu_result=number $1", "/^([4-8])$/")
top:bindAction("menu-exit", nil, "9")
sub:bindAction("menu-exec-app", "set menu_result=support", "1")
sub:bindAction("menu-top", nil, "*")
sub:bindAction("menu-back", nil, "8")
top:execute(session, "top")
session:consoleLog("info", ("the menu ended: %s, %s\n"):format(session:getVariable("ivr_menu_status") or "?", session:getVariable("menu_result") or "nothing"))
