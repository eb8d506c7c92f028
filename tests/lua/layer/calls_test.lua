local T, test = ...
local fake, core, fs = T.fake, T.core, T.fs

-- An answered outgoing call as a campaign hands it over, and what came of its script.
local function campaign(code, destination)
  local path = os.tmpname()
  local f = io.open(path, "w")
  f:write(code)
  f:close()
  return fake.fiber(function()
    local a, b = core.new_loopback()
    b:profile_set("destination_number", destination or "quiet")
    b:profile_set("context", "far")
    a:set("name", "Ada")
    fs.channel.begin(b)
    b:answer()
    local ok, why = core.layer.channel_run(a, path, "one 'two three'")
    core.wait(200)
    os.remove(path)
    return a, ok, why
  end)
end

test("a campaign's script finds session, columns and arguments; the call ends with it", function()
  local ch, ok = campaign([[session:setVariable("disposition", session:getVariable("name") .. argv[1] .. argv[2])]])
  T.equal("ok", ok, true)
  T.equal("disposition", ch:get("disposition"), "Adaonetwo three")
  T.equal("up", ch:up(), false)
  T.equal("cause", ch:cause(), "NORMAL_CLEARING")
end)
test("a campaign's script that fails is told with its line, and the call ends", function()
  local ch, ok, why = campaign("local x = nil\nx()")
  T.equal("ok", ok, false)
  T.truth(tostring(why), tostring(why):find(":2:", 1, true))
  T.equal("up", ch:up(), false)
end)
test("keys of a campaign's call are kept, asked for or not", function()
  local ch = campaign([[session:getDigits(1, "", 2000) session:sleep(1000)]], "keys-100-123")
  T.equal("digits", ch:get("carillon_digits"), "123")
end)
test("a campaign's call that was transferred goes on", function()
  local ch, ok = campaign([[session:transfer("cap-1x", "XML", "default")]])
  T.equal("ok", ok, true)
  T.equal("up", ch:up(), true)
  T.equal("there", ch:get("one"), "1")
  fake.fiber(function() fs.channel.hangup(ch) core.wait(10) end)
end)
test("a call that ended before its script began is told so", function()
  local ok, why = fake.fiber(function()
    local ch = core.new_null()
    ch:hangup("NORMAL_CLEARING")
    return core.layer.channel_run(ch, "/nonexistent.lua", "")
  end)
  T.equal("ok", ok, false)
end)
test("events of a call come in their order, each once", function()
  local names = {}
  local id
  id = core.subscribe("all", function(list)
    local name, uuid
    for _, p in ipairs(list) do if p[1] == "Event-Name" then name = p[2] elseif p[1] == "Unique-ID" then uuid = p[2] end end
    if uuid == T.watched and (name:find("CREATE") or name:find("ANSWER") or name:find("HANGUP") or name:find("DESTROY")) then names[#names + 1] = name end
  end)
  T.watched = core.uuid()
  T.script("local s = freeswitch.Session('{origination_uuid=" .. T.watched .. "}null/x') s:hangup()")
  core.unsubscribe(id)
  T.equal("order", table.concat(names, " "), "CHANNEL_CREATE CHANNEL_ANSWER CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE CHANNEL_DESTROY")
end)
test("a call kept after its script still does what it is sent", function()
  local uuid = T.script("local s = freeswitch.Session('null/x') s:setAutoHangup(false) stream:write(s.uuid)")
  fake.fiber(function()
    fs.api.line("uuid_broadcast " .. uuid .. " set::sent=yes", {})
    core.wait(100)
    T.equal("sent", core.channel(uuid):get("sent"), "yes")
    fs.api.line("uuid_transfer " .. uuid .. " cap-3c XML default", {})
    core.wait(100)
    T.equal("transferred", core.channel(uuid):get("one"), "3")
    fs.channel.hangup(core.channel(uuid))
    core.wait(10)
  end)
end)
test("the XML handler answers for contexts that no file holds", function()
  local path = os.tmpname()
  local f = io.open(path, "w")
  f:write([[
    if XML_REQUEST.section == "dialplan" and params:getHeader("Hunt-Context") == "made" then
      XML_STRING = '<document><section name="dialplan"><context name="made"><extension name="x"><condition>' ..
        '<action application="hangup" data="NUMBER_CHANGED"/></condition></extension></context></section></document>'
    end
  ]])
  f:close()
  fs.xml_handler.script, fs.xml_handler.bindings = path, { dialplan = true }
  local v = T.values([[say("cause", freeswitch.Session("loopback/any/made"):hangupCause()) say("other", freeswitch.Session("loopback/any/none"):hangupCause())]])
  fs.xml_handler.script, fs.xml_handler.bindings = nil, {}
  os.remove(path)
  T.equal("cause", v.cause, "NUMBER_CHANGED")
  T.equal("other", v.other, "NO_ROUTE_DESTINATION")
end)
