"""A telephone that we did not write: baresip registers, is called, calls out, and its lamp is lit."""

import re
import shutil
import socket
import subprocess
import time

import pytest

from lib import sounds, users
from lib.engine import wait_for
from lib.ports import PortBlock, free_port

CONFIG = """
sip_listen {host}:{sip}
audio_player aufile,{folder}/heard-{user}.wav
audio_source aufile,{folder}/source.wav
audio_srate 8000
audio_channels 1
audio_alert aufile,/dev/null
ausrc_channels 1
rtp_ports {rtp}-{rtp_end}
module_path /usr/lib/baresip/modules
module g711.so
module aufile.so
module_app account.so
module_app menu.so
module_app mwi.so
"""


def own_address():
    """Not loopback, which baresip never names in its SDP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("203.0.113.1", 9))  # sends nothing
            return s.getsockname()[0]
        except OSError:
            pytest.skip("this machine has no address but loopback")


class Baresip:
    def __init__(self, folder, host, server_port, user, password="secret", options="", run=None, transport="udp"):
        self.folder = folder
        folder.mkdir()
        sounds.tone(str(folder / "source.wav"), 10, 440)
        rtp = PortBlock(16).first
        (folder / "config").write_text(CONFIG.format(host=host, sip=free_port(), rtp=rtp, rtp_end=rtp + 15, folder=folder, user=user))
        (folder / "accounts").write_text("<sip:%s@example.test;transport=%s>;auth_user=%s;auth_pass=%s;outbound=\"sip:%s:%d;transport=%s\";regint=600;"
                                         "audio_codecs=PCMU;%s\n" % (user, transport, user, password, host, server_port, transport, options))
        (folder / "contacts").write_text("")
        self.out = open(folder / "log", "w")
        command = ["baresip", "-f", str(folder), "-t", "30"] + (["-e", run] if run else [])
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.out, stderr=subprocess.STDOUT)

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def wait(self, pattern, seconds=15):
        return wait_for(lambda: re.search(pattern, self.log()), seconds, "baresip: " + pattern, self.log)

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.out.close()


@pytest.fixture
def baresip(tmp_path):
    if not shutil.which("baresip"):
        pytest.skip("baresip is not installed")
    made = []

    def factory(e, user, **options):
        made.append(Baresip(tmp_path / ("phone%d" % len(made)), e.config["sip"]["listen"][0]["address"], e.sip_port, user, **options))
        return made[-1]

    yield factory
    for one in made:
        one.close()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_baresip_registers_is_called_calls_out_and_its_lamp_is_lit(engine, baresip, transport):
    host = own_address()
    e = users.start(engine, address=host)
    alice = baresip(e, "1001", options="mwi=yes;answermode=auto", transport=transport)
    alice.wait(r"200 OK|registered successfully")
    assert re.match(r"sofia/internal/sip:1001[^@]*@%s:\d+" % re.escape(host), e.api("sofia_contact", "1001@example.test"))
    # its lamp
    e.lua("""local ev = freeswitch.Event("message_waiting")
             ev:addHeader("MWI-Messages-Waiting", "yes")
             ev:addHeader("MWI-Message-Account", "1001@example.test")
             ev:addHeader("MWI-Voice-Message", "4/1 (0/0)")
             ev:fire()""")
    alice.wait(r"(?i)Messages-Waiting: yes|Voice-Message: 4/1")
    # is called, and hears and is heard
    text = e.lua("""local s = freeswitch.Session("user/1001@example.test")
                    if not s:ready() then stream:write("failed " .. s:hangupCause()) return end
                    s:streamFile("tone_stream://%(1500,0,700)")
                    stream:write("answered " .. s:getVariable("dialed_user"))
                    s:hangup()
                    stream:write(" in=" .. tostring(s:getVariable("rtp_audio_in_packet_count")))""")
    assert text.startswith("answered 1001"), text + alice.log()[-2000:] + e.all_text()[-2000:]
    assert int(re.search(r"in=(\d+)", text).group(1)) > 20
    # calls out: asked for its password, its user's context
    bob = baresip(e, "1002", run="/dial sip:who@example.test", transport=transport)
    bob.wait(r"200 OK|registered successfully")
    who = e.wait_log(r"WHO (.*)", 15).group(1)
    assert "user_name=1002" in who and "context=inside" in who


def test_baresip_with_a_wrong_password_is_refused(engine, baresip):
    e = users.start(engine, address=own_address())
    alice = baresip(e, "1001", password="wrong")
    alice.wait(r"403")
    e.wait_log(r"SIP auth failure \(REGISTER\) on sofia profile 'internal' for \[1001@example\.test\]")
