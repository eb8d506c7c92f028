-- What a database handle can do.
--   lua examples/dbh_tour.lua sqlite://example          (or pgsql://…, odbc://source:user:password)
local dbh = freeswitch.Dbh(argv[1] or "sqlite://example")
assert(dbh:connected(), "no database")

-- The table is made when the first statement fails.
dbh:test_reactive("select id, name from contacts", "drop table contacts", "create table contacts (id integer, name varchar(255))")
dbh:query("delete from contacts")
dbh:query("insert into contacts values (1, 'foo')")
dbh:query("insert into contacts values (2, 'bar')")
dbh:query("insert into contacts values (3, 'baz')")

-- One call of the function for each row; a number other than 0 ends the query.
dbh:query("select id, name from contacts order by id", function(row)
  stream:write(("%5s : %s\n"):format(row.id, row.name))
  if row.id == "2" then return 1 end
end)

dbh:query("update contacts set name = 'changed'")
stream:write("affected rows: " .. dbh:affected_rows() .. "\n")

local ok, rows = dbh:query_rows("select name from contacts")
stream:write(("rows: %d, the first is %s\n"):format(ok and #rows or 0, rows[1].name))

if not dbh:query("select nonsense from nowhere") then stream:write("refused: " .. tostring(dbh:last_error() ~= nil) .. "\n") end
dbh:release()
