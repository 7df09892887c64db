"""Let `curator status` show a run: its recipe, what it does, and how far it is.

In: the listener of a run. Out: a listener that passes everything on, and states it in the store.
"""

import os
import socket
import time

from curator.core.progress import Listener, TeacherListener, TeacherProgress
from datastore.running import RunningLine

INTERVAL_S = 1.0
"""Minimum seconds between two changes of the line."""


class StatedListener:
    """A listener that also writes the line of this process."""

    def __init__(self, recipe: str, listener: Listener, line: RunningLine) -> None:
        self._recipe, self._listener, self._line = recipe, listener, line
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        self._owner = f"process {os.getpid()} on {socket.gethostname()}, since {since}"
        self._what, self._written = "", 0.0
        self._state("starting")

    def progress(self, what: str, done: int, total: int | None) -> None:
        """Pass progress on, and state it once a second and when the work changes."""
        now = time.monotonic()
        if what != self._what or now - self._written >= INTERVAL_S:
            self._what, self._written = what, now
            of = f" of {total:,}" if total else ""
            self._state(f"{what}, {done:,}{of}" if done or total else what)
        self._listener.progress(what, done, total)

    def teacher(self, state: TeacherProgress) -> None:
        """Pass the state of a teacher on, and state it."""
        self._what, self._written = state.what, time.monotonic()
        self._state(str(state))
        if isinstance(self._listener, TeacherListener):
            self._listener.teacher(state)

    def note(self, text: str) -> None:
        """Pass a note on."""
        self._listener.note(text)

    def _state(self, text: str) -> None:
        self._line.write(f"{self._recipe}: {text} ({self._owner})")
