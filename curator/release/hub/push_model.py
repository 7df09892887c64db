"""Publish a trained model to the Hub: its weights, tokenizer, record and card in one commit.

In: the folder of a finished training, and optionally its results and the dataset that it was
trained on. Out: a model repository. Rerunning a publish that was stopped resumes it: the client
sends no file again that the repository or the store of large files has. Only files that Curator and
transformers write are sent, so no pickle is, and no checkpoint. Not covered: whether results are
those of this model, which is the publisher's word.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Literal

from curator.core.errors import HubError, UsageError
from curator.core.progress import Listener, SilentListener
from curator.release.card import merge_card
from curator.release.hub.client import client, parse_repo
from curator.release.hub.model_card import OWNED, Score, TrainedOn, hide_base, model_card
from curator.release.hub.model_folder import RECORD, WEIGHTS, read_training, select_files
from curator.release.hub.push import read_remote_manifest
from curator.release.hub.remote import Remote, RepoHead
from datastore.files import scratch

NAMES_BASE = (RECORD, "adapter_config.json")
"""Files that name the base model."""
ModelState = Literal["published", "already there"]


@dataclass(frozen=True)
class ModelOptions:
    """How a model is published."""

    public: bool = False
    """Make the model public; it is private otherwise."""
    message: str = ""
    """Message of the commit. Default: name and digest of the training."""
    dry_run: bool = False
    """Check the folder and write the card, and change nothing on the Hub."""
    dataset: str = ""
    """`ORG/NAME` or `ORG/NAME@REVISION` of the published release that it was trained on; by default
    that of the record. Its digest must be the record's."""
    scores: Sequence[Score] = ()
    """Results for the card."""


@dataclass(frozen=True)
class ModelResult:
    """The result of publishing a model."""

    repo: str
    url: str
    commit: str
    state: ModelState
    private: bool
    dataset: str
    """The dataset that the card links; empty without one."""
    files: Mapping[str, int]
    """Bytes of each file."""
    left_out: tuple[str, ...]
    """Files of the folder that are not published."""
    dry_run: bool = False
    exists: bool | None = True
    """Whether the model existed before; None if a dry run had no token to look it up."""


def publish_model(
    folder: Path,
    name: str,
    options: ModelOptions = ModelOptions(),
    listener: Listener | None = None,
) -> ModelResult:
    """Publish the model of a finished training as `name`.

    `folder` is that of the run, or its subfolder `model`. Raises UsageError if the training has no
    finished record or its weights are incomplete; HubError if the Hub rejects a request, cannot be
    reached, if the repository has files that Curator did not publish, or if somebody else commits
    in the meantime.
    """
    repo, revision = parse_repo(name, "model")
    if revision:
        raise UsageError(f"Models are published to the branch main. Write the model as {repo}.")
    folder, record = read_training(folder)
    files = select_files(folder)
    api, listener = client(), listener or SilentListener()
    from huggingface_hub import get_token  # after `client` has checked the settings

    token = get_token()
    if token is None and not options.dry_run:
        raise UsageError("Publishing needs a token. Set HF_TOKEN, or run 'hf auth login'.")
    with scratch(Path(gettempdir())) as cache:
        files = _hide_paths(files, record, cache)
        remote = Remote(api, repo, cache / "remote", "model")
        trained_on = _find_dataset(remote, record, options.dataset)
        card = cache / "README.md"
        card.write_text(model_card(folder, record, trained_on, options.scores), "utf-8")
        sizes = {path.name: path.stat().st_size for path in (*files, card)}
        result = ModelResult(
            repo,
            remote.url,
            "",
            "published",
            not options.public,
            trained_on.name,
            sizes,
            tuple(sorted(p.name for p in folder.iterdir() if p.name not in sizes)),
            options.dry_run,
        )
        listener.progress(f"publishing {folder}", 0, None)
        if options.dry_run:
            return _check(remote, result, token is not None)
        digest = sha256((folder / RECORD).read_bytes()).hexdigest()
        message = options.message or f"{record['recipe']['name']}, training {digest[:16]}"
        return _publish(remote, result, [*files, card], message, options.public)


def _hide_paths(files: Sequence[Path], record: Mapping[str, Any], cache: Path) -> list[Path]:
    """Return the files, with copies in place of those that name the path of a local base model."""
    public = []
    for path in files:
        if path.name in NAMES_BASE:
            text = path.read_bytes().decode("utf-8", "surrogateescape")
            if (hidden := hide_base(text, record)) != text:
                path = cache / path.name
                path.write_bytes(hidden.encode("utf-8", "surrogateescape"))
        public.append(path)
    return public


def _find_dataset(remote: Remote, record: Mapping[str, Any], dataset: str) -> TrainedOn:
    """Return the release that the model was trained on, and where it is on the Hub, if known.

    Raises UsageError if the dataset on the Hub is another release than that of the record.
    """
    data, hub = record["data"], record.get("hub") or {}
    found = TrainedOn(data.get("version", ""), data.get("version_digest", ""), "", "")
    if not dataset:
        if not hub:
            return found
        return replace(found, repo=str(hub["repo"]), revision=str(hub["commit"]))
    repo, revision = parse_repo(dataset)
    if not found.digest:
        raise UsageError(
            "The model was trained on a file that states no version, so it cannot be compared with "
            f"{repo}. Train on a release folder or on ORG/NAME@REVISION, or omit the dataset."
        )
    source = replace(remote, repo=repo, kind="dataset")
    commit = source.resolve(revision or "main")
    manifest = read_remote_manifest(source, commit)
    if manifest.get("digest") != found.digest:
        other = str(manifest.get("digest"))[:16] if manifest else "none"
        raise UsageError(
            f"The model was trained on {found.version} (digest {found.digest[:16]}), but {repo} "
            f"has another release (digest {other!a}). Name its revision, such as {repo}@v1."
        )
    return replace(found, repo=repo, revision=commit)


def _publish(
    remote: Remote, result: ModelResult, files: Sequence[Path], message: str, public: bool
) -> ModelResult:
    """Commit the files, unless the repository has them all, and make it public if requested."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    head = remote.head() or remote.create(public)
    _check_files(remote, head)
    card = files[-1].read_text("utf-8")
    existing = remote.read_card(head.commit) if "README.md" in head.files else card
    # Merging also where nothing exists makes the bytes those of the next publish.
    files[-1].write_bytes(merge_card(existing, card, OWNED).encode("utf-8"))
    old = {path for path in head.files if any(fnmatch(path, each) for each in WEIGHTS)}
    deleted = sorted(old - {path.name for path in files})

    def operations() -> list[Any]:
        added = [CommitOperationAdd(path.name, str(path)) for path in files]
        return [CommitOperationDelete(path) for path in deleted] + added

    commit = remote.commit(head.commit, operations, message, lambda: _find_same(remote, files))
    state: ModelState = "already there" if commit == head.commit else "published"
    if public and head.private:
        remote.make_public()
    private = head.private and not public
    return replace(result, commit=commit, state=state, private=private)


def _find_same(remote: Remote, files: Sequence[Path]) -> str:
    """Return the newest commit if its record and card are those of the files; else empty."""
    head = remote.head()
    if head is None or not {path.name for path in files} <= head.files:
        return ""
    same = all(
        remote.download(path.name, head.commit).read_bytes() == path.read_bytes()
        for path in files
        if path.name in (RECORD, "README.md")
    )
    return head.commit if same else ""


def _check(remote: Remote, result: ModelResult, token: bool) -> ModelResult:
    """Return what publishing would do."""
    head = remote.head() if token else None
    if head is None:
        return replace(result, exists=False if token else None)
    _check_files(remote, head)
    return replace(result, commit=head.commit, private=head.private and result.private)


def _check_files(remote: Remote, head: RepoHead) -> None:
    """Raise HubError if the repository has a model that Curator did not publish."""
    foreign = sorted(head.files - {".gitattributes", "README.md"})
    if foreign and RECORD not in head.files:
        raise HubError(
            f"{remote.repo} on the Hub has {foreign[0][:100]!r}, which Curator did not publish. "
            "Choose another repository, or remove that file."
        )
