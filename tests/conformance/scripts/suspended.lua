-- One of many scripts that wait at the same time: in what argv[1] says. Says when it waits, and what came of it.
local kind = argv[1]
local function tell(what, more)
  local e = freeswitch.Event("CUSTOM", "suspended::" .. what)
  e:addHeader("Kind", kind)
  if more then e:addHeader("More", more) end
  e:fire()
end
local works = {
  digits = function()
    local s = freeswitch.Session("null/x")
    tell("waits", s.uuid)
    local keys = s:getDigits(3, "#", 0)
    s:hangup()
    return keys
  end,
  sleep = function()
    local s = freeswitch.Session("null/x")
    tell("waits", s.uuid)
    local slept = s:sleep(600000) -- uuid_break ends it
    s:hangup()
    return slept
  end,
  query = function()
    local d = freeswitch.Dbh(argv[2])
    tell("waits")
    local sum
    d:query("select pg_sleep(0.3), 6 * 7 as product", function(row) sum = row.product end)
    return sum
  end,
  pop = function()
    local con = freeswitch.EventConsumer("CUSTOM", "suspended::go")
    tell("waits")
    return con:pop(1):getHeader("Word")
  end,
}
tell("done", tostring(works[kind]()))
