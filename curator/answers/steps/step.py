"""The steps of a worked solution, each recomputed."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Kind = Literal["annotated", "written"]
Outcome = Literal["right", "wrong", "unread"]


@dataclass(frozen=True, slots=True)
class Step:
    """One recomputed annotation or equation."""

    number: int
    """Counts from 1, in the order of the text."""
    kind: Kind
    span: tuple[int, int]
    """Its place in the text, in characters."""
    text: str
    """As written."""
    outcome: Outcome
    """`unread`: a number is missing or cannot be read, so that nothing could be recomputed."""
    reason: str
    """How the sides agree (exact, rounded, percent, run-on), or why they do not."""
    stated: str = ""
    """The value that the text states, as a plain number, or as an expression if it is irrational;
    empty if it cannot be read."""
    computed: Fraction | None = None
    """The recomputed value; about 50 digits of it if it is irrational."""
    operations: int = 0
    """The number of operations; 0 for `<<3=3>>`."""

    def placed(self, number: int, span: tuple[int, int]) -> "Step":
        """Return the step with its number and place."""
        content = (self.text, self.outcome, self.reason, self.stated, self.computed)
        return Step(number, self.kind, span, *content, self.operations)

    def __str__(self) -> str:
        text = " ".join(self.text.split())
        shown = text if len(text) <= 80 else f"{text[:77]}..."
        return f"step {self.number}, '{shown}': {self.reason}"


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of a text in order."""

    steps: tuple[Step, ...]
    complete: bool = True
    """False if the text is longer than the bounds."""
    beside: str = ""
    """The first equation that is no step, since it is not between numbers, in a text that
    annotates none of its steps; otherwise empty."""

    @property
    def fault(self) -> Step | None:
        """The first wrong step, or else the first that cannot be read."""
        faults = [step for step in self.steps if step.outcome != "right"]
        return min(faults, key=lambda step: step.outcome != "wrong", default=None)

    @property
    def recomputed(self) -> bool:
        """Whether there is a step with an operation, and every step was recomputed and is right.

        An equation beside the steps is a step that was not recomputed.
        """
        computes = any(step.operations for step in self.steps)
        return self.complete and computes and not self.beside and self.fault is None

    @property
    def result(self) -> str | None:
        """The value that the last step states; None if it has none."""
        return (self.steps[-1].stated or None) if self.steps else None
