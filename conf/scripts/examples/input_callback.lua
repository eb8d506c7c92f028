-- Plays a file while keys steer it: 1 slower, 3 faster, 4 back, 6 forward, 5 pause and go on, * from the start, # ends.
--   <action application="lua" data="examples/input_callback.lua FILE"/>
local words = { ["1"] = "speed:-1", ["3"] = "speed:+1", ["4"] = "seek:-2000", ["6"] = "seek:+2000", ["5"] = "pause", ["*"] = "restart", ["#"] = "break" }
pressed = {}

function on_input(session, kind, obj, keys)
  if kind == "dtmf" then
    keys[#keys + 1] = obj.digit
    session:consoleLog("info", "key " .. obj.digit .. "\n")
    return words[obj.digit] or "true"
  end
  return "" -- events and texts do not disturb the file
end

session:answer()
session:setInputCallback("on_input", "pressed")
local played = session:streamFile(argv[1] or "tone_stream://%(10000,0,440)")
session:unsetInputCallback()
session:setVariable("keys_pressed", table.concat(pressed))
session:setVariable("played_to_the_end", tostring(played == 1))
