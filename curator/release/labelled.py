"""Choose the rows of a release for process supervision: solutions whose steps have labels.

In: batches of `RowsSql.labelled`. Out: the same batches without the rows that have no labelled
step, and without the solutions of problems that no screen has seen. Both are counted.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

NO_LABELS = "no labelled steps"


@dataclass(slots=True)
class LabelledRows:
    """The rows that were read, by whether they are in the version."""

    kept: int = 0
    stopped: int = 0
    """Solutions of the version's problems that a check failed or could not decide."""
    unscreened: int = 0
    """Such solutions of other problems, which no screen has seen: they are left out."""


def select_labelled(
    batches: Iterator[pa.RecordBatch], rows: LabelledRows, left_out: Counter[str]
) -> Iterator[pa.RecordBatch]:
    """Yield the rows with a labelled step; update the counts."""
    for batch in batches:
        has_labels = pa.array(map(_has_labels, batch.column("labelled_steps").to_pylist()))
        kept = batch.column("is_right")
        left = pc.sum(pc.and_not(kept, has_labels)).as_py() or 0
        if left:
            left_out[NO_LABELS] += left
        batch = batch.filter(has_labels)
        screened = batch.column("is_screened")
        rows.unscreened += len(batch) - (pc.sum(screened).as_py() or 0)
        batch = batch.filter(screened)
        count = pc.sum(batch.column("is_right")).as_py() or 0
        rows.kept += count
        rows.stopped += len(batch) - count
        if len(batch):
            yield batch


def _has_labels(steps: list[dict[str, object]] | None) -> bool:
    return any(step["label"] for step in steps or ())
