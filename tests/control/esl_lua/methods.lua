-- Every method of the module ESL against a running engine: in plain Lua (arguments: port, file for the result), and as a script.
local port, result = ...
if not port then port, result = argv[1], argv[2] end
local out = {}
local function say(name, value) out[#out + 1] = name .. "=" .. tostring(value) end

require("ESL")
local module = require "ESL"
assert(module == ESL, "the global ESL is the module")
ESL.eslSetLogLevel(3)

-- events by themselves
local e = ESL.ESLevent("CUSTOM", "my::thing")
assert(e:getType() == "CUSTOM" and e:getHeader("event-subclass") == "my::thing")
assert(e:addHeader("A-Header", "a b") == true and e:addHeader("A-Header", "") == true and e:getHeader("A-Header") == nil)
assert(e:addHeader("Name", "a b:c") and e:addBody("the body"))
assert(e:pushHeader("List", "two") and e:unshiftHeader("List", "one") and e:pushHeader("List", "three"))
assert(e:getHeader("List") == "ARRAY::one|:two|:three" and e:getHeader("List", 1) == "two" and e:getHeader("List", 9) == nil)
assert(e:setPriority(2) and e:getHeader("priority") == "HIGH")
say("text", e:serialize())
say("json", e:serialize("json"))
local names, name = {}, e:firstHeader()
while name do
  names[#names + 1] = name
  name = e:nextHeader()
end
say("names", table.concat(names, " "))
assert(e:delHeader("name") == true and e:delHeader("name") == false)
local j = ESL.ESLevent("json", '{"Event-Name":"CHANNEL_ANSWER","X":"y\\u00e9","L":["1","2"],"_body":"b"}')
assert(j:getType() == "CHANNEL_ANSWER" and j:getHeader("X") == "y\195\169" and j:getHeader("L", 1) == "2" and j:getBody() == "b")
assert(ESL.ESLevent("nonsense"):getType() == "MESSAGE")
assert(ESL.ESLevent("DTMF", "my::thing"):getType() == "CUSTOM")

-- connections
local wrong = ESL.ESLconnection("127.0.0.1", tostring(tonumber(port) + 0), "wrong")
say("wrong", wrong:connected())
assert(wrong:api("status") == nil and wrong:recvEvent():getType() == "SERVER_DISCONNECTED" and wrong:socketDescriptor() == -1)
local con = ESL.ESLconnection("127.0.0.1", tonumber(port), "ClueCon")
say("connected", con:connected())
assert(con:socketDescriptor() > 2 and con:getInfo() == nil)
local reply = con:api("echo", "hello there")
say("api", reply:getBody())
say("type", reply:getType())
say("appended", "<" .. con:api("echo", "as a text") .. ">")
say("sendrecv", con:sendRecv("api echo raw"):getBody())
say("send", con:send("api echo later"))
say("later", con:recvEvent():getBody())
say("events", con:events("plain", "BACKGROUND_JOB CUSTOM my::thing"))
say("job", con:bgapi("echo", "from a job", "11111111-2222-3333-4444-555555555555"):getHeader("Job-UUID"))
local job = con:recvEvent()
say("done", job:getType() .. " " .. job:getHeader("Job-UUID") .. " " .. job:getBody())
local mine = ESL.ESLevent("CUSTOM", "my::thing")
mine:addHeader("Name", "50% & more")
mine:addBody("two\nlines")
say("sent", con:sendEvent(mine):getHeader("Reply-Text"):match("^%+OK %x+") ~= nil)
local back = con:recvEventTimed(5000)
say("back", back:getHeader("Event-Subclass") .. " " .. back:getHeader("Name") .. " " .. back:getBody())
say("nothing", con:recvEventTimed(50))
say("filter", con:filter("Name", "other"):getHeader("Reply-Text"))
con:sendEvent(mine)
say("filtered", con:recvEventTimed(200))
con:sendRecv("filter delete all")
con:events("json", "CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP_COMPLETE")
con:sendRecv("noevents")
con:events("json", "CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP_COMPLETE")
local uuid = con:api("originate", "null/x &park()"):getBody():match("%+OK (%S+)")
say("async", con:setAsyncExecute("1") .. con:setAsyncExecute("0") .. con:setEventLock("true") .. con:setEventLock("no"))
say("execute", con:executeAsync("set", "colour=blue", uuid):getHeader("Reply-Text"))
con:execute("set", "shape=round", uuid)
repeat e = con:recvEvent() until e:getHeader("Application-Data") == "shape=round"
say("var", con:api("uuid_getvar", uuid .. " colour"):getBody())
local hangup = ESL.ESLevent("MESSAGE")
hangup:addHeader("call-command", "hangup")
hangup:addHeader("hangup-cause", "USER_BUSY")
say("sendmsg", con:sendMSG(hangup, uuid))
repeat e = con:recvEvent() until e:getType() == "CHANNEL_HANGUP_COMPLETE"
say("cause", e:getHeader("Hangup-Cause"))
say("number", con:api("echo", 5):getBody())
say("mistake", select(2, pcall(con.api, con, {})))
say("disconnect", con:disconnect() .. " " .. con:connected())
say("user", ESL.ESLconnection("127.0.0.1", port, "nobody@nowhere", "x"):connected())

local file = assert(io.open(result, "w"))
file:write(table.concat(out, "\n"), "\n")
file:close()
