"""Immutable, numbered manifests: `versions/<name>/<number>.json`, canonical JSON.

In: a name, the content that defines a version, and its objects. Out: Manifest. The digest covers
the content alone: what was built, not when, why or in which object files. A second digest covers
the whole file. The manifest of a removed version is renamed to `<number>.removed-<date>`: its
number stays taken.
"""

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Any

from datastore.errors import NotFound, StoreError, wrap_os_errors
from datastore.files import canonical_json, read_record, sync, write_record
from datastore.tags import Tags
from datastore.text import check_storable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_PREFIX = re.compile(r"[0-9a-f]{6,64}")
_MANIFEST = re.compile(r"([1-9][0-9]{0,17})\.json")
CREATED = "created"
"""Name, among the objects of a manifest, of the time at which it was written."""
_REMOVED = re.compile(r"([1-9][0-9]{0,17})\.removed-([0-9]{4}-[0-9]{2}-[0-9]{2})")


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
    """The digests of the objects that hold its rows, by name, and other facts about this copy."""

    @property
    def ref(self) -> str:
        """`name@number`."""
        return f"{self.name}@{self.number}"

    @property
    def created(self) -> str:
        """When it was written: `2026-11-30T12:00:00Z`; empty if an older release wrote it."""
        when = self.objects.get(CREATED, "")
        return when if isinstance(when, str) else ""


class Versions:
    """The versions of the store at `root`."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "versions"
        self._tmp = root / "tmp"
        self.tags = Tags(root)
        """Names that people give to versions: `name@tag`."""

    def create(
        self,
        name: str,
        content: dict[str, Any],
        parent: str | None,
        message: str,
        objects: dict[str, Any],
    ) -> Manifest:
        """Create the next version of `name`; return the newest one if it has the same content.

        The time is added to `objects`, which the digest does not cover. Processes that create
        versions at the same time get different numbers, and the number of a removed version is not
        given again. A name consists of letters, digits, `.`, `_` and `-`;
        another one raises StoreError, and so does text that cannot be stored.
        """
        if not _NAME.fullmatch(name):
            raise StoreError(
                f"'{name}' is not a valid version name. Begin with a letter or digit; then "
                "letters, digits, '.', '_' and '-' may follow, 100 characters in total."
            )
        try:
            check_storable([content, parent, message, objects])
            digest = sha256(canonical_json(content)).hexdigest()
        except ValueError as error:
            raise StoreError(
                f"{name} cannot be saved as a version: {error}. Remove it from what was read."
            ) from None
        while True:
            numbers = self.numbers(name)
            if numbers and (newest := self._read(name, numbers[-1])).digest == digest:
                return newest
            number = max([*numbers, *self.removed(name)], default=0) + 1
            dated = {**objects, CREATED: f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
            manifest = Manifest(name, number, digest, parent, message, content, dated)
            try:
                write_record(asdict(manifest), self._path(name, number), self._tmp, exclusive=True)
            except FileExistsError:
                continue  # another process took the number
            return manifest

    def get(self, ref: str) -> Manifest:
        """Return the version `name@number` or `name@tag`, the newest of `name`, or the one with a
        digest prefix.

        A digest prefix has at least 6 digits; of several versions with that digest the first is
        returned. Damaged versions are found by their number only.
        """
        name, number = self.split(ref)
        if numbers := self.numbers(name):
            if number is None:
                return self._read(name, numbers[-1])
            if number in numbers:
                return self._read(name, number)
        if number in self.removed(name):
            raise NotFound(self._describe_removed(name, number))
        if numbers:
            label = ref.rpartition("@")[2]
            if label in self.tags.of(name):
                raise StoreError(
                    f"The tag {ref} is damaged. Give it again: curator tag {name}@NUMBER {label}"
                )
            tags = ", ".join(self.tags.of(name))
            also = f" and the tags {tags}" if tags else ""
            raise NotFound(f"No version '{ref}'. {name} has {_list(numbers)}{also}.")
        if _PREFIX.fullmatch(ref):
            readable = (read for _, read in self.inspect() if isinstance(read, Manifest))
            matches = [manifest for manifest in readable if manifest.digest.startswith(ref)]
            if len({manifest.digest for manifest in matches}) > 1:
                refs = ", ".join(manifest.ref for manifest in matches)
                raise NotFound(f"'{ref}' is ambiguous: the digests of {refs} begin with it.")
            if matches:
                return matches[0]
        near = get_close_matches(name, self.names(), n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        names = ", ".join(self.names()) or "none yet"
        if removed := self.removed(name):
            missing = "" if number is None else f"No version '{ref}'. "
            described = self._describe_removed(name, max(removed))
            raise NotFound(f"{missing}{described} Versions: {names}.")
        raise NotFound(f"No version named '{name}'.{hint} Versions: {names}.")

    def split(self, ref: str) -> tuple[str, int | None]:
        """Return name and number of `name@number` or `name@tag`; 0 for a number that cannot exist.

        The number is None without one. Names are not validated: `@` belongs to the name of an
        existing version.
        """
        if self._files(ref):
            return ref, None
        name, separator, number = ref.rpartition("@")
        if not separator:
            return ref, None
        if re.fullmatch(r"[1-9][0-9]{0,17}", number):
            return name, int(number)
        return name, self.tags.of(name).get(number, 0)

    def names(self) -> list[str]:
        """Return all names that have a version, sorted."""
        if not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if self.numbers(path.name))

    def all(self) -> list[Manifest]:
        """Return all versions, by name and number, without those whose manifest is damaged."""
        return [read for _, read in self.inspect() if isinstance(read, Manifest)]

    def inspect(self) -> Iterator[tuple[str, Manifest | StoreError]]:
        """Yield `name@number` and manifest of all versions; for a damaged one, the error."""
        for name in self.names():
            for number in self.numbers(name):
                try:
                    yield f"{name}@{number}", self._read(name, number)
                except StoreError as error:
                    yield f"{name}@{number}", error

    def when(self, manifest: Manifest) -> str:
        """Return when a version was made; for one of an older release, when its file changed."""
        if manifest.created:
            return manifest.created
        with wrap_os_errors("read a manifest", path := self.path(manifest.ref)):
            changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        return f"{changed:%Y-%m-%dT%H:%M:%SZ}"

    def path(self, ref: str) -> Path:
        """Return the path of the manifest `name@number`, whether it exists or not."""
        name, number = self.split(ref)
        return self._path(name, number or 0)

    def remove(self, name: str, number: int) -> Path:
        """Remove a version, whose manifest may be damaged; return what remains of the manifest.

        The manifest is renamed, which needs no space and is done or not done after a kill. A
        version that was removed before is not an error; one that never existed raises NotFound.
        """
        path = self._path(name, number)
        if number in self.numbers(name):
            removed = path.with_name(f"{number}.removed-{date.today():%Y-%m-%d}")
            with wrap_os_errors("remove a version", path):
                os.rename(path, removed)
                sync(path.parent)
            return removed
        if number in (before := self.removed(name)):
            return before[number]
        raise NotFound(f"No version '{name}@{number}'.")

    def named_objects(self, path: Path) -> set[str]:
        """Return all digests in a manifest, even a damaged one or that of a removed version.

        Some of them are digests of other things than objects.
        """
        with wrap_os_errors("read a manifest", path):
            return {each.decode() for each in _DIGEST.findall(path.read_bytes())}

    def _path(self, name: str, number: int) -> Path:
        return self._folder / name / f"{number}.json"

    def numbers(self, name: str) -> list[int]:
        """Return the numbers of the versions of `name`, sorted; those of damaged ones, too."""
        names = (_MANIFEST.fullmatch(file) for file in self._files(name))
        return sorted(int(match[1]) for match in names if match)

    def removed(self, name: str) -> dict[int, Path]:
        """Return what remains of the manifests of removed versions, by number."""
        folder = self._folder / name
        names = (_REMOVED.fullmatch(file) for file in self._files(name))
        return {int(match[1]): folder / match[0] for match in names if match}

    def _files(self, name: str) -> list[str]:
        if Path(name).parts != (name,) or name == "..":  # would leave the folder of the versions
            return []
        try:
            return os.listdir(self._folder / name)
        except (FileNotFoundError, NotADirectoryError, ValueError):  # the last: a name with NUL
            return []

    def _describe_removed(self, name: str, number: int) -> str:
        path = self.removed(name)[number]
        when = path.name.rpartition("removed-")[2]
        try:
            command = read_record(path)["objects"]["command"]
            line = shlex.join(["curator", *command]) if command else ""
        except (ValueError, LookupError, TypeError):
            line = ""
        again = f" To make it again, under the next number: {line}." if line else ""
        return f"{name}@{number} was removed on {when}.{again}"

    def _read(self, name: str, number: int) -> Manifest:
        path = self._path(name, number)
        advice = f"Restore it from a copy, or run 'curator rm {name}@{number}' and rebuild."
        try:
            manifest = Manifest(**read_record(path))
            intact = _is_well_formed(manifest)
        except (ValueError, TypeError, RecursionError):
            intact = False
        if not intact:
            raise StoreError(f"{path} is damaged: its content does not match its digest. {advice}")
        if (manifest.name, manifest.number) != (name, number):
            raise StoreError(f"{path} is damaged: it is the manifest of {manifest.ref}. {advice}")
        return manifest


def _is_well_formed(manifest: Manifest) -> bool:
    """Return whether a manifest has the types that it states, and its own digest."""
    types = (str, int, str, str | None, str, dict, dict)
    values = [getattr(manifest, field.name) for field in fields(manifest)]
    check_storable(values)
    return (
        all(map(isinstance, values, types))
        and sha256(canonical_json(manifest.content)).hexdigest() == manifest.digest
    )


def _list(numbers: list[int]) -> str:
    """Return existing numbers in words: `only version 1`, `versions 1 to 4`, `versions 1, 4`."""
    if len(numbers) == 1:
        return f"only version {numbers[0]}"
    whole = numbers[-1] - numbers[0] == len(numbers) - 1
    return "versions " + (
        f"{numbers[0]} to {numbers[-1]}" if whole else ", ".join(map(str, numbers))
    )
