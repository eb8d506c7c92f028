-- Which application a call is in, and which was its last: the first stays until the next one, the other is known at the end.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local s = T.null()
local function tell(what) T.show(what, s:getVariable("current_application"), s:getVariable("current_application_data"), s:getVariable("last_app")) end
tell("none yet")
s:execute("set", "a=b c")
tell("after set")
s:execute("answer")
tell("after answer")
s:execute("hangup_is_not_this")
T.cause(s)
tell("over")
T.show("last", s:getVariable("last_arg"))
