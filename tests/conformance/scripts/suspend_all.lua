-- Starts argv[2] scripts of each kind, waits until all of them wait, lets them go on, and counts what came of them. Arguments: DSN, count,
-- a file to say so in when all of them wait, and one that is made when they may go on.
local dsn, count, waiting, go_on = argv[1], tonumber(argv[2]), argv[3], argv[4]
local api = freeswitch.API()
local con = freeswitch.EventConsumer("CUSTOM", "suspended::waits", 50000)
con:bind("CUSTOM", "suspended::done")
local file = argv[0]:gsub("suspend_all", "suspended")
local waits, calls, done = 0, {}, {}
local function take(e)
  local kind, more = e:getHeader("Kind"), e:getHeader("More")
  if e:getHeader("Event-Subclass") == "suspended::done" then
    done[kind .. " " .. more] = (done[kind .. " " .. more] or 0) + 1
    return
  end
  waits = waits + 1
  if more then calls[#calls + 1] = { kind, more } end
end
local function take_all(ms, enough)
  local till = tonumber(api:getTime()) + ms
  while not enough() and tonumber(api:getTime()) < till do
    local e = con:pop(1, 500)
    if e then take(e) end
  end
end
for i, kind in ipairs({ "digits", "sleep", "pop" }) do
  for _ = 1, count do api:execute("luarun", file .. " " .. kind) end
  take_all(120000, function() return waits >= i * count end)
end
for _ = 1, count do api:execute("luarun", file .. " query " .. dsn) end
io.open(waiting, "w"):close()
for _ = 1, 1200 do
  if io.open(go_on) then break end
  freeswitch.msleep(100)
end
for i, call in ipairs(calls) do
  api:execute(call[1] == "digits" and "uuid_recv_dtmf" or "uuid_break", call[2] .. (call[1] == "digits" and " 123" or ""))
end
local e = freeswitch.Event("CUSTOM", "suspended::go")
e:addHeader("Word", "go")
e:fire()
local function ended()
  local n = 0
  for _, k in pairs(done) do n = n + k end
  return n >= 4 * count
end
take_all(180000, ended)
local names = {}
for name in pairs(done) do names[#names + 1] = name end
table.sort(names)
stream:write("waited: " .. waits .. "\n")
for _, name in ipairs(names) do stream:write(name .. ": " .. done[name] .. "\n") end
