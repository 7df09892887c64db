"""Check `answer`: the rationale states an answer that equals the gold answer.

A text is read as its author wrote it; a program by what it prints. The evidence of a passed row
states its evidence level, and for a text what became of the steps that it computes.
"""

from curator.answers import render_answer
from curator.checks.candidate import Candidate
from curator.checks.check import Check
from curator.core.model import EvidenceLevel, Outcome, Verdict

NO_GOLD = "no gold answer"
NO_ANSWER = "states no answer"
NOT_COMPARABLE = "not comparable"
CONTRADICTION = "contradicts the gold"
WRONG_STEP = "wrong step"
"""Reason of a passed row: its answer is right, but a step of its arithmetic is not."""


def check_answer(candidate: Candidate, version: int) -> Verdict:
    """Return passed if equal, failed if different, undecided if either is missing or unclear."""

    def verdict(outcome: Outcome, reason: str, **evidence: str) -> Verdict:
        return Verdict(candidate.row_id, "answer", version, outcome, reason, evidence)

    steps = _describe_steps(candidate)
    if not candidate.gold:
        return verdict("undecided", NO_GOLD, **steps)
    if candidate.answer is None:
        return verdict("undecided", NO_ANSWER, gold=candidate.gold, **steps)
    assert candidate.equivalence is not None, "an answer with a gold answer is always compared"
    evidence = {
        "gold": candidate.gold,
        "answer": render_answer(candidate.answer),
        "rule": candidate.equivalence.rule,
        **steps,
    }
    match candidate.equivalence.outcome:
        case "equal":
            reported = WRONG_STEP if _has_wrong_step(candidate) else ""
            return verdict("passed", reported, level=level_of(candidate), **evidence)
        case "different":
            return verdict("failed", CONTRADICTION, **evidence)
        case "undecided":
            return verdict("undecided", NOT_COMPARABLE, **evidence)


def level_of(candidate: Candidate) -> EvidenceLevel:
    """Return how strong the evidence for a rationale is; `form` unless its answer is the gold."""
    if candidate.equivalence is None or candidate.equivalence.outcome != "equal":
        return "form"
    if candidate.agreement is not None:
        return "agreed"
    if not candidate.gold_in_text:
        return "executed" if _is_computed(candidate) else "independent"
    return "arithmetic" if candidate.recomputed else "same text"


def _is_computed(candidate: Candidate) -> bool:
    """Return whether an answer is the output of a program that ran here."""
    replay = candidate.replay
    return candidate.kind == "PoT" or (replay is not None and replay.reproduces and replay.follows)


def _has_wrong_step(candidate: Candidate) -> bool:
    steps = candidate.steps
    # Beside equations with unknowns, what looks like a wrong step may be a part of one.
    fault = steps.fault if steps and not steps.beside else None
    return fault is not None and fault.outcome == "wrong"


def _describe_steps(candidate: Candidate) -> dict[str, str]:
    """Return what became of the steps: their number, and the first wrong or unread one."""
    steps = candidate.steps
    if not steps or not steps.steps:
        return {}
    found = {"steps": str(len(steps.steps))}
    if steps.beside:
        return found | {"fault": f"an equation that is not between numbers: {steps.beside}"}
    return found | ({"fault": str(steps.fault)} if steps.fault else {})


CHECK = Check(
    2,
    check_answer,
    "the answer that the rationale states is equal to the gold answer",
    proves="answer",
    needs=("answer", "equivalence", "steps", "replay"),
    undecided=(NO_GOLD, NO_ANSWER, NOT_COMPARABLE),
    by_default=True,
)
