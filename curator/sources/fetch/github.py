"""Downloads files of a GitHub repository at a commit, for datasets that the Hub does not have.

In: a Source with a GitHub repository and a full commit. Out: paths in the user's cache folder,
their names and the commit, or a SourceError of one line. Requests are not retried.
GITHUB_RAW_ENDPOINT overrides the host of raw files.
"""

import os
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

from curator.core.errors import SourceError
from curator.core.files import write_aside
from curator.core.redaction import redact_secrets
from curator.sources.fetch.hub import COMMIT, OFFLINE
from curator.sources.source import Source

HOST = "https://raw.githubusercontent.com"
LARGEST = 2 << 30
"""Maximum bytes of one file."""


def fetch(source: Source, cache: Path | None = None) -> tuple[list[Path], list[str], str]:
    """Return paths, names and commit; cached files need no network."""
    if not COMMIT.fullmatch(source.revision):
        raise SourceError(
            f"{source.name}: expected a full commit as the revision of a GitHub source"
        )
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mathcurator"
    folder = (cache or home) / "github" / source.github / source.revision
    paths = []
    for name in source.files:
        path = folder / name
        if not path.exists():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                _download(source, name, path)
            except (OSError, HTTPException) as error:
                raise _fetch_error(source, name, error) from None
        paths.append(path)
    return paths, list(source.files), source.revision


def probe(source: Source) -> str:
    """Check that the first file exists, without downloading it; return the commit."""
    request = urllib.request.Request(_url(source, source.files[0]), method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except (OSError, HTTPException) as error:
        raise _fetch_error(source, source.files[0], error) from None
    return source.revision


def _url(source: Source, name: str) -> str:
    host = os.environ.get("GITHUB_RAW_ENDPOINT", HOST).rstrip("/")
    return f"{host}/{source.github}/{source.revision}/{name}"


def _download(source: Source, name: str, path: Path) -> None:
    with write_aside(path) as partial:
        with (
            urllib.request.urlopen(_url(source, name), timeout=30) as response,
            partial.open("wb") as file,
        ):
            expected = int(response.headers.get("Content-Length") or 0)
            while chunk := response.read(1 << 20):
                file.write(chunk)
                if file.tell() > LARGEST:
                    raise SourceError(f"{source.name}: {name} is larger than {LARGEST >> 30} GB")
            if file.tell() < expected:
                raise HTTPException("the connection was closed early")
        with partial.open("rb") as file:
            if file.read(30).startswith(b"version https://git-lfs."):
                raise SourceError(f"{source.name}: GitHub stores {name} in LFS. Use a mirror.")


def _fetch_error(source: Source, name: str, error: Exception) -> SourceError:
    if isinstance(error, urllib.error.HTTPError):
        problem = f"returned HTTP status {error.code}"
    else:
        first = redact_secrets((str(error).splitlines() or [""])[0])[:200]
        problem = f"cannot be downloaded ({first}); {OFFLINE}"
    return SourceError(f"{source.name}: {source.github}/{name} on GitHub {problem}")
