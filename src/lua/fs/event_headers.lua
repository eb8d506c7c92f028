-- event_headers.lua: the headers of an event: an ordered list of { name, value, array }, found in any case.
--
-- A header may be an array: made by "name[i]", by values "ARRAY::a|:b", or by pushing onto it. Its value is then the ARRAY:: text,
-- and JSON and XML show its elements. Events marked `unique` (MESSAGE, CHANNEL_DATA, REQUEST_PARAMS) hold a name but once.
-- All as switch_event_base_add_header does it, its oddities included.
local core = ...
local fs = core.fs

local concat, ipairs, lower, match, remove, sub, tonumber, tostring =
  table.concat, ipairs, string.lower, string.match, table.remove, string.sub, tonumber, tostring

local event = {}
fs.event = event

local INDEX_MAX = 4000

local function find_header(e, name)
  local key, list = lower(name), e.list
  for i = 1, #list do
    if lower(list[i][1]) == key then return list[i] end
  end
end

-- The value of the first header of this name; `_body` is the body where no header is called so.
function event.get(e, name)
  if not name or name == "" then return nil end
  local header = find_header(e, name)
  if header then return header[2] end
  return name == "_body" and e.body or nil
end

-- The same for ${name} and ${name[i]}, an element of an array.
function event.lookup(e, name)
  local base, index = match(name, "^(.*)%[(%d+)%]$")
  if not base then return event.get(e, name) end
  local header = find_header(e, base)
  if not header then return nil end
  if header[3] then return header[3][tonumber(index) + 1] end
  return fs.variables.array_item(header[2], tonumber(index))
end

function event.del(e, name)
  local key, list, found = lower(name), e.list, false
  for i = #list, 1, -1 do
    if lower(list[i][1]) == key then
      remove(list, i)
      found = true
    end
  end
  return found
end

local function redraw(header)
  local array = header[3]
  header[2] = (#array > 1 and "ARRAY::" or "") .. concat(array, "|:")
end

local function push(e, name, value)
  local header = find_header(e, name)
  if header then
    header[3] = header[3] or { header[2] }
    header[3][#header[3] + 1] = value
    redraw(header)
  elseif value ~= "" then
    e.list[#e.list + 1] = { name, value, { value } }
  end
end
event.push = push

-- On the bus an array of one element is marked, so that it stays one.
function event.mark_array(e, name)
  local header = find_header(e, name)
  if header and header[3] and #header[3] == 1 and header[2] ~= "" then header[2] = "ARRAY::" .. header[2] end
end

-- "name[i]": an element that is there is replaced without the ARRAY:: text being written anew.
local function set_element(e, name, index, value)
  if index < 0 or index > INDEX_MAX then return end
  local header = find_header(e, name)
  local array = header and header[3] or {}
  if header and index < #array then
    array[index + 1] = value
    return
  end
  for i = #array + 1, index do array[i] = "" end
  array[index + 1] = value
  if not header then
    header = { name, "" }
    e.list[#e.list + 1] = header
  end
  header[3] = array
  redraw(header)
end

-- Adds behind the others, or in front of them; "" takes the name away.
function event.add(e, name, value, in_front)
  if value == nil then return end
  value = tostring(value)
  if name == "_body" then e.body = value end
  local base, index = match(name, "^([^%[]*)%[(.*)$")
  if base then return set_element(e, base, fs.util.int(index), value) end
  if value == "" or e.unique then event.del(e, name) end
  if value == "" then return end
  if sub(value, 1, 7) == "ARRAY::" then
    if #value < 8 then return end
    for _, element in ipairs(fs.util.split(sub(value, 8), "|:")) do push(e, name, element) end
  elseif in_front then
    table.insert(e.list, 1, { name, value })
  else
    e.list[#e.list + 1] = { name, value }
  end
end

function event.set(e, name, value)
  event.del(e, name)
  event.add(e, name, value)
end

-- All headers of another event (never its body).
function event.merge(e, other)
  local list = other.list
  for i = 1, #list do
    local header = list[i]
    if header[3] then
      for k = 1, #header[3] do push(e, header[1], header[3][k]) end
    else
      event.add(e, header[1], header[2])
    end
  end
end

local unique = { MESSAGE = true, CHANNEL_DATA = true, REQUEST_PARAMS = true }

-- An event of this type without any header yet.
function event.bare(name)
  return { list = {}, type = fs.event_types.number[name] or 0, name = name, unique = unique[name] }
end
