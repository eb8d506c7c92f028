-- Tells other programs how a dial ended, as an event with a body.
--   lua examples/custom_event.lua RECORD DISPOSITION CAMPAIGN NUMBER
local body = ("dial_record_id: %s\ncall_disposition: %s\ncampaign_number: %s\ncalled_number: %s\n"):format(argv[1], argv[2], argv[3], argv[4])
local e = freeswitch.Event("custom", "dial::dial-result")
e:addBody(body)
e:fire()
