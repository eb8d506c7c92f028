-- affected_rows behind each kind of statement, and what a missing extension is. Arguments: work, sounds, sip, DSN.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local sqlite = argv[4]:find("^sqlite") ~= nil
local d, other = freeswitch.Dbh(argv[4]), freeswitch.Dbh(argv[4])
local function seen(what, sql, f)
  local ok
  if f then ok = d:query(sql, f) else ok = d:query(sql) end
  T.show(what, ok, d:affected_rows(), other:affected_rows() == d:affected_rows())
end
seen("create", "CREATE TABLE a (i integer, n text)")
seen("insert", "INSERT INTO a VALUES (1, 'x'), (2, NULL), (3, 'z')")
seen("select", "SELECT i FROM a WHERE i < 3")
seen("select with a function", "SELECT i FROM a WHERE i < 2", function() end)
seen("update with a function", "UPDATE a SET n = 'y' WHERE i > 1", function() end)
seen("update of none", "UPDATE a SET n = 'y' WHERE i > 100")
seen("create again", "CREATE TABLE b (i integer)")
d:query("UPDATE a SET n = NULL WHERE i = 2")
local _, rows = d:query_rows("SELECT n FROM a WHERE i = 2")
T.show("NULL in query_rows", rows[1].n)
T.show("no extension", d:load_extension("/nonexistent/x.so"), d:load_extension(""), d:load_extension(nil))
T.show("no sql", d:query("SELECT * FROM nowhere"), type(d:last_error()), d:query(""), d:last_error())
