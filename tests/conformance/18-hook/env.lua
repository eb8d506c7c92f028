-- What a hangup hook finds: env, and what ${…} in its arguments means.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local script = T.script("env.lua", [[
  local out = io.open(argv[1] .. ".part", "w")
  out:write(env:getType(), " ", tostring(env:getHeader("Event-Name")), " ", tostring(env:getHeader("probe_said")), " ", tostring(env:getHeader("variable_probe_said")), " ",
    tostring(env:getHeader("Channel-State")), " ", env:getHeader("API-Command"), " ", env:getHeader("API-Command-Argument"):match("[^/ ]+%.lua"), " ",
    tostring(session), " ", argv[2] or "none", "\n")
  out:close()
  os.rename(argv[1] .. ".part", argv[1])]])
local function hook(what, variable, separator, arguments)
  local s = T.null()
  local file = T.work .. "/" .. what:gsub("%W", "-")
  s:setVariable("aa_first", "1")
  s:setVariable("probe_said", "hello")
  s:setVariable(variable, "lua" .. separator .. script .. " " .. file .. " " .. arguments)
  s:hangup("USER_BUSY")
  T.show(what, T.wait(function() local f = io.open(file) return f and f:read("*l") end))
end
hook("hangup hook", "api_hangup_hook", " ", "${probe_said}-${hangup_cause}")
hook("two colons", "api_hangup_hook", "::", "${Unique-ID}")
hook("headers only, no caller fields", "api_reporting_hook", " ", "<${destination_number}>${Caller-Destination-Number}")
local s = T.null()
s:setVariable("execute_on_record_start", "set:probe_ran=yes")
s:recordFile(T.work .. "/r.wav", 1, 500, 1)
T.show("one colon separates, too", s:getVariable("probe_ran"))
s:hangup()
