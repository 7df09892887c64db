"""Immutable, numbered manifests: `versions/<name>/<number>.json`, canonical JSON, no times.

In: a name, the content that defines a version, and its objects. Out: Manifest. The digest covers
the content alone: what was built, not in which object files. A second digest covers the whole file.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Any

from datastore.errors import NotFound, StoreError
from datastore.files import canonical_json, read_record, write_record

_ADVICE = "Restore it from a copy, or delete the file and rebuild."
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PREFIX = re.compile(r"[0-9a-f]{6,64}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One version; it never changes."""

    name: str
    number: int
    """1 for the first version of the name, then 2, 3, …"""
    digest: str
    """The sha256 of the canonical JSON of `content`, in hex."""
    parent: str | None
    """`name@number` of the version from which this one was derived."""
    message: str
    content: dict[str, Any]
    """What defines the version; versions with equal content are the same version."""
    objects: dict[str, Any]
    """The digests of the objects that hold its rows, by name."""

    @property
    def ref(self) -> str:
        """`name@number`."""
        return f"{self.name}@{self.number}"


class Versions:
    """The versions of the store at `root`."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "versions"
        self._tmp = root / "tmp"

    def create(
        self,
        name: str,
        content: dict[str, Any],
        parent: str | None,
        message: str,
        objects: dict[str, Any],
    ) -> Manifest:
        """Create the next version of `name`; return the newest one if it has the same content.

        Processes that create versions at the same time get different numbers. A name consists of
        letters, digits, `.`, `_` and `-`; another one raises StoreError.
        """
        if not _NAME.fullmatch(name):
            raise StoreError(
                f"'{name}' is not a valid version name. Use letters, digits, '.', '_' and '-' only."
            )
        digest = sha256(canonical_json(content)).hexdigest()
        while True:
            number = max(self._numbers(name), default=0)
            if number and (newest := self._read(name, number)).digest == digest:
                return newest
            manifest = Manifest(name, number + 1, digest, parent, message, content, objects)
            try:
                write_record(
                    asdict(manifest), self._path(name, number + 1), self._tmp, exclusive=True
                )
            except FileExistsError:
                continue  # another process took the number
            return manifest

    def get(self, ref: str) -> Manifest:
        """Return the version `name@number`, the newest of `name`, or the one with a digest prefix.

        A digest prefix has at least 6 digits; of several versions with that digest the first is
        returned.
        """
        name, separator, number = ref.partition("@")
        if name in self.names():
            numbers = self._numbers(name)
            if not separator:
                return self._read(name, numbers[-1])
            if number.isascii() and number.isdigit() and int(number) in numbers:
                return self._read(name, int(number))
            known = "only version 1" if numbers[-1] == 1 else f"versions 1 to {numbers[-1]}"
            raise NotFound(f"No version '{ref}'. {name} has {known}.")
        if _PREFIX.fullmatch(ref):
            matches = [manifest for manifest in self.all() if manifest.digest.startswith(ref)]
            if len({manifest.digest for manifest in matches}) > 1:
                refs = ", ".join(manifest.ref for manifest in matches)
                raise NotFound(f"'{ref}' is ambiguous: the digests of {refs} begin with it.")
            if matches:
                return matches[0]
        near = get_close_matches(name, self.names(), n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        names = ", ".join(self.names()) or "none yet"
        raise NotFound(f"No version named '{name}'.{hint} Versions: {names}.")

    def names(self) -> list[str]:
        """Return all names that have a version, sorted."""
        if not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if self._numbers(path.name))

    def all(self) -> list[Manifest]:
        """Return all versions, by name and number."""
        return [self._read(name, number) for name in self.names() for number in self._numbers(name)]

    def inspect(self) -> Iterator[tuple[str, Manifest | StoreError]]:
        """Yield `name@number` and manifest of all versions; for a damaged one, the error."""
        for name in self.names():
            for number in self._numbers(name):
                try:
                    yield f"{name}@{number}", self._read(name, number)
                except StoreError as error:
                    yield f"{name}@{number}", error

    def path(self, ref: str) -> Path:
        """Return the path of the manifest `name@number`, whether it exists or not."""
        name, _, number = ref.partition("@")
        return self._path(name, int(number))

    def _path(self, name: str, number: int) -> Path:
        return self._folder / name / f"{number}.json"

    def _numbers(self, name: str) -> list[int]:
        files = (self._folder / name).glob("*.json")
        return sorted(int(path.stem) for path in files if path.stem.isdigit())

    def _read(self, name: str, number: int) -> Manifest:
        path = self._path(name, number)
        try:
            manifest = Manifest(**read_record(path))
        except (ValueError, TypeError):
            manifest = None
        if (
            manifest is None
            or sha256(canonical_json(manifest.content)).hexdigest() != manifest.digest
        ):
            raise StoreError(f"{path} is damaged: its content does not match its digest. {_ADVICE}")
        if (manifest.name, manifest.number) != (name, number):
            raise StoreError(f"{path} is damaged: it is the manifest of {manifest.ref}. {_ADVICE}")
        return manifest
