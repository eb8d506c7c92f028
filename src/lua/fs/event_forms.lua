-- event_forms.lua: the three forms of an event: text, XML and JSON; and an event from JSON.
local core = ...
local fs = core.fs
local event, util, types = fs.event, fs.util, fs.event_types

local concat, format, lower, type = table.concat, string.format, string.lower, type

function event.text(e)
  local out = {}
  for i = 1, #e.list do
    local value = e.list[i][2]
    out[i] = e.list[i][1] .. ": " .. (value == "" and "_undef_" or util.url_encode(value)) .. "\n"
  end
  if e.body and e.body ~= "" then out[#out + 1] = format("Content-Length: %d\n\n%s", #e.body, e.body)
  else out[#out + 1] = "\n" end
  return concat(out)
end

local function element(out, indent, name, text)
  if text == "" then out[#out + 1] = indent .. "<" .. name .. "/>\n"
  else out[#out + 1] = indent .. "<" .. name .. ">" .. text .. "</" .. name .. ">\n" end
end

function event.xml(e)
  local out = { "<event>\n  <headers>\n" }
  for i = 1, #e.list do
    local header = e.list[i]
    local array = header[3] or { header[2] }
    for k = 1, #array do element(out, "    ", header[1], util.xml_escape(util.url_encode(array[k]))) end
  end
  out[#out + 1] = "  </headers>\n"
  if e.body and e.body ~= "" then
    element(out, "  ", "Content-Length", format("%d", #e.body))
    element(out, "  ", "body", util.xml_escape(e.body))
  end
  out[#out + 1] = "</event>\n"
  return concat(out)
end

function event.json(e)
  local out = {}
  for i = 1, #e.list do
    local name, value, array = e.list[i][1], e.list[i][2], e.list[i][3]
    if array then
      local items = {}
      for k = 1, #array do items[k] = util.json_text(array[k]) end
      value = "[" .. concat(items, ",") .. "]"
    else
      value = util.json_text(value)
    end
    out[i] = util.json_text(name) .. ":" .. value
  end
  if e.body then
    out[#out + 1] = format('"Content-Length":"%d"', #e.body)
    out[#out + 1] = '"_body":' .. util.json_text(e.body)
  end
  return "{" .. concat(out, ",") .. "}"
end

-- From a JSON object: its texts become headers, its arrays of texts become arrays, all else is passed over; nil if it is no JSON.
-- A type that is not named, or unknown, is CLONE.
function event.from_json(text)
  local value, members = fs.json.members(text)
  if value == nil then return nil end
  local e = event.bare("CLONE")
  for i = 1, #members do
    local name, v = members[i][1], members[i][2]
    if type(v) == "string" then
      if lower(name) == "_body" then
        e.body = v
      else
        if lower(name) == "event-name" then
          event.del(e, "event-name")
          local number, upper = types.find(v)
          if number then e.type, e.name = number, upper end
        elseif lower(name) == "event-subclass" then
          e.subclass = v
        end
        event.add(e, name, v)
      end
    elseif type(v) == "table" and v.texts then
      for k = 1, #v.texts do event.push(e, name, v.texts[k]) end
    end
  end
  return e
end
