"""The outcome of an attempt: whether one sampled solution solves its problem.

In: the verdicts of the checks on it. Out: passed, failed or undecided. Unlike a row, a solution
that states no answer has failed: the model did not solve the problem.
"""

from collections.abc import Iterable

from curator.checks.answer import NO_ANSWER
from curator.core.model import Outcome, Verdict

OUTCOME_SQL = (
    "CASE WHEN bool_or(outcome = 'failed' OR (outcome = 'undecided' AND "
    f"reason = '{NO_ANSWER}')) THEN 'failed' "
    "WHEN bool_or(outcome = 'undecided') THEN 'undecided' ELSE 'passed' END"
)
"""`attempt_outcome` as an aggregate over verdicts."""


def attempt_outcome(verdicts: Iterable[Verdict]) -> Outcome:
    """Return passed if all verdicts are, undecided without any."""
    outcomes: set[Outcome] = {
        "failed" if each.reason == NO_ANSWER else each.outcome for each in verdicts
    }
    if "failed" in outcomes:
        return "failed"
    return "passed" if outcomes == {"passed"} else "undecided"
