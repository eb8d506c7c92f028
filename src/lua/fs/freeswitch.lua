-- freeswitch.lua: the table `freeswitch`: its functions and constants; the classes are added from their files.
local core = ...
local fs = core.fs
local util, class, wait = fs.util, fs.class, fs.wait

local error, format, match, tonumber = error, string.format, string.match, tonumber

local freeswitch = { S_HUP = 1, S_FREE = 2, S_RDLOCK = 4 }
fs.freeswitch = freeswitch

local func = class.func

freeswitch.consoleLog = func("consoleLog", "ss", 2, 2, function(level, text) core.log(util.level(level), text or "") end)
freeswitch.console_log = func("console_log", "ss", 2, 2, function(level, text) core.log(util.level(level), text or "") end)
freeswitch.consoleLog2 = func("consoleLog2", "sssis", 5, 5, function(level, _, _, _, text) core.log(util.level(level), text or "") end)
freeswitch.console_log2 = func("console_log2", "sssis", 5, 5, function(level, _, _, _, text) core.log(util.level(level), text or "") end)
freeswitch.consoleCleanLog = func("consoleCleanLog", "s", 1, 1, function(text) core.log_raw(text or "") end)
freeswitch.console_clean_log = func("console_clean_log", "s", 1, 1, function(text) core.log_raw(text or "") end)

freeswitch.getGlobalVariable = func("getGlobalVariable", "s", 1, 1, function(name)
  if name == "core_uuid" then return fs.event.core_uuid() end
  return name and core.global_get(name)
end)
freeswitch.setGlobalVariable = func("setGlobalVariable", "ss", 2, 2, function(name, value)
  if name and name ~= "" then core.global_set(name, value ~= "" and value or nil) end
end)

-- Sleeps without serving any call: keys and events wait.
freeswitch.msleep = func("switch_msleep", "n", 1, 1, function(ms)
  local deadline = core.now() + ms
  wait.breathe()
  while core.now() < deadline do wait.once(deadline - core.now()) end
end)

freeswitch.bridge = func("bridge", "RR", 2, 2, function(a, b)
  if a and b and (a.far or b.far) then return fs.remote.bridge(a, b) end
  if not a or not b or not a.ch or not b.ch then
    core.log(3, "Channels not ready\n")
    return
  end
  fs.bridge.sessions(a, b)
end)

freeswitch.running = func("running", "", 0, 0, function() return not fs.stopping end)

-- Builds a mail and hands it to the configured mailer; convert_cmd turns the file into one with convert_ext first.
local function mail_text(to, from, headers, body, file, name, content)
  local boundary = "carillon-" .. core.uuid()
  local out = { "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"" .. boundary .. "\"\n" }
  out[#out + 1] = "To: " .. to .. "\nFrom: " .. from .. "\n"
  if util.some(headers) then out[#out + 1] = (string.gsub(headers, "[\r\n]+$", "")) .. "\n" end
  out[#out + 1] = "\n--" .. boundary .. "\n"
  if util.some(body) then
    if not match(body, "^[%w%-]+:") then out[#out + 1] = "Content-Type: text/plain\n\n" end
    out[#out + 1] = body .. "\n"
  end
  if content then
    out[#out + 1] = format("\n--%s\nContent-Type: application/octet-stream; name=\"%s\"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=\"%s\"\n\n", boundary, name, name)
    out[#out + 1] = fs.base64(content, 76) .. "\n"
  end
  out[#out + 1] = "\n--" .. boundary .. "--\n"
  return table.concat(out)
end

local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
function fs.base64(text, width)
  local out, n = {}, 0
  for i = 1, #text, 3 do
    local a, b, c = string.byte(text, i, i + 2)
    local v = a * 65536 + (b or 0) * 256 + (c or 0)
    local function letter(at) return string.sub(alphabet, at + 1, at + 1) end
    out[#out + 1] = letter(math.floor(v / 262144)) .. letter(math.floor(v / 4096) % 64) .. (b and letter(math.floor(v / 64) % 64) or "=") .. (c and letter(v % 64) or "=")
    n = n + 4
    if width and n >= width then
      out[#out + 1] = "\n"
      n = 0
    end
  end
  return table.concat(out)
end

freeswitch.email = func("email", "sssssss", 2, 7, function(to, from, headers, body, file, convert_cmd, convert_ext)
  if not util.some(to) then return false end
  local path, content, name = file, nil, nil
  if util.some(file) then
    if util.some(convert_cmd) and util.some(convert_ext) then
      path = (string.gsub(file, "%.[%w]+$", "")) .. "." .. (string.gsub(convert_ext, "^%.", ""))
      wait.job("system", format("%s %s %s", convert_cmd, file, path))
    end
    local there = io.open(path, "rb")
    if not there then return false end
    there:close()
    content = wait.job("read_file", path)
    if not content then return false end
    name = match(path, "[^/]+$")
  end
  local settings = fs.xmlconf.switch_settings()
  local command = (settings["mailer-app"] or "sendmail") .. " " .. (settings["mailer-app-args"] or "-t")
  local status = wait.job("mailer", command, mail_text(to, from or "", headers, body, path, name, content))
  return status == true or status == 0
end)

for name, c in pairs(class.all) do freeswitch[name] = c.table end
core.base.freeswitch = freeswitch

-- --- what the engine calls ---

local layer = core.layer
function layer.channel_start(ch) fs.channel.begin(ch) end
function layer.channel_run(ch, file, arguments) return fs.channel.campaign(ch, file, arguments) end
function layer.channel_over(ch) fs.channel.ended(ch) end
function layer.script_session(object, globals) fs.session.script_session(object, globals) end
function layer.session_uuid(object)
  local st = core.state(object)
  return st and st.uuid
end
if fs.api and not layer.api then
  -- `pairs`: what an HTTP request brings for a script's `env`, and as `_body` for its stream; nil for all others.
  function layer.api(command, arguments, pairs)
    if command == "carillon_here" then return fs.api.line(arguments or "", { here = true }) end -- another worker asks
    local context = {}
    if pairs then
      context.env = fs.event.make("API")
      for i = 1, #pairs do
        local name, value = pairs[i][1], pairs[i][2]
        if name == "_body" then context.body = value else fs.event.add(context.env, name, value) end
      end
    end
    return fs.api.line(command .. " " .. (arguments or ""), context)
  end
end
