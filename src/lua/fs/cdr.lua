-- cdr.lua: a call's record as XML, as getXMLCDR gives it.
local core = ...
local fs = core.fs
local util, headers = fs.util, fs.headers

local format, gsub = string.format, string.gsub

local cdr = {}
fs.cdr = cdr

local profile_fields = { "username", "dialplan", "caller_id_name", "ani", "aniii", "caller_id_number", "network_addr", "rdnis",
  "destination_number", "uuid", "source", "context", "chan_name", "callee_id_name", "callee_id_number" }

function cdr.xml(ch)
  if not ch:get("end_epoch") and not ch:up() then fs.channel.times(ch) end
  local out = { "<?xml version=\"1.0\"?>\n", format("<cdr core-uuid=\"%s\">\n", core.global_get("core_uuid") or "") }
  local function add(...) out[#out + 1] = format(...) end
  add("  <channel_data>\n    <state>%s</state>\n    <direction>%s</direction>\n    <state_number>%d</state_number>\n  </channel_data>\n",
    ch:state(), ch:outbound() and "outbound" or "inbound", headers.state_numbers[ch:state()] or 0)
  add("  <variables>\n")
  for _, pair in ipairs(ch:variables()) do
    local tag = gsub(pair[1], "[^%w_%.%-]", "_")
    add("    <%s>%s</%s>\n", tag, util.url_encode(pair[2]), tag)
  end
  add("  </variables>\n  <app_log>\n")
  for _, one in ipairs(ch:data().app_log or {}) do
    add("    <application app_name=\"%s\" app_data=\"%s\"></application>\n", util.xml_escape(one[1]), util.xml_escape(one[2]))
  end
  add("  </app_log>\n  <callflow dialplan=\"%s\" profile_index=\"1\">\n    <caller_profile>\n", util.xml_escape(ch:profile("dialplan") or "XML"))
  for _, field in ipairs(profile_fields) do
    local value = ch:profile(field)
    if value and value ~= "" then add("      <%s>%s</%s>\n", field, util.xml_escape(value), field) end
  end
  add("    </caller_profile>\n    <times>\n")
  local t = ch:times()
  for _, one in ipairs({ { "created_time", t.created }, { "profile_created_time", t.created }, { "progress_time", t.progress },
    { "progress_media_time", t.progress_media }, { "answered_time", t.answered }, { "bridged_time", t.bridged }, { "hangup_time", t.hangup } }) do
    add("      <%s>%.0f</%s>\n", one[1], one[2] or 0, one[1])
  end
  add("    </times>\n  </callflow>\n</cdr>\n")
  return table.concat(out)
end
