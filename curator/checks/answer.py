"""Check `answer`: the rationale ends in an answer that is equal to the gold one."""

from curator.answers import render_answer
from curator.checks.candidate import Candidate
from curator.core.model import Outcome, Verdict


def answer(candidate: Candidate, version: int) -> Verdict:
    """Passed if equal, failed if different; undecided without gold, answer or a decision."""

    def verdict(outcome: Outcome, reason: str, **evidence: str) -> Verdict:
        return Verdict(candidate.row_id, "answer", version, outcome, reason, evidence)

    if not candidate.gold:
        return verdict("undecided", "no gold answer")
    if candidate.answer is None:
        return verdict("undecided", "no answer found", gold=candidate.gold)
    assert candidate.equivalence is not None, "an answer with a gold is always graded"
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
