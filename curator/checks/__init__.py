"""Checks: named, versioned tests of one rationale.

In: a Candidate. Out: a Verdict, or None if the check does not apply to this kind of rationale.
Checks are pure functions: `collect_evidence` has run programs and compared answers before, once for
all checks.
"""

from curator.checks import (
    agreement,
    answer,
    evidence_level,
    executed,
    format,
    labels,
    replayed,
    trace,
    verifiable,
)
from curator.checks.candidate import MAX_CHARACTERS, Candidate
from curator.checks.check import Check, Evidence, Proof
from curator.checks.evidence import collect_evidence, compare_pairs

CHECKS: dict[str, Check] = {
    "executed": executed.CHECK,
    "agreement": agreement.CHECK,
    "answer": answer.CHECK,
    "format": format.CHECK,
    "evidence": evidence_level.CHECK,
    "verifiable": verifiable.CHECK,
    "trace": trace.CHECK,
    "labels": labels.CHECK,
    "replayed": replayed.CHECK,
}
"""In the order in which a subset runs its default checks."""

__all__ = [
    "CHECKS",
    "MAX_CHARACTERS",
    "Candidate",
    "Check",
    "Evidence",
    "Proof",
    "collect_evidence",
    "compare_pairs",
]
