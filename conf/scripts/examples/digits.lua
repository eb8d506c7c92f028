-- Asks for a number of two to five digits, at most three times; who cannot tell one is transferred to the operator.
--   <action application="lua" data="examples/digits.lua OPERATOR CONTEXT"/>
session:answer()
local operator = ("%s XML %s"):format(argv[1] or "operator", argv[2] or "default")
local digits = session:playAndGetDigits(2, 5, 3, 3000, "#", "tone_stream://%(200,0,600)", "tone_stream://%(200,0,250)", "^\\d+$", "number_given", 1500, operator)
if digits ~= "" then
  session:consoleLog("info", "number " .. digits .. "\n")
  session:setVariable("read_terminator_used", "")
  local more = session:read(1, 3, "tone_stream://%(100,0,700)", 2000, "*#")
  session:setVariable("more_given", more .. " " .. (session:getVariable("read_terminator_used") or "none"))
end
