"""The operators' page in a real headless Chromium: log-in, a campaign's numbers beside the ledger's, pause and resume, a call's ladder, a phone, the
keyboard; nothing in the console. CARILLON_SHOTS=FOLDER keeps screenshots, to be looked at."""

import os
import sqlite3
import time

import pytest

from lib import browser as chromium
from lib.ports import free_port

TAB, ENTER, ESCAPE = "\ue004", "\ue007", "\ue00c"
CARD = "document.querySelector('#campaign-list article[data-key=\"spring\"]')"


@pytest.fixture
def browser(tmp_path):
    if chromium.find() is None:
        pytest.skip("chromium and chromium-driver are not installed")
    made = chromium.Browser(tmp_path)
    yield made
    made.close()


def shots(browser, name):
    """Light and dark, wide and on a phone."""
    folder = os.environ.get("CARILLON_SHOTS")
    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        for size, width, height in (("wide", 1280, 900), ("phone", 390, 844)):
            browser.size(width, height, phone=size == "phone")
            # Nothing sticks out at the side.
            assert browser.js("return document.documentElement.scrollWidth <= innerWidth"), (name, size, browser.js("return [...document.querySelectorAll('*')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll, pre')).slice(0, 5).map((e) => e.outerHTML.slice(0, 120))"))
            if folder:
                time.sleep(0.3)
                browser.shot(os.path.join(folder, "%s-%s-%s.png" % (name, scheme, size)))
    browser.scheme("light")
    browser.size(1280, 900)


def fact(browser, field):
    return int(browser.js("return %s.querySelector('[data-f=\"%s\"]').textContent" % (CARD, field)).replace(",", "").replace("\u202f", ""))


@pytest.fixture
def live(engine, carrier):
    c = carrier(plan="match=*9 busy after=20ms\nmatch=* answer after=50ms")
    port = free_port()
    users = {"olga": {"password": "operator-secret", "role": "operator"}, "vera": {"password": "viewer-secret"}}
    e = engine(trunks={"acme": {"address": c.where, "cps": 20, "concurrent": 40}}, http={"port": port, "users": users}, limits={"cps": 50})
    e.url = "http://127.0.0.1:%d/" % port
    e.write("scripts/hello.lua", "session:answer(); session:sleep(800); session:hangup()")
    e.write("campaigns/spring.lua", 'return { script = "hello.lua", leads = "leads.csv", trunks = { "acme" }, caller_ids = { "15550000" }, window = "always" }')
    e.write("campaigns/leads.csv", "number\n" + "".join("1555%07d\n" % (2000000 + n) for n in range(800)))
    done = e.cli("campaign", "import", "spring")
    assert done.returncode == 0, done.stderr
    return e


def log_in(b, url, user, password):
    b.go(url)
    b.wait("!document.getElementById('login').hidden && document.activeElement.name === 'user'")
    b.type("[name=user]", user)
    b.type("[name=password]", password)
    b.keys(ENTER)


def test_an_operator_sees_and_steers_a_campaign(live, browser):
    b = browser
    b.size(1280, 900)
    log_in(b, live.url, "olga", "wrong-secret")
    b.wait("document.getElementById('login-error').textContent === 'The user or the password is wrong.'")
    assert all("401" in text for _, text in b.console())  # the browser's own word about the refusal, nothing else
    shots(b, "login")
    b.type("[name=password]", "operator-secret")
    b.click("#login-form button")
    b.wait("document.getElementById('who').textContent === 'olga (operator)'")
    shots(b, "idle")
    b.click("#start")
    b.wait("document.getElementById('ask').open && document.querySelector('#ask select').value === 'spring'")
    b.click("#ask-yes")
    b.wait("%s && %s.querySelector('.badge').textContent === 'running'" % (CARD, CARD))
    b.wait("+%s.querySelector('[data-f=\"dialled\"]').textContent > 20" % CARD)
    b.wait("document.querySelectorAll('#call-list tbody tr').length > 3")
    time.sleep(2.5)  # some points for the charts
    b.js("document.getElementById('recent').open = true")
    b.wait("document.querySelectorAll('#recent-list tbody tr').length > 3")
    b.wait("document.querySelectorAll('#trunk-causes figure').length === 1")
    causes = b.js("return Object.fromEntries([...document.querySelectorAll('#trunk-causes li')].map((e) => [e.dataset.key, +e.querySelector('[data-f=total]').textContent]))")
    assert set(causes) == {"NORMAL_CLEARING", "USER_BUSY"} and causes["NORMAL_CLEARING"] > causes["USER_BUSY"] > 0
    shots(b, "running")

    # One call: its ladder and its audio, by keyboard alone.
    b.js("document.querySelector('#recent-list tbody tr:last-child button').focus()")
    b.keys(ENTER)
    b.wait("document.getElementById('detail').open && document.querySelectorAll('#ladder li').length >= 4")
    rungs = b.js("return [...document.querySelectorAll('#ladder li')].map((e) => [e.className, e.querySelector('.rung').textContent])")
    assert rungs[0][0] == "sent" and rungs[0][1].startswith("INVITE sip:15552") and rungs[0][1].endswith("· SDP")
    assert ["got fine", "200 OK · SDP"] in rungs
    b.wait("document.querySelector('#detail-media dd') && document.getElementById('detail-media').textContent.includes('PCMU')")
    b.js("document.querySelector('#ladder details').open = true")
    assert "m=audio" in b.text("#ladder pre")
    shots(b, "ladder")
    b.keys(ESCAPE)
    b.wait("!document.getElementById('detail').open")

    # Paused by a click: the page, the engine and the ledger say the same.
    b.click("#campaign-list [data-act=Pause]")
    b.wait("%s.querySelector('.badge').textContent === 'paused'" % CARD)
    b.wait("%s.querySelector('[data-f=\"in_progress\"]').textContent === '0'" % CARD, 20)
    until = time.monotonic() + 10
    while True:
        dialled, answered = fact(b, "dialled"), fact(b, "answered")
        with sqlite3.connect("file:%s?mode=ro" % live.ledger_path, uri=True) as ledger:
            rows = ledger.execute("select count(*), count(answer_us) from attempt").fetchone()
        if (dialled, answered) == rows:
            break
        assert time.monotonic() < until, (dialled, answered, rows)
        time.sleep(0.2)
    assert dialled > 20 and answered > 20
    b.click("#campaign-list [data-act=Resume]")
    b.wait("%s.querySelector('.badge').textContent === 'running'" % CARD)
    b.wait("+%s.querySelector('[data-f=\"dialled\"]').textContent > %d" % (CARD, dialled))

    # A cap, changed live; the keyboard's ways; search.
    b.click("#trunk-list button")
    b.wait("document.getElementById('ask').open")
    b.js("document.querySelector('#ask [name=cps]').value = ''")
    b.type("#ask [name=cps]", "7")
    b.keys(ENTER)
    b.wait("document.querySelector('#trunk-list tbody tr').children[3].textContent === '7'")
    assert live.cli("trunk", "list").stdout.split("\n")[1].split("\t")[4] == "7"
    b.js("document.activeElement.blur()")
    b.keys("/")
    b.wait("document.activeElement.id === 'call-search'")
    b.type("#call-search", "no such number")
    b.wait("document.getElementById('call-list').textContent.includes('No call matches.')")
    b.click("#campaign-list [data-act=Stop]")
    b.wait("document.getElementById('ask').open")
    b.click("#ask-yes")
    b.wait("/stopp|done/.test(%s.querySelector('.badge').textContent)" % CARD)
    audit = b.js("return fetch('/v1/audit').then((r) => r.json())")
    assert {"campaign run spring", "campaign pause spring", "campaign resume spring", "campaign stop spring", "trunk cap acme cps=7 concurrent=40"} <= {a["action"] for a in audit}
    assert all(a["user"] == "olga" for a in audit if a["action"].startswith("campaign"))
    b.js("document.getElementById('audit').open = true")
    b.wait("document.getElementById('audit-list').textContent.includes('campaign stop spring')")
    shots(b, "audit")
    b.click("#logout")
    b.wait("!document.getElementById('login').hidden")
    assert b.console() == []


def test_a_viewer_looks_and_has_no_buttons_that_change_anything(live, browser):
    b = browser
    b.size(390, 844, phone=True)
    log_in(b, live.url, "vera", "viewer-secret")
    b.wait("document.getElementById('who').textContent === 'vera (viewer)'")
    call = live.api("originate sofia/gateway/acme/15550123 &sleep(60000)").split()[1]
    b.wait("document.querySelector('#call-list tbody tr')")
    shown = b.js("return [...document.querySelectorAll('#live button')].filter((e) => e.checkVisibility()).map((e) => e.textContent)")
    assert set(shown) == {"SIP"}
    b.click("#call-list button")
    b.wait("document.getElementById('detail').open && document.querySelectorAll('#ladder li').length >= 4")
    assert call in b.text("#detail-ids")
    assert b.console() == []
    assert b.js("return fetch('/v1/trunks/acme', { method: 'PATCH', headers: { 'X-Carillon': '1' }, body: 'cps=1' }).then((r) => r.status)") == 403
