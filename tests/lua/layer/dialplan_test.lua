local T, test = ...
local fs, core, fake = T.fs, T.core, T.fake

-- The variables of a null call after a transfer there.
local function landed(extension, context, before)
  return fake.fiber(function()
    local ch = fs.originate.dial((before or "") .. "null/x", {})
    ch:own(nil)
    fs.transfer.transfer(ch, extension, "XML", context or "default")
    fs.wait.finish(fs.wait.op(), 200) -- whatever else happens meanwhile
    local vars = {}
    for _, p in ipairs(ch:variables()) do vars[p[1]] = p[2] end
    vars.cause = ch:cause()
    if ch:up() then fs.channel.hangup(ch) end
    core.wait(50)
    return vars
  end)
end

test("captures, inline actions and continue", function()
  local v = landed("cap-4xyz")
  T.equal("one", v.one, "4")
  T.equal("two", v.two, "xyz")
  T.equal("inline", v.inlined, "4")
  T.equal("continue", v.seen, "first")
end)
test("anti-actions run when a condition fails", function()
  T.equal("yes", landed("anti-1", nil, "{flag=yes}").flag_is, "yes")
  T.equal("no", landed("anti-1").flag_is, "no")
end)
test("conditions within a condition come after its actions, and decide whether it counts", function()
  T.equal("both", landed("nest-1", "nested", "{flag=yes}").order, "outer inner")
  local v = landed("strict", "nested")
  T.equal("went on", v.after, "yes")
  T.equal("kept its actions", v.strict, "outer")
  T.equal("stopped", landed("strict", "nested", "{flag=yes}").after, nil)
end)
test("regex all", function()
  T.equal("cause", landed("all-of-it", "far").cause, "NUMBER_CHANGED")
  T.equal("no route", landed("nothing-here", "far").cause, "NO_ROUTE_DESTINATION")
end)
test("inline dialplan", function()
  local a = fs.dialplan.inline_actions("m:^:set:a=1,2^park")
  T.equal("count", #a, 2)
  T.equal("data", a[1][2], "a=1,2")
  T.equal("plain", fs.dialplan.inline_actions("answer,playback:x.wav")[2][2], "x.wav")
end)
test("time conditions", function()
  local call = core.new_null()
  local function m(attr) return fs.timecheck.matches(call, attr) end
  T.equal("none asked", m({}), nil)
  T.equal("always", m({ wday = "1-7", hour = "0-23" }), true)
  T.equal("names", m({ wday = "sun-sat" }), true)
  T.equal("never", m({ year = "1999" }), false)
  T.equal("any time of day", m({ ["time-of-day"] = "00:00-23:59:59" }), true)
  T.equal("a range turned round", m({ minute = "30-29" }), true)
  T.equal("dates", m({ ["date-time"] = "1999-01-01 00:00:00~2000-01-01 00:00:00,2001-01-01~2100-01-01" }), true)
  T.equal("the end of dates is outside", m({ ["date-time"] = "1999-01-01~2001-01-01" }), false)
  T.equal("months are numbers", m({ mon = "jan-dec" }), false)
  call:hangup("NORMAL_CLEARING")
end)
test("directory users inherit from their domain", function()
  T.equal("dial string", fs.directory.dial_string("7100", "test.example"), "null/100")
  T.equal("own", fs.directory.dial_string("101"), "error/USER_BUSY")
  T.equal("absent", select(2, fs.directory.dial_string("999", "test.example")), "SUBSCRIBER_ABSENT")
  T.equal("group", fs.directory.group_call("desk@test.example"), "null/100,error/USER_BUSY")
  T.equal("variables", fs.directory.user("100").variables.toll_allow, "local")
end)
test("a broken file is an error with its name and line, and the old settings stay", function()
  local dir = os.tmpname()
  os.remove(dir)
  os.execute("mkdir -p " .. dir)
  local f = io.open(dir .. "/bad.xml", "w")
  f:write("<include>\n  <context name=\"x\">\n  </contxt>\n</include>\n")
  f:close()
  local before = core.config_values.freeswitch_dir
  core.config_values.freeswitch_dir = dir
  local ok, why = fs.xmlconf.reload()
  core.config_values.freeswitch_dir = before
  T.equal("refused", ok, nil)
  T.truth("named: " .. tostring(why), why:find("bad.xml:3:", 1, true))
  T.truth("kept", fs.xmlconf.context("far"))
  os.execute("rm -r " .. dir)
end)

test("the standard layout: freeswitch.xml with set, include with globs, env-set, and globals in later files", function()
  local dir = os.tmpname()
  os.remove(dir)
  os.execute("mkdir -p " .. dir .. "/dialplan/default " .. dir .. "/sip_profiles/external")
  local function file(name, text)
    local f = assert(io.open(dir .. "/" .. name, "w"))
    f:write(text)
    f:close()
  end
  file("freeswitch.xml", [[<?xml version="1.0"?>
<document type="freeswitch/xml">
  <X-PRE-PROCESS cmd="include" data="vars.xml"/>
  <section name="dialplan"><X-PRE-PROCESS cmd="include" data="dialplan/*.xml"/></section>
  <section name="configuration"><configuration name="sofia.conf"><profiles>
    <profile name="external"><gateways><X-PRE-PROCESS cmd="include" data="sip_profiles/external/*.xml"/></gateways></profile>
  </profiles></configuration></section>
</document>]])
  file("vars.xml", '<include>\n<X-PRE-PROCESS cmd="set" data="layout_carrier=sip.example"/>\n<X-PRE-PROCESS cmd="env-set" data="layout_home=$HOME"/>\n</include>\n')
  file("dialplan/default.xml", '<include>\n<context name="standard">\n<X-PRE-PROCESS cmd="include" data="default/*.xml"/>\n</context>\n</include>\n')
  file("dialplan/default/01.xml", '<include><extension name="a"><condition field="destination_number" expression="^1$"><action application="set" data="home=$${layout_home}"/></condition></extension></include>')
  file("sip_profiles/external/gw.xml", '<include><gateway name="std"><param name="proxy" value="$${layout_carrier}"/><param name="username" value="u"/></gateway></include>')
  local before = core.config_values.freeswitch_dir
  core.config_values.freeswitch_dir = dir
  local ok, why = fs.xmlconf.reload()
  T.equal("read: " .. tostring(why), ok, true)
  local gateway, context = fs.xmlconf.gateway("std"), fs.xmlconf.context("standard")
  T.equal("gateway", gateway and gateway.proxy, "sip.example")
  T.equal("profile", gateway and gateway.profile, "external")
  local home
  fs.xmlconf.each(context, "extension", function(e) home = e[1][1].attr.data end)
  T.equal("environment", home, "home=" .. os.getenv("HOME"))
  core.config_values.freeswitch_dir = before
  fs.xmlconf.reload()
  os.execute("rm -r " .. dir)
end)
