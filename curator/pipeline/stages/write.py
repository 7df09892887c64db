"""Stage `write`: the rationales of a subset by writers that need no teacher.

In: objects of problems. Out: for each of them an object of rationales, in upstream's order, with
counts. Identical rationales of a subset get different copy numbers, and so different ids.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from curator.core import arrow
from curator.core.model import Problem, Rationale
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.stages.read import read_problems, write_records
from curator.recipe.schema import Subset
from curator.writers import WRITERS
from datastore.memo import Outputs

CODE = (__name__, "curator.writers", "curator.answers", "curator.core.thoughts")


@dataclass(frozen=True, slots=True)
class WrittenRows:
    """The rows of one shard while it is written, so that nothing reads them again to check them."""

    problems: list[Problem]
    rationales: list[Rationale]
    """In the order of their problems, with their copy numbers."""


def write_params(subset: Subset) -> dict[str, Any]:
    """Return the parameters on which the rationales of a subset depend."""
    writers = [name for name in subset.writers if not WRITERS[name].teacher]
    return {"kind": subset.kind, "writers": writers}


def write(
    context: BuildContext, name: str, subset: Subset, problems: str
) -> tuple[Outputs, WrittenRows | None]:
    """Write object `rationales` from one object of problems. Return its rows unless it is cached.

    Counts: problems, rationales, and `without`: records without a rationale. Identical rationales
    are numbered within the object alone; see `stages.copies`.
    """
    rows: WrittenRows | None = None

    def make() -> tuple[dict[str, str], dict[str, int]]:
        nonlocal rows
        counts = {"problems": 0, "without": 0, "rationales": 0}
        read = list(read_problems(context, [problems]))
        rationales = _rationales(subset, read, counts)
        rows = WrittenRows(read, list(CopyNumbers().number(rationales)))
        written = write_records(context, rows.rationales, arrow.RATIONALES)
        return {"rationales": written}, counts

    return context.once(Stage("write", CODE), write_params(subset), [problems], make, name), rows


def _rationales(
    subset: Subset, problems: list[Problem], counts: dict[str, int]
) -> Iterator[Rationale]:
    writers = [WRITERS[name] for name in subset.writers if not WRITERS[name].teacher]
    seen: set[bytes] = set()
    for problem in problems:
        seen.add(problem.id)
        before = counts["rationales"]
        for writer in writers:
            assert writer.write is not None, "neither teacher nor own stage: it writes here"
            for rationale in writer.write(problem, subset.kind):
                counts["rationales"] += 1
                yield rationale
        counts["without"] += counts["rationales"] == before
    counts["problems"] = len(seen)


class CopyNumbers:
    """Gives identical rationales the copy numbers 0, 1, 2, …"""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self._copies: Counter[bytes] = Counter()

    def number(self, rationales: Iterable[Rationale]) -> Iterator[Rationale]:
        """Yield the rationales, numbered after all those of earlier calls."""
        for rationale in rationales:
            if rationale.id in self._seen:
                self._copies[rationale.id] += 1
                rationale = replace(rationale, copy=self._copies[rationale.id])
            else:
                self._seen.add(rationale.id)
            yield rationale
