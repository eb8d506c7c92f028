-- cdr.lua: a call's record as XML, as getXMLCDR gives it.
local core = ...
local fs = core.fs
local util, headers = fs.util, fs.headers

local concat, format, gsub, ipairs = table.concat, string.format, string.gsub, ipairs

local cdr = {}
fs.cdr = cdr

local profile_fields = { "username", "dialplan", "caller_id_name", "caller_id_number", "callee_id_name", "callee_id_number", "ani", "aniii",
  "network_addr", "rdnis", "destination_number", "uuid", "source", "context", "chan_name" }

-- <name>text</name>; with nothing in it, it is closed at once.
local function element(out, indent, name, text)
  if text == "" then out[#out + 1] = indent .. "<" .. name .. "/>\n"
  else out[#out + 1] = indent .. "<" .. name .. ">" .. text .. "</" .. name .. ">\n" end
end

local function variables_of(out, ch)
  out[#out + 1] = "  <variables>\n"
  for _, pair in ipairs(ch:variables()) do
    for _, value in ipairs(fs.variables.array(pair[2])) do
      element(out, "    ", gsub(pair[1], "[^%w_%.%-]", "_"), util.xml_escape(util.url_encode(value)))
    end
  end
  out[#out + 1] = "  </variables>\n"
end

local function applications(out, ch)
  local log = ch:data().app_log
  if not log then return end
  out[#out + 1] = "  <app_log>\n"
  for _, one in ipairs(log) do
    out[#out + 1] = format("    <application app_name=\"%s\" app_data=\"%s\" app_stamp=\"%.0f\"/>\n", util.xml_escape(one[1]), util.xml_escape(one[2]),
      one[3] or 0)
  end
  out[#out + 1] = "  </app_log>\n"
end

local function callflow(out, ch)
  out[#out + 1] = format("  <callflow dialplan=\"%s\" unique-id=\"%s\" profile_index=\"1\">\n    <caller_profile>\n",
    util.xml_escape(ch:profile("dialplan") or "XML"), ch:uuid())
  for _, field in ipairs(profile_fields) do element(out, "      ", field, util.xml_escape(ch:profile(field) or "")) end
  out[#out + 1] = "    </caller_profile>\n    <times>\n"
  local t = ch:times()
  for _, one in ipairs({ { "created_time", t.created }, { "profile_created_time", t.created }, { "progress_time", t.progress },
    { "progress_media_time", t.progress_media }, { "answered_time", t.answered }, { "bridged_time", t.bridged }, { "last_hold_time", 0 },
    { "hold_accum_time", 0 }, { "hangup_time", t.hangup }, { "resurrect_time", 0 }, { "transfer_time", ch:data().transfer_us } }) do
    element(out, "      ", one[1], format("%.0f", one[2] or 0))
  end
  out[#out + 1] = "    </times>\n  </callflow>\n"
end

function cdr.xml(ch)
  if not ch:get("end_epoch") and not ch:up() then fs.channel.times(ch) end
  local out = { "<?xml version=\"1.0\"?>\n" }
  out[2] = format("<cdr core-uuid=\"%s\" switchname=\"%s\">\n", fs.event.core_uuid(), core.global_get("switchname") or core.global_get("hostname") or "")
  out[3] = format("  <channel_data>\n    <state>%s</state>\n    <direction>%s</direction>\n    <state_number>%d</state_number>\n  </channel_data>\n",
    ch:state(), ch:outbound() and "outbound" or "inbound", headers.state_numbers[ch:state()] or 0)
  out[4] = "  <call-stats/>\n"
  variables_of(out, ch)
  applications(out, ch)
  callflow(out, ch)
  out[#out + 1] = "</cdr>\n"
  return concat(out)
end
