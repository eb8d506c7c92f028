-- The events of a call in their order, with the headers that programs read.
local T = dofile(argv[0]:match("^(.*)/[^/]+/[^/]+$") .. "/lib/probe.lua")
local con = freeswitch.EventConsumer("CHANNEL_CREATE")
for _, n in ipairs({ "CHANNEL_OUTGOING", "CHANNEL_ORIGINATE", "CHANNEL_STATE", "CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA", "CHANNEL_ANSWER", "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE", "CHANNEL_EXECUTE",
    "CHANNEL_EXECUTE_COMPLETE", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY", "PLAYBACK_START", "PLAYBACK_STOP", "DTMF", "RECORD_START", "RECORD_STOP", "CHANNEL_PARK" }) do con:bind(n) end
local s = T.far("rings-200")
local u = s.uuid
s:execute("playback", T.sounds .. "/short.wav")
T.press(s, "7")
s:getDigits(1, "", 500)
s:recordFile(T.work .. "/r.wav", 1)
s:hangup("USER_BUSY")
local names, by_name = {}, {}
local e
repeat
  e = con:pop(1, 3000)
  if e and e:getHeader("Unique-ID") == u then
    local n = e:getType()
    if n ~= "CHANNEL_STATE" then names[#names + 1] = n end
    by_name[n] = by_name[n] or e
  end
until not e or by_name.CHANNEL_DESTROY
local want = {}
for _, n in ipairs(names) do if n ~= "CHANNEL_PROGRESS_MEDIA" then want[#want + 1] = n end end
T.show("order", table.concat(want, " "))
T.show("create", by_name.CHANNEL_CREATE:getHeader("Call-Direction"), by_name.CHANNEL_CREATE:getHeader("Channel-Name"):gsub("%d+$", "") ~= nil, by_name.CHANNEL_CREATE:getHeader("Answer-State"))
T.show("progress", by_name.CHANNEL_PROGRESS:getHeader("Answer-State"), by_name.CHANNEL_PROGRESS:getHeader("Channel-State"))
T.show("answer", by_name.CHANNEL_ANSWER:getHeader("Answer-State"), by_name.CHANNEL_ANSWER:getHeader("Channel-Call-State"))
T.show("execute", by_name.CHANNEL_EXECUTE:getHeader("Application"), by_name.CHANNEL_EXECUTE:getHeader("Application-Data"))
T.show("complete", by_name.CHANNEL_EXECUTE_COMPLETE:getHeader("Application"), by_name.CHANNEL_EXECUTE_COMPLETE:getHeader("Application-Response"))
T.show("playback", by_name.PLAYBACK_START:getHeader("Playback-File-Path"), by_name.PLAYBACK_STOP:getHeader("Playback-Status"))
T.show("dtmf", by_name.DTMF:getHeader("DTMF-Digit"), tonumber(by_name.DTMF:getHeader("DTMF-Duration")) ~= nil)
T.show("record", by_name.RECORD_START:getHeader("Record-File-Path"), by_name.RECORD_STOP:getHeader("Record-File-Path"))
T.show("hangup", by_name.CHANNEL_HANGUP:getHeader("Hangup-Cause"))
local c = by_name.CHANNEL_HANGUP_COMPLETE
T.show("complete", c:getHeader("Hangup-Cause"), c:getHeader("variable_hangup_cause"), c:getHeader("variable_endpoint_disposition"), c:getHeader("Caller-Destination-Number"))
for _, k in ipairs({ "variable_duration", "variable_billsec", "variable_progresssec", "variable_start_epoch", "variable_answer_epoch", "variable_end_epoch", "variable_billmsec",
    "Caller-Channel-Created-Time", "Caller-Channel-Answered-Time", "Caller-Channel-Hangup-Time", "Event-Sequence", "Event-Date-Timestamp" }) do
  T.show(k, tonumber(c:getHeader(k)) ~= nil)
end
T.show("term", c:getHeader("variable_sip_hangup_disposition"))
for _, k in ipairs({ "Core-UUID", "Channel-State", "Channel-State-Number", "Channel-Call-UUID", "Caller-Dialplan", "Caller-Caller-ID-Number", "Caller-Unique-ID", "Caller-Source",
    "Caller-Context", "Caller-Channel-Name", "Channel-Read-Codec-Name" }) do
  if c:getHeader(k) == nil then T.show("missing", k) end
end

-- What phones show, step by step; an event tells the state before the step that it is about.
local states = freeswitch.EventConsumer("CHANNEL_CALLSTATE")
states:bind("CHANNEL_STATE")
local s2 = T.far("rings-200")
s2:execute("hold")
s2:execute("unhold")
s2:hangup()
local gone
repeat
  e = states:pop(1, 3000)
  if e and e:getHeader("Unique-ID") == s2.uuid then
    if e:getType() == "CHANNEL_CALLSTATE" then
      T.show("call state", e:getHeader("Original-Channel-Call-State"), e:getHeader("Channel-Call-State"), e:getHeader("Channel-Call-State-Number"), e:getHeader("variable_uuid"))
    end
    gone = e:getType() == "CHANNEL_STATE" and e:getHeader("Channel-State") == "CS_DESTROY"
  end
until not e or gone
T.show("the last state", gone)
