"""Stage `ingest`: a source as one object of problems per part, and its quarantined records.

In: a source and its opened files. Out: objects `problems:PART` and `quarantine`, with counts.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from curator.core import arrow
from curator.core.errors import SourceError
from curator.core.model import Problem, QuarantinedRecord
from curator.core.progress import track_progress
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.locate import LocatedSource
from curator.sources import Source, SourceFiles, records
from datastore.memo import Outputs

PROBLEMS = "problems:"
"""Prefix of the names of problem objects; the part follows."""
MAX_QUARANTINED = 100_000
"""Maximum number of quarantined records per source. More of them mean a different format."""

MAX_EXCERPTS = 1_000
"""Maximum number of quarantined records per source whose raw text is stored; the others are stored
with their place and reason."""
LEFT_OUT = f"(not stored: the text of the first {MAX_EXCERPTS:,} records is)"


def ingest(context: BuildContext, source: Source, opened: SourceFiles) -> Outputs:
    """Write objects `problems:PART`, one row per record, and `quarantine`.

    Counts: records, quarantined. Raises SourceError if more records are quarantined than the recipe
    allows.
    """

    def make() -> tuple[dict[str, str], dict[str, int]]:
        quarantined: list[QuarantinedRecord] = []
        count = 0

        def good() -> Iterator[Problem]:
            nonlocal count
            for record in _limit(records(source, opened), context.limit):
                if isinstance(record, QuarantinedRecord):
                    if len(quarantined) >= MAX_EXCERPTS:
                        record = replace(record, raw=LEFT_OUT)
                    quarantined.append(record)
                    if len(quarantined) > MAX_QUARANTINED:
                        raise SourceError(_error(source, quarantined, count))
                else:
                    count += 1
                    yield record

        what = f"reading {source.name}"
        problems = track_progress(good(), context.listener, what, source.rows or None)
        batches = arrow.to_batches(problems, arrow.PROBLEMS)
        parts = context.store.objects.write_parts(batches, arrow.PROBLEMS, "part")
        objects = {PROBLEMS + part: digest for part, digest in parts.items()}
        objects["quarantine"] = context.store.objects.write(
            arrow.to_batches(quarantined, arrow.QUARANTINE), arrow.QUARANTINE
        )
        return objects, {"records": count, "quarantined": len(quarantined)}

    params: dict[str, Any] = {"source": source.name, "limit": context.limit}
    outputs = context.once(
        Stage("ingest", (__name__, "curator.sources")), params, [opened.digest], make, source.name
    )
    bad, good = outputs.counts["quarantined"], outputs.counts["records"]
    if bad > context.recipe.limits.quarantine * (bad + good):
        stored = context.store.objects.read(outputs.objects["quarantine"])
        quarantined = [QuarantinedRecord(**row) for batch in stored for row in batch.to_pylist()]
        raise SourceError(_error(source, quarantined, good))
    return outputs


def problems_of(ingested: Outputs, part: str = "") -> tuple[str, ...]:
    """Return the objects with the problems of a source, or of one part of it."""
    return tuple(
        digest
        for name, digest in ingested.objects.items()
        if name.startswith(PROBLEMS) and part in ("", name.removeprefix(PROBLEMS))
    )


def find_eval_problems(
    context: BuildContext, evals: Mapping[str, LocatedSource]
) -> dict[str, list[str]]:
    """Return the objects with the problems of each evaluation set that could be read."""
    return {
        name: list(problems_of(ingest(context, located.source, located.opened)))
        for name, located in evals.items()
        if located.opened
    }


def _limit(
    items: Iterator[Problem | QuarantinedRecord], limit: int | None
) -> Iterator[Problem | QuarantinedRecord]:
    """Yield the first `limit` records of each part; stop early if the source has no parts."""
    seen: Counter[str] = Counter()
    for record in items:
        part = record.part if isinstance(record, Problem) else ""
        seen[part] += 1
        if limit is None or seen[part] <= limit:
            yield record
        elif not part:
            return


def _error(source: Source, quarantined: list[QuarantinedRecord], good: int) -> str:
    reason, count = Counter(record.reason for record in quarantined).most_common(1)[0]
    bad, first = len(quarantined), quarantined[0].place
    return (
        f"{source.name}: {bad:,} of {bad + good:,} records do not parse. Most frequent reason: "
        f"'{reason}' ({count:,}, first at {first}). Repair the file, or raise limits.quarantine in "
        "the recipe."
    )
