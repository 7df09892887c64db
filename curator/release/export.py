"""Export a version to one file in a release format."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa

from curator.core.arrow import make_array
from curator.core.errors import CuratorError, UsageError
from curator.core.words import counted, verb
from curator.release import splits
from curator.release.attempts import PER_PROBLEM, Pairing, pair_attempts
from curator.release.formats import FORMATS, Format, Thoughts
from curator.release.formats.format import THOUGHT
from curator.release.labelled import LabelledRows, select_labelled
from curator.release.order import Order, check_order, order_rows
from curator.release.prompts import select_prompts
from curator.release.thoughts import leave_out_thoughts, place_thoughts
from curator.rewards.certification import Certificate
from curator.versions.content import content_of, objects_of
from curator.versions.lengths import LengthCounter, Lengths, counter, sampled
from curator.versions.queries import digests, scan_objects
from curator.versions.rows import Select, read_rows
from datastore.engine import Engine
from datastore.files import scratch
from datastore.new_file import refuse_existing
from datastore.store import Store
from datastore.versions import Manifest


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What an export chooses from the rows of a version."""

    held_out: float = 0.0
    """Share of the questions that go to a second file, `NAME-validation.SUFFIX`; all rows with the
    same question are in one file."""
    certificate: Certificate | None = None
    """Leaves out the prompts whose gold one of its functions misjudges. They are written to
    `NAME-misjudged.jsonl`."""
    per_problem: int = PER_PROBLEM
    """Maximum number of pairs per prompt, in a format of attempts."""
    order: Order = ""
    """Order of the rows of each file by solve rate."""
    thoughts: Thoughts = "keep"
    """Where thoughts are written, see `THOUGHTS`."""


@dataclass(frozen=True, slots=True)
class Exported:
    """The files of an export."""

    files: dict[Path, int] = field(default_factory=dict)
    """The number of lines of each file."""
    left_out: Counter[str] = field(default_factory=Counter)
    """The number of rows that a format of prompts, attempts or labelled steps leaves out, by
    reason."""
    pairing: Pairing = field(default_factory=Pairing)
    """How a format of attempts paired them."""
    labelled: LabelledRows = field(default_factory=LabelledRows)
    """The solutions of a format of labelled steps."""
    unrated: list[int] = field(default_factory=list)
    """The number of rows without a solve rate in each file, which come last in an order by it."""

    tokens: LengthCounter | None = None
    """Counts the tokens of the rows as they are written; None for formats of prompts, attempts or
    labelled steps."""

    @property
    def rows(self) -> int:
        """The number of rows of all files."""
        return sum(self.files.values())

    @property
    def lengths(self) -> list[Lengths]:
        """The lengths of the rows, or of a sample of them, per kind; empty without `tokens`."""
        return self.tokens.lengths() if self.tokens else []


DEFAULT_OPTIONS = ExportOptions()

_READ = ("id", "subset", "kind", "instruction", "text")
"""Columns that are read for every format of rows: to order them and to count their tokens."""


def export(
    store: Store,
    manifest: Manifest,
    form: str,
    target: Path,
    overwrite: bool = False,
    options: ExportOptions = DEFAULT_OPTIONS,
) -> Exported:
    """Write a version in one of the `FORMATS`.

    A format of prompts has one row per prompt whose gold can be checked; a format of attempts has
    pairs of a right and a wrong attempt. Raises UsageError for questions without a solution and
    for thoughts apart in a format that cannot state them, and for an order of a version without
    attempts; CuratorError if the rows are not as many as the manifest states; BadTarget if a file
    exists and `overwrite` is false.
    """
    if options.thoughts == "apart" and not FORMATS[form].thoughts:
        able = ", ".join(name for name, each in FORMATS.items() if each.thoughts)
        raise UsageError(
            f"{form} has no field for thoughts. Choose keep or drop, or one of: {able}."
        )
    files = {target: "train"}
    check_order(manifest, options.order)
    if options.order and (FORMATS[form].pairs or FORMATS[form].steps):
        raise UsageError(f"{form} has attempts, which have no order. Export without --order.")
    if options.held_out:
        files[target.with_name(f"{target.stem}-validation{target.suffix}")] = "validation"
    misjudged = misjudged_file(target)
    for path in [*files, *([misjudged] if options.certificate else [])]:  # before any work
        refuse_existing(path, overwrite)
    done = Exported(tokens=LengthCounter(counter()) if FORMATS[form].solutions else None)
    with ExitStack() as stack:
        stack.enter_context(_all_or_none(done))
        stack.enter_context(store.guard_query(digests(manifest)))
        engine = stack.enter_context(store.engine())
        _check_solutions(engine, store, manifest, form)
        folder = stack.enter_context(scratch(engine.folder))
        last = _last_counted(engine, store, manifest)

        def read(select: Select) -> Iterator[pa.RecordBatch]:
            rows = read_rows(engine, store, manifest, select)
            ordered, unrated = order_rows(engine, store, manifest, rows, options.order)
            done.unrated.append(unrated)
            # Before rows are paired: both sides of a pair, and their lengths, are without thoughts.
            return place_thoughts(ordered, options.thoughts)

        for path, split in files.items():
            rows = _select(read, FORMATS[form], split, options, done, folder)
            if done.tokens:
                rows = _count_tokens(rows, done.tokens, last)
            done.files[path] = FORMATS[form].write(rows, path, overwrite)
        _check_written(manifest, form, done)
        if options.certificate:
            options.certificate.write(misjudged, overwrite)
    return done


def _check_written(manifest: Manifest, form: str, done: Exported) -> None:
    """Raise CuratorError if rows are missing, UsageError if a format of some rows has none."""
    expected = content_of(manifest).rows.count
    pairs, steps = FORMATS[form].pairs, FORMATS[form].steps
    if pairs:
        done.left_out.update(done.pairing.left_out)
    written = done.pairing.pairs if pairs else done.labelled.kept if steps else done.rows
    total = written + done.left_out.total()
    if total != expected:
        raise CuratorError(
            f"{manifest.ref} has {counted(expected, 'row')}, but {total:,} "
            f"{verb(total, 'was', 'were')} read: its objects "
            "contradict its manifest. Build it again."
        )
    if pairs and expected and not done.pairing.pairs:
        raise UsageError(
            f"{manifest.ref} has no right and wrong attempts at one problem that match in length, "
            f"so {form} would be empty. Build a version with several responses per problem."
        )
    if steps and expected and not done.rows:
        raise UsageError(
            f"{manifest.ref} has no solution with labelled steps, so {form} would be empty. Build "
            "a version from a source that labels steps, such as prm800k."
        )


def _last_counted(engine: Engine, store: Store, manifest: Manifest) -> bytes:
    """Return the greatest id of the rows whose tokens are counted."""
    rows = scan_objects(store, [objects_of(manifest).rows])
    found = engine.sql(f"SELECT max(id) FROM ({sampled(rows)})").fetchall()[0][0]
    return found or b""


def _count_tokens(
    batches: Iterator[pa.RecordBatch], tokens: LengthCounter, last: bytes
) -> Iterator[pa.RecordBatch]:
    """Yield the rows, and count those up to the id `last`."""
    for batch in batches:
        names = ["kind", "instruction", "text"]
        names += [THOUGHT] if THOUGHT in batch.schema.names else []
        few = [row_id <= last for row_id in batch.column("id").to_pylist()]
        counted = batch.filter(make_array(few, pa.bool_()))
        for values in zip(*(counted.column(name).to_pylist() for name in names), strict=True):
            tokens.add(*values)
        yield batch


@contextmanager
def _all_or_none(done: Exported) -> Iterator[None]:
    """Remove the files that were written if a later one, or a check of them, fails."""
    try:
        yield
    except BaseException:
        for path in done.files:
            path.unlink(missing_ok=True)
        raise


def _select(
    read: Callable[[Select], Iterator[pa.RecordBatch]],
    form: Format,
    split: str,
    options: ExportOptions,
    done: Exported,
    folder: Path,
) -> Iterator[pa.RecordBatch]:
    """Return the batches of a split for a format; what is left out is counted in `done`."""
    if form.pairs:
        attempts = read(partial(splits.select_attempts, options.held_out, split))
        if options.thoughts == "drop":
            attempts = leave_out_thoughts(attempts, done.pairing)
        return pair_attempts(attempts, done.pairing, folder, options.per_problem)
    if form.steps:
        labelled = read(partial(splits.select_labelled, options.held_out, split))
        return select_labelled(labelled, done.labelled, done.left_out)
    select = partial(splits.select_split, options.held_out, split)
    if form.prompts:
        return select_prompts(read(select), done.left_out, folder, options.certificate)
    columns = dict.fromkeys((*_READ, *form.columns))
    return read(partial(splits.select_columns, list(columns), select))


def misjudged_file(target: Path) -> Path:
    """Return the file of the prompts that a certificate leaves out of a file."""
    return target.with_name(f"{target.stem}-misjudged.jsonl")


def _check_solutions(engine: Engine, store: Store, manifest: Manifest, form: str) -> None:
    """Raise UsageError if the format needs a solution and a row is a question alone."""
    content = content_of(manifest)
    asked = any("question" in subset.writers for subset in content.recipe.subsets.values())
    if not asked or not FORMATS[form].needs_solution:
        return
    questions = read_rows(engine, store, manifest, splits.select_questions)
    if count := sum(batch.num_rows for batch in questions):
        others = ", ".join(name for name, each in FORMATS.items() if not each.needs_solution)
        raise UsageError(
            f"{count:,} of {content.rows.count:,} rows of {manifest.ref} are questions without a "
            f"solution, whose output would be empty in {form}. Choose another format: {others}."
        )
