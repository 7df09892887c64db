"""Export a version to one file in a release format."""

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from curator.core.errors import CuratorError
from curator.release.formats import FORMATS
from curator.release.prompts import select_prompts
from curator.versions.content import content_of
from curator.versions.queries import digests
from curator.versions.rows import read_rows
from datastore.files import scratch
from datastore.store import Store
from datastore.versions import Manifest


def export(
    store: Store,
    manifest: Manifest,
    form: str,
    target: Path,
    overwrite: bool = False,
    left_out: Counter[str] | None = None,
) -> int:
    """Write a version to a file in one of the `FORMATS` and return the number of rows.

    A format of prompts has one row per prompt whose gold can be checked; `left_out` receives the
    number of the other rows by reason. Raises CuratorError if the rows are not as many as the
    manifest states.
    """
    counts = Counter[str]() if left_out is None else left_out
    with ExitStack() as stack:
        stack.enter_context(store.guard_query(digests(manifest)))
        engine = stack.enter_context(store.engine())
        rows = read_rows(engine, store, manifest)
        if FORMATS[form].prompts:
            rows = select_prompts(rows, counts, stack.enter_context(scratch(engine.folder)))
        written = FORMATS[form].write(rows, target, overwrite)
    expected, found = content_of(manifest).rows.count, written + counts.total()
    if found != expected:
        target.unlink()
        raise CuratorError(
            f"{manifest.ref} has {expected:,} rows, but {found:,} were read: its objects "
            "contradict its manifest. Build it again."
        )
    return written
