"""Compare two collections of problems: which questions of one repeat questions of the other.

In: two names, each of a source, an evaluation set, a version, a file or a dataset on the Hub. Out:
the pairs that match, with the level that the screen `contamination` gives them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from curator.core.arrow import to_problems
from curator.core.errors import SourceError, UsageError, to_one_line, unknown_name
from curator.core.model import MATCH_LEVELS, MatchLevel, Problem, QuarantinedRecord
from curator.pipeline.audit.dataset import open_dataset
from curator.pipeline.locate import source_by_name
from curator.recipe.schema import IN_EVALS
from curator.screens.overlap import find_overlaps
from curator.sources import EVALS, SOURCES, CustomFiles, Source, custom_source, open_source, records
from curator.sources.detect_columns import find_columns
from curator.versions.content import objects_of
from curator.versions.golds.stored import problems_of, select_ruled
from curator.versions.queries import digests, scan_objects, version_rationales
from datastore.engine import Engine
from datastore.errors import NotFound
from datastore.store import Store
from datastore.versions import Manifest


@dataclass(frozen=True, slots=True)
class Pair:
    """A question that repeats another one."""

    level: MatchLevel
    question: str
    other: str
    covered: float
    """Share of the words and numbers of `other` that the question repeats in order."""
    gold_answers: str
    """`equal`, `different`, `not compared` if texts may differ only in form, or `unknown` if one of
    the questions has none."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of a comparison."""

    problems: int
    others: int
    unread: int
    """Number of records of both that could not be read."""
    reasons: Mapping[str, int]
    """The number of these records by reason, the most frequent first."""
    counts: Mapping[MatchLevel, int]
    """Number of problems by their strongest level of match."""
    pairs: Sequence[Pair]


def compare(
    name: str, other: str, store: str | Path = ".curator", mirror: Path | None = None
) -> Comparison:
    """Return which problems of `name` repeat problems of `other`.

    Raises UsageError if there is nothing of a name, SourceError if it cannot be read.
    """
    counts: Counter[str] = Counter()
    unread: Counter[str] = Counter()

    def count(what: str, items: Iterable[Problem | QuarantinedRecord]) -> Iterator[Problem]:
        for each in items:
            if isinstance(each, Problem):
                counts[what] += 1
                yield each
            else:
                unread[each.reason] += 1

    questions: list[str] = []

    def others() -> Iterator[Problem]:
        seen = set[bytes]()
        for each in count("others", read_problems(other, store, mirror)):
            if each.id not in seen:
                seen.add(each.id)
                questions.append(each.question)
                yield each

    records: Counter[bytes] = Counter()

    def problems() -> Iterator[Problem]:
        for each in count("problems", read_problems(name, store, mirror)):
            records[each.id] += 1
            if records[each.id] == 1:
                yield each

    pairs = []
    strongest: dict[bytes, int] = {}
    levels: list[MatchLevel] = list(MATCH_LEVELS)
    for found in find_overlaps(problems(), others()):
        match, theirs = found.match, questions[found.other]
        pairs.append(Pair(match.level, found.question, theirs, match.covered, match.golds))
        rank = levels.index(match.level)
        strongest[found.id] = min(rank, strongest.get(found.id, rank))
    by_level: Counter[int] = Counter()
    for id_, rank in strongest.items():
        by_level[rank] += records[id_]
    return Comparison(
        counts["problems"],
        counts["others"],
        unread.total(),
        dict(unread.most_common()),
        {level: by_level[rank] for rank, level in enumerate(levels) if by_level[rank]},
        pairs,
    )


def read_problems(
    name: str, store: str | Path, mirror: Path | None, responses: bool = False
) -> Iterator[Problem | QuarantinedRecord]:
    """Yield the problems of a source, an evaluation set, a version, a file or a Hub dataset.

    With `responses`, those of a file or a Hub dataset have its responses as solutions, and those of
    a version have their solutions and include the problems whose rows are not in it.
    """
    if _is_source(name):
        source = source_by_name(name)
        yield from records(source, open_source(source, mirror))
        return
    with _open_version(name, Path(store)) as found:
        if found is not None:
            opened, manifest, engine = found
            for batch in engine.batches(_select_problems(opened, manifest, responses)):
                yield from to_problems(batch)
            return
    plain = name.removeprefix(IN_EVALS)
    if plain != name and not Path(name).exists():
        raise UsageError(unknown_name("evaluation set", plain, EVALS))
    yield from read_dataset(name, responses)


def _is_source(name: str) -> bool:
    plain = name.removeprefix(IN_EVALS)
    return name in SOURCES or (plain != name and plain in EVALS)


def ruled_problems(name: str, store: str | Path) -> set[bytes]:
    """Return the ids of the problems on which the errata of a version rule.

    Empty for a name that `read_problems` reads as something else: it has no errata.
    """
    if _is_source(name):
        return set()
    with _open_version(name, Path(store)) as found:
        if found is None:
            return set()
        opened, manifest, engine = found
        return {each for (each,) in engine.sql(select_ruled(opened, manifest)).fetchall()}


def _select_problems(store: Store, manifest: Manifest, rejected: bool) -> str:
    """SELECT of the problems of the rows of a version, without their solutions and programs; with
    `rejected`, with them, and also of the problems whose rows are not in it."""
    kept = (
        f"id IN (SELECT problem_id FROM ({version_rationales(store, manifest)}) "
        f"WHERE id IN (SELECT id FROM {scan_objects(store, [objects_of(manifest).rows])}))"
    )
    # A comparison needs the questions: without the long texts, it needs half the memory.
    texts = "" if rejected else "REPLACE ('' AS solution, '' AS program)"
    return f"""
        SELECT * EXCLUDE (subset) {texts} FROM ({problems_of(store, manifest)})
        WHERE {"true" if rejected else kept}
        QUALIFY row_number() OVER (PARTITION BY id ORDER BY place) = 1 ORDER BY id
    """


@contextmanager
def _open_version(name: str, store: Path) -> Iterator[tuple[Store, Manifest, Engine] | None]:
    """Open a version with an engine that may read it; None if the store has no such version.

    Raises NotFound, or UsageError without a store, for a name that can only be that of a version,
    such as `mine@9`.
    """
    # A file may have such a name; a dataset on the Hub has a slash.
    only_version = "@" in name and "/" not in name and not Path(name).exists()
    if not (store / "FORMAT").exists():
        if only_version:
            raise UsageError(
                f"No store at {store}, so there is no version '{name}'. Choose another store with "
                "--store."
            )
        yield None
        return
    with Store(store, readonly=True) as opened:
        try:
            manifest = opened.versions.get(name)
        except NotFound:
            if only_version:
                raise
            yield None
            return
        with opened.guard_query(digests(manifest)), opened.engine() as engine:
            yield opened, manifest, engine


def read_dataset(
    name: str, responses: bool = False, required: Sequence[str] = ("question",)
) -> Iterator[Problem | QuarantinedRecord]:
    """Yield the problems of a file or a Hub dataset, by the columns that are detected.

    With `responses`, one problem per response, which is its solution or program. Raises UsageError
    without a required column.
    """
    dataset = open_dataset(name, "", "train", "")
    columns = {each.content: each.column for each in find_columns(dataset.sample, {})}
    if not responses:  # a problem occurs once, however many responses it has
        columns.pop("response", None)
    for content in required:
        if content not in columns:
            names = ", ".join(dict.fromkeys(key for row in dataset.sample for key in row))
            seen = to_one_line(names, 300) or "none"
            raise UsageError(
                f"{name}: no column of {content}s was found. Columns: {seen}. Rename the one with "
                f"{content}s to '{content}'."
            )
    files = CustomFiles(
        file=str(dataset.folder / dataset.file) if dataset.file else "",
        hub=dataset.hub,
        split="" if dataset.file else dataset.split,
        revision=dataset.revision,
    )
    source: Source = custom_source("compared", files, columns, dataset.licence)
    try:
        yield from records(source, open_source(source))
    except OSError as error:
        raise SourceError(f"{name}: cannot read {error.filename}: {error.strerror}") from None
