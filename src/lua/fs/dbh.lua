-- dbh.lua: freeswitch.Dbh: databases for scripts. Nothing blocks: the pool (src/store/pool.h) works elsewhere and the fiber waits.
--
-- As in FreeSWITCH, handles of one script on one DSN share one connection, and with it a transaction; queries within a row callback work.
local core = ...
local fs = core.fs
local class, util, wait = fs.class, fs.util, fs.wait

local find, format, gsub, lower, match, sub = string.find, string.format, string.gsub, string.lower, string.match, string.sub
local ipairs, pcall, tonumber, tostring, type = ipairs, pcall, tonumber, tostring, type

local ERR = 3
local dbh = {}
fs.dbh = dbh

-- --- data source names ---

-- The forms that FreeSWITCH knows, as the pool wants them; nil if there is no such thing.
local function pool_dsn(dsn, user, password)
  if user or password then dsn = dsn .. (user and ":" .. user or "") .. (password and ":" .. password or "") end
  local scheme = match(dsn, "^(%w+)://")
  if scheme then
    scheme = lower(scheme)
    if scheme == "core" then return "sqlite://" .. sub(dsn, 8), "sqlite" end
    return dsn, scheme
  end
  if dsn == "" then return nil end
  local file = match(dsn, "^core:(.+)$") -- an old name of databases in the core's folder
  if file then return "sqlite://" .. file, "sqlite" end
  if find(dsn, ":", 3, true) then return "odbc://" .. dsn, "odbc" end
  return "sqlite://" .. dsn, "sqlite"
end

-- Starts something of the pool's with a token of its own and waits for its end: what start(token) returned.
local function finish(start)
  local op = wait.op()
  local started, problem = start(op.token)
  if started then wait.finish(op) else wait.forget(op) end
  return started, problem
end

-- --- connections: one for each DSN of a script ---

local function connections()
  local data = core.script_data() or dbh
  data.dbh_connections = data.dbh_connections or {}
  return data.dbh_connections
end

local function disconnect(connection)
  if not connection.session then return end
  core.db_session_close(connection.session)
  connection.session = nil
  if connection.on_end then core.off_end(connection.on_end) end
  local all = connection.all
  if all[connection.dsn] == connection then all[connection.dsn] = nil end
end

local function connect(dsn, kind)
  local all = connections()
  local connection = all[dsn]
  if connection then
    connection.users = connection.users + 1
    return connection
  end
  local session, problem = finish(function(token) return core.db_open(dsn, token) end)
  if session then
    problem = core.db_session_error(session)
    if problem then core.db_session_close(session) end
  end
  if problem then return nil, problem end
  connection = { dsn = dsn, kind = kind, session = session, users = 1, all = all }
  if core.script_data() then connection.on_end = core.on_end(function() disconnect(connection) end) end
  all[dsn] = connection
  return connection
end

local function release(state)
  local connection = state.connection
  if not connection then return false end
  state.connection = nil
  connection.users = connection.users - 1
  if connection.users == 0 then disconnect(connection) end
  return true
end
dbh.release = release

-- --- statements ---

local function stops(value)
  local n = type(value) == "number" and value or type(value) == "string" and tonumber(value) or 0
  return n >= 1 or n <= -1
end

-- A row function's error is logged and ends the query, which counts as done.
local function call_row(f, row)
  local ok, value = pcall(f, row)
  if ok then return stops(value) end
  core.log(ERR, tostring(value) .. "\n")
  return true
end

-- Runs sql; each(row) for every row, which may end it. Returns the driver's error or nil, affected rows, and whether it was stopped.
local function run(connection, sql, null, each)
  local cursor, problem = finish(function(token) return core.db_query(connection.session, sql, token) end)
  if not cursor then return problem, 0 end
  local more = true
  while more do
    if each then
      for _, row in ipairs(core.db_rows(cursor, null)) do
        if each(row) then
          core.db_cursor_close(cursor)
          return nil, 0, true
        end
        if not connection.session then return nil, 0, true end
      end
    end
    more, problem = finish(function(token) return core.db_next(cursor, token) end)
  end
  local driver, affected = core.db_result(cursor)
  core.db_cursor_close(cursor)
  return driver or problem, affected
end
dbh.run, dbh.connect, dbh.pool_dsn = run, connect, pool_dsn

local function not_connected()
  core.log(ERR, "DBH NOT Connected.\n")
end

-- What a driver's error means to FreeSWITCH: the text as last_error shows it, or nil where it does not count.
local function driver_error(connection, problem)
  if not problem then return nil end
  if connection.kind ~= "sqlite" and connection.kind ~= "odbc" then
    if find(lower(problem), "already exists", 1, true) or find(lower(problem), "duplicate key name", 1, true) then return nil end
    return problem .. "\n"
  end
  return problem
end

local function execute(state, sql, null, each)
  local connection = state.connection
  local problem, affected, stopped = run(connection, sql, null, each)
  problem = driver_error(connection, problem)
  if not stopped then connection.affected = affected end
  if problem then core.log(ERR, format("SQL ERR: [%s] %s\n", sql, (gsub(problem, "%s+$", "")))) end
  return problem
end

-- --- the class ---

local C = class.define("Dbh", { self_type = "LUA::Dbh *", gc = function(state) release(state) end })
dbh.class = C

class.overloaded_new(C, { "s", "ss", "sss" }, function(dsn, user, password)
  local state = {}
  local where, kind = pool_dsn(dsn or "", util.some(user), util.some(password))
  local problem
  if where then state.connection, problem = connect(where, kind) end
  if not state.connection then
    core.log(ERR, "Connection failed.  DBH NOT Connected.\n")
    if problem then core.log(ERR, problem .. "\n") end
  end
  return class.object(C, state)
end)

class.method(C, "release", "LUA::Dbh::release", "", 0, 0, function(state)
  if state.connection then return release(state) end
  not_connected()
  return false
end)

class.method(C, "connected", "LUA::Dbh::connected", "", 0, 0, function(state) return state.connection ~= nil end)

class.method(C, "query", "LUA::Dbh::query", "sf", 1, 2, function(state, sql, f)
  state.error = nil
  if not sql or sql == "" then
    core.log(ERR, "Missing SQL query.\n")
    return false
  end
  if not state.connection then
    not_connected()
    return false
  end
  local problem = execute(state, sql, "", f and function(row) return call_row(f, row) end)
  if problem and not (f and state.connection and state.connection.kind == "sqlite") then state.error = problem end
  return problem == nil
end)

class.method(C, "query_rows", "LUA::Dbh::query_rows", "s", 1, 1, function(state, sql)
  local rows = {}
  state.error = nil
  if not sql or sql == "" then return false, rows, "Missing SQL query." end
  if not state.connection then
    not_connected()
    return false, rows, "DBH NOT Connected."
  end
  -- NULL is nothing to SQLite, and an empty text to the others.
  local null = nil
  if state.connection.kind ~= "sqlite" then null = "" end
  local problem = execute(state, sql, null, function(row) rows[#rows + 1] = row end)
  if not problem then return true, rows, nil end
  if state.connection and state.connection.kind == "sqlite" then return false, {}, "Failed to execute sql query" end
  state.error = problem
  return false, {}, problem
end)

class.method(C, "affected_rows", "LUA::Dbh::affected_rows", "", 0, 0, function(state)
  if state.connection then return state.connection.affected or 0 end
  not_connected()
  return 0
end)

class.method(C, "last_error", "LUA::Dbh::last_error", "", 0, 0, function(state) return state.error end)
class.method(C, "clear_error", "LUA::Dbh::clear_error", "", 0, 0, function(state) state.error = nil end)

class.overload(C, "test_reactive", "Dbh_test_reactive", { "s", "ss", "sss" }, function(state, test, drop, create)
  if not state.connection then
    not_connected()
    return false
  end
  if not util.some(test) or not util.some(create) then
    core.log(ERR, "Missing parameters.\n")
    return false
  end
  local connection = state.connection
  if not driver_error(connection, (run(connection, test))) then return true end
  if util.some(drop) then run(connection, drop) end
  return driver_error(connection, (run(connection, create))) == nil
end)

-- 0 is success, as it is to SQLite; elsewhere it is the answer, too.
class.method(C, "load_extension", "LUA::Dbh::load_extension", "S", 1, 1, function(state, path)
  if not util.some(path) then
    core.log(ERR, "Missing extension name.\n")
    return 0
  end
  if not state.connection then
    not_connected()
    return 0
  end
  if state.connection.kind ~= "sqlite" then
    core.log(ERR, "load extension not supported by this kind of database!\n")
    return 0
  end
  local session = state.connection.session
  if not finish(function(token) return core.db_load_extension(session, path, token) end) then return 1 end
  local problem = core.db_session_error(session)
  if not problem then return 0 end
  core.log(ERR, "LOAD EXTENSION ERR [" .. problem .. "]\n")
  return 1
end)
