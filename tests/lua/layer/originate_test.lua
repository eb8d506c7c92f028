local T, test = ...

local function dial(text, aleg)
  return T.values(string.format([[
    local api = freeswitch.API()
    local t = tonumber(api:getTime())
    local s = freeswitch.Session(%q)
    say("ready", s:ready()) say("cause", s:hangupCause()) say("ms", tonumber(api:getTime()) - t)
    if s:ready() then s:hangup() end
  ]], text))
end

test("causes", function()
  for text, cause in pairs({ ["error/17"] = "USER_BUSY", ["nosuch/x"] = "CHAN_NOT_IMPLEMENTED", ["sofia/gateway/none/1"] = "INVALID_GATEWAY",
    ["sofia/none/1@127.0.0.1"] = "INVALID_PROFILE", ["loopback/cause-CALL_REJECTED/far"] = "CALL_REJECTED", ["user/999@test.example"] = "SUBSCRIBER_ABSENT",
    ["error/USER_BUSY|error/CALL_REJECTED"] = "CALL_REJECTED" }) do
    T.equal(text, dial(text).cause, cause)
  end
end)
test("the first answer wins, serial attempts follow, enterprises run side by side", function()
  T.equal("fork", dial("loopback/ring/far,null/x").ready, "true")
  T.equal("serial", dial("error/USER_BUSY|null/x").ready, "true")
  T.equal("enterprise", dial("loopback/ring/far:_:null/x").ready, "true")
  T.equal("user", dial("user/100@test.example").ready, "true")
  T.equal("group", dial("group/desk@test.example").ready, "true")
end)
test("times", function()
  local v = dial("{originate_timeout=2}loopback/ring/far|null/x")
  T.equal("no answer", v.cause, "NO_ANSWER")
  T.equal("after", v.ms, "2000")
  T.equal("goes on", dial("{originate_timeout=2,originate_continue_on_timeout=true}loopback/ring/far|null/x").ready, "true")
  T.equal("leg", dial("[leg_timeout=3]loopback/ring/far").cause, "ALLOTTED_TIMEOUT")
  local r = dial("{originate_retries=3,originate_retry_sleep_ms=500}error/USER_BUSY")
  T.equal("retries", r.ms, "1000")
end)
test("one refusal ends the fork when it is told so", function()
  T.equal("all", dial("{fail_on_single_reject=true}loopback/cause-USER_BUSY/far,loopback/ring/far").cause, "NO_ANSWER")
  T.equal("another cause", dial("{fail_on_single_reject=!USER_BUSY,originate_timeout=1}loopback/cause-USER_BUSY/far,loopback/ring/far").ms, "1000")
end)
test("confirmation: the key must be pressed", function()
  local ok = dial("{group_confirm_key=5,group_confirm_file=tone_stream://%(100\\,0\\,400),group_confirm_read_timeout=2000}loopback/keys-500-5/far")
  T.equal("pressed", ok.ready, "true")
  local no = dial("{group_confirm_key=5,group_confirm_timeout=1,group_confirm_read_timeout=300}loopback/quiet/far")
  T.equal("not pressed", no.cause, "NO_ANSWER")
end)
test("the losing leg is hung up with LOSE_RACE", function()
  T.dead = nil
  T.core.subscribe("all", function(list)
    local name, cause, chan
    for _, p in ipairs(list) do
      if p[1] == "Event-Name" then name = p[2] elseif p[1] == "Hangup-Cause" then cause = p[2] elseif p[1] == "Channel-Name" then chan = p[2] end
    end
    if name == "CHANNEL_HANGUP_COMPLETE" and chan == "loopback/ring-a" then T.dead = cause end
  end)
  dial("loopback/ring/far,null/x")
  T.equal("cause", T.dead, "LOSE_RACE")
end)
