-- directory.lua: domains, groups and users of the XML directory, with what they inherit from each other.
local core = ...
local fs = core.fs
local util, xmlconf = fs.util, fs.xmlconf

local concat, find, lower, match, sub = table.concat, string.find, string.lower, string.match, string.sub

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

-- A user with everything inherited: { id, domain, node, group, params, variables, attr }; nil if there is none. `about`: see xml_handler.domain.
function directory.user(id, domain_name, about)
  if not id then return nil end
  local domain, name = fs.xml_handler.domain(domain_name, id, about)
  if not domain then domain, name = domain_of(domain_name) end
  if not domain then return nil end
  local wanted = lower(id)
  return each_user(domain, function(node, group)
    if node.attr.type == "pointer" then return nil end
    if lower(node.attr.id or "") ~= wanted and lower(node.attr["number-alias"] or "") ~= wanted then return nil end
    local user = { id = node.attr.id, domain = name, node = node, group = group and group.attr.name, group_node = group,
      attr = node.attr, params = {}, variables = {} }
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
function directory.dial_string(id, domain_name, aleg)
  local user = directory.user(id, domain_name, { { "as_channel", "true" }, { "action", "user_call" } })
  if not user then return nil, "SUBSCRIBER_ABSENT" end
  local dial = util.some(user.params["dial-string"])
  if not dial then return nil, "MANDATORY_IE_MISSING", user end
  if aleg then
    aleg:set("dialed_user", user.id)
    aleg:set("dialed_domain", user.domain)
  end
  dial = fs.variables.expand_with(dial, function(name)
    if name == "dialed_user" then return user.id end
    if name == "dialed_domain" then return user.domain end
    return aleg and fs.variables.get(aleg, name) or user.variables[name] or core.global_get(name)
  end, function(command, arguments) return fs.run_api(command, arguments, { channel = aleg }) end)
  return dial, nil, user
end

-- Brackets at the front as [ ] ones, and what is behind them.
local function brackets(text, open, close)
  local out = ""
  while true do
    local at = match(text, "^ *()%" .. open)
    local to = at and fs.variables.closing(text, at, open, close)
    if not to then return out, text end
    out, text = out .. "[" .. sub(text, at + 1, to - 1) .. "]", sub(text, to + 1)
  end
end

-- The next leg of a dial string, the delimiter behind it, and the rest.
local function next_leg(text)
  local stop = #text + 1
  for _, delim in ipairs({ ",", "|", ":_:" }) do stop = math.min(stop, find(text, delim, 1, true) or stop) end
  local delim = sub(text, stop, stop + 2) == ":_:" and ":_:" or sub(text, stop, stop)
  return sub(text, 1, stop - 1), delim, sub(text, stop + #delim)
end

-- A dial string with its { } and < > variables written before each leg, so that it can stand among others.
function directory.flattened(text)
  local ent, all, own, out, leg, delim = nil, nil, nil, {}, nil, nil
  ent, text = brackets(text, "<", ">")
  all, text = brackets(text, "{", "}")
  while text ~= "" do
    own, text = brackets(text, "[", "]")
    leg, delim, text = next_leg(match(text, "^ *(.*)$"))
    if text == "" then delim = "" end
    local last = own ~= "" and find(all, "local_var_clobber=true", 1, true)
    out[#out + 1] = ent .. (last and "" or all) .. own .. (last and all or "") .. leg .. delim
    if delim == ":_:" then all, text = brackets(text, "{", "}") end
  end
  return concat(out)
end

-- What a group's call dials for one of its users: group-dial-string before dial-string, the user's before the group's before the domain's.
local function member_dial_string(domain, group, node, id, group_name, name)
  local dial
  for _, level in ipairs({ domain, group, node }) do
    local params = xmlconf.params(level, "param")
    dial = params["group-dial-string"] or params["dial-string"] or dial
  end
  if not dial then return "user/" .. id .. "@" .. name end
  return fs.variables.expand_with(dial, function(key)
    if key == "dialed_user" then return id end
    if key == "dialed_group" then return group_name end
    if key == "dialed_domain" or key == "domain" then return name end
    return core.global_get(key)
  end, function(command, arguments) return fs.api.run(command, arguments, {}) end)
end

-- group_call: flags "+F" one after the other, "+E" enterprise, "+A" (or none) all at once.
function directory.group_call(text)
  local base, flags = match(text, "^([^%+]*)%+?(.*)$")
  local group_name, domain_name = match(base, "^([^@]*)@?(.*)$")
  local domain, name = domain_of(util.some(domain_name))
  local list, between = {}, ","
  for flag in string.gmatch(flags, ".") do between = flag == "F" and "|" or flag == "E" and ":_:" or flag == "A" and "," or between end
  if domain then
    each_user(domain, function(node, group)
      if not group or group.attr.name ~= group_name then return end
      local whole = node
      if node.attr.type == "pointer" then whole = (directory.user(node.attr.id, name) or {}).node end
      if whole then list[#list + 1] = directory.flattened(member_dial_string(domain, group, whole, node.attr.id, group_name, name)) end
    end)
  end
  if #list == 0 then return "error/NO_ROUTE_DESTINATION" end
  return concat(list, between)
end
