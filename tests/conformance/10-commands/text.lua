-- Commands that turn text into text: regex, cond, expr, replace, url, md5, escape and their corners.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
for _, line in ipairs({
  "regex abc|b", "regex abc|x", "regex abc|(b)(c)|$2$1", "regex abc|x|y", "regex abc|x|y|n", "regex abc|x|y|b", "regex abc|/B/i", "regex m:~a|c~\\|~true",
  "regex m:/a b/b/", "regex 5551234|^555(\\d{4})$|x-$1-y", "regex abc", "regex", "regex a|(", "regex aXbX|X|-",
  "cond 1 == 1 ? yes : no", "cond 1 != 1 ? yes : no", "cond 2 > 10 ? yes : no", "cond abc == abc ? yes : no", "cond 2 >= 2 ? a : b", "cond 1 < 2 ? a b : c d",
  "cond x ? y", "cond", "cond '1' == '1' ? yes : no",
  "expr 1+2*3", "expr (1+2)*3", "expr 7/2", "expr 2^3", "expr 1 > 2", "expr 1 == 1", "expr equal(1,1)", "expr if(above(3,2),10,20)", "expr x=4|x*x", "expr foo+1", "expr -2^2", "expr 2^3^2", "expr 7%3", "expr mod(7,3)",
  "expr M_PI", "expr sqrt(-1)", "expr land(6,3)+lor(4,1)", "expr for(i=0,below(i,5),i=i+1,i*i)", "expr 1 2", "expr select(0,1,2)", "expr min(3,2)", "expr abs(-4)", "expr", "expr 1 +",
  "replace abcabc|b|X", "replace abc|x|Y", "replace abc|b|", "toupper aBc", "tolower aBc",
  "url_encode a b&c/ü", "url_decode a%20b%26c", "md5 abc", "echo a  b", "coalesce ,b,c",
  "quote_shell_arg it's", "eval $${domain}", "eval ${nothing}x", "expand eval a", "eval ${regex(abc|b)}", "eval ${md5(${regex(abc|(b)|$1)})}", "sql_escape it's",
  "hostname", "switchname", "module_exists mod_lua", "module_exists mod_nothing", "file_exists /etc/passwd", "file_exists /none", "create_uuid", "user_exists id 2000 example.test",
  "user_exists id 9 example.test", "user_data 2000@example.test var both", "user_data 2000@example.test var only_domain", "user_data 2000@example.test param of-domain",
  "user_data 2000@example.test attr number-alias", "user_data 9@example.test var x", "in_group 2000@example.test,desk", "in_group 2001@example.test,empty",
  "domain_exists example.test", "domain_exists none.test", "group_call desk@example.test", "getenv NO_SUCH_THING", "system echo out", "msleep 1",
}) do
  local reply = T.api(line)
  if line == "hostname" or line == "switchname" then reply = reply ~= "" and not reply:find("\n") end
  T.show(line, reply)
end
