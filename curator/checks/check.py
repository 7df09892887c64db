"""The declaration of a check: what it needs, what it proves, and where it is used.

The pipeline, the audit, the card and the recipe read these fields; none of them names a check.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from curator.answers import Equivalence
from curator.checks.candidate import Candidate
from curator.core.model import Kind, Verdict
from curator.sandbox import Execution

Evidence = Literal[
    "agreement", "execution", "answer", "equivalence", "steps", "thought_agrees", "replay"
]
"""A field of Candidate that has to be filled before a check can run."""
Proof = Literal["execution", "answer", "steps", "gold", "form"]
"""What a passed check is about: that the program runs, that the answer is right, that the steps are
right, that the gold answer is right, or only that the texts are well formed."""

Pair = tuple[str, str, tuple[str, ...]]
"""Gold answer, other answer, choices."""
RunPrograms = Callable[[Sequence[str]], Iterable[Execution]]
"""Return how each program ended, in order."""
ComparePairs = Callable[[Sequence[Pair]], Iterable[Equivalence]]
"""Return how each pair compares, in order."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of one row."""

    version: int
    """Part of every verdict. A change of any verdict needs a new number."""
    run: Callable[[Candidate, int], Verdict | None]
    """Return the verdict with the given version, or None if the check does not apply. A passed
    verdict with a reason reports the row, which stays."""
    about: str
    """What a passed row has, for the reference."""
    proves: Proof
    needs: tuple[Evidence, ...] = ()
    by_default: bool = False
    """Whether a subset without the key `checks` uses it. Changes the digest of such versions."""
    undecided: tuple[str, ...] = ()
    """Reasons of an undecided verdict; a recipe may keep rows by reason."""
    audited_kinds: tuple[Kind, ...] = ("CoT", "PoT", "TIR")
    """Kinds of rationale that `curator audit` checks with it."""
