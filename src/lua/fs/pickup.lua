-- pickup.lua: pickup groups: `pickup/KEY` in a dial string waits beside the telephones that ring, and the application `pickup KEY` puts its
-- call in the place of the leg that has waited longest: the caller is joined with it, and the telephones ring no more.
--
-- A waiting leg is a call without media that never answers by itself. It is none that keeps a fork alive: when all the others have
-- failed, it ends with NO_PICKUP (originate.lua). Who picks up on another worker is lent to where the leg waits.
local core = ...
local fs = core.fs
local api, apps, channel, endpoints, headers, loan, util, wait = fs.api, fs.apps, fs.channel, fs.endpoints, fs.headers, fs.loan, fs.util, fs.wait

local find, ipairs, match, remove = string.find, ipairs, string.match, table.remove

local waiting = {} -- key → legs, the oldest first

local function full(key)
  if find(key, "@", 1, true) then return key end
  local _, domain = fs.directory.domain(nil)
  return key .. "@" .. (core.global_get("domain") or domain or "")
end

local function purge(key)
  local list = waiting[key] or {}
  for i = #list, 1, -1 do
    if not list[i]:up() or list[i]:data().swap then remove(list, i) end
  end
  waiting[key] = #list > 0 and list or nil
  return list
end

function endpoints.pickup(leg, ctx)
  if leg.rest == "" then return nil, "DESTINATION_OUT_OF_ORDER" end
  local ch = core.new_null(ctx.uuid(), true)
  if not ch then return nil, "NORMAL_CIRCUIT_CONGESTION" end
  local vars = {}
  ctx.each(function(name, value) if name ~= "presence_id" then vars[#vars + 1] = { name, value } end end)
  ctx.dress(ch, leg.rest, "pickup/" .. leg.rest)
  ch:set("process_cdr", "false")
  ch:set("presence_id", nil)
  ch:data().pickup = vars
  local key = full(leg.rest)
  local list = purge(key)
  list[#list + 1] = ch
  waiting[key] = list
  return ch
end

-- For the other workers: does a leg wait here?
api.commands.carillon_pickup_waits = { name = "carillon_pickup_waits", syntax = "", help = "", run = function(key)
  local first = purge(key)[1]
  return first and first:uuid() or ""
end }

-- The caller sees who answered, the one who picks up sees the caller.
local function introduce(ch, leg)
  local name, number = ch:profile("caller_id_name"), ch:profile("caller_id_number")
  ch:profile_set("caller_id_name", leg:profile("caller_id_name"))
  ch:profile_set("caller_id_number", leg:profile("caller_id_number"))
  ch:profile_set("callee_id_name", name)
  ch:profile_set("callee_id_number", number)
  headers.fire("CALL_UPDATE", ch, { { "Direction", "RECV" } })
end

local function take(ch, leg)
  local me = core.self()
  for _, pair in ipairs(leg:data().pickup) do ch:set(pair[1], pair[2]) end
  leg:data().swap = ch
  introduce(ch, leg)
  channel.state(ch, "CS_HIBERNATE")
  leg:answer() -- wakes the originate that holds it; from now on that one works on our call
  ch:watch(me, true)
  while ch:up() and not wait.gone(ch) do wait.once(nil) end
  ch:watch(me, false)
end

apps.define("pickup", "", "`key`: takes a call that rings elsewhere with `pickup/key` in its dial string", function(ch, text)
  local key = util.trim(text)
  if key == "" then return util.warn(ch, "Missing data.  Usage: pickup [<key>]\n") end
  key = full(key)
  local leg = purge(key)[1]
  if leg then return take(ch, leg) end
  if not fs.remote.many or loan.is_guest(ch) then return end
  for _, uuid in ipairs(fs.remote.gather("carillon_pickup_waits " .. key)) do
    if util.some(match(uuid, "%S+")) then
      channel.answer(ch)
      local _, done = loan.other(ch, match(uuid, "%S+"), "pickup", key)
      if done then return end
    end
  end
end)
