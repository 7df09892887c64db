"""Publish a version to the Hub: one commit, then the tag `v<number>`.

In: a version and the name of a dataset. Out: a repository whose tag has the release folder. Each
step first reads the state of the repository, so rerunning a publish that was stopped resumes it:
uploaded files are not sent again, and an existing commit is only tagged.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Literal

from curator.core.errors import HubError, UsageError
from curator.core.progress import Listener, SilentListener
from curator.core.words import counted
from curator.release.card import merge_card
from curator.release.folder import DATA, READ_FORMATS, CardOptions, ReleaseFolder, write_folder
from curator.release.hub.client import call_hub, client, parse_repo
from curator.release.hub.remote import Remote, RepoHead
from curator.rewards.certification import Certificate
from datastore.files import scratch
from datastore.store import Store
from datastore.versions import Manifest

State = Literal["published", "tagged", "already there"]
"""`tagged`: an earlier publish that was stopped had made the commit."""


@dataclass(frozen=True)
class PublishResult:
    """The result of a publish."""

    repo: str
    url: str
    commit: str
    tag: str
    state: State
    private: bool
    rows: int
    license: str | tuple[str, ...]
    conflict: str
    """Why the release has no single permissive licence; empty if it has one."""
    files: Mapping[str, int]
    """Bytes of each file of the release."""
    dry_run: bool = False
    """Whether nothing was changed: `state` is what publishing would lead to."""
    exists: bool | None = True
    """Whether the dataset existed before; None if a dry run had no token to look it up."""


@dataclass(frozen=True)
class RepoState:
    """The state of a repository when it was read."""

    head: str
    """The newest commit."""
    private: bool
    files: frozenset[str]
    manifest: Mapping[str, Any]
    """`manifest.json` of the head; empty if it is not that of a release."""
    tags: Mapping[str, str]
    """Commit of each tag."""


@dataclass(frozen=True)
class PublishOptions:
    """How a version is published."""

    public: bool = False
    """Make the dataset public; it is private otherwise."""
    message: str = ""
    """Message of the commit. Default: version, number of rows and digest."""
    held_out: float = 0.0
    """Share of questions whose rows go to the split `validation`."""
    dry_run: bool = False
    """Write and check the release, read the repository, and change nothing there."""
    certificate: Certificate | None = None
    """Reward functions whose error rates the card states."""


def publish(
    store: Store,
    version: str,
    name: str,
    options: PublishOptions = PublishOptions(),
    listener: Listener | None = None,
) -> PublishResult:
    """Publish a version as the dataset `name`.

    The first request to the Hub follows after the whole release was written and read back. Raises
    HubError if the Hub rejects a request or cannot be reached, if the repository has data that
    Curator did not publish, if its tag is on another release, or if somebody else commits
    in the meantime.
    """
    repo, revision = parse_repo(name)
    if revision:
        raise UsageError(f"'curator publish' creates the tag itself. Write the dataset as {repo}.")
    api, listener = client(), listener or SilentListener()
    from huggingface_hub import get_token  # after `client` has checked the settings

    token = get_token()
    if token is None and not options.dry_run:
        raise UsageError("Publishing needs a token. Set HF_TOKEN, or run 'hf auth login'.")
    manifest = store.versions.get(version)
    with scratch(Path(gettempdir()) if store.readonly else store.root / "tmp") as folder:
        listener.progress(f"writing {manifest.ref}", 0, None)
        of_card = CardOptions(repo, options.certificate)
        release = write_folder(store, manifest, folder / "release", options.held_out, of_card)
        listener.progress(f"publishing {manifest.ref}", 0, None)
        remote = Remote(api, repo, folder / "remote")
        if options.dry_run:
            return _check(remote, manifest, release, options.public, token is not None)
        default = (
            f"{manifest.ref}: {counted(release.counts.rows, 'row')}, digest {manifest.digest[:16]}"
        )
        return _publish(remote, manifest, release, options.public, options.message or default)


def read_remote_manifest(remote: Remote, commit: str) -> Mapping[str, Any]:
    """Return the manifest of the release at a commit; empty if it has none."""
    exists = call_hub(
        remote.repo,
        lambda: remote.api.file_exists(
            remote.repo, "manifest.json", repo_type="dataset", revision=commit
        ),
    )
    if not exists:
        return {}
    try:
        manifest = json.loads(remote.download("manifest.json", commit).read_bytes())
    except (ValueError, RecursionError):
        return {}
    known = isinstance(manifest, dict) and manifest.get("format") in READ_FORMATS
    return manifest if known else {}


def _publish(
    remote: Remote, version: Manifest, release: ReleaseFolder, public: bool, message: str
) -> PublishResult:
    """Do what the state of the repository still lacks: create, commit, tag, make public."""
    before = _read_state(remote, remote.head() or remote.create(public))
    tag = f"v{version.number}"
    state: State = "published"
    if commit := before.tags.get(tag, ""):
        _check_tag(remote, tag, commit, before, release)
        state = "already there"
    elif _same_release(before.manifest, release):
        commit, state = before.head, "tagged"
    else:
        commit = _commit(remote, before, release, message)
    if state != "already there":
        remote.tag(tag, commit)
    if public and before.private:
        remote.make_public()
    private = before.private and not public
    return replace(_result(remote, release, tag), commit=commit, state=state, private=private)


def _check(
    remote: Remote, version: Manifest, release: ReleaseFolder, public: bool, token: bool
) -> PublishResult:
    """Return what publishing would do. Raises the errors that it would raise before it commits."""
    tag = f"v{version.number}"
    result = replace(_result(remote, release, tag), dry_run=True, private=not public)
    head = remote.head() if token else None
    if head is None:
        return replace(result, exists=False if token else None)
    before = _read_state(remote, head)
    result = replace(result, private=before.private and not public)
    if commit := before.tags.get(tag, ""):
        _check_tag(remote, tag, commit, before, release)
        return replace(result, commit=commit, state="already there")
    if _same_release(before.manifest, release):
        return replace(result, commit=before.head, state="tagged")
    _check_files(remote, before)
    return result


def _result(remote: Remote, release: ReleaseFolder, tag: str) -> PublishResult:
    """Return the result of a publish as far as the release states it."""
    return PublishResult(
        repo=remote.repo,
        url=remote.url,
        commit="",
        tag=tag,
        state="published",
        private=True,
        rows=release.counts.rows,
        license=release.licence.license,
        conflict=release.licence.conflict,
        files={path: (release.folder / path).stat().st_size for path in release.files},
    )


def _read_state(remote: Remote, head: RepoHead) -> RepoState:
    """Return the state of the repository with this head."""
    return RepoState(
        head=head.commit,
        private=head.private,
        files=head.files,
        manifest=read_remote_manifest(remote, head.commit),
        tags=remote.tags(),
    )


def _same_release(manifest: Mapping[str, Any], release: ReleaseFolder) -> bool:
    """Return whether a manifest is that of the release; another pyarrow may write other bytes."""
    keys = ("digest", "held_out")
    return bool(manifest) and all(manifest.get(key) == release.manifest[key] for key in keys)


def _check_tag(
    remote: Remote, tag: str, commit: str, before: RepoState, release: ReleaseFolder
) -> None:
    """Raise HubError if a tag is not on this release."""
    manifest = before.manifest if commit == before.head else read_remote_manifest(remote, commit)
    if not _same_release(manifest, release):
        digest = f"digest {str(manifest.get('digest'))[:16]!r}" if manifest else "not by Curator"
        held = f", held out {manifest.get('held_out')!r}"[:30] if manifest else ""
        raise HubError(
            f"{remote.repo} already has a tag {tag}, on another release ({digest}{held}). Tags are "
            "never moved. Publish to another repository, or build the next version."
        )


def _commit(remote: Remote, before: RepoState, release: ReleaseFolder, message: str) -> str:
    """Commit the release on top of the state that was read and return the id of the commit."""
    _check_files(remote, before)
    if "README.md" in before.files:
        card = release.folder / "README.md"
        merged = merge_card(remote.read_card(before.head), card.read_text("utf-8"))
        card.write_bytes(merged.encode("utf-8"))

    def find_published() -> str:
        now = remote.head()
        same = now and _same_release(read_remote_manifest(remote, now.commit), release)
        return now.commit if now and same else ""

    return remote.commit(before.head, lambda: _operations(before, release), message, find_published)


def _check_files(remote: Remote, before: RepoState) -> None:
    """Raise HubError if the repository has data that Curator did not publish."""
    own = {"manifest.json", "alpaca.json", "recipe.yaml"}
    foreign = sorted(path for path in before.files if path in own or path.startswith("data/"))
    if foreign and not before.manifest:
        raise HubError(
            f"{remote.repo} on the Hub has {foreign[0][:100]!r}, which this version of Curator "
            "did not publish. Choose another repository, or remove that file."
        )


def _operations(before: RepoState, release: ReleaseFolder) -> list[Any]:
    """Return the operations that add all files and delete Parquet files of an older release."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    files = before.manifest.get("files")
    old = {path for path in files if DATA.fullmatch(path)} if isinstance(files, dict) else set()
    deleted = sorted((old & before.files) - set(release.files))
    return [CommitOperationDelete(path) for path in deleted] + [
        CommitOperationAdd(path, str(release.folder / path)) for path in release.files
    ]
