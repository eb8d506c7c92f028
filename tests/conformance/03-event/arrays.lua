-- Headers that are arrays, headers that stand but once, and what goes through fire, merge and JSON.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local function own(text)
  for _, h in ipairs({ "Core%-UUID", "FreeSWITCH%-%w+", "Event%-Date%-%w+", "Event%-Calling%-[%w%-]+", "Event%-Sequence" }) do
    text = text:gsub(h .. ": [^\n]*\n", ""):gsub("    <" .. h .. ">[^\n]*\n", ""):gsub('"' .. h .. '":"[^"]*",', "")
  end
  return text
end
local e = freeswitch.Event("CUSTOM", "probe::arrays")
e:addHeader("x[1]", "w")
T.show("an element makes an array", e:getHeader("x"), e:getHeader("x[1]"))
e:addHeader("x[0]", "first")
T.show("a replaced element is not drawn anew", e:getHeader("x"))
e:addHeader("x[3]", "d")
T.show("a further one draws all", e:getHeader("x"))
T.show("far away", e:addHeader("far[4001]", "n"), e:getHeader("far"))
e:addHeader("y", "ARRAY::a|:b c|:")
e:addHeader("one[0]", "1")
T.lines("text", own(e:serialize()))
T.show("json", own(e:serialize("json")))
T.lines("xml", own(e:serialize("xml")))

local m = freeswitch.Event("MESSAGE")
m:addHeader("a", "1")
m:addHeader("b", "2")
m:addHeader("A", "3")
m:addHeader("_body", "text")
m:setPriority()
T.show("a MESSAGE has each name once", m:getHeader("a"), m:getBody(), m:getHeader("_body"))
T.lines("message", own(m:serialize()))
m:addBody("")
T.show("an empty body", m:getBody(), m:serialize():sub(-2), m:serialize("json"):match('"Content%-Length".*'), m:serialize("xml"):match("<Content"))

local n = freeswitch.Event("CUSTOM", "probe::merged")
m:delHeader("_body")
m:addBody("stays behind")
T.show("merge takes headers alone", n:merge(m), n:getBody(), n:merge(nil))
T.show("no name", n:delHeader(""), n:delHeader("nobody"), n:getHeader(""))

local con = freeswitch.EventConsumer("CUSTOM", "probe::arrays")
T.show("fire", e:fire())
local p = con:pop(1, 2000)
T.lines("the subclass stands in front", p and own(p:serialize()))

local z = freeswitch.Event("MESSAGE", "")
T.show("no event", z:getType(), z:serialize(), z:getBody(), z:getHeader("a"), z:addHeader("a", "b"), z:delHeader("a"), z:fire(), z:setPriority())
local f = freeswitch.Event("json", '{"a":["1","2",3],"N":5,"n":null,"t":true,"Event-Name":"NOPE","x":{"y":1}} and more')
T.show("from json", f:getType(), f:serialize("json"))
T.show("a bare word", freeswitch.Event("json", "true"):getType())
