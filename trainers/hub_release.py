"""Fetches a published release from the Hub for training: its manifest and the files that it lists.

In: `ORG/NAME@REVISION`, a tag, a branch or a commit. Out: a folder in the client's cache with these
files at one commit. Files are only read as data, and no code of the repository runs; their digests
are compared with the manifest when the folder is read. HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and
the cache work as in the client: at a full commit, cached files need no network.
"""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curator.core.errors import CuratorError, HubError
from curator.sources.fetch.hub import COMMIT, open_api
from curator.sources.fetch.hub_errors import describe_hub_error
from trainers.release_manifest import LONGEST, read_manifest

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?"
_NAME = re.compile(rf"({_PART}/{_PART})@([A-Za-z0-9][A-Za-z0-9._/-]{{0,199}})")
_DATA = re.compile(r"data/[a-z0-9][a-z0-9_.-]{0,63}/train-[0-9]{5}-of-[0-9]{5}\.parquet")
"""The files to train on; a name has no wildcard, which the client would expand."""
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class HubRelease:
    """Where a release is on the Hub."""

    repo: str
    revision: str
    """Tag, branch or commit, as requested."""
    commit: str
    """Full commit."""

    def run_record(self) -> dict[str, str]:
        """Return its entry in the record of a training."""
        return asdict(self)


def is_hub_name(name: str) -> bool:
    """Return whether a text is `ORG/NAME@REVISION`."""
    return _NAME.fullmatch(name) is not None


def fetch_release(name: str) -> tuple[Path, HubRelease]:
    """Return the folder of a release and where it is. Raises HubError if it cannot be fetched."""
    match = _NAME.fullmatch(name)
    assert match
    repo, revision = match.groups()
    try:
        api = open_api()
        commit = _find_commit(api, repo, revision)
        folder = Path(
            api.hf_hub_download(repo, MANIFEST, repo_type="dataset", revision=commit)
        ).parent
        manifest = read_manifest(folder)
        if manifest is None:
            raise HubError(f"{repo} on the Hub has no manifest.json of a release at {commit[:7]}.")
        files = [path for path in manifest.files if _DATA.fullmatch(path)]
        found = api.snapshot_download(
            repo, repo_type="dataset", revision=commit, allow_patterns=[MANIFEST, *files]
        )
    except CuratorError:
        raise
    except Exception as error:  # the client raises its own, those of httpx, and bare ones
        raise _describe(repo, revision, error) from None
    return Path(str(found)), HubRelease(repo, revision, commit)


def _find_commit(api: "HfApi", repo: str, revision: str) -> str:
    """Return the full commit of a revision; checks the manifest there before it is downloaded."""
    from huggingface_hub import try_to_load_from_cache

    if COMMIT.fullmatch(revision) and isinstance(
        try_to_load_from_cache(repo, MANIFEST, revision=revision, repo_type="dataset"), str
    ):
        return revision
    info: Any = api.dataset_info(repo, revision=revision, files_metadata=True, timeout=30)
    sizes = {each.rfilename: each.size or 0 for each in info.siblings or []}
    commit = str(info.sha)
    if not COMMIT.fullmatch(commit):
        raise HubError(f"{repo} on the Hub returned a revision without a commit.")
    if MANIFEST not in sizes or sizes[MANIFEST] > LONGEST:
        raise HubError(
            f"{repo} on the Hub has no manifest.json of a release at {commit[:7]}. Export its rows "
            "as JSON Lines, or publish it with 'curator publish'."
        )
    return commit


def _describe(repo: str, revision: str, error: Exception) -> HubError:
    why = describe_hub_error(
        error,
        revision=revision,
        lacks="a file of a release; was it published by 'curator publish'?",
        offline="rerun the command when it can be reached, or train on a local copy",
    )
    why = why or f"returned a response that its client cannot read ({type(error).__name__})"
    return HubError(f"{repo} on the Hub {why}")
