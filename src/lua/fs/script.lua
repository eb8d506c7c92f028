-- script.lua: starting scripts: a command line becomes argv, inline code is told apart, the asker waits for the end.
local core = ...
local fs = core.fs
local util, wait = fs.util, fs.wait

local concat, error, find, gsub, loadstring, match, pcall, sub, type =
  table.concat, error, string.find, string.gsub, loadstring, string.match, pcall, string.sub, type

local script = {}
fs.script = script

local ARGUMENTS_MAX = 128

-- FreeSWITCH writes the arguments as a piece of Lua, argv = { 'a', 'b' }, and runs it: what a backslash means there it means here, and what is
-- wrong there (\d, a line's end) is an error. Gives the list, or nil and that piece.
local function arguments_of(file, words)
  local plain, quoted = true, {}
  for i = 1, #words do
    plain = plain and not find(words[i], "[\\\n\r]")
    quoted[i] = "'" .. gsub(words[i], "'", "\\'") .. "'"
  end
  local argv = words
  if not plain then
    local list = concat(quoted, ", ")
    local f = loadstring("return {" .. list .. "}")
    local ok, values = pcall(f or error)
    if not ok then return nil, " argv = {[0]='" .. file .. "', " .. list .. " };" end
    argv = values
  end
  argv[0] = file
  return argv
end

-- "file a 'b c'" as core.script wants it; nil if there is nothing to run.
function script.parse(text)
  text = match(text or "", "^%s*(.*)$")
  if text == "" then return nil end
  if sub(text, 1, 1) == "~" then return { code = sub(text, 2), name = "line" } end
  if sub(text, 1, 6) == "#!/lua" then return { code = sub(text, 7), name = "line" } end
  local file, rest = match(text, "^([^ ]*) ?(.*)$")
  local argv, piece = arguments_of(file, rest ~= "" and util.separate(rest, " ", ARGUMENTS_MAX) or {})
  if not argv then return { code = piece, name = "line" } end
  return { file = file, argv = argv }
end

-- The engine shows each new script's globals before it runs.
local newest
function core.layer.new_globals(globals) newest = globals end

-- Runs a script and waits: { ok =, error = }, and its globals as it left them. request.globals: those of this way in.
function script.wait(request)
  newest = nil
  local token = core.script(request)
  local globals = newest
  if not token then return { ok = false, error = "the script cannot be started" } end
  local x = wait.finish(wait.watch_token(token))
  if type(x) ~= "table" then return { ok = x == true }, globals end
  return x, globals
end

-- The application `lua`: a script with `session` on this call. options.auto_hangup: the call ends with it.
function script.run(ch, text, arguments, options)
  local request
  if arguments then
    request = script.parse("x " .. arguments) or { argv = {} }
    if request.argv then request.file, request.argv[0] = text, text end
  else
    request = script.parse(text)
  end
  if not request then return { ok = false, error = "no script given" } end
  local object, st = fs.session.attach(ch)
  st.hup = options and options.auto_hangup or false
  request.globals = { session = object }
  request.session = object
  request.detached = false
  local result = script.wait(request)
  fs.session.release(st)
  wait.acquire(ch)
  return result
end
