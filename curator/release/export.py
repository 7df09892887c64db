"""Export a version to one file in a release format."""

from pathlib import Path

from curator.core.errors import CuratorError
from curator.core.words import counted, verb
from curator.release.formats import FORMATS
from curator.versions.content import content_of
from curator.versions.queries import digests
from curator.versions.rows import read_rows
from datastore.store import Store
from datastore.versions import Manifest


def export(
    store: Store, manifest: Manifest, form: str, target: Path, overwrite: bool = False
) -> int:
    """Write a version to a file in one of the `FORMATS` and return the number of rows.

    Raises CuratorError if that is not the number that the manifest states.
    """
    with store.guard_query(digests(manifest)), store.engine() as engine:
        rows = read_rows(engine, store, manifest)
        written = FORMATS[form].write(rows, target, overwrite)
    expected = content_of(manifest).rows.count
    if written != expected:
        target.unlink()
        raise CuratorError(
            f"{manifest.ref} has {counted(expected, 'row')}, but {written:,} "
            f"{verb(written, 'was', 'were')} written: its objects "
            "contradict its manifest. Build it again."
        )
    return written
