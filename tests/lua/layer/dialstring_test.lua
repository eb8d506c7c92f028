local T, test = ...
local dialstring = T.fs.dialstring

local function parse(text) return dialstring.parse(text) end

test("forks, serial attempts and enterprise are told apart", function()
  local ents = parse("<g=1>{a=1}null/a,[x=1,y=2]null/b|null/c:_:{a=2}null/d")
  T.equal("ents", #ents, 2)
  T.equal("forks", #ents[1].forks, 2)
  T.equal("legs", #ents[1].forks[1], 2)
  T.equal("leg variable", ents[1].forks[1][2].vars:get("y"), "2")
  T.equal("endpoint", ents[1].forks[2][1].endpoint, "null")
  T.equal("ultra-global", ents[2].vars:get("g"), "1")
  T.equal("own", ents[2].vars:get("a"), "2")
end)
test("quotes and other separators in brackets", function()
  T.equal("quotes", parse("{a='x,y',b=z}null/a")[1].vars:get("a"), "x,y")
  T.equal("separator", parse("{^^:a=1,2:b=3}null/a")[1].vars:get("a"), "1,2")
  T.equal("in a leg", parse("[a='1|2,3']null/a")[1].forks[1][1].vars:get("a"), "1|2,3")
  T.equal("two in a row", parse("{a=1}{a=2,b=3}null/a")[1].vars:get("a"), "2")
end)
test("what cannot be parsed has the cause of FreeSWITCH", function()
  for _, text in ipairs({ "", "   ", "{a=b}", "{a=b null/x", "[a=b null/x", "<a=b null/x", "null/a,,null/b" }) do
    local ents, cause = parse(text)
    T.equal(text, ents, nil)
    T.equal(text .. " cause", cause, "DESTINATION_OUT_OF_ORDER")
  end
end)
test("a value with a variable in it is refused", function()
  T.equal("refused", parse("{a=${b}}null/x")[1].vars:get("a"), nil)
end)
