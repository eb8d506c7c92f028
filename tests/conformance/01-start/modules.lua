-- require finds what lua.conf's script-directory names; a module is loaded afresh by each script.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
T.show("first pattern is the script-directory", package.path:match("^[^;]+") == freeswitch.getGlobalVariable("run_folder") .. "/modules/?.lua")
local m = require("probe_module")
T.show("twice", m.twice(21))
T.show("once per script", m == require("probe_module"), package.loaded.probe_module == m)
m.mark = "mine"
T.show("afresh elsewhere", T.api([[lua ~stream:write(tostring(require("probe_module").mark))]]))
T.write(T.work .. "/beside.lua", "return 'beside'")
package.path = package.path .. ";" .. T.work .. "/?.lua"
T.show("package.path grows", require("beside"))
T.show("dofile", dofile(T.work .. "/beside.lua"))
T.call("missing", function() require("no.such.module") end)
local ok, e = pcall(require, "no.such.module")
T.show("says where it looked", e:find("no field package.preload", 1, true) ~= nil, e:find(T.work .. "/no/such/module.lua", 1, true) ~= nil)
T.show("cpath is text", type(package.cpath))
