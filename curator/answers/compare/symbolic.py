"""Symbolic grading in child processes that can be killed.

In: pairs of gold and answer that `quick` leaves open. Out: an `Equivalence` each, in order. A parse
that does not end within the wall time or memory is killed with its process: undecided, `timeout` or
`memory`. What it does not cover: the children are limited, not jailed; texts are never evaluated.
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

_START_S = 60.0
_LOOK_AHEAD = 256


class _Worker:
    """One child: at most one pair at a time."""

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
        # the first pair also waits for the imports
        self.deadline = time.monotonic() + self.wall_s + 1 + (_START_S if self.fresh else 0)
        line = json.dumps([gold, answer, alone]) + "\n"
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # its death is seen when it is read
            self.process.stdin.write(line.encode())
            self.process.stdin.flush()

    def receive(self) -> Equivalence | None:
        """The verdict, None where more is to come; a dead child is a verdict too."""
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


class Grader:
    """Grades pairs in order with `workers` child processes, started when first needed.

    A context manager; `close` ends the children. Not for use from several threads at once.
    `digits` as in `quick`.
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
        """Process ids of the living children."""
        return [worker.process.pid for worker in (*self._idle, *self._busy)]

    def map(self, pairs: Iterable[Pair]) -> Iterator[Equivalence]:
        """One `Equivalence` for each pair (gold, answer, choices), in order; lazy."""
        return self._graded(pairs, alone=False)

    def second_opinions(self, pairs: Iterable[Pair]) -> Iterator[Equivalence]:
        """What math-verify alone says of each pair, in order; lazy.

        Equal, different (it calls different whatever it cannot prove equal) or undecided. It knows
        no options: undecided for pairs that have choices. `contested` compares it with ours.
        """
        return self._graded(pairs, alone=True)

    def _graded(self, pairs: Iterable[Pair], alone: bool) -> Iterator[Equivalence]:
        done: dict[int, Equivalence] = {}
        waiting: deque[tuple[int, str, str]] = deque()
        shown = taken = 0
        source = iter(pairs)
        more = True
        try:
            while more or shown < taken:
                while more and taken - shown < _LOOK_AHEAD and len(waiting) < 2 * self.workers:
                    pair = next(source, None)
                    if pair is None:
                        more = False
                        break
                    found = compare_by_rules(*pair, self.digits) if not alone else _unasked(pair)
                    if found is None:
                        waiting.append((taken, pair[0], pair[1]))
                    else:
                        done[taken] = found
                    taken += 1
                    if shown in done:
                        break
                while shown in done:
                    yield done.pop(shown)
                    shown += 1
                self._dispatch(waiting, alone)
                if self._busy and (shown not in done):
                    full = taken - shown >= _LOOK_AHEAD or len(waiting) >= 2 * self.workers
                    done.update(self._collect(blocking=full or not more))
        finally:
            for worker in list(self._busy):  # a consumer that left early
                self._end(worker)

    def _dispatch(self, waiting: deque[tuple[int, str, str]], alone: bool) -> None:
        while waiting and (self._idle or len(self._busy) < self.workers):
            worker = self._idle.pop() if self._idle else _Worker(self.wall_s, self.memory_mb)
            at, gold, answer = waiting.popleft()
            worker.send(gold, answer, alone)
            self._busy[worker] = at
            self._selector.register(worker.process.stdout, selectors.EVENT_READ, worker)  # type: ignore[arg-type]

    def _collect(self, blocking: bool) -> list[tuple[int, Equivalence]]:
        now = time.monotonic()
        wait = min(worker.deadline for worker in self._busy) - now if blocking else 0
        found: list[tuple[int, Equivalence]] = []
        for key, _ in self._selector.select(max(0.0, wait)):
            worker: _Worker = key.data
            verdict = worker.receive()
            if verdict is None:
                continue
            found.append((self._busy[worker], verdict))
            if worker.process.poll() is None:
                self._selector.unregister(worker.process.stdout)  # type: ignore[arg-type]
                del self._busy[worker]
                self._idle.append(worker)
            else:
                self._end(worker)
        for worker, at in list(self._busy.items()):
            if worker.deadline <= time.monotonic():
                self._end(worker)
                found.append((at, Equivalence("undecided", "timeout")))
        return found

    def _end(self, worker: _Worker) -> None:
        if worker in self._busy:
            del self._busy[worker]
            self._selector.unregister(worker.process.stdout)  # type: ignore[arg-type]
        worker.kill()

    def close(self) -> None:
        """Ends all child processes."""
        for worker in [*self._idle, *self._busy]:
            self._end(worker)
        self._idle.clear()
        self._selector.close()

    def __enter__(self) -> "Grader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _unasked(pair: Pair) -> Equivalence | None:
    """What is not put to math-verify: options, and texts too long for its parser."""
    gold, answer, choices = pair
    if choices:
        return Equivalence("undecided", "options")
    long = max(len(gold), len(answer)) > MAX_LENGTH
    return Equivalence("undecided", "too long") if long else None


def contested(ours: Equivalence, other: Equivalence) -> bool:
    """Whether two graders contradict each other: one says equal, the other different."""
    return {ours.outcome, other.outcome} == {"equal", "different"}


_lock = threading.Lock()
_shared: list[Grader] = []


def grade(gold: str, answer: str, choices: tuple[str, ...]) -> Equivalence:
    """One pair by a grader that the process keeps; its child ends with the process."""
    with _lock:
        if not _shared:
            _shared.append(Grader(workers=1))
        return next(_shared[0].map([(gold, answer, choices)]))
