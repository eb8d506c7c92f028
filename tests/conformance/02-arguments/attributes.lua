-- Metatables with .fn, .get and .set; attributes that can be read and written; assignments that cannot.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
for _, pair in ipairs({ { "Session", freeswitch.Session() }, { "Event", freeswitch.Event("CUSTOM") }, { "API", freeswitch.API() },
    { "Stream", freeswitch.Stream() }, { "EventConsumer", freeswitch.EventConsumer() }, { "JSON", freeswitch.JSON() } }) do
  local mt = getmetatable(pair[2])
  T.show(pair[1], type(mt), type(mt[".fn"]), type(mt[".get"]), type(mt[".set"]))
end
local found = {}
for name in pairs(getmetatable(freeswitch.Session())[".fn"]) do found[name] = true end
T.show("methods are listed", found.hangup, found.playAndGetDigits, found.noSuch)
local s = T.null()
T.show("uuid", s.uuid == s:get_uuid())
T.show("unknown attribute", s.no_such_thing)
T.call("unknown assignment", function() s.no_such_thing = 1 end)
T.call("event assignment", function() freeswitch.Event("CUSTOM").x = 1 end)
s.tts_name = "flite"
s.voice_name = "kal"
T.show("settable", s.tts_name, s.voice_name)
s.cb_function = "nobody"
T.show("cb_function", s.cb_function)
T.show("equal", s == s, s == T.null())
local a = freeswitch.Session(s.uuid)
T.show("same call", a.uuid == s.uuid)
local d = freeswitch.DTMF("5")
d.digit = 7
T.show("a digit as number", d.digit)
d.digit = "89"
T.show("the first alone", d.digit)
local con = freeswitch.EventConsumer("CUSTOM", "probe::attributes")
con:bind("DTMF")
T.show("binds", con.node_index, con:cleanup(), con.node_index)
T.show("pointers", s.session, s.channel, s.hook_state, freeswitch.Session().session, freeswitch.Session().channel)
T.show("their type", (tostring(s.channel):gsub(" at .*", "")))
s:hangup()
