local T, test = ...
local util, fs = T.fs.util, T.fs

local function list(t) return table.concat(t, "|") end

test("single quotes group words, double quotes do not", function()
  T.equal("words", list(util.separate("a 'b c' \"d e\" ''  f", " ")), "a|b c|\"d|e\"||f")
  T.equal("quote", list(util.separate("it\\'s it's", " ")), "it's|it's")
end)
test("a comma list protects quoted and escaped commas", function()
  T.equal("list", list((util.delimited("a='x,y',b=c\\,d"))), "a=x,y|b=c,d")
  T.equal("other separator", list((util.delimited("^^:a=1,2:b"))), "a=1,2|b")
end)
test("true words", function()
  for _, w in ipairs({ "true", "YES", "on", "1", "17", "enabled" }) do T.truth(w, util.truth(w)) end
  for _, w in ipairs({ "false", "0", "", "maybe" }) do T.equal(w, util.truth(w), false) end
end)
test("names are found in any case and keep their order", function()
  local n = util.names()
  n:set("One", "1") n:set("two", "2") n:set("ONE", "3")
  T.equal("get", n:get("one"), "3")
  local order = {}
  n:each(function(k, v) order[#order + 1] = k .. v end)
  T.equal("order", list(order), "One3|two2")
end)
test("argument checks name class, place and type", function()
  local v = T.values([[
    local e = freeswitch.Event("CUSTOM", "a::b")
    say("count", select(2, pcall(e.addHeader, e, "x")))
    say("type", select(2, pcall(e.addHeader, e, "x", true)))
    say("self", select(2, pcall(e.getHeader, freeswitch.API(), "x")))
    say("field", select(2, pcall(function() e.x = 1 end)))
    say("unknown", tostring(e.nothing))
    say("new", (select(2, pcall(freeswitch.Session, 1, 2, 3)):match("^[^\n]*")))
    say("list", type(getmetatable(e) and getmetatable(e)[".fn"]))
  ]])
  T.truth("count", v.count:find("Error in Event::addHeader expected 3..3 args, got 2", 1, true))
  T.truth("type", v.type:find("Error in Event::addHeader (arg 3), expected 'char const *' got 'boolean'", 1, true))
  T.truth("self", v.self:find("Error in Event_getHeader (arg 1), expected 'Event *' got 'API *'", 1, true))
  T.truth("field", v.field:find("Assignment not possible. No setter/member with this name.", 1, true))
  T.equal("unknown", v.unknown, "nil")
  T.truth("new", v.new:find("Wrong arguments for overloaded function 'new_Session'", 1, true))
  T.equal("methods listed", v.list, "table")
end)
test("every method of Session refuses a boolean for its first text or number", function()
  local code = [[
    local s, n, bad = freeswitch.Session("error/USER_BUSY"), 0, ""
    for name, f in pairs(getmetatable(s)[".fn"]) do
      local ok, why = pcall(f)
      if ok or not (why:find("expected %d+%.%.%d+ args, got 0") or why:find("Wrong arguments")) then bad = bad .. " " .. name end
      n = n + 1
    end
    say("bad", bad)
    say("many", n > 50)
  ]]
  local v = T.values(code)
  T.equal("bad", v.bad, "")
  T.equal("many", v.many, "true")
end)
