-- messages.lua: what is sent to a call from outside (sendmsg, uuid_broadcast, schedulers): headers with a call-command.
local core = ...
local fs = core.fs
local util, channel = fs.util, fs.channel

local lower = string.lower

local messages = {}
fs.messages = messages

local commands = {}

function commands.execute(ch, get)
  local app, arg = get("execute-app-name"), get("execute-app-arg") or get("_body")
  if not app then return end
  local loops = util.int(get("loops") or "1")
  if loops == 0 then loops = 1 end
  local data = ch:data()
  data.broadcasting = (data.broadcasting or 0) + 1
  while loops ~= 0 do
    fs.apps.execute(ch, app, arg, { event_uuid = get("event-uuid") })
    loops = loops - 1
    if fs.wait.gone(ch) or data.broken then break end
  end
  data.broadcasting = data.broadcasting - 1
end
function commands.hangup(ch, get) channel.hangup(ch, get("hangup-cause") or "NORMAL_CLEARING") end
function commands.xferext(ch, get)
  local actions = {}
  for _, text in ipairs(get("application", true)) do
    local app, data = string.match(text, "^%s*(%S+)%s*(.*)$")
    actions[#actions + 1] = { app, data }
  end
  if #actions > 0 then fs.transfer.actions(ch, actions) end
end
-- Known and not here: media stays with us. Whoever asks reads why nothing changes.
function commands.nomedia(ch) util.warn(ch, "call-command nomedia: not supported, the call's media stays here") end
function commands.unicast(ch, get)
  util.warn(ch, "call-command unicast: not supported, no audio goes to %s:%s", get("remote-ip") or "127.0.0.1", get("remote-port") or "8026")
end
function commands.wake() end
function commands.conference(ch, get) fs.conference.news(ch, get("what"), get("energy")) end -- the media thread's news of a member

-- One message, a list of {name, value}.
function messages.run(ch, list)
  local function get(name, all)
    local found = all and {}
    for i = 1, #list do
      if lower(list[i][1]) == name then
        if not all then return list[i][2] end
        found[#found + 1] = list[i][2]
      end
    end
    return found
  end
  local f = commands[lower(get("call-command") or "")]
  if f then f(ch, get)
  else util.warn(ch, "call-command %s is unknown", get("call-command") or "") end
end

-- Hands a message to a call: to whoever serves it, or to a fiber of its own if nobody does.
function messages.send(ch, list)
  if not ch:up() then return false end
  local owner = ch:owner()
  if owner and core.fiber_alive(owner) then
    ch:queue_event(list)
  else
    core.spawn("message", function()
      messages.run(ch, list)
      if ch:owner() == core.self() then ch:own(nil) end
    end)
  end
  return true
end
