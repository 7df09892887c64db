"""Finds the files of a source: in a local mirror, where a recipe points, or on the Hub or GitHub.

In: a Source and perhaps a mirror folder laid out as MIRROR/sources/NAME/* and MIRROR/evals/NAME/*.
Out: Opened. A source that cannot be had is one SourceError of one line.
"""

import glob
import os
from hashlib import sha256
from pathlib import Path
from types import ModuleType

from curator.core.errors import SourceError
from curator.sources.fetch import github, hub
from curator.sources.source import Source, SourceFiles


def open_source(
    source: Source, mirror: Path | None = None, cache: Path | None = None
) -> SourceFiles:
    """The files of a source, fetched if need be.

    With a mirror only the mirror is looked at, so that a build with one never needs the network.
    `cache` is where GitHub files go (default: the user's cache folder); the Hub has its own.
    """
    if source.local or mirror is not None:
        return _local(source, mirror)
    paths, names, revision = _remote(source).fetch(source, cache)
    where = source.hub or source.github
    digest = sha256("\n".join([where, revision, *names, source.reading]).encode()).hexdigest()
    return SourceFiles(tuple(paths), tuple(names), revision, digest, f"{where} at {revision[:7]}")


def reachability(source: Source, mirror: Path | None = None) -> tuple[str | None, str]:
    """Where a source can be had and why or why not, without downloading its data.

    Returns (origin, ""), or (None, reason) with the one line that opening it would say.
    """
    try:
        if source.local or mirror is not None:
            return source.local or str(_files(source, mirror)[1]), ""
        where = source.hub or source.github
        return f"{where} at {_remote(source).probe(source)[:7]}", ""
    except SourceError as error:
        return None, str(error)


def _remote(source: Source) -> ModuleType:
    return hub if source.hub else github


def _files(source: Source, mirror: Path | None) -> tuple[list[Path], Path]:
    if source.local:
        found = [Path(each) for each in sorted(glob.glob(source.local, recursive=True))]
        files = [each for each in found if each.is_file()]
        if not files:
            raise SourceError(f"{source.name}: no file matches {source.local}; check the path")
        return files, Path(os.path.commonpath([each.parent for each in files]))
    assert mirror is not None
    folder = mirror / source.folder
    files = sorted(
        each
        for each in folder.rglob("*")
        if each.is_file() and not each.name.startswith((".", "README"))
    )
    if not files:
        raise SourceError(
            f"{source.name}: no data file in {folder}; put upstream's files there, or leave out "
            "the mirror to read the Hub"
        )
    return files, folder


def _local(source: Source, mirror: Path | None) -> SourceFiles:
    try:
        files, root = _files(source, mirror)
        names = [_name(each.relative_to(root)) for each in files]
        digest = sha256(source.reading.encode())
        for path, name in zip(files, names, strict=True):
            digest.update(f"{name}\n{_sha256(path)}\n".encode())
    except OSError as error:
        raise SourceError(
            f"{source.name}: cannot read {error.filename}: {error.strerror}"
        ) from None
    return SourceFiles(
        tuple(files), tuple(names), "", digest.hexdigest(), source.local or str(root)
    )


def _name(path: Path) -> str:
    # Names stand in places, which are stored as valid UTF-8.
    return os.fsencode(path.as_posix()).decode("utf-8", "replace")


def _sha256(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
