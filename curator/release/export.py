"""Export a version to one file in a release format."""

from functools import partial
from pathlib import Path

from curator.core.errors import CuratorError, UsageError
from curator.core.words import counted, verb
from curator.release.folder import select_questions, select_split
from curator.release.formats import FORMATS
from curator.versions.content import content_of
from curator.versions.queries import digests
from curator.versions.rows import read_rows
from datastore.engine import Engine
from datastore.new_file import refuse_existing
from datastore.store import Store
from datastore.versions import Manifest


def export(
    store: Store,
    manifest: Manifest,
    form: str,
    target: Path,
    overwrite: bool = False,
    held_out: float = 0.0,
) -> dict[Path, int]:
    """Write a version in one of the `FORMATS` and return the number of rows per file.

    With `held_out`, that share of the questions goes to a second file, `NAME-validation.SUFFIX`;
    all rows with the same question are in one file. Raises UsageError for questions without a
    solution in a format that cannot state them, CuratorError if the rows are not as many
    as the manifest states, BadTarget if a file exists and `overwrite` is false.
    """
    files = {target: "train"}
    if held_out:
        files[target.with_name(f"{target.stem}-validation{target.suffix}")] = "validation"
    for path in files:  # before any work
        refuse_existing(path, overwrite)
    written = {}
    with store.guard_query(digests(manifest)), store.engine() as engine:
        _check_solutions(engine, store, manifest, form)
        for path, split in files.items():
            rows = read_rows(engine, store, manifest, partial(select_split, held_out, split))
            written[path] = FORMATS[form].write(rows, path, overwrite)
    expected, total = content_of(manifest).rows.count, sum(written.values())
    if total != expected:
        for path in files:
            path.unlink()
        raise CuratorError(
            f"{manifest.ref} has {counted(expected, 'row')}, but {total:,} "
            f"{verb(total, 'was', 'were')} written: its objects "
            "contradict its manifest. Build it again."
        )
    return written


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
