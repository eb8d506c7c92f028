local T, test = ...

local pressed = [[
  local s = freeswitch.Session("null/x")
  local api = freeswitch.API()
  local function press(keys) s:flushDigits() s:setVariable("read_result", nil) s:setVariable("read_terminator_used", nil) api:executeString("uuid_recv_dtmf " .. s.uuid .. " " .. keys) end
]]
local function values(code) return T.values(pressed .. code .. " s:hangup()") end

test("getDigits ends at its maximum, a terminator or the time", function()
  local v = values([[
    press("12#34") say("term", s:getDigits(9, "#", 500)) say("rest", s:getDigits(9, "#", 500))
    press("123") say("max", s:getDigits(2, "#", 500)) say("zero", s:getDigits(0, "#", 500) == "")
    local t = tonumber(api:getTime()) s:flushDigits() s:getDigits(1, "", 0, 0, 700) say("abs", tonumber(api:getTime()) - t)
  ]])
  T.equal("term", v.term, "12")
  T.equal("rest", v.rest, "34")
  T.equal("max", v.max, "12")
  T.equal("zero", v.zero, "true")
  T.equal("abs", v.abs, "700")
end)
test("read's terminators: = demands one, + keeps it, x keeps it and fails", function()
  local v = values([[
    local function read(keys, terms) press(keys) return s:read(1, 5, "", 300, terms) .. " " .. s:getVariable("read_result") .. " " .. tostring(s:getVariable("read_terminator_used")) end
    say("plain", read("12#", "#")) say("kept", read("12#", "+#")) say("x", read("12*", "x*#")) say("demanded", read("12", "=#")) say("there", read("12#", "=#"))
    say("time", read("12", "#"))
  ]])
  T.equal("plain", v.plain, "12 success #")
  T.equal("kept", v.kept, "12# success #")
  T.equal("x", v.x, "12* failure *")
  T.equal("demanded", v.demanded, "12 failure nil")
  T.equal("there", v.there, "12 success #")
  T.equal("time", v.time, "12 timeout nil")
end)
test("playAndGetDigits retries, keeps what was wrong, transfers in the end", function()
  local v = values([[
    press("99") s:playAndGetDigits(2, 2, 2, 300, "#", "", "", "^1", "pv")
    say("var", s:getVariable("pv")) say("invalid", s:getVariable("pv_invalid"))
    press("9912") say("second", s:playAndGetDigits(2, 2, 2, 300, "#", "", "", "^1", "pv"))
    press("#") say("zero", s:playAndGetDigits(0, 5, 1, 300, "#", "", "", "\\d+", "pv") == "")
    s:flushDigits() say("failed", s:playAndGetDigits(1, 1, 1, 100, "#", "", "", "\\d", "pv", 0, "cap-1x XML default") == "") say("gone", s:ready())
  ]])
  T.equal("var", v.var, "nil")
  T.equal("invalid", v.invalid, "99")
  T.equal("second", v.second, "12")
  T.equal("zero", v.zero, "true")
  T.equal("failed", v.failed, "true")
  T.equal("gone", v.gone, "false")
end)
test("bound keys run their action and go no further", function()
  local v = values([[
    s:execute("bind_digit_action", "r,55,exec:set,hit=yes")
    api:executeString("uuid_recv_dtmf " .. s.uuid .. " 55") api:executeString("uuid_recv_dtmf " .. s.uuid .. " 7")
    say("rest", s:getDigits(1, "", 300)) s:sleep(50) say("hit", s:getVariable("hit"))
  ]])
  T.equal("rest", v.rest, "7")
  T.equal("hit", v.hit, "yes")
end)
