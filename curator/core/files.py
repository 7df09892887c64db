"""Write a file so that readers see all of it or none.

The file is named by `datastore.files.publish`, as those of the store are.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from curator.core.errors import UsageError
from datastore.files import publish


@contextmanager
def write_aside(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`, which it replaces when the block ends.

    The file is on disk before it gets its name. After an error `target` is as it was before.
    Raises UsageError for a device or a pipe, which the file would replace.
    """
    if target.exists() and not target.is_file():
        raise UsageError(f"{target} is not a regular file. Choose another file.")
    temporary = target.with_name(f".{target.name}.{uuid4().hex}")
    try:
        yield temporary
        publish(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
