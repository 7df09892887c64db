"""The exceptions of the store, and the translation of system errors into them.

Every message is one line: what was seen, what it means, what to do.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)


class StoreError(Exception):
    """The store cannot perform an operation; its existing content is intact."""


class NotFound(StoreError):
    """No version matches the reference, or more than one does."""


class BadTarget(StoreError):
    """A file cannot be written at this path; the user must choose another one."""


class wrap_os_errors:
    """Turn an OSError inside the block into a StoreError that names the operation and the path.

    Wrap only the store's own reads and writes: an OSError of a caller's iterator is not a store
    error. FileExistsError passes, since it is the answer to an exclusive creation. It is a class
    because a generator takes three times as long, at each of a million claims.
    """

    def __init__(self, operation: str, path: Path) -> None:
        self._operation, self._path = operation, path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if not isinstance(error, OSError) or isinstance(error, FileExistsError):
            return
        reason = os.strerror(error.errno) if error.errno else " ".join(str(error).split())
        if error.errno in _FULL:
            advice = "Free some space and rerun; finished work is saved."
        elif error.errno in _FORBIDDEN:
            advice = "Use another store, or make this one writable."
        else:
            advice = "Finished work is saved."
        raise StoreError(f"Cannot {self._operation} ({self._path}): {reason}. {advice}") from error


@contextmanager
def wrap_parquet_errors(path: Path, advice: str) -> Iterator[None]:
    """Turn pyarrow's errors about bytes that are not Parquet into a StoreError with `advice`.

    Wrap only reads of the file at `path`. System errors, which have a number, pass.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise StoreError(f"{path} is damaged. {advice}") from error
