-- The input callback: its arguments, and what each returned word does.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local s = T.null()
local seen = {}
word = nil
extra = { "the global named extra" }
function callback(session, kind, obj, ...)
  seen = { kind, obj.digit, type(obj.duration), select("#", ...), (...) }
  if kind == "dtmf" and session.uuid == s.uuid then return word end
end
local function press(ms, key) T.background(([[freeswitch.msleep(%d) freeswitch.API():executeString("uuid_recv_dtmf " .. argv[1] .. " %s")]]):format(ms, key or "5"), s.uuid) end
s:setInputCallback("callback")
press(100)
s:streamFile(T.sounds .. "/half.wav")
T.show("without argument", unpack(seen, 1, 4))
s:setInputCallback("callback", "extra")
press(100)
s:streamFile(T.sounds .. "/half.wav")
T.show("with the name of a global", seen[1], seen[4], seen[5] == extra)
s:setInputCallback("callback", "no_such_global")
press(100)
s:streamFile(T.sounds .. "/half.wav")
T.show("with another name", seen[4], seen[5])
s:setInputCallback("callback")
local function play(w)
  word = w
  press(150)
  local result
  local ms = T.took(function() result = s:streamFile(T.sounds .. "/second.wav") end)
  T.show("file, " .. T.word(w), result, ms < 700 and "stopped" or "went on")
end
for _, w in ipairs({ "break", "false", "stop", "anything", "true", "undefined", "", "speed", "volume", "volume:+1", "truncate_not" }) do play(w) end
word = true play(true)
word = false play(false)
local function sleep(w)
  word = w
  press(150)
  local result
  local ms = T.took(function() result = s:sleep(900) end)
  T.show("sleep, " .. T.word(w), result, ms < 700 and "stopped" or "went on")
end
for _, w in ipairs({ "break", "true", "", "pause", "anything" }) do sleep(w) end
word = nil
press(100)
T.between("seek", T.took(function()
  word = "seek:+400"
  s:streamFile(T.sounds .. "/second.wav")
end), 300, 950)
word = "break"
press(100)
T.show("not while digits are collected", s:getDigits(1, "", 800))
press(100)
T.show("collectDigits", s:collectDigits(500))
s:unsetInputCallback()
T.press(s, "7")
T.show("unset", s:streamFile(T.sounds .. "/short.wav"), s:getDigits(1, "", 100))
T.call("a function is no name", function() s:setInputCallback(callback) end)
s:setInputCallback("nobody_has_this_name")
press(50)
T.show("a name without function", s:streamFile(T.sounds .. "/half.wav"))
function callback() error("in the callback") end
s:setInputCallback("callback")
press(100)
T.show("an error stops", s:streamFile(T.sounds .. "/second.wav"), s:ready())
for _, word in ipairs({ "seek:1500", "seek:+1500", "seek:+0", "TRUE" }) do
  function callback() return word end
  T.press(s, "5")
  T.between(word .. " before the file is open", T.took(function() s:streamFile(T.sounds .. "/two.wav") end), word == "TRUE" and 0 or word == "seek:+0" and 800 or 350,
    word == "TRUE" and 700 or word == "seek:+0" and 1800 or 1400)
end
