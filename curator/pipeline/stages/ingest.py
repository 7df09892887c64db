"""Read a source into the store: one object of problems per part, and the quarantined records.

In: a source and its opened files. Out: objects `problems:PART` and `quarantine`, with counts.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from curator.core import arrow
from curator.core.errors import SourceError
from curator.core.model import Problem, Quarantined
from curator.core.progress import counted
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.locate import LocatedSource
from curator.sources import Source, SourceFiles, records
from datastore.memo import Outputs

PROBLEMS = "problems:"


MOST_QUARANTINED = 100_000
"""Records of one source that are kept aside; a source with more of them is not this source."""


def ingest(context: BuildContext, source: Source, opened: SourceFiles) -> Outputs:
    """Objects `problems:PART` (a row an upstream record) and `quarantine`; counts of both.

    Raises SourceError if more records are quarantined than the recipe allows.
    """

    def make() -> tuple[dict[str, str], dict[str, int]]:
        aside: list[Quarantined] = []
        seen = 0

        def good() -> Iterator[Problem]:
            nonlocal seen
            for record in _first(records(source, opened), context.limit):
                if isinstance(record, Quarantined):
                    aside.append(record)
                    if len(aside) > MOST_QUARANTINED:
                        raise SourceError(_too_many(source, aside, seen))
                else:
                    seen += 1
                    yield record

        what = f"reading {source.name}"
        problems = counted(good(), context.listener, what, source.rows or None)
        batches = arrow.batches(problems, arrow.PROBLEMS)
        parts = context.store.objects.write_parts(batches, arrow.PROBLEMS, "part")
        objects = {PROBLEMS + part: digest for part, digest in parts.items()}
        objects["quarantine"] = context.store.objects.write(
            arrow.batches(aside, arrow.QUARANTINE), arrow.QUARANTINE
        )
        return objects, {"records": seen, "quarantined": len(aside)}

    params: dict[str, Any] = {"source": source.name, "limit": context.limit}
    outputs = context.once(
        Stage("ingest", (__name__, "curator.sources")), params, [opened.digest], make, source.name
    )
    bad, good = outputs.counts["quarantined"], outputs.counts["records"]
    if bad > context.recipe.limits.quarantine * (bad + good):
        kept = context.store.objects.read(outputs.objects["quarantine"])
        aside = [Quarantined(**row) for batch in kept for row in batch.to_pylist()]
        raise SourceError(_too_many(source, aside, good))
    return outputs


def problems_of(ingested: Outputs, part: str = "") -> tuple[str, ...]:
    """Objects with the problems of a source or of one of its parts, if it has such a part."""
    return tuple(
        digest
        for name, digest in ingested.objects.items()
        if name.startswith(PROBLEMS) and part in ("", name.removeprefix(PROBLEMS))
    )


def problems_against(
    context: BuildContext, evals: Mapping[str, LocatedSource]
) -> dict[str, list[str]]:
    """Objects with the problems of each evaluation set that could be reached."""
    return {
        name: list(problems_of(ingest(context, found.source, found.opened)))
        for name, found in evals.items()
        if found.opened
    }


def _first(
    found: Iterator[Problem | Quarantined], limit: int | None
) -> Iterator[Problem | Quarantined]:
    """At most `limit` records of each part; a source without parts is not read further."""
    seen: Counter[str] = Counter()
    for record in found:
        part = record.part if isinstance(record, Problem) else ""
        seen[part] += 1
        if limit is None or seen[part] <= limit:
            yield record
        elif not part:
            return


def _too_many(source: Source, aside: list[Quarantined], good: int) -> str:
    reason, count = Counter(record.reason for record in aside).most_common(1)[0]
    return (
        f"{source.name}: {len(aside):,} of {len(aside) + good:,} records do not parse, mostly "
        f"'{reason}' ({count:,}, first at {aside[0].place}); mend the file or raise "
        f"limits.quarantine in the recipe"
    )
