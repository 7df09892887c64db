"""Count the kinds of questions that a grader cannot check, or whose answer may be a guess.

In: the tables of a version. Out: kept rows by `curator.checks.question_kind.KINDS`; a row of
several kinds counts for each. For large versions a sample is counted: the rows with the smallest
ids, which are hashes. The recipe need not have the check `verifiable`.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from curator.checks.question_kind import KINDS, find_kinds
from curator.versions.lengths import SAMPLE
from datastore.engine import Engine


@dataclass(frozen=True, slots=True)
class QuestionKinds:
    """The kinds of the questions of kept rows."""

    rows: int
    """Number of rows that were read."""
    counts: Mapping[str, int]
    """Rows by kind, in the order of KINDS; kinds without a row are left out."""
    others: int
    """Rows of no kind: one answer that can be compared."""

    def about(self, kind: str) -> str:
        """Return what a kind means."""
        return {str(name): about for name, about in KINDS.items()}[kind]


def count_question_kinds(engine: Engine) -> QuestionKinds:
    """Count the kept rows by the kinds of their questions."""
    query = f"""
        SELECT question, gold, choices FROM current.problem JOIN (
            SELECT id, problem_id, subset FROM current.row_status WHERE status = 'kept'
            ORDER BY id, subset LIMIT {SAMPLE}
        ) r ON r.problem_id = problem.id
    """
    counts: Counter[str] = Counter()
    rows = others = 0
    for batch in engine.batches(query):
        for question, gold, choices in zip(
            *(column.to_pylist() for column in batch.columns), strict=True
        ):
            found = find_kinds(question, gold or "", choices or ())
            counts.update(each.kind for each in found)
            rows += 1
            others += not found
    return QuestionKinds(rows, {kind: counts[kind] for kind in KINDS if counts[kind]}, others)
