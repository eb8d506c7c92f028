-- xml_handler.lua: lua.conf: scripts at the start, scripts on events, and the script that makes XML (XML_REQUEST, params, XML_STRING).
local core = ...
local fs = core.fs
local util, event, types, headers, script, xmlconf = fs.util, fs.event, fs.event_types, fs.headers, fs.script, fs.xmlconf

local find, format, gmatch, lower, match = string.find, string.format, string.gmatch, string.lower, string.match

local handler = { bindings = {} }
fs.xml_handler = handler

-- Settings of lua.conf: lists by name.
local function settings()
  local node = xmlconf.configuration("lua.conf")
  local list = {}
  if node then
    xmlconf.each(node, "param", function(p)
      local name = p.attr.name
      if name then
        list[name] = list[name] or {}
        table.insert(list[name], p.attr.value or "")
      end
    end)
  end
  return list, node
end

local function hooks_of(node)
  local list = {}
  local function walk(n)
    for i = 1, #n do
      if n[i].tag == "hook" then list[#list + 1] = n[i].attr else walk(n[i]) end
    end
  end
  if node then walk(node) end
  return list
end

-- An event hook: its script runs for each event of its type, with `event`.
local function hook(attr)
  local number = types.find(attr.event or "")
  if not number or not util.some(attr.script) then
    core.log(3, format("lua.conf: hook on '%s': no such event, or no script", attr.event or ""))
    return
  end
  local function run(list)
    local e = event.from_pairs(list)
    if attr.subclass and e.subclass ~= attr.subclass then return end
    local request = script.parse(attr.script)
    request.globals, request.detached = { event = event.object(e, true) }, true
    core.script(request)
  end
  core.subscribe(lower(attr.event) == "all" and "all" or { number }, function(list)
    core.spawn("event hook", run, list)
  end)
end

-- Reads lua.conf and starts what it names; the first worker does so for all.
function handler.start()
  local list, node = settings()
  local text = list["xml-handler-script"] and list["xml-handler-script"][1]
  local bindings = list["xml-handler-bindings"] and list["xml-handler-bindings"][1]
  handler.script = util.some(text)
  handler.bindings = {}
  if handler.script then
    for section in gmatch(lower(bindings or ""), "[^|,%s]+") do handler.bindings[section] = true end
  end
  fs.script_directories, fs.module_directories = list["script-directory"], list["module-directory"]
  if core.worker() ~= 0 or handler.started then return end
  handler.started = true
  for _, attr in ipairs(hooks_of(node)) do hook(attr) end
  for _, one in ipairs(list["startup-script"] or {}) do
    local request = script.parse(one)
    if request then
      request.detached = true
      core.script(request)
    end
  end
end

-- Asks the script for a piece of XML: a tree, or nil if it has none.
function handler.ask(section, tag, key, value, params)
  if not handler.bindings[section] then return nil end
  local request = script.parse(handler.script)
  request.globals = { XML_REQUEST = { section = section, tag_name = tag or "", key_name = key or "", key_value = value or "" },
    params = event.object(params or event.make("REQUEST_PARAMS"), true) }
  local result, globals = script.wait(request)
  local text = result.ok and globals and globals.XML_STRING
  if type(text) ~= "string" then return nil end
  if text == "" then
    core.log(4, "No Result\n")
    return nil
  end
  local tree, why = core.xml(text)
  if not tree then
    core.log(3, "Error Parsing XML Result! " .. tostring(why))
    return nil
  end
  return xmlconf.collect(tree)
end

-- The dialplan's context for a call.
function handler.context(ch, name)
  if not handler.bindings.dialplan then return nil end
  local params = headers.snapshot(ch)
  event.add(params, "Hunt-Destination-Number", ch:profile("destination_number"))
  event.add(params, "Hunt-Context", name)
  event.add(params, "Hunt-Caller-ID-Number", ch:profile("caller_id_number"))
  event.add(params, "Hunt-Caller-ID-Name", ch:profile("caller_id_name"))
  local found = handler.ask("dialplan", "", "", "", params)
  return found and found.contexts[name]
end

-- A domain of the directory with the user that is looked for. `about`: what the script is told besides, a list of { name, value }.
function handler.domain(name, user, about)
  if not handler.bindings.directory then return nil end
  local params = event.make("REQUEST_PARAMS")
  event.add(params, "user", user)
  event.add(params, "domain", name)
  event.add(params, "key", "id")
  for i = 1, about and #about or 0 do event.add(params, about[i][1], about[i][2]) end
  local found = handler.ask("directory", "domain", "name", name or "", params)
  if not found then return nil end
  local key = util.some(name) or found.domain_order[1]
  return key and found.domains[key], key
end

core.spawn("lua.conf", function() handler.start() end)
