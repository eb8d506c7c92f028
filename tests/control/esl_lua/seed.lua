 require("ESL")
 --connect to freeswitch esl
 local con = ESL.ESLconnection("127.0.0.1", "PORT", "ClueCon");
 --if successful connection give notice in FS log and lua script
 if con:connected() == 1 then
     con:api("log","notice Lua ESL connected")
     print("connected!")
 else
     print("not connected!")
     os.exit()
 end
 --send version command
 version_response_body = con:api("version")
 --log version number to freeswitch logfile
 con:api("log","notice " .. version_response_body)
 --print version to Lua output
 print("Your FS version is: " .. version_response_body)
