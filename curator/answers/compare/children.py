"""Child processes that compare answers one at a time, and that can be killed.

In: the module that a child runs, and requests of JSON values. Out: an `Equivalence` for each, in
order. The child gets WALL_S and MEMORY_MB as its first arguments, reads one JSON line per request
and writes one JSON line `[outcome, rule]`. A request that exceeds the wall time or the memory limit
is killed with its process and counts as undecided, `timeout` or `memory`. Not covered: the children
are limited, not jailed.
"""

import json
import os
import selectors
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from curator.answers.compare.rules import Equivalence

TIMEOUT_CODE = 75
"""Exit code of a child that ended itself because of its wall time."""

DIED = "grader died"
"""Rule of a request whose child something else ended, so that another try may succeed."""

_START_TIMEOUT_S = 60.0
_LOOK_AHEAD = 256


class _Child:
    """One child process, which answers one request at a time."""

    def __init__(self, module: str, arguments: Sequence[str], wall_s: float) -> None:
        self.wall_s = wall_s
        paths = [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
        environment = {
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "PYTHONHASHSEED": "0",
            "LC_ALL": "C.UTF-8",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        self.fresh = True
        self.deadline = 0.0
        self.buffer = b""

    def send(self, request: object) -> None:
        # the first request also waits for the imports of the child
        self.deadline = time.monotonic() + self.wall_s + 1 + (_START_TIMEOUT_S if self.fresh else 0)
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # `receive` reports the death
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()

    def receive(self) -> Equivalence | None:
        """Return the verdict, or None if it is incomplete; a dead child is a verdict, too."""
        assert self.process.stdout is not None
        data = os.read(self.process.stdout.fileno(), 65536)
        if not data:
            timed_out = self.process.wait() in (-14, TIMEOUT_CODE)
            return Equivalence("undecided", "timeout" if timed_out else DIED)
        self.buffer += data
        if not self.buffer.endswith(b"\n"):
            return None
        outcome, rule = json.loads(self.buffer)
        self.buffer, self.fresh = b"", False
        return Equivalence(outcome, rule)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def abandon(self) -> None:
        """Close a fork's copies of the pipes; the child belongs to the process that started it."""
        self.process.returncode = 0  # it is not a child of this process, which cannot wait for it
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                # not through the buffer, whose content the other process writes
                pipe.raw.close()  # type: ignore[attr-defined]


class Children:
    """Up to `workers` child processes that run one module and start when first needed.

    `close` ends them. Not thread-safe.
    """

    def __init__(
        self, module: str, workers: int, wall_s: float, memory_mb: int, *arguments: str
    ) -> None:
        self.workers = workers
        self.wall_s = float(wall_s)
        self._module = module
        self._arguments = (str(self.wall_s), str(memory_mb), *arguments)
        self._idle: list[_Child] = []
        self._busy: dict[_Child, int] = {}
        self._selector = selectors.DefaultSelector()

    @property
    def pids(self) -> list[int]:
        """The process ids of the live children."""
        return [child.process.pid for child in (*self._idle, *self._busy)]

    def map(self, requests: Iterable[object]) -> Iterator[Equivalence]:
        """Yield one `Equivalence` per request, in order and lazily.

        A request that is an `Equivalence` is yielded as it is; the others go to the children.
        """
        done: dict[int, Equivalence] = {}
        waiting: deque[tuple[int, object]] = deque()
        yielded = taken = 0
        source = iter(requests)
        open_input = True
        try:
            while open_input or yielded < taken:
                while (
                    open_input and taken - yielded < _LOOK_AHEAD and len(waiting) < 2 * self.workers
                ):
                    try:
                        request = next(source)
                    except StopIteration:
                        open_input = False
                        break
                    if isinstance(request, Equivalence):
                        done[taken] = request
                    else:
                        waiting.append((taken, request))
                    taken += 1
                    if yielded in done:
                        break
                while yielded in done:
                    yield done.pop(yielded)
                    yielded += 1
                self._dispatch(waiting)
                if self._busy and (yielded not in done):
                    full = taken - yielded >= _LOOK_AHEAD or len(waiting) >= 2 * self.workers
                    done.update(self._collect(blocking=full or not open_input))
        finally:
            for child in list(self._busy):  # the consumer stopped early
                self._end(child)

    def _dispatch(self, waiting: deque[tuple[int, object]]) -> None:
        while waiting and (self._idle or len(self._busy) < self.workers):
            if self._idle:
                child = self._idle.pop()
            else:
                child = _Child(self._module, self._arguments, self.wall_s)
            index, request = waiting.popleft()
            child.send(request)
            self._busy[child] = index
            self._selector.register(child.process.stdout, selectors.EVENT_READ, child)  # type: ignore[arg-type]

    def _collect(self, blocking: bool) -> list[tuple[int, Equivalence]]:
        now = time.monotonic()
        wait = min(child.deadline for child in self._busy) - now if blocking else 0
        results: list[tuple[int, Equivalence]] = []
        for key, _ in self._selector.select(max(0.0, wait)):
            child: _Child = key.data
            verdict = child.receive()
            if verdict is None:
                continue
            results.append((self._busy[child], verdict))
            if child.process.poll() is None:
                self._selector.unregister(child.process.stdout)  # type: ignore[arg-type]
                del self._busy[child]
                self._idle.append(child)
            else:
                self._end(child)
        for child, index in list(self._busy.items()):
            if child.deadline <= time.monotonic():
                self._end(child)
                results.append((index, Equivalence("undecided", "timeout")))
        return results

    def _end(self, child: _Child) -> None:
        if child in self._busy:
            del self._busy[child]
            self._selector.unregister(child.process.stdout)  # type: ignore[arg-type]
        child.kill()

    def close(self) -> None:
        """End all child processes."""
        for child in [*self._idle, *self._busy]:
            self._end(child)
        self._idle.clear()
        self._selector.close()

    def abandon(self) -> None:
        """Give up all children in a process that was forked from the one that has them.

        They keep running for that one, and this object must not be used again.
        """
        for child in [*self._idle, *self._busy]:
            child.abandon()
        self._idle.clear()
        self._busy.clear()
        self._selector.close()
