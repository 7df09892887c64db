"""Export a version to one file in a release format."""

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from curator.core.errors import CuratorError, UsageError
from curator.core.words import counted, verb
from curator.release.folder import select_questions, select_split
from curator.release.formats import FORMATS, Thoughts
from curator.release.prompts import select_prompts
from curator.release.thoughts import place_thoughts
from curator.versions.content import content_of
from curator.versions.queries import digests
from curator.versions.rows import read_rows
from datastore.engine import Engine
from datastore.files import scratch
from datastore.new_file import refuse_existing
from datastore.store import Store
from datastore.versions import Manifest


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How rows are divided between files and written."""

    overwrite: bool = False
    """Whether to replace files that exist."""
    held_out: float = 0.0
    """Share of the questions that goes to a second file, `NAME-validation.SUFFIX`; all rows with
    the same question are in one file."""
    thoughts: Thoughts = "keep"
    """Where thoughts are written, see `THOUGHTS`."""


DEFAULTS = ExportOptions()


@dataclass(frozen=True, slots=True)
class Exported:
    """The files of an export."""

    files: dict[Path, int]
    """The number of rows of each file."""
    left_out: Counter[str]
    """The number of rows that a format of prompts leaves out, by reason."""

    @property
    def rows(self) -> int:
        """The number of rows of all files."""
        return sum(self.files.values())


def export(
    store: Store,
    manifest: Manifest,
    form: str,
    target: Path,
    options: ExportOptions = DEFAULTS,
) -> Exported:
    """Write a version in one of the `FORMATS`.

    A format of prompts has one row per prompt whose gold can be checked. Raises UsageError for
    questions without a solution and for thoughts apart in a format that cannot state them,
    CuratorError if the rows are not as many as the manifest states, BadTarget if a file exists that
    may not be overwritten.
    """
    held_out, overwrite = options.held_out, options.overwrite
    if options.thoughts == "apart" and not FORMATS[form].thoughts:
        able = ", ".join(name for name, each in FORMATS.items() if each.thoughts)
        raise UsageError(
            f"{form} has no field for thoughts. Choose keep or drop, or one of: {able}."
        )
    files = {target: "train"}
    if held_out:
        files[target.with_name(f"{target.stem}-validation{target.suffix}")] = "validation"
    for path in files:  # before any work
        refuse_existing(path, overwrite)
    written: dict[Path, int] = {}
    left_out: Counter[str] = Counter()
    with ExitStack() as stack:
        stack.enter_context(store.guard_query(digests(manifest)))
        engine = stack.enter_context(store.engine())
        _check_solutions(engine, store, manifest, form)
        folder = stack.enter_context(scratch(engine.folder))
        for path, split in files.items():
            rows = read_rows(engine, store, manifest, partial(select_split, held_out, split))
            if FORMATS[form].prompts:
                rows = select_prompts(rows, left_out, folder)
            rows = place_thoughts(rows, options.thoughts)
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
    return Exported(written, left_out)


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
