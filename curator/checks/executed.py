"""Check `executed`: the program ended by itself and printed something."""

from curator.checks.candidate import Candidate
from curator.core.model import Verdict


def executed(candidate: Candidate, version: int) -> Verdict | None:
    """Passed for status `ok` with a printed value; failed with the status as reason otherwise.

    Says nothing about CoT.
    """
    run = candidate.execution
    if run is None:
        return None
    if run.status != "ok":
        evidence = {"error": run.error or run.status}
        return Verdict(candidate.row_id, "executed", version, "failed", run.status, evidence)
    if not run.value:
        return Verdict(candidate.row_id, "executed", version, "failed", "printed nothing")
    evidence = {"printed": run.value}
    if run.completed:
        evidence["completed"] = run.completed
    return Verdict(candidate.row_id, "executed", version, "passed", "", evidence)
