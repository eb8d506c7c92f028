-- esl_module.lua: `require "ESL"` inside scripts: connections that suspend their script, and nobody else, while they wait.
local core = ...
local fs, base = core.fs, core.base

local tcp = {}
core.tcp = tcp

function tcp.connect(host, port)
  local socket = core.await(core.tcp_connect(host, port, 10000))
  if type(socket) ~= "userdata" then return nil, socket end
  local c = { socket = socket }
  c.handle = core.on_end(function() core.tcp_close(socket) end)
  return c
end
function tcp.attach() return nil end -- the engine's descriptors are no script's
function tcp.descriptor(c) return core.tcp_fd(c.socket) end
function tcp.close(c)
  core.tcp_close(c.socket)
  core.off_end(c.handle)
end

function tcp.send(c, text)
  local at, token = 0, nil
  repeat
    at, token = core.tcp_write(c.socket, text, at)
    if not at then return nil end
    if token then core.await(token) end
  until not token
  return true
end

function tcp.receive(c, ms)
  local until_ms = ms and core.now() + ms
  while true do
    local text, token = core.tcp_read(c.socket)
    if text ~= nil then return text end
    local left = until_ms and until_ms - core.now()
    if left and left <= 0 then return nil end
    core.wait_token(token, left)
  end
end

core.load("esl")

-- Found by `require` before any file; it sets the global, too, as FreeSWITCH's does.
fs.builtin_modules = fs.builtin_modules or {}
fs.builtin_modules.ESL = function()
  local module = core.esl_module()
  core.script_data().__globals.ESL = module
  return module
end
