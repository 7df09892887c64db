"""What running processes do: one file per process with one line, which other processes can read.

In: a line, and changes of it. Out: the lines of live processes. The file is locked while its
process lives and removed at its end; the next one removes what a killed process left.
"""

from contextlib import suppress
from io import FileIO
from pathlib import Path

from datastore.errors import wrap_os_errors
from datastore.files import make_folder
from datastore.locks import is_elsewhere, is_locked, new_name, try_lock

FOLDER = "running"


class RunningLine:
    """The line of this process in the store at `root`, while the context is open."""

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER
        self._path = self._folder / new_name()
        self._file: FileIO | None = None

    def __enter__(self) -> "RunningLine":
        with wrap_os_errors("state what is running", self._folder):
            make_folder(self._folder)
            for path in self._folder.iterdir():
                if not is_elsewhere(path) and (left := try_lock(path)):
                    path.unlink(missing_ok=True)
                    left.close()
            self._file = try_lock(self._path)
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        if self._file:
            self._file.close()

    def write(self, line: str) -> None:
        """Replace the line. A full disk loses it, and nothing else."""
        if self._file:
            with suppress(OSError):
                self._file.truncate(0)
                self._file.write(line.encode("utf-8", "replace"))


def running_lines(root: Path) -> list[str]:
    """Return the lines of live processes, in order."""
    lines = []
    for path in (root / FOLDER).glob("*"):
        with suppress(OSError):  # the process ended after its file was listed
            if is_locked(path) and (line := path.read_text("utf-8", "replace")):
                lines.append(line)
    return sorted(lines)
