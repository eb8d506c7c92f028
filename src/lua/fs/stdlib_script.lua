-- stdlib_script.lua: core.script: finds a user's script and starts it in a fiber of its own.
local core = ...

local find, sub, type, pairs, unpack, tostring, gsub = string.find, string.sub, type, pairs, unpack, tostring, string.gsub
local ERR = 3

-- An absolute path, or one with ://, is taken as it is; anything else lies in the script directory. No suffix is added.
function core.script_path(file)
  if sub(file, 1, 1) == "/" or find(file, "://", 1, true) then return file end
  return core.script_dir() .. "/" .. file
end

local function uuid_of(request)
  if request.uuid then return request.uuid end
  local of = core.layer and core.layer.session_uuid
  return request.session ~= nil and of and of(request.session) or nil
end

local function chunk_of(request)
  if request.code then return core.chunk_text(request.code, request.name or "line") end
  return core.chunk_file(core.script_path(request.file))
end

-- What cannot start ends like a script with an error: one line, and the asker is told.
local function refused(request, why, token)
  core.log(ERR, why, uuid_of(request))
  if token then core.wake(core.self(), token, { ok = false, error = why }) end
  return token
end

function core.script(request)
  local me = core.self()
  local token = not request.detached and me and core.token() or nil
  local chunk, why = chunk_of(request)
  if not chunk then return refused(request, why, token) end
  local alone = core.fs.isolated.wanted(request, why == true) -- `why`: it was compiled just now
  local argv = request.argv or (request.file and { [0] = request.file }) or nil
  local fiber, globals = core.script_new(request.file or request.name or "line", uuid_of(request))
  if core.layer.new_globals then core.layer.new_globals(globals) end
  globals.argv = argv
  if request.globals then
    for name, value in pairs(request.globals) do globals[name] = value end
  end
  if request.session ~= nil and core.layer.script_session then core.layer.script_session(request.session, globals) end
  if alone then chunk = core.fs.isolated.main(request, globals) end
  if argv then
    core.script_start(fiber, chunk, token, unpack(argv))
  else
    core.script_start(fiber, chunk, token)
  end
  return token
end
