"""Graders that the threads of a process share, and that a forked process does not inherit.

In: pairs that the rules leave open. Out: an `Equivalence` for each. A `Grader` serves one thread at
a time; the others take another one, up to `MOST`, and then wait. Nothing starts before it is
needed. A fork inherits the pipes to the children of its parent: it closes its copies and starts its
own.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from curator.answers import Equivalence, Grader
from curator.answers.compare.symbolic import Pair

MOST = max(2, os.cpu_count() or 2)
"""Maximum number of graders of a process, each with up to two children."""


class _Graders:
    """The graders of this process."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(MOST)
        self._lock = threading.Lock()
        self._idle: list[Grader] = []
        self._all: set[Grader] = set()

    @contextmanager
    def borrow(self, wall_s: float) -> Iterator[Grader]:
        """Yield a grader with this time limit; one that an exception interrupted is closed."""
        with self._places:
            grader = self._take(wall_s)
            try:
                yield grader
            except BaseException:
                with self._lock:
                    self._all.discard(grader)
                grader.close()
                raise
            with self._lock:
                self._idle.append(grader)

    def _take(self, wall_s: float) -> Grader:
        with self._lock:
            for grader in self._idle:
                if grader.wall_s == wall_s:
                    self._idle.remove(grader)
                    return grader
            # the places that are left allow one more: an idle grader with another limit goes
            stale = self._idle.pop() if len(self._all) >= MOST else None
            grader = Grader(wall_s=wall_s)
            self._all.add(grader)
            if stale:
                self._all.discard(stale)
        if stale:
            stale.close()
        return grader

    def abandon(self) -> None:
        """Close this process's copies of what belongs to its parent."""
        for grader in self._all:
            grader.abandon()


_graders = _Graders()


def _renew() -> None:
    """Give a forked process graders of its own: threads of its parent may hold the locks."""
    global _graders
    inherited, _graders = _graders, _Graders()
    inherited.abandon()


os.register_at_fork(after_in_child=_renew)


def grade_pairs(pairs: Sequence[Pair], wall_s: float) -> list[Equivalence]:
    """Return how each pair compares, in order; `wall_s` seconds per pair at most.

    A system that starts no further process leaves the pairs undecided.
    """
    if not pairs:
        return []
    try:
        with _graders.borrow(float(wall_s)) as grader:
            return list(grader.map(pairs))
    except OSError as error:
        return [Equivalence("undecided", f"no grader: {error.strerror}")] * len(pairs)
