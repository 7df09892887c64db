r"""Solutions with a label on every step, for process supervision: TRL's PRMTrainer (TRL 1.13.0).

{"prompt": "Three pencils …", "completions": ["Let's call …", "The first equation is …"],
 "labels": [true, false], "ratings": ["right", "wrong"], "reason": "step labelled wrong",
 "id": "5f0c…", "source": "data/CoT/prm800k_cot.json"}

TRL's name of the first three columns is "stepwise supervision"; releases after 1.13.0 have no
trainer for them. A neutral step has the label true, as its authors count it (Lightman et al.);
`ratings` tells it apart. A solution ends before its first step without a label. Each alternative
to a step is a line of its own, after the steps before it. `reason` is what stopped a solution that
is not a row of the version.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any, BinaryIO

from curator.release.formats.format import write_steps

if TYPE_CHECKING:
    import pyarrow as pa


def lines(batches: "Iterator[pa.RecordBatch]", out: BinaryIO) -> int:
    """Write JSON Lines in UTF-8."""
    return write_steps(batches, out, _lines)


def _lines(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for steps in continuations(row["labelled_steps"]):
        yield {
            "prompt": row["instruction"],
            "completions": [step["text"] for step in steps],
            "labels": [step["label"] != "wrong" for step in steps],
            "ratings": [step["label"] for step in steps],
            "reason": row["reason"],
            "id": row["id"].hex(),
            "source": row["release_as"],
        }


def continuations(steps: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Yield the solution, then each labelled alternative after the steps before it."""
    chosen = (step for step in steps if step["chosen"])
    solution = list(takewhile(lambda step: step["label"], chosen))
    if solution:
        yield solution
    for step in steps:
        before = step["number"] - 1
        if not step["chosen"] and step["label"] and before <= len(solution):
            yield [*solution[:before], step]
