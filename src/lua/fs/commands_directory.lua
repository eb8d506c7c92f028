-- commands_directory.lua: API commands about users, groups and domains of the directory, and XML as it was read.
local core = ...
local fs = core.fs
local api, directory, util, xmlconf = fs.api, fs.directory, fs.util, fs.xmlconf

local concat, format, match, pairs, sort = table.concat, string.format, string.match, pairs, table.sort
local command = api.command

local function user_at(text)
  local id, domain = match(text, "^([^@%s]+)@?(%S*)$")
  return id and directory.user(id, util.some(domain))
end

command("user_exists", "<key> <user> <domain>", "true or false", function(text)
  local _, id, domain = match(text, "^(%S+)%s+(%S+)%s*(%S*)$")
  if not id then return api.usage("user_exists") end
  return directory.user(id, util.some(domain)) and "true" or "false"
end)

command("user_data", "<user>@<domain> [var|param|attr] <name>", "something of a user", function(text)
  local who, kind, name = match(text, "^(%S+)%s+(%S+)%s+(%S+)$")
  if not who then return api.usage("user_data") end
  local user = user_at(who)
  if not user then return "" end
  if kind == "var" or kind == "variable" then return user.variables[name] or "" end
  if kind == "param" then return user.params[name] or "" end
  if kind == "attr" then return user.attr[name] or "" end
  return ""
end)

command("in_group", "<user>[@<domain>],<group>", "true or false", function(text)
  local who, group = match(text, "^(%S-)[,%s]+(%S+)$")
  if not who then return "false" end
  local id, domain = match(who, "^([^@]+)@?(.*)$")
  local ids = id and directory.group(group, util.some(domain))
  for i = 1, ids and #ids or 0 do if ids[i] == id then return "true" end end
  return "false"
end)

command("domain_exists", "<domain>", "true or false", function(name)
  if name == "" then return api.usage("domain_exists") end
  return directory.domain(name) and "true" or "false"
end)

command("domain_data", "<domain> [var|param|attr] <name>", "something of a domain", function(text)
  local name, kind, wanted = match(text, "^(%S+)%s+(%S+)%s+(%S+)$")
  local node = name and directory.domain(name)
  if not node then return "" end
  if kind == "attr" then return node.attr[wanted] or "" end
  return xmlconf.params(node, kind == "var" and "variable" or "param")[wanted] or ""
end)

command("group_call", "<group>[@<domain>][+F|+E]", "what to dial for a group", function(text)
  if text == "" then return api.usage("group_call") end
  return directory.group_call(text)
end)

-- --- XML ---

local function xml_text(node, indent, out)
  out = out or {}
  local attributes, names = {}, {}
  for name in pairs(node.attr or {}) do names[#names + 1] = name end
  sort(names)
  for i, name in ipairs(names) do attributes[i] = format(' %s="%s"', name, util.xml_escape(node.attr[name])) end
  out[#out + 1] = indent .. "<" .. node.tag .. concat(attributes)
  if #node == 0 and not util.some(node.text and util.trim(node.text)) then
    out[#out + 1] = "/>\n"
    return out
  end
  out[#out + 1] = ">" .. (#node > 0 and "\n" or util.xml_escape(node.text or ""))
  for i = 1, #node do xml_text(node[i], indent .. "  ", out) end
  out[#out + 1] = (#node > 0 and indent or "") .. "</" .. node.tag .. ">\n"
  return out
end

command("find_user_xml", "<key> <user> <domain>", "a user's XML", function(text)
  local _, id, domain = match(text, "^(%S+)%s+(%S+)%s*(%S*)$")
  local user = id and directory.user(id, util.some(domain))
  if not user then return "-ERR Can't find user.\n" end
  return concat(xml_text(user.node, ""))
end)

command("xml_locate", "[root | <section> [<tag> <tag_attr_name> <tag_attr_val>]]", "a piece of the XML", function(text)
  local section, _, _, value = match(text, "^(%S+)%s*(%S*)%s*(%S*)%s*(%S*)$")
  local node
  if section == "directory" then node = directory.domain(value)
  elseif section == "dialplan" then node = xmlconf.context(value)
  elseif section == "configuration" then node = xmlconf.configuration(value) end
  if not node then return "-ERR can't find\n" end
  return concat(xml_text(node, ""))
end)

command("list_users", "[group <group>] [domain <domain>] [user <user>]", "users, a line each", function(text)
  local wanted = {}
  for key, value in string.gmatch(text, "(%S+)%s+(%S+)") do wanted[key] = value end
  local out = { "userid|context|domain|group|contact|callgroup|effective_caller_id_name|effective_caller_id_number\n" }
  local domain, name = directory.domain(wanted.domain)
  if domain then
    directory.each_user(domain, function(node, group)
      local user = directory.user(node.attr.id, name)
      if user and (not wanted.user or wanted.user == user.id) and (not wanted.group or wanted.group == user.group) then
        local v = user.variables
        out[#out + 1] = concat({ user.id, v.user_context or "", name, group and group.attr.name or "", "error/user_not_registered", v.callgroup or "",
          v.effective_caller_id_name or "", v.effective_caller_id_number or "" }, "|") .. "\n"
      end
    end)
  end
  out[#out + 1] = "\n+OK\n"
  return concat(out)
end)
