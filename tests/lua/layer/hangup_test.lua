local T, test = ...

-- Each blocking call of a session while the far end hangs up after 300 ms: it comes back at once, and the session is over.
local calls = {
  streamFile = [[s:streamFile("tone_stream://%(9000,0,400)")]],
  ["streamFile list"] = [[s:streamFile("file_string://tone_stream://%(9000,0,400)!tone_stream://%(9000,0,400)")]],
  phrase = [[s:sayPhrase("long", "", "en")]],
  recordFile = [[s:recordFile(os.tmpname() .. ".wav", 20, 0, 0)]],
  getDigits = [[s:getDigits(3, "#", 0)]],
  read = [[s:read(1, 3, "", 9000, "#")]],
  ["read with a prompt"] = [[s:read(1, 3, "tone_stream://%(9000,0,400)", 9000, "#")]],
  playAndGetDigits = [[s:playAndGetDigits(1, 3, 3, 9000, "#", "tone_stream://%(9000,0,400)", "", "\\d+", "v", 0, "park XML default")]],
  sleep = [[s:sleep(9000)]],
  collectDigits = [[function cb() end s:setInputCallback("cb") s:collectDigits(9000)]],
  ["execute playback"] = [[s:execute("playback", "tone_stream://%(9000,0,400)")]],
  ["execute endless_playback"] = [[s:execute("endless_playback", "tone_stream://%(100,0,400)")]],
  ["execute sleep"] = [[s:execute("sleep", "9000")]],
  ["execute park"] = [[s:execute("park")]],
  ["execute echo"] = [[s:execute("echo")]],
  ["execute record"] = [[s:execute("record", os.tmpname() .. ".wav 20")]],
  ["execute conference"] = [[s:execute("conference", "room")]],
  ["execute bridge ringing"] = [[s:execute("bridge", "loopback/ring/far")]],
  ["execute bridge answered"] = [[s:execute("bridge", "loopback/quiet/far")]],
  ["execute valet_park"] = [[s:execute("valet_park", "lot 7")]],
  ["execute fifo"] = [[s:execute("fifo", "queue in")]],
  ["execute lua"] = [[s:execute("lua", "~session:sleep(9000)")]],
  ["execute read"] = [[s:execute("read", "1 3 silence v 9000 #")]],
  ["execute wait_for_silence"] = [[s:execute("wait_for_silence", "200 1000 0 9000")]],
  bridge = [[local o = freeswitch.Session("loopback/quiet/far") freeswitch.bridge(s, o)]],
  ["dial for it"] = [[freeswitch.Session("loopback/ring/far", s)]],
  ivr = [[local m = freeswitch.IVRMenu(nil, "m", "tone_stream://%(9000,0,400)", "", "", "", "", nil, "", nil, nil, 3, 300, 1, 9000, 9, 9) m:execute(s, "m")]],
}

for name, code in pairs(calls) do
  test("the far end hangs up during " .. name, function()
    local v = T.values([[
      local api = freeswitch.API()
      local start = tonumber(api:getTime())
      local s = freeswitch.Session("loopback/hang-300-USER_BUSY/far")
      hooked = 0
      function hook() hooked = hooked + 1 end
      s:setHangupHook("hook")
      ]] .. code .. [[
      say("ms", tonumber(api:getTime()) - start) say("ready", s:ready()) say("hooked", hooked) freeswitch.msleep(50) say("cause", s:getVariable("hangup_cause"))
    ]])
    T.truth("comes back at once: " .. tostring(v.ms), v.ms and tonumber(v.ms) >= 290 and tonumber(v.ms) < 700)
    T.equal("ready", v.ready, "false")
    T.equal("hooked", v.hooked, "1")
    T.equal("cause", v.cause, "USER_BUSY")
  end)
  test("killed from outside during " .. name, function()
    local v = T.values([[
      local api = freeswitch.API()
      local start = tonumber(api:getTime())
      local s = freeswitch.Session("loopback/quiet/far")
      api:executeString("luarun ~freeswitch.msleep(300) freeswitch.API():executeString('uuid_kill " .. s.uuid .. " CALL_REJECTED')")
      ]] .. code .. [[
      say("ms", tonumber(api:getTime()) - start) say("ready", s:ready()) freeswitch.msleep(50) say("cause", s:getVariable("hangup_cause"))
    ]])
    T.truth("comes back at once: " .. tostring(v.ms), v.ms and tonumber(v.ms) >= 290 and tonumber(v.ms) < 700)
    T.equal("ready", v.ready, "false")
    T.equal("cause", v.cause, "CALL_REJECTED")
  end)
end

test("no call is left after all that", function()
  T.fake.fiber(function() T.core.wait(30000) end)
  local left = {}
  for _, ch in ipairs(T.core.channels()) do if ch:up() then left[#left + 1] = ch:profile("chan_name") or ch:uuid() end end
  T.equal("up", table.concat(left, " "), "")
end)
