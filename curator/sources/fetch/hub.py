"""Downloads files of a Hub dataset at a pinned commit, through the official client.

In: a Source with a Hub id. Out: paths in the client's cache, their names and the commit, or a
SourceError of one line. Files are only read as data: no loading script runs. HF_ENDPOINT,
HF_TOKEN, HF_HUB_OFFLINE and the cache work as in the client.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from curator.core.errors import SourceError
from curator.core.redaction import redact_secrets
from curator.sources.fetch.hub_errors import describe_hub_error
from curator.sources.source import Source

COMMIT = re.compile(r"[0-9a-f]{40}")
OFFLINE = "check the network connection, or read a local copy with --mirror DIR"


def fetch(source: Source, cache: Path | None = None) -> tuple[list[Path], list[str], str]:
    """Return paths, names and commit; cached files at a full commit need no network."""
    with _wrap_hub_errors(source):
        if COMMIT.fullmatch(source.revision) and source.files:
            try:
                paths = _download(source, source.files, source.revision, cache, offline=True)
                return paths, list(source.files), source.revision
            except FileNotFoundError:
                pass  # not in the cache, or named by a pattern
        info = _dataset_info(source)
        names = _matching_files(source, info)
        return _download(source, names, info.sha, cache), names, info.sha


def probe(source: Source) -> str:
    """Check that the files are accessible, without downloading them; return the commit."""
    with _wrap_hub_errors(source):
        info = _dataset_info(source)
        if info.gated:
            open_api().auth_check(source.hub, repo_type="dataset")
    if source.files:
        _matching_files(source, info)
    return str(info.sha)


def card_licence(source: Source) -> str:
    """Return the licence on the dataset card, or an empty string."""
    with _wrap_hub_errors(source):
        info = _dataset_info(source)
    licence = info.card_data.get("license") if info.card_data else None
    licences = licence if isinstance(licence, list) else [licence] if licence else []
    return ", ".join(str(each) for each in licences)


@contextmanager
def _wrap_hub_errors(source: Source) -> Iterator[None]:
    """Convert any exception of the client or of `datasets` into a SourceError of one line.

    Catches Exception, since they raise their own errors, those of httpx and of file readers, and
    bare ones.
    """
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        raise _source_error(source, error) from None


def _dataset_info(source: Source) -> Any:
    """Request the dataset's description once: file downloads would be retried for 20 seconds."""
    return open_api().dataset_info(source.hub, revision=source.revision or "main", timeout=10)


def _endpoint() -> str | None:
    # The client reads HF_ENDPOINT only when it is imported.
    return os.environ.get("HF_ENDPOINT")


def open_api() -> Any:
    """Return the Hub's client for the endpoint of HF_ENDPOINT."""
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


def _matching_files(source: Source, info: Any) -> list[str]:
    """Return the files that match the source's patterns or, without patterns, its split."""
    if not source.files:
        return _split_files(source, info.sha)
    available = [sibling.rfilename for sibling in info.siblings or []]
    names = []
    for pattern in source.files:
        matches = sorted(name for name in available if fnmatch(name, pattern))
        if not matches:
            raise SourceError(f"{source.name}: {source.hub} has no file {pattern} at {info.sha}")
        names += matches
    return names


def _split_files(source: Source, revision: str) -> list[str]:
    """Return the data files of a config and split, as `datasets` resolves them."""
    from datasets import load_dataset_builder

    builder = load_dataset_builder(source.hub, source.config or None, revision=revision)
    splits = {str(split): files for split, files in (builder.config.data_files or {}).items()}
    if source.split not in splits:
        known = ", ".join(sorted(splits)) or "none"
        raise SourceError(
            f"{source.name}: {source.hub} has no files for split '{source.split}'. Splits: {known}"
        )
    prefix = f"hf://datasets/{source.hub}@{revision}/"
    return sorted(str(each).removeprefix(prefix) for each in splits[source.split])


def _source_error(source: Source, error: Exception) -> SourceError:
    at = f" at {source.revision}" if source.revision else ""
    problem = describe_hub_error(
        error,
        revision=source.revision or "main",
        lacks=f"one of {', '.join(source.files)}{at}",
        offline=OFFLINE,
    )
    if not problem:
        first = redact_secrets((str(error).splitlines() or [""])[0])[:200]
        problem = f"cannot be read ({type(error).__name__}: {first})"
    return SourceError(f"{source.name}: {source.hub} on the Hub {problem}")
