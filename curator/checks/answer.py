"""Check `answer`: the rationale ends in an answer that equals the gold answer."""

from curator.answers import render_answer
from curator.checks.candidate import Candidate
from curator.checks.check import Check
from curator.core.model import Outcome, Verdict


def check_answer(candidate: Candidate, version: int) -> Verdict:
    """Return passed if equal, failed if different, undecided if either is missing or unclear."""

    def verdict(outcome: Outcome, reason: str, **evidence: str) -> Verdict:
        return Verdict(candidate.row_id, "answer", version, outcome, reason, evidence)

    if not candidate.gold:
        return verdict("undecided", "no gold answer")
    if candidate.answer is None:
        return verdict("undecided", "no answer found", gold=candidate.gold)
    assert candidate.equivalence is not None, "an answer with a gold answer is always compared"
    evidence = {
        "gold": candidate.gold,
        "answer": render_answer(candidate.answer),
        "rule": candidate.equivalence.rule,
    }
    match candidate.equivalence.outcome:
        case "equal":
            return verdict("passed", "", **evidence)
        case "different":
            return verdict("failed", "wrong answer", **evidence)
        case "undecided":
            return verdict("undecided", "not comparable", **evidence)


CHECK = Check(
    1,
    check_answer,
    "the final answer is equal to the gold answer",
    proves="answer",
    needs=("answer", "equivalence"),
    statement="final answer equal to the gold answer",
    by_default=True,
)
