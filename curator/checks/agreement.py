"""Check `agreement`: the gold of a new problem is what independent answers agree on."""

from dataclasses import replace

from curator.checks.candidate import Candidate
from curator.core.model import Verdict


def agreement(candidate: Candidate, version: int) -> Verdict | None:
    """Passed or undecided with the votes as evidence. Says nothing where upstream states the gold.

    That a row has the agreed answer itself is what the check `answer` says.
    """
    if candidate.agreement is None:
        return None
    return replace(candidate.agreement, row_id=candidate.row_id, version=version)
