"""Export a version to one file in a release format."""

from pathlib import Path

from curator.release.formats import FORMATS
from curator.versions.queries import digests
from curator.versions.rows import rows_sql
from datastore.store import Store
from datastore.versions import Manifest


def export(
    store: Store, manifest: Manifest, form: str, target: Path, overwrite: bool = False
) -> int:
    """Write a version to a file in one of the `FORMATS` and return the number of rows."""
    with store.guard_query(digests(manifest)), store.engine() as engine:
        return FORMATS[form].write(engine, rows_sql(store, manifest), target, overwrite)
