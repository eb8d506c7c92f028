-- JSON as cJSON reads and writes it.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local j = freeswitch.JSON()
local function results(...) return select("#", ...) end
T.show("a bare value is an empty table", type(j:decode("5")), next(j:decode('"x"')), type(j:decode("null")))
T.show("no JSON is no result", results(j:decode("{")), results(j:decode("")), results(j:decode(nil)), results(j:decode('{"a":1.2.3}')), results(j:decode("[1,]")))
T.show("what follows is not looked at", j:decode('{"a":1}junk').a)
T.show("numbers", j:decode("[01,2.5e3,-.5,1E2]")[1], j:decode("[01,2.5e3,-.5]")[2], j:decode("[01,2.5e3,-.5]")[3])
T.show("half a pair", results(j:decode('{"a":"\\ud800"}')), j:decode('{"a":"\\ud83d\\ude00"}').a, results(j:decode('{"a":"\\x"}')))
T.show("twice the same name", j:decode('{"a":1,"a":2}').a)
j:return_unformatted_json(false)
T.show("in lines", j:encode({}), j:encode({ x = {} }), j:encode({ 1, { a = 1 } }))
j:return_unformatted_json(true)
T.show("which tables are arrays", j:encode({ ["1"] = "a" }), j:encode({ [2] = "b" }), j:encode({ 1, 2, nil, 4 }), j:encode({ "a", x = "b" }))
T.show("names that are no text", j:encode({ [true] = 1 }), j:encode({ [1.5] = 1 }))
T.show("numbers written", j:encode({ n = 1e15 }), j:encode({ n = 123456789012345 }), j:encode({ n = 0 / 0 }), j:encode({ n = 1 / 3 }))
T.show("commands", results(j:execute("no json")), results(j:execute('{"command":"nope","data":{}}')), results(j:execute('{"command":"fsapi"}')),
  j:execute('{"command":"fsapi","data":{"cmd":"no_such"}}').message)
