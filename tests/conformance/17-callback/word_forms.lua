-- The forms of the control words: prefixes, colons, case.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local s = T.null()
local word
function on_key() return word end
s:setInputCallback("on_key")
local function play(w)
  word = w
  T.background([[freeswitch.msleep(100) freeswitch.API():executeString("uuid_recv_dtmf " .. argv[1] .. " 1")]], s.uuid)
  local result
  local ms = T.took(function() result = s:streamFile(T.sounds .. "/second.wav") end)
  T.show(w, result, ms < 700 and "stopped" or "went on")
end
for _, w in ipairs({ "speedy", "speedy:1", "VOLUMEx:-1", "seek", "seeking:+100", "pause:1", "restart:1", "truncated", "stopped", "TRUE", "true " }) do play(w) end
s:hangup()
