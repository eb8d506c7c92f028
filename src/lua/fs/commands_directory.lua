-- commands_directory.lua: API commands about users, groups and domains of the directory, and XML as it was read.
local core = ...
local fs = core.fs
local api, directory, util, xmlconf = fs.api, fs.directory, fs.util, fs.xmlconf

local concat, format, gmatch, ipairs, lower, match, pairs = table.concat, string.format, string.gmatch, ipairs, string.lower, string.match, pairs
local command = api.command

local function user_at(text)
  local id, domain = match(text, "^([^@%s]+)@?(%S*)$")
  return id and directory.user(id, util.some(domain))
end

-- "key user domain": the user whose attribute `key` (or one of "key:key") is that, or nil and what is wrong.
local function user_by(text)
  local w = util.separate(text, " ", 3)
  if #w < 3 then return nil, "bad args" end
  local user = directory.user(w[2], w[3])
  for key in gmatch(user and w[1] or "", "[^:]+") do
    if lower(user.attr[key] or "") == lower(w[2]) then return user end
  end
  return nil, "can't find user"
end

command("user_exists", "<key> <user> <domain>", "Find a user", function(text) return user_by(text) and "true" or "false" end)

-- "var", "attr", anything else for params: one value of a table of each, or "".
local function one_of(kind, name, params, variables, attributes)
  local list = kind == "attr" and attributes or kind == "var" and variables or params
  for key, value in pairs(list) do if lower(key) == lower(name) then return value end end
  return ""
end

command("user_data", "<user>@<domain> [var|param|attr] <name>", "Find user data", function(text)
  local w = util.separate(text, " ", 3)
  local user = #w == 3 and user_at(w[1])
  if not user then return "" end
  if w[2] == "attr" and w[3] == "domain-name" then return user.domain end
  return one_of(w[2], w[3], user.params, user.variables, user.attr)
end)

command("in_group", "<user>[@<domain>] <group_name>", "Determine if a user is in a group", function(text)
  local w = util.separate(text, ",", 2)
  local id, domain = match(w[1] or "", "^([^@]*)@?(.*)$")
  local ids = w[2] and directory.group(w[2], util.some(domain))
  for i = 1, ids and #ids or 0 do if ids[i] == id then return "true" end end
  return "false"
end)

command("domain_exists", "<domain>", "Check if a domain exists", function(name)
  if name == "" then return "" end
  return directory.domain(name) and "true" or "false"
end)

command("domain_data", "<domain> [var|param|attr] <name>", "Find domain data", function(text)
  local w = util.separate(text, " ", 3)
  local node = #w == 3 and directory.domain(w[1])
  if not node then return "" end
  return one_of(w[2], w[3], xmlconf.params(node, "param"), xmlconf.params(node, "variable"), node.attr)
end)

command("group_call", "<group>[@<domain>]", "Generate a dial string to call a group", function(text) return directory.group_call(text) end)

-- --- XML ---

-- An element as text: attributes in their order, each element closed by a tag of its own, two blanks further in for each level.
local function xml_text(node, indent, out)
  out[#out + 1] = indent .. "<" .. node.tag
  local names = node.names or {}
  for i = 1, #names do
    if node.attr[names[i]] then out[#out + 1] = format(' %s="%s"', names[i], util.xml_escape(node.attr[names[i]])) end
  end
  out[#out + 1] = ">"
  if #node > 0 then
    out[#out + 1] = "\n"
    for i = 1, #node do xml_text(node[i], indent .. "  ", out) end
    out[#out + 1] = indent
  else
    out[#out + 1] = util.xml_text(util.trim(node.text or ""))
  end
  out[#out + 1] = "</" .. node.tag .. ">\n"
  return out
end
local function printed(node) return concat(xml_text(node, "", {})) end

local function child_of(node, tag)
  for i = 1, #node do if node[i].tag == tag then return node[i] end end
end

-- A copy of a container ("params"), with what `from` has in its own and the copy has not.
local function merged(copy, from, container, tag)
  local own = child_of(copy, container)
  if not own then
    own = { tag = container, attr = {} }
    copy[#copy + 1] = own
  end
  local known = {}
  for i = 1, #own do known[lower(own[i].attr.name or "")] = true end
  local theirs = from and child_of(from, container)
  for i = 1, theirs and #theirs or 0 do
    local one = theirs[i]
    if one.tag == tag and not known[lower(one.attr.name or "")] then
      own[#own + 1] = { tag = tag, names = { "name", "value" }, attr = { name = one.attr.name, value = one.attr.value } }
    end
  end
end

local function copied(node)
  local copy = { tag = node.tag, text = node.text, attr = {}, names = {} }
  for i, name in ipairs(node.names or {}) do copy.names[i], copy.attr[name] = name, node.attr[name] end
  for i = 1, #node do copy[i] = copied(node[i]) end
  return copy
end

-- A user with all that is inherited from group and domain.
local function whole_user(user)
  local copy, domain = copied(user.node), directory.domain(user.domain)
  for _, from in ipairs({ user.group_node or false, domain }) do
    for _, pair in ipairs({ { "params", "param" }, { "variables", "variable" }, { "profile-variables", "variable" } }) do
      merged(copy, from or nil, pair[1], pair[2])
    end
  end
  copy.names[#copy.names + 1], copy.attr["domain-name"] = "domain-name", user.domain
  return copy
end

command("find_user_xml", "<key> <user> <domain>", "Find a user", function(text, context)
  local user, problem = user_by(text)
  if context.session then return user and "true" or "false" end
  if not user then return "-ERR " .. problem .. "\n" end
  return printed(whole_user(user))
end)

local NOTHING = "can't find anything\n"
command("xml_locate", "[root | <section> <tag> <tag_attr_name> <tag_attr_val>]", "Find some xml", function(text)
  local w = util.separate(text, " ", 4)
  if #w ~= 1 and #w ~= 4 then return "-ERR bad args\n" end
  local section, value, node = lower(w[1]), w[4], nil
  if value then
    if section == "directory" and w[2] == "domain" then node = directory.domain(value)
    elseif section == "dialplan" and w[2] == "context" then node = xmlconf.context(value)
    elseif section == "configuration" then node = xmlconf.configuration(value) end
  end
  return node and printed(node) or NOTHING
end)
command("xml_flush_cache", "<id> <key> <val>", "Clear xml cache", function() return "+OK cleared 0 entries\n" end)

command("list_users", "[group <group>] [domain <domain>] [user <user>] [context <context>]", "List Users configured in Directory", function(text)
  local words, wanted = util.separate(text, " ", 9), {}
  if #words >= 9 then return api.usage("list_users") end
  for i = 1, #words do wanted[lower(words[i])] = words[i + 1] end
  local out = { "userid|context|domain|group|contact|callgroup|effective_caller_id_name|effective_caller_id_number\n" }
  local domain, name = directory.domain(wanted.domain)
  if domain then
    directory.each_user(domain, function(node, group)
      local user = directory.user(node.attr.id, name)
      if user and (not wanted.user or wanted.user == user.id) and (not wanted.group or wanted.group == user.group)
        and (not wanted.context or lower(wanted.context) == lower(user.variables.user_context or "")) then
        local v = user.variables
        out[#out + 1] = concat({ user.id, v.user_context or "", name, group and group.attr.name or "", fs.run_api("sofia_contact", user.id .. "@" .. name, {}),
          v.callgroup or "",
          v.effective_caller_id_name or "", v.effective_caller_id_number or "" }, "|") .. "\n"
      end
    end)
  end
  out[#out + 1] = "\n+OK\n"
  return concat(out)
end)
