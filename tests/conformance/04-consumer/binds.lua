-- What a consumer is bound to: subclasses to the letter, once for each bind, nothing after cleanup.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local function fire(subclass, header, value)
  local e = freeswitch.Event("CUSTOM", subclass)
  if header then e:addHeader(header, value) end
  e:fire()
end
local function count(con)
  local n = 0
  while con:pop(1, 400) do n = n + 1 end
  return n
end
local star, file, two, all, any = freeswitch.EventConsumer("CUSTOM", "probe::b*"), freeswitch.EventConsumer("CUSTOM", "file:x.c"),
  freeswitch.EventConsumer("CUSTOM", "probe::binds"), freeswitch.EventConsumer("all", "probe::binds"), freeswitch.EventConsumer()
two:bind("custom", "probe::binds")
T.show("unknown type", any:bind("NO_SUCH"), any:bind(""), any:bind("CUSTOM", "probe::binds-nobody"))
fire("probe::binds")
fire("probe::binds", "file", "x.c")
fire("probe::binds", "file", "y.c")
T.show("a star is a letter", count(star))
T.show("two binds, two copies each", count(two))
T.show("all, of a subclass", count(all))
T.show("another subclass", count(any))
T.show("by file: those that say nothing, too", file:pop(1, 100) ~= nil)
local names = 0
local con = freeswitch.EventConsumer()
while con:bind("CUSTOM", "probe::binds-never") == 1 do names = names + 1 end
T.show("as many binds as there are types", names)
con:cleanup()
T.show("after cleanup", con:bind("CUSTOM"), con:pop(), con:pop(1, 100), con:pop(1))
local idle, from = freeswitch.EventConsumer(), tonumber(freeswitch.API():getTime())
T.show("without a bind it waits all the same", idle:pop(1, 300), tonumber(freeswitch.API():getTime()) - from >= 290)
