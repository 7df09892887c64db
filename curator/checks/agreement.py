"""Check `agreement`: independent answers to a new problem agree on its gold answer."""

from curator.checks.candidate import Candidate
from curator.checks.check import Check
from curator.core.model import Verdict


def check_agreement(candidate: Candidate, version: int) -> Verdict | None:
    """Return passed or undecided, with the votes as evidence; None if upstream states the gold.

    Whether the row itself arrives at the agreed answer is for the check `answer` to decide.
    """
    if candidate.agreement is None:
        return None
    return candidate.agreement._replace(row_id=candidate.row_id, version=version)


CHECK = Check(
    1,
    check_agreement,
    "independent answers agree on the gold answer (Self-Instruct)",
    proves="gold",
    needs=("agreement",),
    undecided=("no agreement",),
    by_default=True,
    audited_kinds=(),
)
