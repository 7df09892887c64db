"""Checks: named, versioned judges of one rationale.

In: a Candidate (a rationale with what execution and grading found). Out: a Verdict, or None where
the check has nothing to say about this kind of rationale. Pure functions: what costs time (running
programs, grading answers) has been done before, once, by `curator.pipeline.checker`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from curator.checks.agreement import agreement
from curator.checks.answer import answer
from curator.checks.candidate import Candidate
from curator.checks.executed import executed
from curator.checks.format import well_formed
from curator.core.model import Verdict


@dataclass(frozen=True, slots=True)
class Check:
    """A judge and the version of its judgement."""

    version: int
    judge: Callable[[Candidate, int], Verdict | None]
    about: str


CHECKS: dict[str, Check] = {
    "executed": Check(1, executed, "the program ran to its end and printed a value (PoT)"),
    "answer": Check(1, answer, "the final answer is equal to the gold answer"),
    "agreement": Check(1, agreement, "independent answers agree on the gold (Self-Instruct)"),
    "format": Check(1, well_formed, "texts are whole, of sane length, and programs parse"),
}

__all__ = ["CHECKS", "Candidate", "Check"]
