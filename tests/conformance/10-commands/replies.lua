-- Replies byte for byte: usage texts, errors and forms of commands without a call, and with a call that is not there.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local none = "00000000-1111-2222-3333-444444444444"
for _, line in ipairs({
  "coalesce", "coalesce ,,", "coalesce ^^|a,b|c", "escape a b$c", "quote_shell_arg", "md5", "url_encode 100%25 %zz %2f", "url_decode %4g%20", "replace a|b",
  "replace abc|b|", "regex a b|a\\sb", "regex x1y2|([a-z])(\\d)|${2}$1%0", "regex a|b|c|nb", "regex 2125551212|_NXX.", "cond a == b ? yes", "cond 5 >3 ? a : b",
  "cond  == 0 ? a : b", "cond 1.0 == 1 ? a : b", "cond abc > 2 ? long : short", "cond 'a\\'b' != x ? a : b", "cond 1 = 1 ? a : b",
  "expand", "expand nosuch x", "eval ${nosuch(x)}|", "eval ${toupper (abc)}", "eval a\\\\b\\'c", "eval $$x $", "eval ${Event-Name}", "eval ${domain:0:2}",
  "is_lan_addr 192.168.1.1", "is_lan_addr 8.8.8.8", "acl 1.2.3.4", "acl", "gethost", "host_lookup", "getenv", "file_exists", "module_exists", "interface_ip lo",
  "interface_ip ipv4 lo", "time_test", "timer_test 15", "stun", "strftime_tz Nowhere/Land", "strepoch nonsense", "strmicroepoch 1970-01-02",
  "find_user_xml id nobody", "find_user_xml id nobody example.test", "user_exists id nobody", "user_exists", "domain_exists", "xml_locate", "xml_locate a b c",
  "xml_locate directory domain name none.test", "in_group 2000@example.test desk", "group_call nobody@example.test",
  "db", "db select/a", "db list/a/b", "db count/nobody", "hash", "hash select/a", "group call:nobody", "limit_usage", "limit_usage hash a b rate", "limit_hash_usage",
  "limit_status hash", "limit_status nobody", "limit_reset", "limit_reset nobody", "limit_interval_reset a", "limit_interval_reset hash a b",
  "global_setvar", "bgapi", "bgapi uuid:x", "sched_api", "sched_api +1 x", "sched_del", "sched_del 0", "sched_del nobody", "unsched_api", "unsched_api 999999",
  "sched_hangup", "sched_transfer +1", "sched_broadcast +1 x", "sched_broadcast +1 " .. none .. " x", "sched_hangup +1 " .. none, "sched_transfer +1 " .. none .. " x",
  "uptime years", "fsctl", "load", "unload", "reload", "load mod_nothing", "alias", "complete", "complete del", "show", "show nothing", "show channels as yaml",
  "xml_wrap echo a b", "xml_wrap encoded echo a b", "json", "json nonsense", 'json {"command":"nosuch", "data":{}}', "json {}", "originate", "originate null/x", "log", "log INFO", "reloadxml", "reloadacl",
  "uuid_kill", "uuid_transfer", "uuid_transfer " .. none, "uuid_dual_transfer " .. none .. " a", "uuid_dual_transfer " .. none .. " a b", "uuid_bridge " .. none,
  "uuid_broadcast " .. none, "uuid_setvar " .. none, "uuid_setvar " .. none .. " a", "uuid_setvar_multi " .. none, "uuid_setvar_multi " .. none .. " a=b", "uuid_getvar " .. none,
  "uuid_dump", "uuid_fileman " .. none, "uuid_record " .. none .. " start", "uuid_record " .. none .. " x y", "uuid_displace " .. none .. " start", "uuid_audio " .. none,
  "uuid_audio " .. none .. " stop", "uuid_break", "uuid_display " .. none, "uuid_display " .. none .. " x", "uuid_early_ok " .. none, "uuid_ring_ready", "uuid_ring_ready " .. none,
  "uuid_loglevel " .. none, "uuid_loglevel " .. none .. " loud", "uuid_loglevel " .. none .. " debug", "uuid_limit " .. none, "uuid_limit " .. none .. " hash a b",
  "uuid_limit_release " .. none, "uuid_limit_release " .. none .. " hash", "uuid_session_heartbeat " .. none, "uuid_session_heartbeat " .. none .. " 5", "uuid_buglist",
  "uuid_buglist " .. none, "uuid_hold", "uuid_hold " .. none, "uuid_media", "uuid_media_reneg", "uuid_phone_event", "uuid_simplify", "uuid_simplify " .. none,
  "uuid_jitterbuffer " .. none, "uuid_send_info", "uuid_send_info " .. none .. " a", "uuid_send_message " .. none .. " a", "uuid_chat " .. none .. " a", "uuid_deflect " .. none,
  "uuid_deflect " .. none .. " sip:a@b", "uuid_zombie_exec " .. none, "uuid_xfer_zombie", "uuid_xfer_zombie " .. none, "uuid_outgoing_answer " .. none, "uuid_pause " .. none,
  "uuid_pause " .. none .. " on", "uuid_recv_dtmf " .. none, "uuid_send_dtmf " .. none, "nosuchcommand",
}) do T.show(line, T.api(line)) end
