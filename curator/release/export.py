"""Export a version to one file in a release format."""

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from curator.core.errors import CuratorError, UsageError
from curator.core.words import counted, verb
from curator.release.folder import select_questions, select_split
from curator.release.formats import FORMATS
from curator.release.order import Order, check_order, order_rows
from curator.release.prompts import select_prompts
from curator.versions.content import content_of
from curator.versions.queries import digests
from curator.versions.rows import read_rows
from datastore.engine import Engine
from datastore.files import scratch
from datastore.new_file import refuse_existing
from datastore.store import Store
from datastore.versions import Manifest


@dataclass(frozen=True, slots=True)
class Exported:
    """The files of an export."""

    files: dict[Path, int]
    """The number of rows of each file."""
    left_out: Counter[str]
    """The number of rows that a format of prompts leaves out, by reason."""
    unrated: int = 0
    """The number of rows without a solve rate, which come last in an order by it."""

    @property
    def rows(self) -> int:
        """The number of rows of all files."""
        return sum(self.files.values())


@dataclass(frozen=True, slots=True)
class Layout:
    """How the rows are distributed over the files."""

    held_out: float = 0.0
    """Share of the questions that go to the second file."""
    order: Order = ""
    """Order of the rows of each file by solve rate."""


DEFAULT_LAYOUT = Layout()


def export(
    store: Store,
    manifest: Manifest,
    form: str,
    target: Path,
    overwrite: bool = False,
    layout: Layout = DEFAULT_LAYOUT,
) -> Exported:
    """Write a version in one of the `FORMATS`.

    With `layout.held_out`, that share of the questions goes to a second file,
    `NAME-validation.SUFFIX`; all rows with the same question are in one file. A format of prompts
    has one row per prompt whose gold can be checked. Raises UsageError for questions without a
    solution in a format that cannot state them and for an order of a version without attempts,
    CuratorError if the rows are not as many as the manifest states, BadTarget if a file exists and
    `overwrite` is false.
    """
    files = {target: "train"}
    check_order(manifest, layout.order)
    if layout.held_out:
        files[target.with_name(f"{target.stem}-validation{target.suffix}")] = "validation"
    for path in files:  # before any work
        refuse_existing(path, overwrite)
    written: dict[Path, int] = {}
    left_out: Counter[str] = Counter()
    unrated = 0
    with ExitStack() as stack:
        stack.enter_context(store.guard_query(digests(manifest)))
        engine = stack.enter_context(store.engine())
        _check_solutions(engine, store, manifest, form)
        folder = stack.enter_context(scratch(engine.folder))
        for path, split in files.items():
            select = partial(select_split, layout.held_out, split)
            read = read_rows(engine, store, manifest, select)
            rows, count = order_rows(engine, store, manifest, read, layout.order)
            unrated += count
            if FORMATS[form].prompts:
                rows = select_prompts(rows, left_out, folder)
            written[path] = FORMATS[form].write(rows, path, overwrite)
    expected = content_of(manifest).rows.count
    total = sum(written.values()) + left_out.total()
    if total != expected:
        for path in files:
            path.unlink()
        raise CuratorError(
            f"{manifest.ref} has {counted(expected, 'row')}, but {total:,} "
            f"{verb(total, 'was', 'were')} read: its objects "
            "contradict its manifest. Build it again."
        )
    return Exported(written, left_out, unrated)


def _check_solutions(engine: Engine, store: Store, manifest: Manifest, form: str) -> None:
    """Raise UsageError if the format needs a solution and a row is a question alone."""
    content = content_of(manifest)
    asked = any("question" in subset.writers for subset in content.recipe.subsets.values())
    if not asked or not FORMATS[form].needs_solution:
        return
    questions = read_rows(engine, store, manifest, select_questions)
    if count := sum(batch.num_rows for batch in questions):
        others = ", ".join(name for name, each in FORMATS.items() if not each.needs_solution)
        raise UsageError(
            f"{count:,} of {content.rows.count:,} rows of {manifest.ref} are questions without a "
            f"solution, whose output would be empty in {form}. Choose another format: {others}."
        )
