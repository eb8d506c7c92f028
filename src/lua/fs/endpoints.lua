-- endpoints.lua: the kinds of destinations: sofia, loopback, null, error, user, group. Each makes a channel or says why not.
--
-- endpoints.NAME(leg, ctx) → channel | nil, cause.   ctx.get(name): a variable of the leg as originate reads it ([] before {}),
-- ctx.dress(ch, destination, channel name): caller, variables, CHANNEL_CREATE.
-- endpoints.expand[NAME](leg) → a dial string that stands in its place, or nil, cause.
local core = ...
local fs = core.fs
local util, directory, xmlconf, channel = fs.util, fs.directory, fs.xmlconf, fs.channel

local find, format, gsub, lower, match, sub = string.find, string.format, string.gsub, string.lower, string.match, string.sub

local endpoints = { expand = {} }
fs.endpoints = endpoints

-- --- without SIP ---

function endpoints.null(leg, ctx)
  local ch = core.new_null(ctx.uuid())
  if not ch then return nil, "NORMAL_CIRCUIT_CONGESTION" end
  ctx.dress(ch, leg.rest, "null/" .. leg.rest)
  if not ch:answered() then ch:answer() end
  return ch
end

function endpoints.error(leg)
  return nil, channel.cause(leg.rest)
end

-- loopback/ext[/context[/dialplan]] and loopback/app=name:data: two channels back to back, the second runs by itself.
function endpoints.loopback(leg, ctx)
  -- Who dials one gets early media at once, whatever becomes of it.
  if ctx.aleg and not util.truth(ctx.aleg:get("loopback_no_pre_answer")) then channel.pre_answer(ctx.aleg) end
  local a, b = core.new_loopback(ctx.uuid())
  if not a then return nil, "NORMAL_CIRCUIT_CONGESTION" end
  local app = match(leg.rest, "^app=(.*)$")
  local extension, context, dialplan = match(leg.rest, "^([^/]*)/?([^/]*)/?(.*)$")
  local name = app and match(app, "^[^:]*") or extension
  if ctx.aleg then a:set("loopback_from_uuid", ctx.aleg:uuid()) end
  a:set("loopback_leg", "A")
  b:set("loopback_leg", "B")
  -- The second half has every variable that the leg was dialled with.
  ctx.each(function(n, v) b:set(n, v ~= "" and v or nil) end)
  b:set("other_loopback_from_uuid", ctx.aleg and ctx.aleg:uuid())
  local app_name, app_data = match(app or "", "^([^:]*):?(.*)$")
  if app then
    for _, half in ipairs({ a, b }) do
      half:set("loopback_app", app_name)
      half:set("loopback_app_arg", util.some(app_data))
    end
  end
  ctx.dress(a, app and "app=" .. app or extension, "loopback/" .. name .. "-a",
    { destination_number = name, context = util.some(context), dialplan = util.some(dialplan), source = "mod_loopback" })
  a:data().loopback_other, b:data().loopback_other = b, a
  for _, field in ipairs({ "caller_id_name", "caller_id_number", "ani", "rdnis", "callee_id_name", "callee_id_number", "destination_number",
    "context", "dialplan", "source" }) do
    local value = a:profile(field)
    if value then b:profile_set(field, value) end
  end
  b:profile_set("chan_name", "loopback/" .. name .. "-b")
  for word in string.gmatch(ctx.get("loopback_export") or "", "[^,]+") do
    local value = a:get(word)
    if value then b:set(word, value) end
  end
  local data = b:data()
  data.begun = true
  if app then
    channel.start(b, { { "pre_answer", "" }, { app_name, app_data } })
  else
    channel.start(b)
  end
  return a
end

-- --- SIP ---

-- The first listener is the profile that gateways without one use.
local function listeners()
  local list = core.config("sip.listen")
  return type(list) == "table" and list or {}
end
local function profile_known(name)
  local list = listeners()
  for i = 1, #list do
    if type(list[i]) == "table" and list[i].name == name then return true end
  end
  return false
end
endpoints.profile_known = profile_known
local function default_profile()
  if profile_known("internal") then return "internal" end
  local list = listeners()
  return list[1] and list[1].name or "external"
end

local function trunk_known(name)
  local trunks = core.config("trunks")
  if type(trunks) == "table" and trunks[name] ~= nil then return true end
  local groups = core.config("trunk_groups")
  return type(groups) == "table" and groups[name] ~= nil
end

-- What a leg's variables say of its INVITE.
local function invite(leg, ctx, pairs_of)
  local p = pairs_of
  local headers = {}
  ctx.each(function(name, value)
    local header = match(name, "^[sS][iI][pP]_[hH]_(.+)$")
    if header then headers[lower(header)] = { header, value } end
  end)
  for _, h in pairs(headers) do p["h." .. h[1]] = h[2] end
  if ctx.cid_given then
    p.cid_number = util.some(ctx.get("sip_from_user")) or ctx.cid_number
    p.cid_name = util.some(ctx.get("sip_from_display")) or util.some(ctx.cid_name)
  else
    p.cid_number, p.cid_name = util.some(ctx.get("sip_from_user")), util.some(ctx.get("sip_from_display"))
  end
  p.privacy = ctx.get("origination_privacy") or ctx.get("sip_cid_type") == "none" and "none" or nil
  p.identity = ctx.get("sip_cid_type")
  p.from_domain = p.from_domain or ctx.get("sip_invite_domain")
  p.auth_user = ctx.get("sip_auth_username") or p.auth_user
  p.auth_password = ctx.get("sip_auth_password") or p.auth_password
  p.codecs = ctx.get("absolute_codec_string") or ctx.get("codec_string")
  p.srtp = ctx.get("rtp_secure_media_outbound") or ctx.get("rtp_secure_media")
  p.contact_user = ctx.get("sip_contact_user")
  p.route = ctx.get("sip_route_uri") or ctx.get("fs_path") or p.route
  p.transport = ctx.get("sip_transport") or p.transport
  p.timeout_ms = format("%d", ctx.timeout_ms + 2000) -- ours is the earlier one; this guards against a worker that died
  p.early = ctx.early
  p.campaign, p.lead = ctx.get("carillon_campaign"), ctx.get("carillon_lead")
  local longest = ctx.get("carillon_max_s")
  if longest then p.max_s = longest end
  return p
end

local function dial(ctx, p, destination, name, gateway)
  local preset = ctx.get("origination_uuid")
  if preset and core.channel(preset) then
    local there = core.channel(preset)
    if there:up() then return nil, "DESTINATION_OUT_OF_ORDER" end
  end
  local ch, problem = core.dial(preset, p)
  if not ch then return nil, problem and core.cause_number(problem) ~= 16 and problem or "NORMAL_TEMPORARY_FAILURE" end
  ctx.dress(ch, destination, name)
  if gateway then
    ch:set("sip_gateway_name", gateway.name)
    for k, v in pairs(gateway.variables or {}) do
      local outbound = match(k, "^outbound:(.*)$")
      if not ch:get(outbound or k) and not match(k, "^inbound:") then ch:set(outbound or k, v) end
    end
  end
  return ch
end

local function through_gateway(leg, ctx, rest)
  local name, destination = match(rest, "^([^/]*)/(.*)$")
  if not name then return nil, "INVALID_URL" end
  local profile, bare = match(name, "^(.*)::(.*)$")
  name = bare or name
  local gateway = xmlconf.gateway(name)
  if gateway then
    profile = profile or gateway.profile or default_profile()
    local host = (gsub(gateway.proxy, "^sips?:", ""))
    local user = match(destination, "^sip:(.*)$") or destination
    local uri = find(user, "@", 1, true) and "sip:" .. user or "sip:" .. user .. "@" .. host
    local p = invite(leg, ctx, { uri = uri, profile = profile, auth_user = gateway.username, auth_password = gateway.password,
      from_domain = gateway.from_domain, gateway = gateway.name })
    if not p.cid_number and not util.truth(gateway.params["caller-id-in-from"]) then p.cid_number = gateway.from_user or gateway.username end
    return dial(ctx, p, destination, "sofia/" .. profile .. "/" .. destination, gateway)
  end
  if not trunk_known(name) then
    core.log(3, format("Invalid Gateway '%s': the configuration has no trunk of that name, freeswitch_dir no gateway\n", name))
    return nil, "INVALID_GATEWAY"
  end
  local p = invite(leg, ctx, { trunk = name, number = match(destination, "^([^@]*)") })
  return dial(ctx, p, destination, "sofia/" .. (profile or default_profile()) .. "/" .. destination, { name = name })
end

function endpoints.sofia(leg, ctx)
  local profile, rest = match(leg.rest, "^([^/]*)/(.*)$")
  if not profile then return nil, "INVALID_URL" end
  if profile == "gateway" then return through_gateway(leg, ctx, rest) end
  if not profile_known(profile) then return nil, "INVALID_PROFILE" end
  local destination = match(rest, "^sips?:(.*)$") or rest
  if destination == "" then return nil, "INVALID_URL" end
  local user, domain = match(destination, "^([^%%@]*)%%([^;]*)")
  if user then -- a registered contact
    local contact = fs.run_api("sofia_contact", profile .. "/" .. user .. "@" .. domain, {})
    contact = util.trim(contact or "")
    if contact == "" or match(contact, "^error/") or match(contact, "^%-ERR") or match(contact, "^INVALID") then return nil, "USER_NOT_REGISTERED" end
    contact = match(contact, "([^,]+)$") -- of several the latest, as FreeSWITCH's endpoint has it
    destination = match(contact, "^sofia/[^/]*/sips?:(.*)$") or match(contact, "^sofia/[^/]*/(.*)$") or contact
  end
  if not find(destination, "@", 1, true) and not find(destination, "^[%d%.:]+$") and not find(destination, ".", 1, true) then
    return nil, "DESTINATION_OUT_OF_ORDER"
  end
  local bare, path = match(destination, "^(.-);fs_path=([^;]+)")
  if bare then bare = gsub(bare, ";fs_nat=yes", "") end
  local p = invite(leg, ctx, { uri = "sip:" .. (bare or destination), profile = profile })
  if path then p.route = util.url_decode(path) end
  return dial(ctx, p, destination, "sofia/" .. profile .. "/" .. match(destination, "^[^;]*"))
end

-- --- stand for others ---

-- `aleg`: the call that dials, if one does.
function endpoints.expand.user(leg, aleg)
  local id, domain = match(leg.rest, "^([^@/]*)@?([^/]*)")
  local dial_string, cause, user = directory.dial_string(id, util.some(domain), aleg)
  if not dial_string then return nil, cause end
  if find(lower(dial_string), lower("user/" .. user.id), 1, true) then
    core.log(4, format("Waddya Daft? You almost called 'user/%s' in an infinate loop!\n", user.id))
    return nil, "INVALID_IE_CONTENTS"
  end
  for name, value in pairs(user.params) do
    local variable = match(lower(name), "^dial%-var%-(.+)$")
    if variable then leg.vars:set(variable, value) end
  end
  leg.vars:set("dialed_user", user.id)
  leg.vars:set("dialed_domain", user.domain)
  if not find(dial_string, "presence_id=", 1, true) then leg.vars:set("presence_id", user.id .. "@" .. user.domain) end
  leg.user = user
  return dial_string
end

function endpoints.expand.group(leg)
  return directory.group_call(leg.rest)
end
