"""Write a file so that readers see all of it or none.

The store has its own way (`datastore.files.publish`): it also guards against concurrent writers.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def write_aside(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`, which it replaces when the block ends.

    The file is on disk before it gets its name. After an error `target` is as it was before.
    """
    temporary = target.with_name(f".{target.name}.{uuid4().hex}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
