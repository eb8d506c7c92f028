-- The directory as text: a user with what is inherited, pieces of the XML, dial strings of groups.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
T.lines("user", T.api("find_user_xml id 2000 example.test"))
T.lines("domain", (T.api("xml_locate directory domain name example.test"):gsub("\n      <user id=\"2001\".*", "\n…")))
for _, line in ipairs({ "user_exists id 2000 example.test", "user_exists number-alias 2000 example.test", "user_exists number-alias 72000 example.test",
  "user_exists id:number-alias 72000 example.test", "user_data 2000@example.test attr domain-name", "user_data 2000@example.test other of-domain",
  "user_data 2000@example.test var BOTH", "domain_data example.test var both", "domain_data example.test attr name", "domain_data example.test x of-domain",
  "group_call desk@example.test", "group_call desk@example.test+F", "group_call desk@example.test+E", "group_call empty@example.test", "group_call wide@example.test",
  "in_group 2000,desk", "xml_flush_cache" }) do T.command(line) end
T.lines("list", T.api("list_users domain example.test group desk"))
