-- hash, db, limit, globals: what is put in comes out, and what is asked wrongly.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local r = "probe" .. T.api("create_uuid"):sub(1, 8)
T.hide(r, "realm")
for _, line in ipairs({ "hash insert/%s/a/1", "hash select/%s/a", "hash select/%s/b", "hash insert_ifempty/%s/a/2", "hash select/%s/a", "hash insert_ifempty/%s/c/3", "hash select/%s/c",
  "hash delete/%s/a", "hash select/%s/a", "hash delete/%s/a", "hash insert/%s/p/a/b/c", "hash select/%s/p", "hash", "hash nonsense/%s/a",
  "db insert/%s/a/1", "db select/%s/a", "db exists/%s/a", "db exists/%s/none", "db select/%s/none", "db insert/%s/b/two words", "db list/%s", "db count/%s", "db delete/%s/a", "db select/%s/a", "db",
  "global_setvar %s=v", "global_getvar %s", "global_setvar %s=w=v", "global_getvar %s", "global_setvar %s=x=wrong", "global_getvar %s", "global_setvar %s=", "global_getvar %s" }) do
  T.command(line:format(r), nil)
end
freeswitch.setGlobalVariable(r, "from lua")
T.show("setGlobalVariable", freeswitch.getGlobalVariable(r), T.api("global_getvar " .. r), T.api("eval $${" .. r .. "}"))
freeswitch.setGlobalVariable(r, nil)
T.show("deleted", freeswitch.getGlobalVariable(r))
local a, b = T.null(), T.null()
a:execute("limit", "hash " .. r .. " x 2")
b:execute("limit", "hash " .. r .. " x 2")
T.show("limit usage", T.api("limit_usage hash " .. r .. " x"))
a:hangup()
T.wait(function() return T.api("limit_usage hash " .. r .. " x") == "1" end, 2000)
T.show("after one hangup", T.api("limit_usage hash " .. r .. " x"))
local c = T.null()
c:execute("limit", "hash " .. r .. " x 1 !USER_BUSY")
T.show("over the limit", T.cause(c))
b:hangup()
