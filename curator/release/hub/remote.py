"""A repository on the Hub that is published to: its state, and the calls that change it.

In: a dataset or a model. Out: commits on a state that was read before, so that nobody else's change
is overwritten. Every call is safe to repeat: a commit whose response was lost is recognised.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from curator.core.errors import HubError
from curator.core.redaction import redact_secrets
from curator.release.hub.client import (
    CHANGED_MEANWHILE,
    RETRY_DELAYS_S,
    call_hub,
    hub_error,
    retry_delay,
)
from curator.sources.fetch.hub_errors import status_of

if TYPE_CHECKING:
    from huggingface_hub import HfApi

RepoKind = Literal["dataset", "model"]


@dataclass(frozen=True)
class RepoHead:
    """The newest commit of a repository when it was read."""

    commit: str
    private: bool
    files: frozenset[str]


@dataclass(frozen=True)
class Remote:
    """The repository that is published to, and a folder for files downloaded from it."""

    api: "HfApi"
    repo: str
    cache: Path
    kind: RepoKind = "dataset"

    @property
    def url(self) -> str:
        """The address of its page."""
        folder = "datasets/" if self.kind == "dataset" else ""
        return redact_secrets(f"{self.api.endpoint}/{folder}{self.repo}")

    def head(self) -> RepoHead | None:
        """Return its newest commit; None if it does not exist."""
        from huggingface_hub.errors import RepositoryNotFoundError

        def read() -> Any:
            try:
                return self.api.repo_info(
                    self.repo, repo_type=self.kind, revision="main", timeout=30
                )
            except RepositoryNotFoundError as error:
                if status_of(error) == 401:
                    raise
                return None

        if (info := call_hub(self.repo, read)) is None:
            return None
        files = frozenset(each.rfilename for each in info.siblings or [])
        return RepoHead(str(info.sha), bool(info.private), files)

    def resolve(self, revision: str) -> str:
        """Return the full commit of a branch, tag or commit."""
        info = call_hub(
            self.repo,
            lambda: self.api.repo_info(
                self.repo, repo_type=self.kind, revision=revision, timeout=30
            ),
        )
        return str(info.sha)

    def create(self, public: bool) -> RepoHead:
        """Create it, if it does not exist, and return its state."""
        call_hub(
            self.repo,
            lambda: self.api.create_repo(
                self.repo, repo_type=self.kind, private=not public, exist_ok=True
            ),
        )
        if head := self.head():
            return head
        raise HubError(
            f"{self.repo} on the Hub was created, but the token has no permission to read it"
        )

    def tags(self) -> dict[str, str]:
        """Return the commit of each tag."""
        refs = call_hub(self.repo, lambda: self.api.list_repo_refs(self.repo, repo_type=self.kind))
        return {tag.name: tag.target_commit for tag in refs.tags}

    def tag(self, tag: str, commit: str) -> None:
        """Tag a commit. Raises HubError if somebody else has just made the tag on another one."""
        call_hub(
            self.repo,
            lambda: self.api.create_tag(
                self.repo, tag=tag, revision=commit, repo_type=self.kind, exist_ok=True
            ),
        )
        if self.tags().get(tag) != commit:
            raise HubError(
                f"{self.repo} on the Hub has a tag {tag} on another commit, made in the meantime. "
                "Review it, then publish again."
            )

    def make_public(self) -> None:
        """Make it public."""
        call_hub(
            self.repo,
            lambda: self.api.update_repo_settings(
                self.repo, repo_type=self.kind, visibility="public"
            ),
        )

    def download(self, path: str, commit: str) -> Path:
        """Return a file of it at a commit."""
        return call_hub(
            self.repo,
            lambda: Path(
                self.api.hf_hub_download(
                    self.repo, path, repo_type=self.kind, revision=commit, cache_dir=self.cache
                )
            ),
        )

    def read_card(self, commit: str) -> str:
        """Return the README.md of a commit. Raises HubError if it is not UTF-8."""
        try:
            return self.download("README.md", commit).read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            raise HubError(f"{self.repo} on the Hub has a README.md that is not UTF-8") from None

    def commit(
        self,
        before: str,
        operations: Callable[[], list[Any]],
        message: str,
        find_published: Callable[[], str],
    ) -> str:
        """Commit operations on top of the commit `before` and return the id of the new commit.

        `operations` are made again for each try. `find_published` returns the newest commit if it
        is what this one would be, although the response to it was lost; empty otherwise.
        """
        for delay in (*RETRY_DELAYS_S, None):
            try:
                commit = self.api.create_commit(
                    self.repo,
                    operations=operations(),
                    commit_message=message,
                    repo_type=self.kind,
                    revision="main",
                    parent_commit=before,
                )
                return str(commit.oid)
            except Exception as error:  # as in `call_hub`
                pause = retry_delay(error, delay)
                if pause is None:
                    raise hub_error(self.repo, error) from None
                time.sleep(pause)
            if published := find_published():
                return published
            now = self.head()
            if now is None or now.commit != before:
                raise HubError(f"{self.repo} on the Hub {CHANGED_MEANWHILE}")
        raise AssertionError("the last try returns a commit or raises an error")
