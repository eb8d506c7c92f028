-- headers.lua: what an event says of a channel: its states, its caller, its other leg, its variables.
local core = ...
local fs = core.fs
local event, types = fs.event, fs.event_types

local format, lower, type = string.format, string.lower, type

local headers = {}
fs.headers = headers

local state_numbers = { CS_NEW = 0, CS_INIT = 1, CS_ROUTING = 2, CS_SOFT_EXECUTE = 3, CS_EXECUTE = 4, CS_EXCHANGE_MEDIA = 5, CS_PARK = 6,
  CS_CONSUME_MEDIA = 7, CS_HIBERNATE = 8, CS_RESET = 9, CS_HANGUP = 10, CS_REPORTING = 11, CS_DESTROY = 12, CS_NONE = 13 }
headers.state_numbers = state_numbers

function headers.answer_state(ch)
  if not ch:up() then return "hangup" end
  local data = ch:data() -- what was not told yet is not so: a null/ is answered from its birth on
  local told = ch:kind() == "guest"
  if ch:answered() and (told or data.seen_answered) then return "answered" end
  if ch:early() and (told or data.seen_early) then return "early" end
  return "ringing"
end

-- What the call is at this moment; events show what they have told so far (channel.call_state).
function headers.call_state(ch)
  if not ch:up() then return "HANGUP" end
  if ch:data().held then return "HELD" end
  if ch:answered() then return "ACTIVE" end
  if ch:early() then return "EARLY" end
  if ch:ringing() then return "RINGING" end
  return ch:outbound() and "DOWN" or "RINGING"
end

local function caller(e, prefix, ch, direction)
  local list = e.list
  local function add(name, value)
    if value and value ~= "" then list[#list + 1] = { prefix .. name, value } end
  end
  add("-Direction", direction)
  add("-Logical-Direction", direction)
  add("-Username", ch:profile("username"))
  add("-Dialplan", ch:profile("dialplan"))
  add("-Caller-ID-Name", ch:profile("caller_id_name"))
  add("-Caller-ID-Number", ch:profile("caller_id_number"))
  add("-Orig-Caller-ID-Name", ch:profile("caller_id_name"))
  add("-Orig-Caller-ID-Number", ch:profile("caller_id_number"))
  add("-Callee-ID-Name", ch:profile("callee_id_name"))
  add("-Callee-ID-Number", ch:profile("callee_id_number"))
  add("-Network-Addr", ch:profile("network_addr"))
  add("-ANI", ch:profile("ani"))
  add("-Destination-Number", ch:profile("destination_number"))
  add("-Unique-ID", ch:uuid())
  add("-Source", ch:profile("source"))
  add("-Transfer-Source", ch:get("transfer_source"))
  add("-Context", ch:profile("context"))
  add("-RDNIS", ch:profile("rdnis"))
  add("-Channel-Name", ch:profile("chan_name"))
  add("-Profile-Index", "1")
  local t = ch:times()
  local function time(name, us) add(name, format("%.0f", us or 0)) end
  time("-Profile-Created-Time", t.created)
  time("-Channel-Created-Time", t.created)
  time("-Channel-Answered-Time", t.answered)
  time("-Channel-Progress-Time", t.progress)
  time("-Channel-Progress-Media-Time", t.progress_media)
  time("-Channel-Hangup-Time", t.hangup)
  time("-Channel-Transfer-Time", ch:data().transfer_us)
  time("-Channel-Resurrect-Time", 0)
  time("-Channel-Bridged-Time", t.bridged)
  time("-Channel-Last-Hold", 0)
  time("-Channel-Hold-Accum", 0)
  add("-Screen-Bit", "true")
  add("-Privacy-Hide-Name", ch:profile("privacy_hide_name") == "true" and "true" or "false")
  add("-Privacy-Hide-Number", ch:profile("privacy_hide_number") == "true" and "true" or "false")
end

-- Bits per second as FreeSWITCH's codecs tell them: of all others, of 16-bit samples.
local bit_rates = { PCMU = "64000", PCMA = "64000", G722 = "64000", G729 = "8000", OPUS = "0", GSM = "13200" }
local function bit_rate(codec, rate)
  return bit_rates[string.upper(codec)] or format("%d", fs.util.int(rate) * 16)
end

-- The basic headers of a channel.
function headers.add(e, ch)
  local list, data = e.list, ch:data()
  local function add(name, value)
    if value and value ~= "" then list[#list + 1] = { name, value } end
  end
  local state = ch:state()
  local direction = ch:outbound() and "outbound" or "inbound"
  add("Channel-State", data.running or state)
  add("Channel-Call-State", data.call_state or headers.call_state(ch))
  add("Channel-State-Number", format("%d", state_numbers[state] or 0))
  add("Channel-Name", ch:profile("chan_name"))
  add("Unique-ID", ch:uuid())
  add("Call-Direction", direction)
  add("Presence-Call-Direction", direction)
  add("Channel-HIT-Dialplan", (direction == "inbound" or data.hit_dialplan) and "true" or "false")
  add("Channel-Presence-ID", ch:get("presence_id"))
  add("Channel-Presence-Data", ch:get("presence_data"))
  add("Channel-Call-UUID", ch:get("call_uuid") or ch:uuid())
  add("Answer-State", headers.answer_state(ch))
  add("Hangup-Cause", ch:cause())
  local codec = ch:get("read_codec")
  if codec then
    add("Channel-Read-Codec-Name", codec)
    add("Channel-Read-Codec-Rate", ch:get("read_rate"))
    add("Channel-Read-Codec-Bit-Rate", bit_rate(codec, ch:get("read_rate")))
    codec = ch:get("write_codec") or codec
    add("Channel-Write-Codec-Name", codec)
    add("Channel-Write-Codec-Rate", ch:get("write_rate") or ch:get("read_rate"))
    add("Channel-Write-Codec-Bit-Rate", bit_rate(codec, ch:get("write_rate") or ch:get("read_rate")))
  end
  caller(e, "Caller", ch, direction)
  local other = data.originator or data.partner or data.originatee
  if other then
    add("Other-Type", data.originator and "originator" or "originatee")
    caller(e, "Other-Leg", other, other:outbound() and "outbound" or "inbound")
  end
end

-- variable_* for each variable, those of scopes first.
function headers.variables(e, ch)
  local list, all = e.list, ch:variables()
  local scopes = ch:data().scopes
  if scopes then
    for i = #scopes, 1, -1 do
      scopes[i]:each(function(n, v)
        if not event.get(e, "scope_variable_" .. n) then list[#list + 1] = { "scope_variable_" .. n, v } end
      end)
    end
  end
  for i = 1, #all do list[#list + 1] = { "variable_" .. all[i][1], all[i][2] } end
end

-- The types that carry the variables too.
local full = {}
for name in string.gmatch([[CHANNEL_CREATE CHANNEL_ORIGINATE CHANNEL_UUID CHANNEL_ANSWER CHANNEL_PARK CHANNEL_UNPARK CHANNEL_BRIDGE
  CHANNEL_UNBRIDGE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE REQUEST_PARAMS CHANNEL_DATA CHANNEL_EXECUTE
  CHANNEL_EXECUTE_COMPLETE CHANNEL_DESTROY SESSION_HEARTBEAT API RECORD_START RECORD_STOP PLAYBACK_START PLAYBACK_STOP CALL_UPDATE
  MEDIA_BUG_START MEDIA_BUG_STOP CHANNEL_HOLD CHANNEL_UNHOLD TEXT CUSTOM]], "%S+") do full[name] = true end

-- All that an event of this type says of a channel, as a list.
function headers.about(name, ch)
  local e = { list = {} }
  headers.add(e, ch)
  if full[name] then headers.variables(e, ch) end
  return e.list
end

-- Fires an event about a channel, if anybody wants it. more: list of {name, value}; body; first: of those that stand in front.
function headers.fire(name, ch, more, subclass, body, first)
  if not core.event_wanted(types.number[name]) then return end
  local e = event.make(name, subclass, "switch_channel.c")
  for i = 1, first and #first or 0 do e.list[#e.list + 1] = first[i] end
  headers.add(e, ch)
  if full[name] then headers.variables(e, ch) end
  if more then
    for i = 1, #more do
      if more[i][2] ~= nil then e.list[#e.list + 1] = { more[i][1], tostring(more[i][2]) } end
    end
  end
  e.body = body
  event.fire(e, ch)
end

-- All about a channel as an event of its own.
function headers.snapshot(ch)
  local e = event.make("CHANNEL_DATA", nil, "switch_channel.c")
  headers.add(e, ch)
  headers.variables(e, ch)
  return e
end

-- What hooks see as env: the variables under their own names, then the channel's headers; none of those that other events begin with.
function headers.of_hook(ch)
  local e = event.bare("CHANNEL_DATA")
  local all = ch:variables()
  for i = 1, #all do event.add(e, all[i][1], all[i][2]) end
  headers.add(e, ch)
  headers.variables(e, ch)
  return e
end
