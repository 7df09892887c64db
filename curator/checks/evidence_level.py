"""Check `evidence`: the evidence for a row is at least as strong as the subset requires.

It runs where a subset of a recipe has the key `evidence`.
"""

from curator.checks.answer import level_of
from curator.checks.candidate import Candidate
from curator.checks.check import Check
from curator.core.model import EVIDENCE_LEVELS, Verdict


def check_evidence(candidate: Candidate, version: int) -> Verdict | None:
    """Return passed, or failed if the level is weaker than required; None without a requirement."""
    if candidate.required is None:
        return None
    level, order = level_of(candidate), list(EVIDENCE_LEVELS)
    enough = order.index(level) <= order.index(candidate.required)
    evidence = {"level": level, "required": candidate.required}
    if enough:
        return Verdict(candidate.row_id, "evidence", version, "passed", "", evidence)
    return Verdict(candidate.row_id, "evidence", version, "failed", "weak evidence", evidence)


CHECK = Check(
    1,
    check_evidence,
    "the evidence level is at least that of the subset's key `evidence`",
    proves="form",
    needs=("answer", "equivalence", "steps", "replay"),
    audited_kinds=(),
)
