-- The three forms of an event as text.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local function own(text)
  local out = {}
  for line in text:gmatch("[^\n]*") do
    if line ~= "" and not line:match("^%s*<?Core%-UUID") and not line:match("^%s*<?FreeSWITCH%-") and not line:match("^%s*<?Event%-[DCP]") and not line:match("^%s*<?Event%-Sequence") then out[#out + 1] = line end
  end
  return table.concat(out, "\n")
end
local e = freeswitch.Event("CUSTOM", "probe::text")
e:addHeader("Plain", "value")
e:addHeader("Coded", "a b&c=d/é:~%")
e:addHeader("Twice", "1")
T.lines("text", own(e:serialize()))
T.show("same", e:serialize() == e:serialize("text"), e:serialize() == e:serialize(nil), e:serialize() == e:serialize("nonsense"))
T.show("ends with a blank line", e:serialize():match("\n\n$") ~= nil)
e:addBody("line <1> & more\nline 2")
T.lines("with body", own(e:serialize()):gsub("^.-(Twice)", "%1"))
T.lines("xml", own(e:serialize("XML")))
local j = freeswitch.JSON():decode(e:serialize("json"))
T.show("json", j["Event-Name"], j["Event-Subclass"], j["Coded"], j["_body"], j["Content-Length"])
T.show("json is one line", e:serialize("json"):find("\n", 1, true))
local back = freeswitch.Event("json", e:serialize("json"))
T.show("from json", back:getType(), back:getHeader("Coded"), back:getBody())
local none = freeswitch.Event("json", "{bad")
T.show("from bad json", none:getType(), none:serialize(), none:addHeader("a", "b"), none:getHeader("a"), none:fire())
