"""Publish a version to the Hub: one commit, then the tag `v<number>`, each at most once.

In: a version and the name of a dataset. Out: a repository whose tag has the release folder. Every
step looks at what is there first, so that a stopped publish is resumed by running it again: files
that were uploaded are not sent again, a commit that was made is only tagged.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any, Literal

from curator.core.errors import HubError, UsageError
from curator.core.progress import Listener, Silent
from curator.release.card import merged
from curator.release.folder import DATA, FORMAT, ReleaseFolder, write_folder
from curator.release.hub.client import (
    WAITS_S,
    call_hub,
    client,
    download,
    hub_error,
    repository,
    retry_delay,
    status_of,
)
from curator.versions.queries import digests
from datastore.files import scratch
from datastore.store import Store
from datastore.versions import Manifest

if TYPE_CHECKING:
    from huggingface_hub import HfApi

State = Literal["published", "tagged", "already there"]
"""`tagged`: the commit was there already, of a publish that was stopped."""


@dataclass(frozen=True)
class Published:
    """What a publish found or made."""

    repo: str
    url: str
    commit: str
    tag: str
    state: State
    private: bool
    rows: int
    license: str | tuple[str, ...]
    conflict: str
    """Why no permissive licence stands on it; empty if one does."""


@dataclass(frozen=True)
class Seen:
    """A repository as it was looked at."""

    head: str
    """Its newest commit."""
    private: bool
    files: frozenset[str]
    manifest: Mapping[str, Any]
    """What `manifest.json` of the head says; empty where it is not ours."""
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


def publish(
    store: Store,
    version: str,
    name: str,
    options: PublishOptions = PublishOptions(),
    listener: Listener | None = None,
) -> Published:
    """Publishes a version as the dataset `name`.

    Nothing is asked of the Hub before the whole release is written and read back. Raises HubError
    if the Hub refuses or cannot be reached, if the repository holds data of others, if its tag has
    another dataset, or if somebody commits meanwhile.
    """
    repo, revision = repository(name)
    if revision:
        raise UsageError(f"A publish makes its own tag: name the dataset as {repo}")
    api, listener = client(), listener or Silent()
    from huggingface_hub import get_token  # after `client` has looked at the settings

    if get_token() is None:
        raise UsageError("Publishing needs a token: set HF_TOKEN, or run 'hf auth login'")
    manifest = store.versions.get(version)
    for digest in digests(manifest):
        store.objects.check(digest)
    with scratch(Path(gettempdir()) if store.readonly else store.root / "tmp") as folder:
        listener.progress(f"writing {manifest.ref}", 0, None)
        package = write_folder(store, manifest, folder / "release", options.held_out, repo)
        listener.progress(f"publishing {manifest.ref}", 0, None)
        there = _There(api, repo, folder / "there")
        told = f"{manifest.ref}: {package.facts.rows:,} rows, digest {manifest.digest[:16]}"
        return _put(there, manifest, package, options.public, options.message or told)


@dataclass(frozen=True)
class _There:
    """The repository that is published to, and where files of it are put."""

    api: "HfApi"
    repo: str
    cache: Path

    def tags(self) -> dict[str, str]:
        """Commit of each tag."""
        refs = call_hub(self.repo, lambda: self.api.list_repo_refs(self.repo, repo_type="dataset"))
        return {tag.name: tag.target_commit for tag in refs.tags}

    def manifest(self, commit: str) -> Mapping[str, Any]:
        """Our manifest at a commit; empty if there is none or the file is not ours."""
        found = call_hub(
            self.repo,
            lambda: self.api.file_exists(
                self.repo, "manifest.json", repo_type="dataset", revision=commit
            ),
        )
        if not found:
            return {}
        path = download(self.api, self.repo, "manifest.json", commit, self.cache)
        try:
            said = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            return {}
        return said if isinstance(said, dict) and said.get("format") == FORMAT else {}


def _put(
    there: _There, version: Manifest, package: ReleaseFolder, public: bool, message: str
) -> Published:
    """Brings the repository to the state that is wanted, from whatever state it is in."""
    seen = _look(there) or _create(there, public)
    tag = f"v{version.number}"
    state: State = "published"
    if commit := seen.tags.get(tag, ""):
        _refuse_other(there, tag, commit, seen, package)
        state = "already there"
    elif _is(seen.manifest, package):
        commit, state = seen.head, "tagged"
    else:
        commit = _commit(there, seen, package, message)
    if state != "already there":
        _tag(there, tag, commit)
    if public and seen.private:
        call_hub(
            there.repo,
            lambda: there.api.update_repo_settings(
                there.repo, repo_type="dataset", visibility="public"
            ),
        )
    return Published(
        repo=there.repo,
        url=f"{there.api.endpoint}/datasets/{there.repo}",
        commit=commit,
        tag=tag,
        state=state,
        private=seen.private and not public,
        rows=package.facts.rows,
        license=package.licence.license,
        conflict=package.licence.conflict,
    )


def _look(there: _There) -> Seen | None:
    """The repository as it is now; None if there is none."""
    from huggingface_hub.errors import RepositoryNotFoundError

    api, repo = there.api, there.repo

    def info() -> Any:
        try:
            return api.dataset_info(repo, revision="main", timeout=30)
        except RepositoryNotFoundError as error:
            if status_of(error) == 401:
                raise
            return None

    if (found := call_hub(repo, info)) is None:
        return None
    files = frozenset(each.rfilename for each in found.siblings or [])
    return Seen(
        head=str(found.sha),
        private=bool(found.private),
        files=files,
        manifest=there.manifest(str(found.sha)),
        tags=there.tags(),
    )


def _create(there: _There, public: bool) -> Seen:
    call_hub(
        there.repo,
        lambda: there.api.create_repo(
            there.repo, repo_type="dataset", private=not public, exist_ok=True
        ),
    )
    if seen := _look(there):
        return seen
    raise HubError(f"{there.repo} on the Hub was made, but the token may not see it")


def _is(manifest: Mapping[str, Any], package: ReleaseFolder) -> bool:
    """Whether a manifest is that of the same release; its files may be of another pyarrow."""
    keys = ("digest", "held_out")
    return bool(manifest) and all(manifest.get(key) == package.manifest[key] for key in keys)


def _refuse_other(there: _There, tag: str, commit: str, seen: Seen, package: ReleaseFolder) -> None:
    """HubError if a tag is on something else than this release."""
    said = seen.manifest if commit == seen.head else there.manifest(commit)
    if not _is(said, package):
        digest = f"digest {str(said.get('digest'))[:16]!r}" if said else "not by Curator"
        held = f", held out {said.get('held_out')!r}"[:30] if said else ""
        raise HubError(
            f"{there.repo} has a tag {tag} already, on another release ({digest}{held}); "
            "a tag is never moved: publish to another repository, or build a next version"
        )


def _commit(there: _There, seen: Seen, package: ReleaseFolder, message: str) -> str:
    """One commit on top of what was seen; its id."""
    _refuse_foreign(there, seen)
    if "README.md" in seen.files:
        _merge(there, seen, package)
    for wait in (*WAITS_S, None):
        try:
            made = there.api.create_commit(
                there.repo,
                operations=_operations(seen, package),
                commit_message=message,
                repo_type="dataset",
                revision="main",
                parent_commit=seen.head,
            )
            return str(made.oid)
        except Exception as error:  # as in `asked`
            pause = retry_delay(error, wait)
            if pause is None:
                raise hub_error(there.repo, error) from None
            time.sleep(pause)
        # It may have been made, and only its answer lost.
        now = _look(there)
        if now and _is(now.manifest, package):
            return now.head
        if now is None or now.head != seen.head:
            raise HubError(
                f"{there.repo} on the Hub was changed by somebody else meanwhile; "
                "look at it, then publish again"
            )
    raise AssertionError("the last try ends in a commit or an error")


def _refuse_foreign(there: _There, seen: Seen) -> None:
    """HubError where our files would mix with data that somebody else put there."""
    own = {"manifest.json", "alpaca.json", "recipe.yaml"}
    foreign = sorted(path for path in seen.files if path in own or path.startswith("data/"))
    if foreign and not seen.manifest:
        raise HubError(
            f"{there.repo} on the Hub holds {foreign[0][:100]!r}, which this release of Curator "
            "did not publish; choose another repository, or remove it there"
        )


def _merge(there: _There, seen: Seen, package: ReleaseFolder) -> None:
    """The card that is written keeps what a person wrote into the one that is there."""
    path = download(there.api, there.repo, "README.md", seen.head, there.cache)
    try:
        existing = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise HubError(f"{there.repo} on the Hub has a README.md that is not UTF-8") from None
    card = package.folder / "README.md"
    card.write_bytes(merged(existing, card.read_text("utf-8")).encode("utf-8"))


def _operations(seen: Seen, package: ReleaseFolder) -> list[Any]:
    """Every file of the release; Parquet of an older one that this one has not goes."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    files = seen.manifest.get("files")
    old = {path for path in files if DATA.fullmatch(path)} if isinstance(files, dict) else set()
    gone = sorted((old & seen.files) - set(package.files))
    return [CommitOperationDelete(path) for path in gone] + [
        CommitOperationAdd(path, str(package.folder / path)) for path in package.files
    ]


def _tag(there: _There, tag: str, commit: str) -> None:
    """Tags the commit; somebody may have made that tag a moment ago."""
    api, repo = there.api, there.repo
    call_hub(
        repo,
        lambda: api.create_tag(repo, tag=tag, revision=commit, repo_type="dataset", exist_ok=True),
    )
    if there.tags().get(tag) != commit:
        raise HubError(
            f"{repo} on the Hub has a tag {tag} on another commit, made meanwhile; look at it"
        )
