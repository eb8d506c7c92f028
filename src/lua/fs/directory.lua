-- directory.lua: domains, groups and users of the XML directory, with what they inherit from each other.
local core = ...
local fs = core.fs
local util, xmlconf = fs.util, fs.xmlconf

local concat, lower, match = table.concat, string.lower, string.match

local directory = {}
fs.directory = directory

-- The domain that is meant when none is named: the global `domain`, or the only one.
local function domain_of(name)
  local domains, order = xmlconf.domains()
  if util.some(name) then
    for i = 1, #order do if lower(order[i]) == lower(name) then return domains[order[i]], order[i] end end
    return nil
  end
  local default = core.global_get("domain")
  if default and domains[default] then return domains[default], default end
  if #order == 1 then return domains[order[1]], order[1] end
end
directory.domain = domain_of

local function overlay(into, node, tag)
  for k, v in pairs(xmlconf.params(node, tag)) do into[k] = v end
end

-- f(user node, group node or nil) for each user of a domain; stops when f gives something.
local function each_user(domain, f)
  local function walk(node, group)
    for i = 1, #node do
      local child = node[i]
      local r
      if child.tag == "user" then r = f(child, group)
      elseif child.tag == "group" then r = walk(child, child)
      elseif child.tag == "groups" or child.tag == "users" or child.tag == "include" then r = walk(child, group) end
      if r then return r end
    end
  end
  return walk(domain, nil)
end
directory.each_user = each_user

-- A user with everything inherited: { id, domain, node, group, params, variables, attr }; nil if there is none.
function directory.user(id, domain_name)
  if not id then return nil end
  local domain, name = fs.xml_handler.domain(domain_name, id)
  if not domain then domain, name = domain_of(domain_name) end
  if not domain then return nil end
  local wanted = lower(id)
  return each_user(domain, function(node, group)
    if node.attr.type == "pointer" then return nil end
    if lower(node.attr.id or "") ~= wanted and lower(node.attr["number-alias"] or "") ~= wanted then return nil end
    local user = { id = node.attr.id, domain = name, node = node, group = group and group.attr.name, attr = node.attr, params = {}, variables = {} }
    for _, level in ipairs({ domain, group or false, node }) do
      if level then
        overlay(user.params, level, "param")
        overlay(user.variables, level, "variable")
      end
    end
    return user
  end)
end

-- Ids of a group's users in order, or nil.
function directory.group(group_name, domain_name)
  local domain, name = domain_of(domain_name)
  if not domain then return nil end
  local ids
  each_user(domain, function(node, group)
    if group and group.attr.name == group_name then
      ids = ids or {}
      ids[#ids + 1] = node.attr.id
    end
  end)
  return ids, name
end

-- What to dial for a user, or nil and the cause.
function directory.dial_string(id, domain_name)
  local user = directory.user(id, domain_name)
  if not user then return nil, "SUBSCRIBER_ABSENT" end
  local dial = util.some(user.params["dial-string"])
  if not dial then return nil, "MANDATORY_IE_MISSING", user end
  dial = fs.variables.expand_with(dial, function(name)
    if name == "dialed_user" then return user.id end
    if name == "dialed_domain" then return user.domain end
    return user.variables[name] or core.global_get(name)
  end, function(command, arguments) return fs.run_api(command, arguments, {}) end)
  return dial, nil, user
end

-- group_call: flags "+F" one after the other, "+E" enterprise, otherwise all at once.
function directory.group_call(text)
  local base, flags = match(text, "^([^%+]*)%+?(.*)$")
  local group, domain = match(base, "^([^@]*)@?(.*)$")
  local ids, name = directory.group(group, util.some(domain))
  local list = {}
  for i = 1, ids and #ids or 0 do
    local dial = directory.dial_string(ids[i], name)
    if dial then list[#list + 1] = dial end
  end
  if #list == 0 then return "error/NO_ROUTE_DESTINATION" end
  local letter = string.upper(string.sub(flags, 1, 1))
  return concat(list, letter == "F" and "|" or letter == "E" and ":_:" or ",")
end
