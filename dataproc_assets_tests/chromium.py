"""A headless Chromium that a test leads, by its DevTools protocol over two pipes."""

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SECONDS = 60  # after which a browser that says nothing is given up
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--window-size=1200,1000", "--remote-debugging-pipe"),
)

# it reads commands from descriptor 3 and writes what happens to 4
LAUNCH = """
import fcntl, os, sys
commands, events = (fcntl.fcntl(int(n), fcntl.F_DUPFD_CLOEXEC, 10) for n in sys.argv[1:3])
os.dup2(commands, 3)
os.dup2(events, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


def program() -> str | None:
    """The path of a Chromium on this machine, if there is one."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Browser:
    """One tab. `errors` are the messages that pages wrote to the console, with their address."""

    def __init__(self, commands: int, events: int) -> None:
        self._commands, self._events = commands, events
        self._numbers, self._rest = itertools.count(1), b""
        self._happened: set[str] = set()
        self.session: str | None = None
        self.errors: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **values: Any) -> dict[str, Any]:
        """A command's result; what happens meanwhile is kept."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": values}
        if self.session:
            message["sessionId"] = self.session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            told = self._next()
            if told.get("id") == number:
                assert "error" not in told, (method, told["error"])
                return told["result"]

    def open(self, url: str) -> None:
        """Go to a page and wait until it and its pictures are loaded."""
        self._happened.clear()
        assert "errorText" not in self.call("Page.navigate", url=url), url
        self.loaded()

    def loaded(self) -> None:
        """Wait until the page that is being opened is loaded."""
        while "Page.loadEventFired" not in self._happened:
            self._next()
        self._happened.clear()

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def press(self, key: str, text: str = "") -> None:
        """Press a key."""
        code = {"Tab": 9, "Enter": 13}.get(key, ord(text or " "))
        values = {"key": key, "windowsVirtualKeyCode": code, **({"text": text} if text else {})}
        self.call("Input.dispatchKeyEvent", type="keyDown", **values)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def scheme(self, name: str) -> None:
        """Prefer `light` or `dark`."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def screenshot(self) -> Image.Image:
        """What is seen, RGB."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        return Image.open(BytesIO(base64.b64decode(data))).convert("RGB")

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready = select.select([self._events], [], [], SECONDS)[0]
            data = os.read(self._events, 1 << 20) if ready else b""
            assert data, "chromium has ended, or says nothing more"
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        told = json.loads(message)
        self._notice(told.get("method", ""), told.get("params", {}))
        return told

    def _notice(self, method: str, values: dict[str, Any]) -> None:
        self._happened.add(method)
        if method == "Log.entryAdded" and values["entry"]["level"] == "error":
            self.errors.append(f"{values['entry']['text']} {values['entry'].get('url', '')}")
        if method == "Runtime.exceptionThrown":
            self.errors.append(values["exceptionDetails"]["text"])
        if method == "Runtime.consoleAPICalled" and values["type"] in ("error", "assert"):
            self.errors.append(json.dumps(values["args"]))


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A running browser whose profile is in `folder`."""
    (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()
    arguments = [program() or "", *FLAGS, f"--user-data-dir={folder}", "about:blank"]
    pipes = (theirs_in, theirs_out)
    command = [sys.executable, "-c", LAUNCH, *map(str, pipes), *arguments]
    process = subprocess.Popen(command, pass_fds=pipes, stderr=subprocess.DEVNULL)
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        made = Browser(ours_out, ours_in)
        yield made
        made.session = None
        made.call("Browser.close")
    finally:
        process.terminate()
        process.wait()
        os.close(ours_out)
        os.close(ours_in)
