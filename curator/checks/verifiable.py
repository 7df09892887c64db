"""Check `verifiable`: a correct answer to the question can be recognised by its gold answer alone.

Only the question, its choices and its gold answer are read, never the rationale. Rows of the kinds
in `question_kind.KINDS` are undecided, not failed: a recipe that names the check leaves them out,
and `undecided: [multiple choice, …]` keeps some kinds.
"""

from curator.checks.candidate import Candidate
from curator.checks.check import Check
from curator.checks.question_kind import KINDS, find_kinds
from curator.core.model import Verdict


def check_verifiable(candidate: Candidate, version: int) -> Verdict:
    """Return passed, or undecided with the strongest kind as reason and the others as evidence."""
    found = find_kinds(candidate.instruction, candidate.gold, candidate.choices)
    if not found:
        return Verdict(candidate.row_id, "verifiable", version, "passed")
    first, *others = found
    evidence = {"seen": first.seen}
    if others:
        evidence["also"] = ", ".join(each.kind for each in others)
    return Verdict(candidate.row_id, "verifiable", version, "undecided", first.kind, evidence)


CHECK = Check(
    2,
    check_verifiable,
    "a grader can recognise a correct answer: the question has one, and it is hard to guess",
    proves="form",
    undecided=tuple(KINDS),
)
