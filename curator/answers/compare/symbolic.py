"""Symbolic grading with math-verify, in child processes that can be killed.

In: pairs of gold and answer that `compare_by_rules` leaves open. Out: an `Equivalence` for each, in
order. A parse that exceeds the wall time or the memory limit is killed with its process and counts
as undecided, `timeout` or `memory`. Not covered: the children are limited, not jailed. They never
evaluate a text as code.
"""

import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from curator.answers.compare.decimals import DIGITS
from curator.answers.compare.rules import Equivalence, compare_by_rules
from curator.answers.parse.normalize import MAX_LENGTH

Pair = tuple[str, str, tuple[str, ...]]

_START_TIMEOUT_S = 60.0
_LOOK_AHEAD = 256


class _Worker:
    """One child process, which grades one pair at a time."""

    def __init__(self, wall_s: float, memory_mb: int) -> None:
        self.wall_s = wall_s
        paths = [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
        environment = {
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "PYTHONHASHSEED": "0",
            "LC_ALL": "C.UTF-8",
        }
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "curator.answers.compare.symbolic_worker",
                str(wall_s),
                str(memory_mb),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        self.fresh = True
        self.deadline = 0.0
        self.buffer = b""

    def send(self, gold: str, answer: str, alone: bool) -> None:
        # the first pair also waits for the imports of the child
        self.deadline = time.monotonic() + self.wall_s + 1 + (_START_TIMEOUT_S if self.fresh else 0)
        line = json.dumps([gold, answer, alone]) + "\n"
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # `receive` reports the death
            self.process.stdin.write(line.encode())
            self.process.stdin.flush()

    def receive(self) -> Equivalence | None:
        """Return the verdict, or None if it is incomplete; a dead child is a verdict, too."""
        assert self.process.stdout is not None
        data = os.read(self.process.stdout.fileno(), 65536)
        if not data:
            code = self.process.wait()
            return Equivalence("undecided", "timeout" if code == -14 else "grader died")
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


class Grader:
    """Grades pairs in order with `workers` child processes, which start when first needed.

    A context manager; `close` ends the children. Not thread-safe. For `digits` see
    `compare_by_rules`.
    """

    def __init__(
        self, workers: int = 2, wall_s: float = 5, memory_mb: int = 1024, digits: int = DIGITS
    ) -> None:
        self.workers = workers
        self.digits = digits
        self.wall_s = float(wall_s)
        self.memory_mb = memory_mb
        self._idle: list[_Worker] = []
        self._busy: dict[_Worker, int] = {}
        self._selector = selectors.DefaultSelector()

    @property
    def pids(self) -> list[int]:
        """The process ids of the live children."""
        return [worker.process.pid for worker in (*self._idle, *self._busy)]

    def map(self, pairs: Iterable[Pair]) -> Iterator[Equivalence]:
        """Yield one `Equivalence` per pair (gold, answer, choices), in order and lazily."""
        return self._grade(pairs, alone=False)

    def grade_by_math_verify(self, pairs: Iterable[Pair]) -> Iterator[Equivalence]:
        """Yield what math-verify alone returns for each pair, in order and lazily.

        The outcome is equal, different (whatever it cannot prove equal) or undecided. math-verify
        does not know choices: pairs that have choices are undecided. `contradicts` compares the
        result with that of `map`.
        """
        return self._grade(pairs, alone=True)

    def _grade(self, pairs: Iterable[Pair], alone: bool) -> Iterator[Equivalence]:
        done: dict[int, Equivalence] = {}
        waiting: deque[tuple[int, str, str]] = deque()
        yielded = taken = 0
        source = iter(pairs)
        open_input = True
        try:
            while open_input or yielded < taken:
                while (
                    open_input and taken - yielded < _LOOK_AHEAD and len(waiting) < 2 * self.workers
                ):
                    pair = next(source, None)
                    if pair is None:
                        open_input = False
                        break
                    result = _skip(pair) if alone else compare_by_rules(*pair, self.digits)
                    if result is None:
                        waiting.append((taken, pair[0], pair[1]))
                    else:
                        done[taken] = result
                    taken += 1
                    if yielded in done:
                        break
                while yielded in done:
                    yield done.pop(yielded)
                    yielded += 1
                self._dispatch(waiting, alone)
                if self._busy and (yielded not in done):
                    full = taken - yielded >= _LOOK_AHEAD or len(waiting) >= 2 * self.workers
                    done.update(self._collect(blocking=full or not open_input))
        finally:
            for worker in list(self._busy):  # the consumer stopped early
                self._end(worker)

    def _dispatch(self, waiting: deque[tuple[int, str, str]], alone: bool) -> None:
        while waiting and (self._idle or len(self._busy) < self.workers):
            worker = self._idle.pop() if self._idle else _Worker(self.wall_s, self.memory_mb)
            index, gold, answer = waiting.popleft()
            worker.send(gold, answer, alone)
            self._busy[worker] = index
            self._selector.register(worker.process.stdout, selectors.EVENT_READ, worker)  # type: ignore[arg-type]

    def _collect(self, blocking: bool) -> list[tuple[int, Equivalence]]:
        now = time.monotonic()
        wait = min(worker.deadline for worker in self._busy) - now if blocking else 0
        results: list[tuple[int, Equivalence]] = []
        for key, _ in self._selector.select(max(0.0, wait)):
            worker: _Worker = key.data
            verdict = worker.receive()
            if verdict is None:
                continue
            results.append((self._busy[worker], verdict))
            if worker.process.poll() is None:
                self._selector.unregister(worker.process.stdout)  # type: ignore[arg-type]
                del self._busy[worker]
                self._idle.append(worker)
            else:
                self._end(worker)
        for worker, index in list(self._busy.items()):
            if worker.deadline <= time.monotonic():
                self._end(worker)
                results.append((index, Equivalence("undecided", "timeout")))
        return results

    def _end(self, worker: _Worker) -> None:
        if worker in self._busy:
            del self._busy[worker]
            self._selector.unregister(worker.process.stdout)  # type: ignore[arg-type]
        worker.kill()

    def close(self) -> None:
        """End all child processes."""
        for worker in [*self._idle, *self._busy]:
            self._end(worker)
        self._idle.clear()
        self._selector.close()

    def abandon(self) -> None:
        """Give up all child processes in a process that was forked from the one that has them.

        They keep running for that one, and this object must not be used again.
        """
        for worker in [*self._idle, *self._busy]:
            worker.abandon()
        self._idle.clear()
        self._busy.clear()
        self._selector.close()

    def __enter__(self) -> "Grader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _skip(pair: Pair) -> Equivalence | None:
    """Return a verdict for what math-verify cannot grade: choices and very long texts."""
    gold, answer, choices = pair
    if choices:
        return Equivalence("undecided", "options")
    too_long = max(len(gold), len(answer)) > MAX_LENGTH
    return Equivalence("undecided", "too long") if too_long else None


def contradicts(first: Equivalence, second: Equivalence) -> bool:
    """Return whether one of two graders found the answers equal and the other different."""
    return {first.outcome, second.outcome} == {"equal", "different"}


_lock = threading.Lock()
_shared_grader: list[Grader] = []


def grade_pair(gold: str, answer: str, choices: tuple[str, ...]) -> Equivalence:
    """Grade one pair with a grader that the process shares; its child ends with the process."""
    with _lock:
        if not _shared_grader:
            _shared_grader.append(Grader(workers=1))
        return next(_shared_grader[0].map([(gold, answer, choices)]))
