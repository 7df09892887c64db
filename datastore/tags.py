"""Tags: names that people give to versions, in files `versions/<name>/<tag>.tag`.

In: the name of the versions, a tag and a number. Out: the number behind each tag. A tag can be
moved to another version, unlike a number.
"""

import re
from pathlib import Path

from datastore.errors import StoreError, wrap_os_errors
from datastore.files import read_record, sync, write_record

TAG = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")
"""A tag begins with a letter, so that it is no number."""
_SUFFIX = ".tag"


class Tags:
    """The tags of the store at `root`."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "versions"
        self._tmp = root / "tmp"

    def of(self, name: str) -> dict[str, int]:
        """Return the number behind each tag of `name`, sorted; 0 where the file is damaged."""
        return {path.stem: _read(path) for path in self._files(name)}

    def damaged(self) -> list[Path]:
        """Return the files of tags that are damaged."""
        folders = sorted(self._folder.glob("*/")) if self._folder.is_dir() else []
        return [path for each in folders for path in self._files(each.name) if not _read(path)]

    def set(self, name: str, tag: str, number: int) -> None:
        """Give a tag to a version, durably; the version that had it loses it."""
        if not TAG.fullmatch(tag):
            raise StoreError(
                f"'{tag}' is not a valid tag. Begin with a letter; then letters, digits, '.', '_' "
                "and '-' may follow, 64 characters in total."
            )
        write_record({"number": number}, self._path(name, tag), self._tmp)

    def remove(self, name: str, tag: str) -> None:
        """Remove a tag; the version stays. Removing one that does not exist is not an error."""
        path = self._path(name, tag)
        with wrap_os_errors("remove a tag", path):
            path.unlink(missing_ok=True)
            sync(path.parent)

    def _files(self, name: str) -> list[Path]:
        if Path(name).parts != (name,) or name == "..":  # would leave the folder of the versions
            return []
        found = (self._folder / name).glob(f"*{_SUFFIX}") if "\0" not in name else ()
        return sorted(path for path in found if TAG.fullmatch(path.stem))

    def _path(self, name: str, tag: str) -> Path:
        return self._folder / name / f"{tag}{_SUFFIX}"


def _read(path: Path) -> int:
    try:
        number = read_record(path)["number"]
    except (ValueError, LookupError, StoreError):
        return 0
    return number if isinstance(number, int) and number > 0 else 0
