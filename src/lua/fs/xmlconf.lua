-- xmlconf.lua: FreeSWITCH's XML from a folder: the preprocessor, and where contexts, domains, languages, gateways and settings are.
--
-- With freeswitch.xml in the folder that file and what it includes is read, as FreeSWITCH does. Without it every *.xml below the
-- folder is (vars.xml first): dialplan/, directory/, lang/, gateways/, autoload_configs/ or any other names.
local core = ...
local fs = core.fs
local util = fs.util

local concat, find, format, gmatch, gsub, lower, match, sort, sub, tonumber = table.concat, string.find, string.format, string.gmatch,
  string.gsub, string.lower, string.match, table.sort, string.sub, tonumber

local xmlconf = {}
fs.xmlconf = xmlconf

local DEPTH_MAX = 32

-- Files that match a pattern of the shell, sorted.
local function glob(pattern)
  local quoted = gsub(pattern, "[^%w%./%*%?%[%]_%-]", "\\%0")
  local text
  local command = "ls -1d " .. quoted .. " 2>/dev/null"
  if core.self() then text = fs.wait.job("popen_read", command)
  else
    local p = io.popen(command)
    text = p and p:read("*a")
    if p then p:close() end
  end
  local list = {}
  for line in gmatch(text or "", "[^\n]+") do list[#list + 1] = line end
  sort(list)
  return list
end

local function all_xml(dir)
  local command = "find -L '" .. gsub(dir, "'", "'\\''") .. "' -name '*.xml' -type f 2>/dev/null"
  local text
  if core.self() then text = fs.wait.job("popen_read", command)
  else
    local p = io.popen(command)
    text = p and p:read("*a")
    if p then p:close() end
  end
  local list = {}
  for line in gmatch(text or "", "[^\n]+") do list[#list + 1] = line end
  sort(list, function(a, b)
    local va, vb = match(a, "vars%.xml$") and 0 or 1, match(b, "vars%.xml$") and 0 or 1
    if va ~= vb then return va < vb end
    return a < b
  end)
  return list
end

-- --- the preprocessor: text becomes lines that know where they came from ---

local function globals(text)
  return (gsub(text, "%$%${([^}]*)}", function(name) return core.global_get(name) or "" end))
end

local function set(data, value)
  local name, rest = match(data, "^%s*([^=]-)%s*=(.*)$")
  if name then core.global_set(name, value and value(rest) or rest) end
end

local commands = {}

local function preprocess(state, path, depth)
  if depth > DEPTH_MAX then error(format("%s: includes are nested too deeply", path), 0) end
  local f = io.open(path, "rb")
  if not f then error(format("%s: cannot be read", path), 0) end
  local text = f:read("*a")
  f:close()
  -- Comments stay out, line breaks stay in.
  text = gsub(text, "<!%-%-.-%-%->", function(c) return (gsub(c, "[^\n]", "")) end)
  local number = 0
  for line in gmatch(text .. "\n", "(.-)\r?\n") do
    number = number + 1
    local function put(part)
      state.lines[#state.lines + 1] = part
      state.from[#state.lines] = { path, number }
    end
    -- What a command brings stands where the command stood.
    while true do
      local before, tag, after = match(line, "^(.-)<[Xx]%-[Pp][Rr][Ee]%-[Pp][Rr][Oo][Cc][Ee][Ss][Ss]([^>]-)/?>(.*)$")
      if not before then break end
      put(globals(before))
      tag = globals(tag)
      local cmd, data = match(tag, 'cmd%s*=%s*"([^"]*)"'), match(tag, 'data%s*=%s*"([^"]*)"')
      local run = cmd and commands[lower(cmd)]
      if run and data then run(state, path, data, depth, number)
      else core.log(4, format("%s:%d: unknown preprocessor command '%s'", path, number, cmd or "")) end
      line = gsub(after, "^%s*</[Xx]%-[Pp][Rr][Ee]%-[Pp][Rr][Oo][Cc][Ee][Ss][Ss]>", "")
    end
    put(globals(line))
  end
end

commands["set"] = function(_, _, data) set(data) end
commands["stun-set"] = function(_, _, data) set(data) end
commands["env-set"] = function(_, _, data) set(data, function(v) return os.getenv((gsub(v, "^%$", ""))) or "" end) end
commands["exec-set"] = function(_, path, data, _, number)
  if util.truth(tostring(core.config("freeswitch_exec_set", false))) then
    set(data, function(v)
      local p = io.popen(v)
      local text = p and p:read("*a") or ""
      if p then p:close() end
      return (gsub(text, "%s+$", ""))
    end)
  else
    core.log(4, format("%s:%d: exec-set is off", path, number))
  end
end
commands["include"] = function(state, path, data, depth, number)
  if sub(data, 1, 1) ~= "/" then data = (match(path, "^(.*/)") or "./") .. data end
  local files = glob(data)
  if #files == 0 and not find(data, "[%*%?]") then core.log(4, format("%s:%d: nothing to include at %s", path, number, data)) end
  for i = 1, #files do preprocess(state, files[i], depth + 1) end
end

-- One document as a tree, or nil and "file:line: what".
local function parse(path)
  local state = { lines = {}, from = {} }
  local ok, problem = pcall(preprocess, state, path, 0)
  if not ok then return nil, problem end
  -- Included files bring their own <include> around them, and there may be several roots: one root holds them all.
  local text = "<carillon-document>" .. concat(state.lines, "\n") .. "\n</carillon-document>"
  text = gsub(text, "<%?xml.-%?>", "")
  local tree, what = core.xml(text)
  if not tree then
    local line, rest = match(what or "", ":(%d+):%s*(.*)$")
    local from = line and (state.from[tonumber(line)] or state.from[#state.lines])
    return nil, from and format("%s:%d: %s", from[1], from[2], rest) or format("%s: %s", path, what or "not well formed")
  end
  return tree
end

-- --- what was found ---

local function empty() return { contexts = {}, domains = {}, domain_order = {}, languages = {}, gateways = {}, configurations = {}, menus = {} } end
local conf = empty()

-- Children of `from` are added to `into`, for names that stand in several files.
local function join(table_of, name, node)
  local there = table_of[name]
  if not there then
    table_of[name] = node
    return node
  end
  for i = 1, #node do there[#there + 1] = node[i] end
  for k, v in pairs(node.attr) do if there.attr[k] == nil then there.attr[k] = v end end
  return there
end

local function collect(found, node, profile)
  local tag, attr = node.tag, node.attr
  if tag == "context" then return join(found.contexts, attr.name or "", node) end
  if tag == "domain" and #node > 0 and profile == nil then
    local name = attr.name or ""
    if not found.domains[name] then found.domain_order[#found.domain_order + 1] = name end
    return join(found.domains, name, node)
  end
  if tag == "language" then return join(found.languages, attr.name or "", node) end
  if tag == "gateway" then
    found.gateways[attr.name or ""] = { node = node, profile = profile }
    return
  end
  if tag == "menu" and attr.name then found.menus[attr.name] = node end
  if tag == "profile" and attr.name then profile = attr.name end
  if tag == "configuration" then found.configurations[attr.name or ""] = node end
  for i = 1, #node do collect(found, node[i], profile) end
end

-- What a tree from elsewhere holds.
function xmlconf.collect(tree)
  local found = empty()
  collect(found, tree)
  return found
end

-- Reads everything anew. What was before stays in force if anything is wrong. True, or nil and the errors.
function xmlconf.reload()
  local dir = core.config("freeswitch_dir")
  if not dir then return true end
  local found, problems = empty(), {}
  local main = dir .. "/freeswitch.xml"
  local files = util.file_exists(main) and { main } or all_xml(dir)
  for i = 1, #files do
    local tree, problem = parse(files[i])
    if tree then collect(found, tree)
    else
      problems[#problems + 1] = problem
      core.log(3, problem)
    end
  end
  if #problems > 0 and next(conf.contexts) then return nil, concat(problems, "\n") end
  conf = found
  xmlconf.loaded = true
  xmlconf.settings_cache = nil
  if fs.xml_handler then fs.xml_handler.start() end
  return #problems == 0 or nil, concat(problems, "\n")
end

-- What was read; the first one who asks reads it, others wait for that.
local loading = false
local function ready()
  if not xmlconf.loaded then
    if not loading then
      loading = true
      pcall(xmlconf.reload)
      loading, xmlconf.loaded = false, true
    elseif core.self() then
      while loading and not xmlconf.loaded do fs.wait.once(5) end
    end
  end
  return conf
end

function xmlconf.context(name) return ready().contexts[name] end
function xmlconf.configuration(name) return ready().configurations[name] end
function xmlconf.domains() return ready().domains, conf.domain_order end
function xmlconf.gateways() return ready().gateways end
function xmlconf.menu(name) return ready().menus[name] end
function xmlconf.language(name) return ready().languages[name] end

-- Elements below `node` with a tag, passing through wrappers such as <include>.
function xmlconf.each(node, tag, f)
  for i = 1, #node do
    local child = node[i]
    if child.tag == tag then f(child) elseif child.tag == "include" or child.tag == tag .. "s" or child.tag == "settings" then xmlconf.each(child, tag, f) end
  end
end

-- A macro by "name" or "name@group" of a language, and the language.
function xmlconf.macro(language_name, name)
  local language = ready().languages[language_name]
  if not language then return nil end
  local base, group = match(name, "^(.*)@(.*)$")
  base = base or name
  local found
  local function walk(node, inside)
    for i = 1, #node do
      local child = node[i]
      if found then return end
      if child.tag == "macro" and child.attr.name == base and inside then found = child
      elseif child.tag ~= "macro" then walk(child, inside or (child.tag == "macros" and child.attr.name == group)) end
    end
  end
  walk(language, group == nil)
  return found, language
end

-- <param name= value=/> of a node as a table, in any case of names as written.
function xmlconf.params(node, tag)
  local list = {}
  if node then xmlconf.each(node, tag or "param", function(p) if p.attr.name then list[p.attr.name] = p.attr.value or "" end end) end
  return list
end

-- Mailer and other settings of switch.conf.
function xmlconf.switch_settings()
  ready()
  if not xmlconf.settings_cache then xmlconf.settings_cache = xmlconf.params(conf.configurations["switch.conf"]) end
  return xmlconf.settings_cache
end

-- A gateway as a trunk: { name =, profile =, proxy =, username =, password =, realm =, from_user =, from_domain = …} or nil.
function xmlconf.gateway(name)
  local one = ready().gateways[name]
  if not one then return nil end
  if not one.params then one.params = xmlconf.params(one.node) end
  local p = one.params
  return { name = name, profile = one.profile or p.profile, params = p, proxy = util.some(p["outbound-proxy"]) or util.some(p.proxy) or p.realm or name,
    username = p.username, password = p.password, realm = p.realm, from_user = p["from-user"], from_domain = p["from-domain"],
    variables = xmlconf.params(one.node, "variable") }
end
