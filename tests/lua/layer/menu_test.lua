local T, test = ...

test("a menu runs what its keys are bound to, and its limits end it", function()
  local v = T.values([[
    local s = freeswitch.Session("null/x")
    local function menu(main, name, len) return freeswitch.IVRMenu(main, name, "tone_stream://%(60,0,500)", "", "", "", "", nil, "", nil, nil, 0, 300, len or 1, 400, 2, 2) end
    local function press(k) freeswitch.API():executeString("uuid_recv_dtmf " .. s.uuid .. " " .. k) end
    local m = menu(nil, "main")
    local sub = menu(m, "sub")
    m:bindAction("menu-sub", "sub", "2") m:bindAction("menu-exit", nil, "9")
    sub:bindAction("menu-exec-app", "set hit=yes", "4") sub:bindAction("menu-back", nil, "5")
    press("2459") m:execute(s, "main") say("status", s:getVariable("ivr_menu_status")) say("hit", s:getVariable("hit"))
    m:execute(s, "main") say("nothing", s:getVariable("ivr_menu_status"))
    press("77") m:execute(s, "main") say("wrong", s:getVariable("ivr_menu_status"))
    local sixteen = freeswitch.IVRMenu(nil, "old", "tone_stream://%(60,0,500)", "", "", "", "", "", nil, nil, 0, 300, 1, 400, 2, 2)
    say("sixteen", type(sixteen))
    s:hangup()
  ]])
  T.equal("status", v.status, "success")
  T.equal("hit", v.hit, "yes")
  T.equal("nothing", v.nothing, "timeout")
  T.equal("wrong", v.wrong, "failure")
  T.equal("sixteen", v.sixteen, "userdata")
end)
