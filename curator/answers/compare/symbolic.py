"""Symbolic grading with math-verify, in child processes that can be killed.

In: pairs of gold and answer that `compare_by_rules` leaves open. Out: an `Equivalence` for each, in
order. A parse that exceeds the wall time or the memory limit is killed with its process and counts
as undecided, `timeout` or `memory`. Not covered: the children are limited, not jailed. They never
evaluate a text as code.
"""

import threading
from collections.abc import Iterable, Iterator
from types import TracebackType

from curator.answers.compare.children import Children
from curator.answers.compare.decimals import DIGITS
from curator.answers.compare.rules import Equivalence, compare_by_rules
from curator.answers.parse.normalize import MAX_LENGTH

Pair = tuple[str, str, tuple[str, ...]]

_WORKER = "curator.answers.compare.symbolic_worker"


class Grader:
    """Grades pairs in order with `workers` child processes, which start when first needed.

    A context manager; `close` ends the children. Not thread-safe. For `digits` see
    `compare_by_rules`.
    """

    def __init__(
        self, workers: int = 2, wall_s: float = 5, memory_mb: int = 1024, digits: int = DIGITS
    ) -> None:
        self.digits = digits
        self._children = Children(_WORKER, workers, wall_s, memory_mb)

    @property
    def wall_s(self) -> float:
        """The time limit of one pair, in seconds."""
        return self._children.wall_s

    @property
    def pids(self) -> list[int]:
        """The process ids of the live children."""
        return self._children.pids

    def map(self, pairs: Iterable[Pair]) -> Iterator[Equivalence]:
        """Yield one `Equivalence` per pair (gold, answer, choices), in order and lazily."""
        return self._children.map(
            compare_by_rules(*pair, self.digits) or (*pair[:2], False) for pair in pairs
        )

    def grade_by_math_verify(self, pairs: Iterable[Pair]) -> Iterator[Equivalence]:
        """Yield what math-verify alone returns for each pair, in order and lazily.

        The outcome is equal, different (whatever it cannot prove equal) or undecided. math-verify
        does not know choices: pairs that have choices are undecided. `contradicts` compares the
        result with that of `map`.
        """
        return self._children.map(_skip(pair) or (*pair[:2], True) for pair in pairs)

    def close(self) -> None:
        """End all child processes."""
        self._children.close()

    def abandon(self) -> None:
        """Give up all child processes in a process that was forked from the one that has them.

        They keep running for that one, and this object must not be used again.
        """
        self._children.abandon()

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
