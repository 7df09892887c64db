"""Immutable, numbered manifests: `versions/<name>/<number>.json`, canonical JSON, no times.

In: a name, the content that defines a version, and what else should be known of it. Out: Manifest.
The digest is over the content alone: what was built, not by which object files.
"""

import json
import re
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Any

from datastore.errors import NotFound, StoreError, wrap_os_errors
from datastore.files import canonical, write_json

_ADVICE = "restore it from a copy, or delete that file and build again"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PREFIX = re.compile(r"[0-9a-f]{6,64}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One version, as it was created and for ever."""

    name: str
    number: int
    """1 for the first version of the name, then 2, 3, …"""
    digest: str
    """sha256 of the canonical JSON of `content`, in hex."""
    parent: str | None
    """`name@number` of the version that this one was derived from."""
    message: str
    content: dict[str, Any]
    """What defines the version; equal content is the same version."""
    objects: dict[str, Any]
    """Digests of the objects that hold its rows, by name."""

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
        """The next version of `name`; the newest one, unchanged, if it has the same content.

        Of two processes that create at once each gets a number of its own. A name has letters,
        digits, `.`, `_` and `-`; another raises StoreError.
        """
        if not _NAME.fullmatch(name):
            raise StoreError(
                f"'{name}' cannot name a version: use letters, digits, '.', '_' and '-' only."
            )
        digest = sha256(canonical(content)).hexdigest()
        while True:
            number = max(self._numbers(name), default=0)
            if number and (newest := self._read(name, number)).digest == digest:
                return newest
            manifest = Manifest(name, number + 1, digest, parent, message, content, objects)
            try:
                write_json(
                    asdict(manifest), self._path(name, number + 1), self._tmp, exclusive=True
                )
            except FileExistsError:
                continue  # another process took the number
            return manifest

    def get(self, ref: str) -> Manifest:
        """The version `name@number`, the newest of `name`, or the one whose digest starts so.

        A digest needs at least 6 digits; of several versions with that digest it is the first.
        """
        name, at, number = ref.partition("@")
        if name in self.names():
            numbers = self._numbers(name)
            if not at:
                return self._read(name, numbers[-1])
            if number.isascii() and number.isdigit() and int(number) in numbers:
                return self._read(name, int(number))
            raise NotFound(f"No version '{ref}': {name} has versions 1 to {numbers[-1]}.")
        if _PREFIX.fullmatch(ref):
            found = [manifest for manifest in self.all() if manifest.digest.startswith(ref)]
            if len({manifest.digest for manifest in found}) > 1:
                refs = ", ".join(manifest.ref for manifest in found)
                raise NotFound(f"'{ref}' is ambiguous: it starts the digests of {refs}.")
            if found:
                return found[0]
        near = get_close_matches(name, self.names(), n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        known = ", ".join(self.names()) or "none yet"
        raise NotFound(f"No version named '{name}'.{hint} Known: {known}.")

    def names(self) -> list[str]:
        """All names that have a version, sorted."""
        if not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if self._numbers(path.name))

    def all(self) -> list[Manifest]:
        """All versions, by name, then number."""
        return [self._read(name, number) for name in self.names() for number in self._numbers(name)]

    def _path(self, name: str, number: int) -> Path:
        return self._folder / name / f"{number}.json"

    def _numbers(self, name: str) -> list[int]:
        files = (self._folder / name).glob("*.json")
        return sorted(int(path.stem) for path in files if path.stem.isdigit())

    def _read(self, name: str, number: int) -> Manifest:
        path = self._path(name, number)
        with wrap_os_errors("read a version", path):
            data = path.read_bytes()
        try:
            manifest = Manifest(**json.loads(data))
        except (ValueError, TypeError) as error:
            raise StoreError(f"{path} is damaged: it is no manifest; {_ADVICE}.") from error
        if sha256(canonical(manifest.content)).hexdigest() != manifest.digest:
            raise StoreError(
                f"{path} is damaged: its content does not match its digest; {_ADVICE}."
            )
        return manifest
