"""Reads the manifest of a published folder, and compares the folder's files with it.

In: a folder with `manifest.json`, `data/SUBSET/*.parquet` and other files. Out: the version that it
states, or UsageError where a file is not the published one. Not covered: parts of the manifest
other than `files`, `content` and `digest`, such as the message; none is trained on.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from curator.core.errors import UsageError
from curator.core.json_text import parse_json

LONGEST = 50_000_000
"""Maximum size of a manifest in bytes."""
_ADVICE = "Export or download the release again."


@dataclass(frozen=True)
class ReleaseManifest:
    """What the manifest of a published folder states."""

    folder: Path
    version: str
    """Version that was published, such as `mathinstruct@3`."""
    digest: str
    """Digest of that version."""
    files: Mapping[str, Mapping[str, Any]]
    """By path relative to the folder: `sha256` of the file, and other facts."""

    def check_complete(self, files: Iterable[Path], split: str) -> None:
        """Raise UsageError unless `files` include every listed file `data/*/SPLIT-*.parquet`."""
        present = {file.relative_to(self.folder).as_posix() for file in files}
        for name in sorted(self.files.keys() - present):
            if name.startswith("data/") and name.rpartition("/")[2].startswith(f"{split}-"):
                raise UsageError(f"{self.folder / name} is missing. {_ADVICE}")

    def check_file(self, file: Path, digest: str) -> None:
        """Raise UsageError unless the manifest lists the file with this sha256."""
        listed = self.files.get(file.relative_to(self.folder).as_posix(), {}).get("sha256")
        if listed != digest:
            what = "was changed after it was published" if listed else "is not in manifest.json"
            raise UsageError(f"{file} {what}. {_ADVICE}")


def read_manifest(folder: Path) -> ReleaseManifest | None:
    """Return the manifest of a folder; None without one of a release.

    Raises UsageError if it contradicts itself.
    """
    file = folder / "manifest.json"
    if not file.is_file():
        return None
    try:
        values = parse_json(file.read_bytes()[:LONGEST])
        if isinstance(values, dict) and not values.keys() & {"content", "digest", "files"}:
            return None  # of another tool
        content = json.dumps(values["content"], sort_keys=True, separators=(",", ":"))
        digest, version, files = values["digest"], values["version"], values["files"]
        valid = digest == sha256(content.encode()).hexdigest() and all(
            isinstance(each, dict) for each in files.values()
        )
        valid = valid and len(version) < 300 and version.isprintable()
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        valid = False
    if not valid:
        raise UsageError(f"{file} is not a release's manifest, or it was changed. {_ADVICE}")
    return ReleaseManifest(folder, version, digest, files)
