-- Sends a mail with an attachment through the mailer of switch.conf.
--   lua examples/mail.lua TO FROM FILE
local sent = freeswitch.email(argv[1], argv[2], "Subject: a message for you\n", "Hello,\n\nsomebody left you a message; it is attached.\n", argv[3])
stream:write(sent and "sent\n" or "not sent\n")
