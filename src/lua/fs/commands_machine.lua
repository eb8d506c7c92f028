-- commands_machine.lua: API commands on the machine below: its environment, files, names and addresses, child processes, clocks.
local core = ...
local fs = core.fs
local api, util, wait = fs.api, fs.util, fs.wait

local concat, floor, format, gmatch, lower, match, tonumber, type = table.concat, math.floor, string.format, string.gmatch, string.lower, string.match,
  tonumber, type
local io, os = io, os
local command = api.command

command("getenv", "<name>", "getenv", function(name) return name ~= "" and os.getenv(name) or "_undef_" end)
command("file_exists", "<file>", "Check if a file exists on server", function(path)
  local f = path ~= "" and io.open(path, "rb")
  if f then f:close() end
  return f and "true" or "false"
end)

-- --- child processes ---

-- What a shell command printed.
local function output(line)
  local reply = wait.job("popen_read", line)
  return type(reply) == "string" and reply or type(reply) == "table" and (reply.text or reply[1]) or ""
end

local function child(name, help, run)
  command(name, "<command>", help, function(line)
    if line == "" then return api.usage(name) end
    return run(line)
  end)
end
local function silent(line)
  wait.job("system", line)
  return "+OK\n"
end
local function beside(line)
  core.spawn("bg_system", function() wait.job("system", line) end)
  return "+OK\n"
end
child("system", "Execute a system command", output)
child("spawn_stream", "Execute a spawn command and capture it's output", output)
child("spawn", "Execute a spawn command without capturing it's output", silent)
child("bg_system", "Execute a system command in the background", beside)
child("bg_spawn", "Execute a spawn command in the background", beside)

-- --- names and addresses ---

local function address_of(name)
  return name ~= "" and match(output("getent ahostsv4 " .. util.shell_word(name)), "^(%S+)") or nil
end
command("host_lookup", "<hostname>", "Lookup host", function(name)
  if name == "" then return "parameter missing\n" end
  return address_of(name) or "!err!"
end)
command("gethost", "", "gethostbyname", function(name) return address_of(name) or "-ERR" end)
command("interface_ip", "[auto|ipv4|ipv6] <ifname>", "Return the primary IP of an interface", function(text)
  local family, name = match(text, "^(%S+)%s+(%S+)")
  local flags = { auto = "", ipv4 = "-4 ", ipv6 = "-6 " }
  local flag = family and flags[lower(family)]
  if not flag then return "USAGE: interface_ip [auto|ipv4|ipv6] <ifname>\n" end
  return match(output("ip -o " .. flag .. "addr show dev " .. util.shell_word(name) .. " 2>/dev/null"), "inet6?%s+([^/%s]+)") or ""
end)
-- Nothing here knows a STUN client: the SIP library has its own addresses from the configuration.
command("stun", "<stun_server>[:port] [<source_ip>[:<source_port]]", "Execute STUN lookup", function(text)
  if text == "" then return "-STUN Failed! NO STUN SERVER\n" end
  return "-STUN Failed! [not supported]\n"
end)

-- --- clocks ---

command("msleep", "<milliseconds>", "Sleep N milliseconds", function(text)
  wait.finish(wait.op(), math.max(util.int(text), 0))
  return "+OK"
end)

-- Sleeps ms and tells how long it took, in µs.
local function slept_us(ms)
  local from = core.now()
  wait.finish(wait.op(), ms)
  return floor((core.now() - from) * 1000)
end
command("time_test", "<mss> [count]", "Show time jitter", function(text)
  if text == "" then return "parameter missing\n" end
  local us, count = math.min(util.int(text), 1000000), util.int(match(text, " (.*)$"))
  count = count > 0 and math.min(count, 100) or 10
  local out, total = {}, 0
  for i = 1, count do
    local took = slept_us(us / 1000)
    out[i] = format("test %d sleep %d %d\n", i, us, took)
    total = total + took
  end
  return concat(out) .. format("avg %d\n", floor(total / count))
end)
local intervals = { [10] = true, [20] = true, [30] = true, [32] = true, [40] = true, [60] = true, [120] = true }
command("timer_test", "<10|20|40|60|120> [<1..200>] [<timer_name>]", "Exercise FS timer", function(text)
  local words = util.separate(text, " ", 5)
  local ms, count = words[1] and util.int(words[1]) or 20, util.int(words[2])
  if count < 1 or count > 400 then count = 50 end
  if not intervals[ms] then return "parameter missing: <10|20|40|60|120> [<1..200>] [<timer_name>]\n" end
  if words[3] and words[3] ~= "soft" then return "Timer Error!\n" end
  local total = 0
  for _ = 1, count do total = total + slept_us(ms) end
  return format("Avg: %0.3fms Total Time: %0.3fms\n", total / count / 1000, total / 1000)
end)

-- CPU of this worker process in ms, since the last reset.
local user_from, system_from = 0, 0
local function cpu_ms()
  local f = io.open("/proc/self/stat", "rb")
  local text = f and f:read(1000) or ""
  if f then f:close() end
  local numbers = {}
  for word in gmatch(match(text, "^.*%)(.*)$") or "", "%S+") do numbers[#numbers + 1] = word end
  return (tonumber(numbers[12]) or 0) * 10, (tonumber(numbers[13]) or 0) * 10 -- in ticks of 10 ms
end
command("getcputime", "[reset]", "Gets CPU time in milliseconds (user,kernel)", function(text)
  local user, system = cpu_ms()
  local reply = format("%d, %d", user - user_from, system - system_from)
  if match(text, "^reset") then user_from, system_from = user, system end
  return reply
end)
