"""Stage `write`: the rationales of a subset by writers that need no teacher.

In: objects of problems. Out: the object `rationales`, in upstream's order, with counts.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from curator.core import arrow
from curator.core.model import Rationale
from curator.core.progress import track_progress
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.stages.read import read_problems
from curator.recipe.schema import Subset
from curator.writers import WRITERS
from datastore.memo import Outputs


def write(context: BuildContext, name: str, subset: Subset, problems: Sequence[str]) -> Outputs:
    """Write object `rationales`, in upstream's order.

    Counts: problems, rationales, and `without`: records without a rationale.
    """

    def make() -> tuple[dict[str, str], dict[str, int]]:
        counts = {"problems": 0, "without": 0, "rationales": 0}
        rationales = number_copies(_rationales(context, subset, problems, counts))
        what = f"writing {name}"
        batches = arrow.to_batches(
            track_progress(rationales, context.listener, what), arrow.RATIONALES
        )
        return {"rationales": context.store.objects.write(batches, arrow.RATIONALES)}, counts

    writers = [name for name in subset.writers if not WRITERS[name].teacher]
    params = {"kind": subset.kind, "writers": writers}
    return context.once(
        Stage("write", (__name__, "curator.writers", "curator.answers")),
        params,
        problems,
        make,
        name,
    )


def _rationales(
    context: BuildContext, subset: Subset, problems: Sequence[str], counts: dict[str, int]
) -> Iterator[Rationale]:
    writers = [WRITERS[name] for name in subset.writers if not WRITERS[name].teacher]
    seen: set[bytes] = set()
    for problem in read_problems(context, problems):
        seen.add(problem.id)
        before = counts["rationales"]
        for writer in writers:
            assert writer.write is not None, "neither teacher nor own stage: it writes here"
            for rationale in writer.write(problem, subset.kind):
                counts["rationales"] += 1
                yield rationale
        counts["without"] += counts["rationales"] == before
    counts["problems"] = len(seen)


def number_copies(rationales: Iterable[Rationale]) -> Iterator[Rationale]:
    """Yield the rationales; identical ones get different copy numbers, and so different ids."""
    seen: set[bytes] = set()
    copies: Counter[bytes] = Counter()
    for rationale in rationales:
        if rationale.id in seen:
            copies[rationale.id] += 1
            rationale = replace(rationale, copy=copies[rationale.id])
        else:
            seen.add(rationale.id)
        yield rationale
