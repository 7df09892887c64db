"""The one exception of the store, and the translation of the system's errors into it.

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
    """The store cannot do what was asked; what it held before is whole."""


class NotFound(StoreError):
    """No version has that name, or more than one."""


class BadTarget(StoreError):
    """A file cannot be written where it was asked for; the user has to name another place."""


class wrap_os_errors:
    """Turns an OSError inside the block into a StoreError that says what we were doing, and where.

    Wrap only the store's own reads and writes: an OSError of a caller's iterator is not ours.
    FileExistsError passes: it is the answer to an exclusive creation, not trouble. It is a class
    because a generator takes three times as long, at each of a million claims.
    """

    def __init__(self, doing: str, path: Path) -> None:
        self._doing, self._path = doing, path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if not isinstance(error, OSError) or isinstance(error, FileExistsError):
            return
        why = os.strerror(error.errno) if error.errno else " ".join(str(error).split())
        if error.errno in _FULL:
            advice = "free some space and run the same again; what was finished is kept"
        elif error.errno in _FORBIDDEN:
            advice = "use another store, or make this one writable"
        else:
            advice = "what was finished is kept"
        raise StoreError(f"Cannot {self._doing} ({self._path}): {why}; {advice}.") from error


@contextmanager
def wrap_parquet_errors(path: Path, advice: str) -> Iterator[None]:
    """Turns what pyarrow raises over bytes that are no Parquet into a StoreError with `advice`.

    Wrap only reads of the file at `path`. Troubles of the system, which have a number, pass.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise StoreError(f"{path} is damaged: {advice}.") from error
