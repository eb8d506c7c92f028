-- An IVR of 24 steps: menus, a sub menu, prompts with patterns and second tries, spoken numbers. Dials argv[1], "inband" as argv[2] listens for
-- tones; writes what was understood at each step.
local s = freeswitch.Session(argv[1])
if not s:ready() then return stream:write("no call: " .. s:hangupCause() .. "\n") end
if argv[2] == "inband" then s:execute("start_dtmf") end
local quiet, steps = "silence_stream://120", 0
local function step(what, heard)
  steps = steps + 1
  stream:write(("%d %s: %s\n"):format(steps, what, heard))
end
local function menu(main, name, length)
  return freeswitch.IVRMenu(main, name, quiet, quiet, quiet, "", "", "", "", "", "", 3, 4000, length, 20000, 3, 3)
end

-- 1 to 5: a menu with a sub menu
local main = menu(nil, "main", 1)
local accounts = menu(main, "accounts", 1)
main:bindAction("menu-sub", "accounts", "2")
main:bindAction("menu-exec-app", "push trail=main-3", "3")
main:bindAction("menu-exit", nil, "9")
accounts:bindAction("menu-exec-app", "push trail=accounts-1", "1")
accounts:bindAction("menu-exec-app", "push trail=accounts-8", "8")
accounts:bindAction("menu-back", nil, "8")
main:execute(s, "main")
steps = 4
step("menu", s:getVariable("trail") .. " " .. s:getVariable("ivr_menu_status"))

-- 6 and 7: the first key does not fit, the second does
steps = 6
step("pattern", s:playAndGetDigits(1, 1, 3, 20000, "#", quiet, quiet, "^[5-7]$", "chosen") .. " after " .. s:getVariable("chosen_invalid"))
step("read", s:read(1, 1, quiet, 20000, "#") .. " " .. s:getVariable("read_result"))
step("to the terminator", s:playAndGetDigits(1, 5, 1, 20000, "#", quiet, "", "^\\d+$", "number", 4000) .. " " .. s:getVariable("read_terminator_used"))
step("getDigits", s:getDigits(3, "#", 20000))

-- 11 to 20: numbers are said, each answered by a key
for i = 1, 10 do
  s:say(tostring(i * 11), "en", "number", "pronounced")
  step("after " .. i * 11, s:playAndGetDigits(1, 1, 1, 20000, "#", "", "", "\\d"))
end

-- 21 to 23: a menu of two keys with a pattern
local codes = menu(nil, "codes", 2)
codes:bindAction("menu-exec-app", "push codes=code-$1", "/^2(\\d)$/")
codes:bindAction("menu-play-sound", quiet, "5")
codes:bindAction("menu-exit", nil, "99")
codes:execute(s, "codes")
steps = 22
step("codes", s:getVariable("codes") .. " " .. s:getVariable("ivr_menu_status"))
step("last", s:playAndGetDigits(1, 1, 1, 20000, "#", quiet, "", "[*0]"))
s:hangup()
