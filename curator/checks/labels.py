"""Check `labels`: no step of the solution is labelled wrong.

Only the labels that upstream gives to the steps are read, not their texts. Alternatives to a step
do not count, nor do steps that are neutral or have no label. The check does not apply to
rationales without labelled steps.
"""

from curator.checks.candidate import Candidate
from curator.checks.check import Check
from curator.core.model import Verdict

WRONG = "step labelled wrong"
MAX_SHOWN = 200
"""Maximum number of characters of the step in the evidence."""


def check_labels(candidate: Candidate, version: int) -> Verdict | None:
    """Return failed with the first step that is labelled wrong, or else passed."""
    if not candidate.labelled_steps:
        return None
    wrong = (step for step in candidate.labelled_steps if step.chosen and step.label == "wrong")
    first = next(wrong, None)
    if first is None:
        return Verdict(candidate.row_id, "labels", version, "passed")
    evidence = {"step": str(first.number), "text": first.text[:MAX_SHOWN]}
    return Verdict(candidate.row_id, "labels", version, "failed", WRONG, evidence)


CHECK = Check(
    1,
    check_labels,
    "upstream labels no step of the solution as wrong",
    proves="steps",
    audited_kinds=(),
)
