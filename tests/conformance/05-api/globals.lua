-- The global variables that are there from the start.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local missing = {}
for name in ([[hostname switchname core_uuid local_ip_v4 local_mask_v4 local_ip_v6 base_dir recordings_dir sound_prefix sounds_dir conf_dir log_dir run_dir
  db_dir mod_dir htdocs_dir script_dir temp_dir grammar_dir fonts_dir images_dir certs_dir storage_dir cache_dir data_dir localstate_dir]]):gmatch("%S+") do
  if (freeswitch.getGlobalVariable(name) or "") == "" then missing[#missing + 1] = name end
end
T.show("missing", table.concat(missing, " "))
T.show("an address", freeswitch.getGlobalVariable("local_ip_v4"):match("^%d+%.%d+%.%d+%.%d+$") ~= nil,
  freeswitch.getGlobalVariable("local_mask_v4"):match("^255%.%d+%.%d+%.%d+$") ~= nil, freeswitch.getGlobalVariable("local_ip_v6"):find(":", 1, true) ~= nil)
T.show("the sounds", freeswitch.getGlobalVariable("sound_prefix") == freeswitch.getGlobalVariable("sounds_dir"))
T.show("events tell the same", freeswitch.Event("CUSTOM"):getHeader("FreeSWITCH-IPv4") == freeswitch.getGlobalVariable("local_ip_v4"))
local s = T.null()
T.show("calls see them", s:getVariable("temp_dir"), s:getVariable("nobody_dir"))
s:hangup()
