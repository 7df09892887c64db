"""Finds the files of a source: in a local mirror, at the recipe's path, on the Hub or on GitHub.

In: a Source and optionally a mirror folder with sources/NAME/* and evals/NAME/*. Out: SourceFiles,
or a SourceError of one line.
"""

import glob
import os
from collections.abc import Callable
from hashlib import file_digest, sha256
from pathlib import Path
from types import ModuleType

from curator.core.errors import SourceError
from curator.sources.fetch import github, hub
from curator.sources.source import Source, SourceFiles, file_state


def hash_bytes(path: Path) -> str:
    """Return the sha256 of a file, as hex."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def open_source(
    source: Source,
    mirror: Path | None = None,
    cache: Path | None = None,
    hash_file: Callable[[Path], str] = hash_bytes,
) -> SourceFiles:
    """Return the files of a source, downloading them if necessary.

    With a mirror, only the mirror is searched, so that such a build never needs the network.
    `cache` is the folder of downloaded files (default: the user's cache folders). `hash_file`
    returns the sha256 of a local file; a store knows those of files that it has read before.
    """
    if source.local or mirror is not None:
        return _open_local(source, mirror, hash_file)
    paths, names, revision = _remote_module(source).fetch(source, cache)
    where = source.hub or source.github
    digest = sha256("\n".join([where, revision, *names, source.settings]).encode()).hexdigest()
    return SourceFiles(tuple(paths), tuple(names), revision, digest, f"{where} at {revision[:7]}")


def check_reachable(source: Source, mirror: Path | None = None) -> tuple[str | None, str]:
    """Check whether a source can be opened, without downloading its data.

    Returns (origin, ""), or (None, reason) with the message that `open_source` would raise.
    """
    try:
        if source.local or mirror is not None:
            return source.local or str(_list_files(source, mirror)[1]), ""
        where = source.hub or source.github
        return f"{where} at {_remote_module(source).probe(source)[:7]}", ""
    except SourceError as error:
        return None, str(error)


def _remote_module(source: Source) -> ModuleType:
    return hub if source.hub else github


def _list_files(source: Source, mirror: Path | None) -> tuple[list[Path], Path]:
    if source.local:
        paths = [Path(each) for each in sorted(glob.glob(source.local, recursive=True))]
        files = [each for each in paths if each.is_file()]
        if not files:
            raise SourceError(f"{source.name}: no file matches {source.local}. Check the path.")
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
            f"{source.name}: no data file in {folder}. Put upstream's files there, or omit the "
            "mirror to download from the Hub."
        )
    return files, folder


def _open_local(
    source: Source, mirror: Path | None, hash_file: Callable[[Path], str]
) -> SourceFiles:
    try:
        files, root = _list_files(source, mirror)
        names = [_place_name(each.relative_to(root)) for each in files]
        states = tuple(map(file_state, files))
        digest = sha256(source.settings.encode())
        for path, name in zip(files, names, strict=True):
            digest.update(f"{name}\n{hash_file(path)}\n".encode())
    except OSError as error:
        raise SourceError(
            f"{source.name}: cannot read {error.filename}: {error.strerror}"
        ) from None
    return SourceFiles(
        tuple(files), tuple(names), "", digest.hexdigest(), source.local or str(root), states
    )


def _place_name(path: Path) -> str:
    # Names become part of places, which are stored as valid UTF-8.
    return os.fsencode(path.as_posix()).decode("utf-8", "replace")
