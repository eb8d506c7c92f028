"""greenswitch, unchanged: connect, api, bgapi, events, a call to its end. Prints what the test compares."""
import sys

import gevent
from greenswitch.esl import InboundESL

got = {}
client = InboundESL(host="127.0.0.1", port=int(sys.argv[1]), password="ClueCon")
client.connect()
client.register_handle("BACKGROUND_JOB", lambda event: got.setdefault("job", event.headers["Job-UUID"]))
client.register_handle("CHANNEL_HANGUP_COMPLETE", lambda event: got.setdefault("over", (event.headers["Unique-ID"], event.headers["Hangup-Cause"])))
print("api", client.send("api echo hi").data)
client.send("events plain ALL")
job = client.send("bgapi echo later").headers["Job-UUID"]
call = client.send("api originate null/x &park()").data.split()[1]
client.send("api uuid_kill %s USER_BUSY" % call)
with gevent.Timeout(8):
    while len(got) < 2:
        gevent.sleep(0.05)
print("job", got["job"] == job)
print("over", got["over"] == (call, "USER_BUSY"))
client.stop()
