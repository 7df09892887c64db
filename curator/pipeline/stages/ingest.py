"""Stage `ingest`: a source as objects of problems, and its quarantined records.

In: a source and its opened files. Out: objects `problems:NUMBER:PART`, in upstream's order within a
part, and `quarantine`, with counts. Large files are read in pieces, by several processes. Rows of
subsets that take the problems unchanged are written while these are in memory.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from itertools import chain
from typing import Any

from curator.core import arrow
from curator.core.errors import SourceError
from curator.core.model import Problem, QuarantinedRecord
from curator.core.progress import track_progress
from curator.core.words import counted, verb
from curator.pipeline.context import BuildContext, Stage
from curator.pipeline.locate import LocatedSource, source_name
from curator.pipeline.shards import Shard, in_one_bar, run_shards
from curator.pipeline.stages.read import write_problems
from curator.pipeline.stages.write_and_check import uses_ingested, write_ingested
from curator.recipe.schema import Recipe
from curator.sources import (
    FilePiece,
    NotCut,
    Source,
    SourceFiles,
    check_columns,
    pieces,
    records,
)
from datastore.memo import Outputs

PROBLEMS = "problems:"
"""Prefix of the names of problem objects; the number of the object and the part follow."""
SHARD_ROWS = 4_096
"""Maximum number of problems in an object. The later stages work on one object at a time."""
SHARD_CHARACTERS = 64 << 20
"""Number of characters after which an object has no further problem."""
LARGE_BYTES = 32 << 20
"""Size from which a source is not read by one process as a whole."""
ROW_BYTES = 500
"""Usual size of a record, for the progress bar."""
MAX_QUARANTINED = 100_000
"""Maximum number of quarantined records per source. More of them mean a different format."""

MAX_EXCERPTS = 1_000
"""Maximum number of quarantined records per source whose raw text is stored; the others are stored
with their place and reason."""
LEFT_OUT = f"(not stored: the text of the first {MAX_EXCERPTS:,} records is)"

_CODE = (
    __name__,
    "curator.sources",
    "curator.core.thoughts",
    "curator.core.tool_calls",
    "curator.core.turns",
)


def ingest(
    context: BuildContext, source: Source, opened: SourceFiles, subsets: Sequence[str] = ()
) -> Outputs:
    """Write objects `problems:NUMBER:PART`, one row per record, and `quarantine`.

    Counts: records, quarantined. The rows of the named subsets are written at once, unless the
    driver reads the file alone; their own stages find them in the cache. Raises SourceError if more
    records are quarantined than the recipe allows.
    """

    def make() -> tuple[dict[str, str], dict[str, int]]:
        check_columns(source, opened)
        limited = source.first or context.limit is not None
        parts = [] if limited else pieces(opened)
        if len(parts) > 1:
            with suppress(NotCut):
                return _ingest_pieces(context, source, opened, parts, subsets)
        if len(opened.files) > 1 and not limited:
            parts = [FilePiece(number) for number in range(len(opened.files))]
            return _ingest_pieces(context, source, opened, parts, subsets)
        # Workers write a large file that only one process can read; the driver would be alone.
        at_once = () if context.executor else subsets
        return _read(context, source, opened, None, source.rows, at_once)

    params: dict[str, Any] = {"source": source.name, "limit": context.limit}
    outputs = context.once(Stage("ingest", _CODE), params, [opened.digest], make, source.name)
    bad, good = outputs.counts["quarantined"], outputs.counts["records"]
    too_many = bad > context.recipe.limits.quarantine * (bad + good)
    if too_many and context.limit is None:  # the share in a sample says nothing about the whole
        stored = context.store.objects.read(outputs.objects["quarantine"])
        quarantined = [QuarantinedRecord(**row) for batch in stored for row in batch.to_pylist()]
        raise SourceError(_error(source, quarantined, good))
    return outputs


def ingest_all(
    context: BuildContext, sources: Mapping[str, LocatedSource], evals: Iterable[LocatedSource] = ()
) -> None:
    """Ingest sources in parallel, so that `ingest` finds the result of each.

    A large source is cut into pieces that are read in parallel, so it has its turn before. A source
    that is listed twice, as an evaluation set is whose golds are used, too, is read once.
    """
    small: list[Shard] = []
    once: dict[tuple[str, str | None], tuple[LocatedSource, list[str]]] = {}
    users = [(each, _find_users(context.recipe, key)) for key, each in sources.items()]
    for each, subsets in chain(users, ((each, []) for each in evals)):
        identity = (each.source.name, each.opened.digest if each.opened else None)
        once.setdefault(identity, (each, []))[1].extend(subsets)
    for each, subsets in once.values():
        size = sum(path.stat().st_size for path in each.opened.files) if each.opened else 0
        if each.opened and size < LARGE_BYTES:
            count = partial(int, size // ROW_BYTES)
            small.append(Shard(count, (each.source, each.opened, subsets)))
        elif each.opened:
            ingest(context, each.source, each.opened, subsets)
    run_shards(context, ingest, small, "reading sources")


def _find_users(recipe: Recipe, source: str) -> list[str]:
    """Return the subsets whose rows are written from the unchanged problems of a source."""
    return [
        name
        for name, subset in recipe.subsets.items()
        if source_name(name, subset) == source and uses_ingested(recipe, name)
    ]


def problems_of(ingested: Outputs, part: str = "") -> tuple[str, ...]:
    """Return the objects with the problems of a source, or of one part of it."""
    found = []
    for name, digest in sorted(ingested.objects.items()):
        if name.startswith(PROBLEMS):
            _, _, of_part = name.split(":", 2)
            if part in ("", of_part):
                found.append(digest)
    return tuple(found)


def find_eval_problems(
    context: BuildContext, evals: Mapping[str, LocatedSource]
) -> dict[str, list[str]]:
    """Return the objects with the problems of each evaluation set that could be read.

    Raises SourceError for a set without questions, against which nothing could be screened.
    """
    found: dict[str, list[str]] = {}
    for name, located in evals.items():
        if located.opened:
            problems = problems_of(ingest(context, located.source, located.opened))
            if not problems:
                raise SourceError(
                    f"The evaluation set {name} has no questions ({located.opened.origin}). "
                    "Restore its file, or remove the set from 'against'."
                )
            found[name] = list(problems)
    return found


def _ingest_pieces(
    context: BuildContext,
    source: Source,
    opened: SourceFiles,
    parts: Sequence[FilePiece],
    subsets: Sequence[str],
) -> tuple[dict[str, str], dict[str, int]]:
    """Read files, or pieces of them, and join them. Raises NotCut."""
    each = source.rows // len(parts)
    rows = [part.piece.count if part.piece else each for part in parts]
    shards = [
        Shard(partial(int, count), (source, opened, part, count, subsets))
        for part, count in zip(parts, rows, strict=True)
    ]
    return _join(
        context, source, run_shards(context, ingest_piece, shards, f"reading {source.name}")
    )


def ingest_piece(
    context: BuildContext,
    source: Source,
    opened: SourceFiles,
    part: FilePiece,
    rows: int,
    subsets: Sequence[str],
) -> Outputs:
    """Write the objects of a file of a source, or of a piece of it; see `ingest`.

    `rows` is the expected number of records. Raises NotCut.
    """
    params = {"source": source.name, "part": asdict(part)}
    return context.once(
        Stage("read", _CODE),
        params,
        [opened.digest],
        lambda: _read(context, source, opened, part, rows, subsets),
        source.name,
    )


def _read(
    context: BuildContext,
    source: Source,
    opened: SourceFiles,
    part: FilePiece | None,
    rows: int,
    subsets: Sequence[str],
) -> tuple[dict[str, str], dict[str, int]]:
    quarantined: list[QuarantinedRecord] = []
    count = 0

    def good() -> Iterator[Problem]:
        nonlocal count
        for record in _limit(records(source, opened, part), context.limit):
            if isinstance(record, QuarantinedRecord):
                _keep(quarantined, record)
                if len(quarantined) > MAX_QUARANTINED:
                    raise SourceError(_error(source, quarantined, count))
            else:
                count += 1
                yield record

    what = f"reading {source.name}"
    inside = in_one_bar(context, what, 0, rows)
    problems = track_progress(good(), inside.listener, what, rows or None)
    objects = {}
    for number, (name, slice_) in enumerate(_slices(problems)):
        objects[_name(number, name)] = written = write_problems(context, slice_)
        write_ingested(inside, subsets, name, written)
    objects["quarantine"] = _write_quarantine(context, quarantined)
    opened.check_unchanged()
    return objects, {"records": count, "quarantined": len(quarantined)}


def _slices(problems: Iterator[Problem]) -> Iterator[tuple[str, list[Problem]]]:
    """Yield part and problems of each object: those of one part, in their order."""
    filling: dict[str, tuple[list[Problem], int]] = {}
    for problem in problems:
        slice_, characters = filling.get(problem.part, ([], 0))
        slice_.append(problem)
        characters += len(problem.question) + len(problem.solution) + len(problem.program)
        filling[problem.part] = (slice_, characters)
        if len(slice_) == SHARD_ROWS or characters > SHARD_CHARACTERS:
            yield problem.part, slice_
            del filling[problem.part]
    for part, (slice_, _) in sorted(filling.items()):
        yield part, slice_


def _name(number: int, part: str) -> str:
    return f"{PROBLEMS}{number:06d}:{part}"


def _keep(quarantined: list[QuarantinedRecord], record: QuarantinedRecord) -> None:
    """Append a record, without its text if there are enough texts."""
    full = len(quarantined) >= MAX_EXCERPTS
    quarantined.append(replace(record, raw=LEFT_OUT) if full else record)


def _join(
    context: BuildContext, source: Source, read: Sequence[Outputs]
) -> tuple[dict[str, str], dict[str, int]]:
    """Return the objects and counts of a source from those of its pieces."""
    objects: dict[str, str] = {}
    quarantined: list[QuarantinedRecord] = []
    count = sum(each.counts["records"] for each in read)
    for outputs in read:
        for name, digest in sorted(outputs.objects.items()):
            if name.startswith(PROBLEMS):
                objects[_name(len(objects), name.split(":", 2)[2])] = digest
        if outputs.counts["quarantined"]:
            for batch in context.store.objects.read(outputs.objects["quarantine"]):
                for row in batch.to_pylist():
                    _keep(quarantined, QuarantinedRecord(**row))
            if len(quarantined) > MAX_QUARANTINED:
                raise SourceError(_error(source, quarantined, count))
    objects["quarantine"] = _write_quarantine(context, quarantined)
    return objects, {"records": count, "quarantined": len(quarantined)}


def _write_quarantine(context: BuildContext, quarantined: list[QuarantinedRecord]) -> str:
    batches = arrow.to_batches(quarantined, arrow.QUARANTINE)
    return context.store.objects.write(batches, arrow.QUARANTINE)


def _limit(
    items: Iterator[Problem | QuarantinedRecord], limit: int | None
) -> Iterator[Problem | QuarantinedRecord]:
    """Yield the first `limit` problems of each part, and the malformed records between them.

    Stops early if the source has no parts.
    """
    seen: Counter[str] = Counter()
    for record in items:
        if isinstance(record, QuarantinedRecord):
            yield record
            continue
        part = record.part
        seen[part] += 1
        if limit is None or seen[part] <= limit:
            yield record
        elif not part:
            return


def _error(source: Source, quarantined: list[QuarantinedRecord], good: int) -> str:
    reason, count = Counter(record.reason for record in quarantined).most_common(1)[0]
    bad, first = len(quarantined), quarantined[0].place
    return (
        f"{source.name}: {bad:,} of {counted(bad + good, 'record')} "
        f"{verb(bad, 'does', 'do')} not parse. Most frequent reason: "
        f"'{reason}' ({count:,}, first at {first}). Repair the file, or raise limits.quarantine in "
        "the recipe."
    )
