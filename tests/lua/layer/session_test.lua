local T, test = ...

test("a dialled call is hung up when its script ends, unless told otherwise", function()
  local uuid = T.script("local s = freeswitch.Session('null/x') stream:write(s.uuid)")
  T.equal("dropped", T.core.channel(uuid):up(), false)
  uuid = T.script("local s = freeswitch.Session('null/x') s:setAutoHangup(false) stream:write(s.uuid)")
  T.equal("kept", T.core.channel(uuid):up(), true)
  T.fake.fiber(function() T.fs.channel.hangup(T.core.channel(uuid)) T.core.wait(10) end)
end)
test("a dead session answers as FreeSWITCH's", function()
  local v = T.values([[
    local s = freeswitch.Session("error/USER_BUSY")
    say("ready", s:ready()) say("cause", s:hangupCause()) say("uuid", s:get_uuid()) say("state", s:getState())
    say("var", s:getVariable("x") == "") say("play", s:streamFile("x")) say("digits", s:getDigits(1, "", 10) == "")
  ]])
  T.equal("ready", v.ready, "false")
  T.equal("cause", v.cause, "USER_BUSY")
  T.equal("uuid", v.uuid, "uninitialized")
  T.equal("state", v.state, "ERROR")
  T.equal("var", v.var, "true")
  T.equal("play", v.play, "-1")
  T.equal("digits", v.digits, "true")
end)
test("sleep is 1, 0 when the call ends meanwhile, 1 on a call that is over", function()
  local v = T.values([[
    local s = freeswitch.Session("loopback/hang-300-USER_BUSY/far")
    say("whole", s:sleep(100)) say("cut", s:sleep(5000)) say("over", s:sleep(100)) say("cause", s:getVariable("hangup_cause"))
  ]])
  T.equal("whole", v.whole, "1")
  T.equal("cut", v.cut, "0")
  T.equal("over", v.over, "1")
end)
test("callback words steer the file, booleans go on", function()
  local v = T.values([[
    local function with(value, keys)
      answer = value
      function cb(s, what, obj) return answer end
      local s = freeswitch.Session("loopback/keys-200-" .. (keys or "1") .. "/far")
      s:setInputCallback("cb")
      local api = freeswitch.API()
      local start = tonumber(api:getTime())
      local r = s:streamFile("tone_stream://%(2000,0,400)")
      local ms = tonumber(api:getTime()) - start
      s:hangup()
      return r .. " " .. math.floor(ms / 100 + 0.5) * 100
    end
    say("stop", with("break")) say("false", with(false)) say("false.text", with("false")) say("seek", with("seek:+1000"))
    say("nil", with(nil)) say("true", with("true"))
  ]])
  T.truth("stop " .. v.stop, v.stop:match("^0 [456]00$"))
  T.equal("boolean false goes on", v["false"], "1 2000")
  T.truth("the word false stops", v["false.text"]:match("^0 "))
  T.equal("seek", v.seek, "1 1000")
  T.equal("nil", v["nil"], "1 2000")
  T.equal("true", v["true"], "1 2000")
end)
test("callbacks nest at most 25 deep", function()
  local v = T.values([[
    depth, deepest = 0, 0
    function cb(s)
      depth = depth + 1
      deepest = math.max(deepest, depth)
      freeswitch.API():executeString("uuid_recv_dtmf " .. s.uuid .. " 1")
      s:sleep(20)
      depth = depth - 1
      return "break"
    end
    local s = freeswitch.Session("null/x")
    s:setInputCallback("cb")
    freeswitch.API():executeString("uuid_recv_dtmf " .. s.uuid .. " 1")
    s:sleep(100)
    say("deepest", deepest)
    s:unsetInputCallback() s:hangup()
  ]])
  T.equal("deepest", v.deepest, "25")
end)
test("a hangup hook runs once, and exit ends the script", function()
  local v = T.values([[
    runs = 0
    function hook(s, status, arg) runs = runs + 1 say("status", status) say("arg", arg) return "kept" end
    extra = "given"
    local s = freeswitch.Session("loopback/hang-100-USER_BUSY/far")
    s:setHangupHook("hook", "extra")
    s:sleep(1000) s:ready() s:sleep(10)
    say("runs", runs) say("value", s:getVariable("lua_hangup_hook_return_val"))
    function last() return "exit" end
    local t = freeswitch.Session("loopback/hang-100-USER_BUSY/far")
    t:setHangupHook("last")
    say("before", true)
    t:sleep(1000)
    say("after", true)
  ]])
  T.equal("runs", v.runs, "1")
  T.equal("status", v.status, "hangup")
  T.equal("arg", v.arg, "given")
  T.equal("value", v.value, "kept")
  T.equal("before", v.before, "true")
  T.equal("after", v.after, nil)
end)
