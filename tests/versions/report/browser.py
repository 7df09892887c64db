"""A headless Chromium, driven over the two pipes of its DevTools protocol.

In: the file of a page, scripts and keys. Out: values of scripts, requests, errors, pictures.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OPTIONS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--remote-debugging-pipe",
]
TIMEOUT_S = 600


class Browser:
    """One tab. `events` holds the events that the browser sent."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = read, write
        self._pending = b""
        self._number = 0
        self._session = ""
        self.events: list[dict[str, Any]] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result; raises RuntimeError with the browser's message."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data) :]
        end = time.monotonic() + TIMEOUT_S
        while (reply := self._receive(end)).get("id") != self._number:
            self.events.append(reply)
        if "error" in reply:
            raise RuntimeError(reply["error"]["message"])
        return dict(reply["result"])

    def _receive(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._pending:
            ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
            if not ready or not (data := os.read(self._read, 1 << 20)):
                raise TimeoutError("Chromium does not respond")
            self._pending += data
        text, _, self._pending = self._pending.partition(b"\0")
        return dict(json.loads(text))

    def open(self, path: Path, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
        """Load a file and wait for its load event."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.send("Emulation.setEmulatedMedia", features=features)
        self.events.clear()
        self.send("Page.navigate", url=path.resolve().as_uri())
        end = time.monotonic() + TIMEOUT_S
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._receive(end))

    def evaluate(self, script: str) -> Any:
        """Evaluate an expression in the page and return its value."""
        reply = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in reply:
            raise RuntimeError(reply["exceptionDetails"]["exception"].get("description"))
        return reply["result"].get("value")

    def press(self, key: str, shift: bool = False) -> None:
        """Press and release one key."""
        text = {"Enter": "\r", "Space": " "}.get(key, key if len(key) == 1 else "")
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "Home": 36, "End": 35, "ArrowUp": 38}
        code = codes.get(key, 40 if key == "ArrowDown" else ord(key[0].upper()))
        common = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        """Type text into the focused element."""
        self.send("Input.insertText", text=text)

    def settle(self) -> None:
        """Wait until a search has run and its rows are drawn."""
        self.evaluate("new Promise((done) => setTimeout(() => requestAnimationFrame(done), 200))")

    def requests(self) -> list[str]:
        """Return the URLs requested since the page was opened, except its own file."""
        self.evaluate("1")
        urls = [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]
        return [url for url in urls if not url.startswith("file:") or not url.endswith(".html")]

    def errors(self) -> list[str]:
        """Return errors of scripts, of the policy, and messages on the console."""
        self.evaluate("1")
        methods = ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled")
        return [json.dumps(e["params"]) for e in self.events if e.get("method") in methods]

    def save_picture(self, path: Path, whole: bool = True) -> None:
        """Save a PNG of the page."""
        shot = self.send("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """Start a browser with an empty profile in that folder, and end it with its children."""
    assert CHROMIUM
    command_read, command_write = os.pipe()
    reply_read, reply_write = os.pipe()
    shell = f'exec "$@" 3<&{command_read} 4>&{reply_write}'
    process = subprocess.Popen(
        ["bash", "-c", shell, "bash", CHROMIUM, *OPTIONS, f"--user-data-dir={profile}"],
        pass_fds=(command_read, reply_write),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(command_read)
    os.close(reply_write)
    try:
        browser = Browser(reply_read, command_write)
        yield browser
        browser._session = ""
        with suppress(RuntimeError, TimeoutError, OSError):
            browser.send("Browser.close")
        process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(reply_read)
        os.close(command_write)
