"""A file that appears under its name only when it is complete.

In: the path that is wanted. Out: an open binary file beside it, moved to that path at the end.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedWriter
from pathlib import Path
from typing import BinaryIO

from datastore.errors import BadTarget, StoreError
from datastore.files import publish
from datastore.locks import claim


@contextmanager
def new_file(target: Path, overwrite: bool = False) -> Iterator[BinaryIO]:
    """Opens `target`'s partial file for writing; on leaving it is durable and has its name.

    Folders on the way are made. An error, or an interrupt, removes what was written and leaves an
    older `target` as it was. What a killed process left is taken over by the next writer.
    Raises BadTarget if `target` exists and `overwrite` is not set, or if another process is
    writing it; StoreError, naming the cause, if the disk is full or does not let us write.
    """
    _refuse_existing(target, overwrite)
    partial = target.with_name(f".{target.name}.partial")
    try:
        with _alone(partial, target) as out:
            yield out
            out.flush()
            _refuse_existing(target, overwrite)
            publish(partial, target)
    except OSError as error:
        raise StoreError(
            f"Cannot write {target}: {error.strerror or error}. Nothing was changed there; "
            "make room or name another place, and do it again."
        ) from error


@contextmanager
def _alone(partial: Path, target: Path) -> Iterator[BinaryIO]:
    """The partial file, empty and locked, so that two exports never mix their bytes."""
    partial.parent.mkdir(parents=True, exist_ok=True)
    locked = claim(partial)
    if locked is None:
        raise BadTarget(f"{target} is being written by another process; wait, or name another.")
    # Closed raw: on a full disk the buffer's last bytes cannot be written, and need not be.
    with locked:
        locked.truncate(0)
        locked.seek(0)
        try:
            yield BufferedWriter(locked, 1 << 20)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def _refuse_existing(target: Path, overwrite: bool) -> None:
    if target.is_dir():
        raise BadTarget(f"{target} is a folder; name a file in it.")
    if target.exists() and not target.is_file():
        raise BadTarget(f"{target} is no regular file; name another.")
    if target.exists() and not overwrite:
        raise BadTarget(f"{target} exists; name another file, or replace it by --overwrite.")
