-- Words of several Lua versions, and what careless scripts do to their globals.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
T.show("unpack", (table.unpack or unpack)({ 1, 2, 3 }))
T.show("both unpacks", type(unpack), type(table.unpack))
T.show("loadstring", loadstring("return 7")())
T.show("load of text", load("return 8")())
T.show("setfenv", type(setfenv), type(getfenv))
T.show("getn", table.getn and table.getn({ 1, 2 }))
T.show("gfind", type(string.gmatch))
T.show("integral division", 6 / 2 .. "")
T.show("api time", tostring(tonumber(T.api_object:getTime()) > 0))
debug["sql"] = true
T.show("debug keeps a mark", debug["sql"])
debug = {}
local _, e = pcall(function() error("no debug any more") end)
T.problem(e)
T.print("error without debug: " .. T.problem(e))
T.show("undefined global", null, undefined_name)
os.exit(1)
T.show("after os.exit", "still here")
T.show("os.execute", (os.execute("true")))
T.show("popen", io.popen("echo one two"):read("*l"))
T.show("tostring of objects", T.clean(tostring(freeswitch.Event("CUSTOM"))), T.clean(tostring(freeswitch.Session())))
T.show("class tables", type(freeswitch.Session), type(freeswitch.Dbh), type(freeswitch.consoleLog))
freeswitch.mine = 5
T.show("freeswitch takes additions", freeswitch.mine)
T.show("of this script alone", T.api("lua ~stream:write(tostring(freeswitch.mine))"))
local old = freeswitch.consoleLog
freeswitch.consoleLog = function() return "replaced" end
T.show("replaced function", freeswitch.consoleLog("info", "x"))
T.show("constants", freeswitch.S_HUP, freeswitch.S_FREE, freeswitch.S_RDLOCK)
