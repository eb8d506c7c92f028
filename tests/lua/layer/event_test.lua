local T, test = ...
local event = T.fs.event

local function own(text) return (text:gsub("Core%-UUID.-Event%-Sequence: %d+\n", "")) end

test("text form encodes values and counts the body", function()
  local e = event.make("CUSTOM", "a::b")
  event.add(e, "X", "a b<c>'/\1")
  T.equal("without body", own(event.text(e)), "Event-Name: CUSTOM\nEvent-Subclass: a%3A%3Ab\nX: a%20b%3Cc%3E'/%01\n\n")
  e.body = "hello"
  T.truth("with body", event.text(e):find("Content%-Length: 5\n\nhello$"))
end)
test("json goes there and back", function()
  local e = event.make("CUSTOM", "a::b")
  event.add(e, "Quote", 'a "b"\n\t\\')
  e.body = "body"
  local f = event.from_json(event.json(e))
  T.equal("name", f.name, "CUSTOM")
  T.equal("header", event.get(f, "quote"), 'a "b"\n\t\\')
  T.equal("body", f.body, "body")
  T.equal("no json", event.from_json("nonsense"), nil)
  T.equal("cut off", event.from_json('{"a":"b'), nil)
end)
test("an event keeps its sequence and dates from construction on", function()
  local a, b = event.make("CUSTOM"), event.make("CUSTOM")
  T.truth("grows", tonumber(event.get(b, "Event-Sequence")) > tonumber(event.get(a, "Event-Sequence")))
  T.truth("date", event.get(a, "Event-Date-GMT"):match("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$"))
end)
test("unknown types become MESSAGE, a subclass makes CUSTOM", function()
  local v = T.values([[
    say("unknown", freeswitch.Event("NO_SUCH"):getType())
    say("subclass", freeswitch.Event("MESSAGE", "a::b"):getType())
    say("case", freeswitch.Event("channel_answer"):getType())
  ]])
  T.equal("unknown", v.unknown, "MESSAGE")
  T.equal("subclass", v.subclass, "CUSTOM")
  T.equal("case", v.case, "CHANNEL_ANSWER")
end)
