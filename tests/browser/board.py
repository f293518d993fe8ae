#!/usr/bin/env python3
"""Opens the board in headless Chromium and does the steps that stand on the command line, in their order.

    board.py [--size 1920x1080] [--scheme dark|light] [--timeout SECONDS] URL STEP...

    tiles=N            waits for at least N tiles ([data-bay])
    exception=TEXT     waits for an open exception whose text holds TEXT
    select=CSS         waits for an element
    gone=CSS           waits until there is none
    click=CSS          clicks one
    write=TEXT         types a text where the focus is
    key=NAME           presses a key (Enter, Tab, Escape) where the focus is
    text=CSS           prints its text
    count=CSS          prints how many there are
    eval=JAVASCRIPT    prints a value
    sleep=SECONDS      lets the page live
    screenshot=FILE    writes a PNG

Each step prints one line of JSON: {"step": ..., "waited_ms": from its start, "at_ms": wall time in the page
when it came true, ...}. Exit code 0; 1 with the reason when a step did not come true within the timeout, or
when the page reported an error of its own (exception, blocked resource, failed request); 2 without Chromium.

Needs Chromium and the Python standard library: it speaks the DevTools protocol over a pipe.
"""

import argparse
import base64
import fcntl
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time

BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--no-default-browser-check", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--mute-audio", "--hide-scrollbars", "--remote-debugging-pipe",
]

SERVER_AWAY = ["net::ERR_CONNECTION_", "net::ERR_EMPTY_RESPONSE"]

# Calls `done` once `probe()` gives a value, looking again at each change of the page.
WAIT = """new Promise((done) => {
  const probe = () => { %s };
  const found = probe();
  if (found) return done({ at_ms: Date.now(), found });
  const look = () => {
    const found = probe();
    if (!found) return;
    observer.disconnect();
    done({ at_ms: Date.now(), found });
  };
  const observer = new MutationObserver(look);
  observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
})"""


class Failed(Exception):
    pass


class Browser:
    """A Chromium of our own, in a profile of its own."""

    def __init__(self, program):
        self.profile = tempfile.mkdtemp(prefix="andon-browser-")
        self.log = os.path.join(self.profile, "browser.log")
        to_browser, self.commands = high_pipe()
        self.answers, from_browser = high_pipe()
        self.process = os.posix_spawn(
            program, [program, *FLAGS, f"--user-data-dir={self.profile}", "about:blank"], os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, to_browser, 3),
                (os.POSIX_SPAWN_DUP2, from_browser, 4),
                (os.POSIX_SPAWN_OPEN, 1, self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setpgroup=0,
        )
        os.close(to_browser)
        os.close(from_browser)
        self.buffer = b""
        self.number = 0
        self.session = None
        self.errors = []

    def call(self, method, seconds, **parameters):
        """One command; its result. Events that come meanwhile are looked at."""
        number = self.send(method, **parameters)
        until = time.monotonic() + seconds
        while True:
            answer = self.read(until, method)
            if answer.get("id") == number:
                if "error" in answer:
                    raise Failed(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.note(answer)

    def send(self, method, **parameters):
        """A command, whose answer is for whoever looks for its number."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        return self.number

    def read(self, until, method):
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.answers], [], [], max(0, until - time.monotonic()))
            if not ready:
                raise Failed(f"no answer to {method} in time")
            some = os.read(self.answers, 1 << 20)
            if not some:
                raise Failed(f"the browser ended:\n{self.last_words()}")
            self.buffer += some
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def note(self, event):
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Page.javascriptDialogOpening":
            # The page stands still until it is answered.
            self.send("Page.handleJavaScriptDialog", accept=False)
            self.errors.append(f"it asked `{parameters['message']}` in a window that is not its own")
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            entry = parameters["entry"]
            # A broken stream is what the page is there to survive; it says so itself. And whatever it asks a
            # server that has gone away (the browser fetches icons when it likes) is no mistake of the page. Nor is a
            # command that is refused: the page says why.
            is_stream = entry["source"] == "network" and entry.get("url", "").endswith("/live")
            is_refusal = "409 (Conflict)" in entry["text"]
            if not (is_stream or is_refusal or any(away in entry["text"] for away in SERVER_AWAY)):
                self.errors.append(f"{entry['text']} {entry.get('url', '')}")

    def last_words(self):
        with open(self.log, errors="replace") as log:
            return log.read()[-2000:]

    def open(self, url, size, scheme, seconds):
        target = self.call("Target.createTarget", seconds, url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", seconds, targetId=target, flatten=True)["sessionId"]
        for domain in ["Page", "Runtime", "Log"]:
            self.call(f"{domain}.enable", seconds)
        width, height = size
        self.call(
            "Emulation.setDeviceMetricsOverride", seconds, width=width, height=height, deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.call(
            "Emulation.setEmulatedMedia", seconds, features=[{"name": "prefers-color-scheme", "value": scheme}]
        )
        result = self.call("Page.navigate", seconds, url=url)
        if "errorText" in result:
            raise Failed(f"cannot open {url}: {result['errorText']}")

    def evaluate(self, script, seconds):
        result = self.call(
            "Runtime.evaluate", seconds, expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise Failed(details.get("exception", {}).get("description") or details["text"])
        return result["result"].get("value")

    def press(self, key, seconds):
        """A key that is pressed and let go."""
        codes = {"Enter": (13, "\r"), "Tab": (9, ""), "Escape": (27, "")}
        if key not in codes:
            raise Failed(f"no key `{key}`; there are {', '.join(codes)}")
        code, text = codes[key]
        of_key = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", seconds, type="keyDown", text=text, **of_key)
        self.call("Input.dispatchKeyEvent", seconds, type="keyUp", **of_key)

    def close(self):
        try:
            os.killpg(self.process, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(self.process, 0)
        shutil.rmtree(self.profile, ignore_errors=True)


def high_pipe():
    """A pipe whose ends are not 3 or 4, which the browser wants for itself."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return moved


def take(browser, step, seconds):
    """Does one step; what to print of it."""
    name, _, value = step.partition("=")
    quoted = json.dumps(value)
    waits = {
        "tiles": f"const n = document.querySelectorAll('[data-bay]').length; return n > 0 && n >= {quoted} && n",
        "exception": "return [...document.querySelectorAll('#open [data-exception]')]"
                     f".find((one) => one.textContent.includes({quoted}))?.dataset.exception",
        "select": f"return document.querySelector({quoted}) !== null",
        "gone": f"return document.querySelector({quoted}) === null",
    }
    reads = {
        "click": f"document.querySelector({quoted}).click()",
        "text": f"document.querySelector({quoted}).textContent",
        "count": f"document.querySelectorAll({quoted}).length",
        "eval": value,
    }
    if name in waits:
        try:
            found = browser.evaluate(WAIT % waits[name], seconds)
        except Failed as failure:
            if "in time" not in str(failure):
                raise
            seen = browser.evaluate("document.body.innerText.slice(0, 1500)", 5)
            raise Failed(f"`{step}` did not come true within {seconds:g} s; the page shows:\n{seen}") from None
        return {"at_ms": found["at_ms"], "found": found["found"]}
    if name in reads:
        return {"value": browser.evaluate(reads[name], seconds)}
    if name == "write":
        browser.call("Input.insertText", seconds, text=value)
        return {}
    if name == "key":
        browser.press(value, seconds)
        return {}
    if name == "sleep":
        browser.evaluate(f"new Promise((done) => setTimeout(done, {float(value) * 1000}))", float(value) + seconds)
        return {}
    if name == "screenshot":
        image = browser.call("Page.captureScreenshot", seconds, format="png")["data"]
        with open(value, "wb") as file:
            file.write(base64.b64decode(image))
        return {"file": value}
    raise Failed(f"unknown step `{step}`; see --help")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--scheme", default="dark", choices=["dark", "light"])
    parser.add_argument("--timeout", type=float, default=15.0)
    parser.add_argument("url")
    parser.add_argument("steps", nargs="+", metavar="STEP")
    given = parser.parse_args()

    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        print("no Chromium found; install it (apt-get install chromium)", file=sys.stderr)
        return 2
    browser = Browser(program)
    try:
        size = [int(side) for side in given.size.split("x")]
        browser.open(given.url, size, given.scheme, max(given.timeout, 30.0))
        for step in given.steps:
            started = time.monotonic()
            printed = take(browser, step, given.timeout)
            waited_ms = round((time.monotonic() - started) * 1000)
            print(json.dumps({"step": step, "waited_ms": waited_ms, **printed}), flush=True)
        if browser.errors:
            raise Failed("the page reported errors:\n" + "\n".join(browser.errors))
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    finally:
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
