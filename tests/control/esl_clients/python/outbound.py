"""greenswitch's outbound server: answers one call, runs an application, hangs up."""
import sys

from greenswitch.esl import OutboundESLServer


class App:
    def __init__(self, session):
        self.session = session

    def run(self):
        self.session.connect()
        self.session.myevents()
        self.session.call_command("set", "colour=blue")
        print("variable", self.session.session_data.get("Channel-Unique-ID") is not None, flush=True)
        self.session.hangup("CALL_REJECTED")


server = OutboundESLServer(bind_address="127.0.0.1", bind_port=int(sys.argv[1]), application=App, max_connections=2)
server.listen()
