"""A real Chromium without a window, driven over the two pipes of its DevTools protocol.

In: a page's file. Out: what its scripts say, what it asked of the network, keys, pictures.
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
TIMEOUT_S = 60


class Browser:
    """One tab. `events` holds what the browser said of its own accord."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = read, write
        self._pending = b""
        self._number = 0
        self._session = ""
        self.events: list[dict[str, Any]] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        asked = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = asked["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of one command; raises RuntimeError with the browser's own words."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data) :]
        end = time.monotonic() + TIMEOUT_S
        while (answer := self._message(end)).get("id") != self._number:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(answer["error"]["message"])
        return dict(answer["result"])

    def _message(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._pending:
            ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
            if not ready or not (data := os.read(self._read, 1 << 20)):
                raise TimeoutError("Chromium does not answer")
            self._pending += data
        text, _, self._pending = self._pending.partition(b"\0")
        return dict(json.loads(text))

    def open(self, path: Path, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
        """Load a file and wait until it is there."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask("Emulation.setEmulatedMedia", features=features)
        self.events.clear()
        self.ask("Page.navigate", url=path.resolve().as_uri())
        end = time.monotonic() + TIMEOUT_S
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._message(end))

    def value(self, script: str) -> Any:
        """What an expression is in the page."""
        done = self.ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in done:
            raise RuntimeError(done["exceptionDetails"]["exception"].get("description"))
        return done["result"].get("value")

    def press(self, key: str, shift: bool = False) -> None:
        """One key, as from a keyboard."""
        text = {"Enter": "\r", "Space": " "}.get(key, key if len(key) == 1 else "")
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "Home": 36, "End": 35, "ArrowUp": 38}
        code = codes.get(key, 40 if key == "ArrowDown" else ord(key[0].upper()))
        common = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.ask("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        """Text into what has the focus."""
        self.ask("Input.insertText", text=text)

    def settle(self) -> None:
        """Wait until what was typed is searched for and drawn."""
        self.value("new Promise((done) => setTimeout(() => requestAnimationFrame(done), 200))")

    def requests(self) -> list[str]:
        """Addresses asked for since the page was opened, its own file apart."""
        self.value("1")
        asked = [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]
        return [url for url in asked if not url.startswith("file:") or not url.endswith(".html")]

    def complaints(self) -> list[str]:
        """Errors that the page or its policy raised."""
        self.value("1")
        methods = ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled")
        return [json.dumps(e["params"]) for e in self.events if e.get("method") in methods]

    def picture(self, path: Path, whole: bool = True) -> None:
        """A PNG of the page."""
        shot = self.ask("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """A browser with an empty profile in that folder, ended with its children when it is left."""
    assert CHROMIUM
    to_read, from_us = os.pipe()
    from_it, to_write = os.pipe()
    shell = f'exec "$@" 3<&{to_read} 4>&{to_write}'
    process = subprocess.Popen(
        ["bash", "-c", shell, "bash", CHROMIUM, *OPTIONS, f"--user-data-dir={profile}"],
        pass_fds=(to_read, to_write),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_read)
    os.close(to_write)
    try:
        browser = Browser(from_it, from_us)
        yield browser
        browser._session = ""
        with suppress(RuntimeError, TimeoutError, OSError):
            browser.ask("Browser.close")
        process.wait(20)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(from_it)
        os.close(from_us)
