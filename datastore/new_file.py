"""A file that appears under its name only when it is complete.

In: the target path. Out: an open binary file beside it, which is moved to the target at the end.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedWriter
from pathlib import Path
from typing import BinaryIO

from datastore.errors import BadTarget, StoreError
from datastore.files import publish
from datastore.locks import try_lock


@contextmanager
def new_file(target: Path, overwrite: bool = False) -> Iterator[BinaryIO]:
    """Open a partial file for writing; on leaving the block it is durable and moved to `target`.

    Creates missing folders. An error or an interrupt removes the partial file and leaves an
    existing `target` unchanged. The next writer takes over the partial file of a killed process.
    Raises BadTarget if `target` exists and `overwrite` is false, or if another process is writing
    it; StoreError, with the cause, if the disk is full or not writable.
    """
    refuse_existing(target, overwrite)
    partial = target.with_name(f".{target.name}.partial")
    try:
        with _open_partial(partial, target) as out:
            yield out
            out.flush()
            refuse_existing(target, overwrite)
            publish(partial, target)
    except OSError as error:
        raise StoreError(
            f"Cannot write {target}: {error.strerror or error}. The file was not changed. "
            "Free some space or choose another file, then rerun."
        ) from error


@contextmanager
def _open_partial(partial: Path, target: Path) -> Iterator[BinaryIO]:
    """Yield the partial file, empty and locked, so that two exports never mix their bytes."""
    partial.parent.mkdir(parents=True, exist_ok=True)
    file = try_lock(partial)
    if file is None:
        raise BadTarget(
            f"{target} is being written by another process. Wait, or choose another file."
        )
    # Close the raw file: on a full disk the buffer's last bytes cannot, and need not, be written.
    with file:
        file.truncate(0)
        file.seek(0)
        try:
            yield BufferedWriter(file, 1 << 20)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def refuse_existing(target: Path, overwrite: bool) -> None:
    """Raise BadTarget if `target` is no file, or exists and `overwrite` is false."""
    if target.is_dir():
        raise BadTarget(f"{target} is a folder. Choose a file in it.")
    if target.exists() and not target.is_file():
        raise BadTarget(f"{target} is not a regular file. Choose another file.")
    if target.exists() and not overwrite:
        raise BadTarget(f"{target} exists. Choose another file, or pass --overwrite to replace it.")
