"""Fetches named files of a Hub dataset at a pinned commit, through the Hub's own client.

In: a Source with a Hub id. Out: paths in the client's cache, their names and the commit;
SourceError with one line if they cannot be had. Files are only read as data: no loading script is
run. Honours HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and the client's cache as the client does.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from curator.core.errors import SourceError
from curator.sources.fetch.hub_errors import describe_hub_error
from curator.sources.source import Source

COMMIT = re.compile(r"[0-9a-f]{40}")
OFFLINE = "is the machine online? A mirror works without: --mirror DIR"


def fetch(source: Source, cache: Path | None = None) -> tuple[list[Path], list[str], str]:
    """Paths, names and commit. Files at a full commit that are in the cache need no network."""
    with _telling(source):
        if COMMIT.fullmatch(source.revision) and source.files:
            try:
                paths = _download(source, source.files, source.revision, cache, offline=True)
                return paths, list(source.files), source.revision
            except FileNotFoundError:
                pass  # not in the cache, or named by a pattern
        info = _info(source)
        names = _listed(source, info)
        return _download(source, names, info.sha, cache), names, info.sha


def probe(source: Source) -> str:
    """Asks whether the files could be had, without fetching them: the commit, or SourceError."""
    with _telling(source):
        info = _info(source)
        if info.gated:
            _api().auth_check(source.hub, repo_type="dataset")
    if source.files:
        _listed(source, info)
    return str(info.sha)


def stated_licence(source: Source) -> str:
    """The licence that the card of a dataset states; empty if it states none."""
    with _telling(source):
        info = _info(source)
    stated = info.card_data.get("license") if info.card_data else None
    found = stated if isinstance(stated, list) else [stated] if stated else []
    return ", ".join(str(each) for each in found)


@contextmanager
def _telling(source: Source) -> Iterator[None]:
    """Whatever the client or `datasets` raises becomes a SourceError of one line.

    Wide on purpose: they raise errors of their own, of httpx, of their readers and bare ones.
    """
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        raise _source_error(source, error) from None


def _info(source: Source) -> Any:
    """One request that is not retried: the client tries for 20 seconds to reach a file."""
    return _api().dataset_info(source.hub, revision=source.revision or "main", timeout=10)


def _endpoint() -> str | None:
    # The client reads HF_ENDPOINT once, when it is imported.
    return os.environ.get("HF_ENDPOINT")


def _api() -> Any:
    from huggingface_hub import HfApi

    return HfApi(endpoint=_endpoint())


def _download(
    source: Source, names: Sequence[str], revision: str, cache: Path | None, offline: bool = False
) -> list[Path]:
    from huggingface_hub import hf_hub_download

    return [
        Path(
            hf_hub_download(
                source.hub,
                name,
                repo_type="dataset",
                revision=revision,
                endpoint=_endpoint(),
                cache_dir=cache / "hub" if cache else None,
                local_files_only=offline,
            )
        )
        for name in names
    ]


def _listed(source: Source, info: Any) -> list[str]:
    """Names of the files that match the source's patterns or, without any, its config and split."""
    if not source.files:
        return _split_files(source, info.sha)
    held = [sibling.rfilename for sibling in info.siblings or []]
    names = []
    for pattern in source.files:
        found = sorted(name for name in held if fnmatch(name, pattern))
        if not found:
            raise SourceError(f"{source.name}: {source.hub} has no file {pattern} at {info.sha}")
        names += found
    return names


def _split_files(source: Source, revision: str) -> list[str]:
    """What `datasets` takes to be the data files of a config and split."""
    from datasets import load_dataset_builder

    builder = load_dataset_builder(source.hub, source.config or None, revision=revision)
    held = {str(split): files for split, files in (builder.config.data_files or {}).items()}
    if source.split not in held:
        known = ", ".join(sorted(held)) or "none"
        raise SourceError(
            f"{source.name}: {source.hub} has no split '{source.split}' in files; splits: {known}"
        )
    prefix = f"hf://datasets/{source.hub}@{revision}/"
    return sorted(str(each).removeprefix(prefix) for each in held[source.split])


def _source_error(source: Source, error: Exception) -> SourceError:
    at = f" at {source.revision}" if source.revision else ""
    why = describe_hub_error(
        error,
        revision=source.revision or "main",
        lacks=f"one of {', '.join(source.files)}{at}",
        offline=OFFLINE,
    )
    if not why:
        first = (str(error).splitlines() or [""])[0][:200]
        why = f"cannot be read ({type(error).__name__}: {first})"
    return SourceError(f"{source.name}: {source.hub} on the Hub {why}")
