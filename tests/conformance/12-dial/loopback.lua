-- What the halves of a loopback call know of each other, and what of the dialled variables the second one has.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local api = freeswitch.API()
local function other(s) return s:getVariable("other_loopback_leg_uuid") end
local function far(uuid, name) return api:execute("uuid_getvar", uuid .. " " .. name) end
local function show(what, s)
  local b = other(s)
  T.show(what, s:getVariable("loopback_leg"), far(b, "loopback_leg"), far(b, "other_loopback_leg_uuid") == s:get_uuid())
  for _, name in ipairs({ "given", "taken", "given_by_leg", "only_b", "loopback_app", "loopback_app_arg", "destination_number", "context", "dialplan" }) do
    T.show(" " .. name, s:getVariable(name), far(b, name))
  end
end
local s = freeswitch.Session("{given=1}[given_by_leg=2]loopback/parked/far")
show("by itself", s)
T.show("nobody dialled it", s:getVariable("loopback_from_uuid"), far(other(s), "other_loopback_from_uuid"))
s:hangup()
local a = T.null("")
a:execute("export", "nolocal:only_b=3")
s = freeswitch.Session("{given=1}loopback/parked/far", a)
show("with a first leg", s)
T.show("the first leg", s:getVariable("loopback_from_uuid") == a:get_uuid(), far(other(s), "other_loopback_from_uuid") == a:get_uuid())
s:hangup()
s = freeswitch.Session("{given=1}loopback/app=sleep:30000")
show("an application", s)
s:hangup()
s = freeswitch.Session("loopback/app=park")
show("an application without argument", s)
s:hangup()
for _, no in ipairs({ "false", "true" }) do
  s = freeswitch.Session("{return_ring_ready=true,loopback_no_pre_answer=" .. no .. "}loopback/rings/far")
  local b = other(s)
  T.show("rings", s:ready(), far(b, "endpoint_disposition"))
  api:execute("uuid_setvar", b .. " return_ring_ready") -- which it has, too
  api:execute("uuid_transfer", b .. " bridge:loopback/rings/far inline")
  freeswitch.msleep(1500)
  T.show("who dials a loopback has early media unless loopback_no_pre_answer", no, far(b, "endpoint_disposition"))
  s:hangup()
end
