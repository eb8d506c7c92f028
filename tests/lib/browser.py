"""A real headless Chromium, steered by chromedriver's WebDriver protocol (Debian: chromium, chromium-driver).

    browser = Browser(folder)             # skips nothing itself: see find()
    browser.go(url); browser.text("#who"); browser.click("#logout"); browser.type("#q", "555"); browser.wait("…JavaScript…")
    browser.size(390, 844); browser.scheme("dark"); browser.shot("phone.png"); browser.console()
"""

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request

from .ports import free_port

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def find():
    """The driver's path, or None."""
    return shutil.which("chromedriver") if shutil.which("chromium") else None


class Browser:
    def __init__(self, folder):
        self.folder = str(folder)
        port = free_port()
        self.url = "http://127.0.0.1:%d" % port
        self.driver = subprocess.Popen(["chromedriver", "--port=%d" % port], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       env=dict(os.environ, HOME=self.folder))
        self.session = None
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
                     "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--user-data-dir=" + os.path.join(self.folder, "profile")]
        wanted = {"goog:chromeOptions": {"args": arguments, "binary": shutil.which("chromium")}, "goog:loggingPrefs": {"browser": "ALL"}}
        until = time.monotonic() + 60
        while self.session is None:
            try:
                self.session = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
            except OSError:
                if time.monotonic() > until or self.driver.poll() is not None:
                    self.close()
                    raise
                time.sleep(0.2)

    def close(self):
        try:
            if self.session:
                self.ask("DELETE", "/session/" + self.session)
        finally:
            self.session = None
            self.driver.terminate()
            self.driver.wait(10)

    def ask(self, method, path, data=None):
        request = urllib.request.Request(self.url + path, method=method, data=json.dumps(data or {}).encode() if method == "POST" else None)
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return json.loads(reply.read())["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.loads(error.read())["value"]["message"]) from None

    def do(self, path, data=None, method="POST"):
        return self.ask(method, "/session/%s/%s" % (self.session, path), data)

    def cdp(self, command, **parameters):
        return self.do("goog/cdp/execute", {"cmd": command, "params": parameters})

    def go(self, url):
        self.do("url", {"url": url})

    def js(self, script, *arguments):
        return self.do("execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, expression, seconds=15):
        """The first value of a JavaScript expression that is true there."""
        until = time.monotonic() + seconds
        while True:
            value = self.js("return (%s)" % expression)
            if value:
                return value
            assert time.monotonic() < until, "not in %s s: %s\n%s" % (seconds, expression, self.js("return document.body.innerText"))
            time.sleep(0.1)

    def element(self, selector):
        return self.do("element", {"using": "css selector", "value": selector})[ELEMENT]

    def text(self, selector):
        return self.js("const e = document.querySelector(arguments[0]); return e && e.textContent", selector)

    def click(self, selector):
        element = self.element(selector)
        self.js("arguments[0].scrollIntoView({ block: 'center' })", {ELEMENT: element})  # not under the page's header
        self.do("element/%s/click" % element)

    def type(self, selector, text):
        self.do("element/%s/value" % self.element(selector), {"text": text})

    def keys(self, *keys):
        """To whatever has the focus."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.do("actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def size(self, width, height, phone=False):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def scheme(self, name):
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def shot(self, path, whole=True):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.cdp("Page.captureScreenshot", captureBeyondViewport=whole)["data"]))

    def console(self):
        """What the console has got since the last look: (level, text)."""
        return [(entry["level"], entry["message"]) for entry in self.do("se/log", {"type": "browser"})]
