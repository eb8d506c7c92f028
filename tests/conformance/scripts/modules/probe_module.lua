local M = { loaded = (freeswitch.getGlobalVariable("module_loads") or "") .. "x" }
function M.twice(v) return v * 2 end
return M
