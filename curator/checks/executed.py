"""Check `executed`: the program ended by itself and printed a value."""

from curator.checks.candidate import Candidate
from curator.checks.check import Check
from curator.core.model import Verdict

PRINTED_NOTHING = "printed nothing"
"""Reason of a program that ran to its end without a value."""


def check_execution(candidate: Candidate, version: int) -> Verdict | None:
    """Return passed for status `ok` with a printed value, else failed with the status as reason.

    None for CoT. Of a TIR, the last program counts.
    """
    execution = candidate.execution
    if execution is None:
        return None
    if execution.status != "ok":
        evidence = {"error": execution.error or execution.status}
        reason = execution.status
        return Verdict(candidate.row_id, "executed", version, "failed", reason, evidence)
    if not execution.value:
        return Verdict(candidate.row_id, "executed", version, "failed", PRINTED_NOTHING)
    evidence = {"printed": execution.value}
    if execution.completed:
        evidence["completed"] = execution.completed
    return Verdict(candidate.row_id, "executed", version, "passed", "", evidence)


CHECK = Check(
    1,
    check_execution,
    "the program ran to its end and printed a value (PoT, TIR)",
    proves="execution",
    needs=("execution",),
    by_default=True,
    audited_kinds=("PoT", "TIR"),
)
