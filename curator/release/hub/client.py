"""Calls to the Hub that publishing and pulling share: client, repository names, retries, errors.

In: calls of the Hub's client. Out: their results, or HubError. Calls that are safe to repeat are
retried after a delay. The client itself reads the token (HF_TOKEN, or a login). Messages have
nothing that a server wrote except its status, so neither a token nor a control character comes back
through them.
"""

import logging
import os
import re
import time
from collections.abc import Callable
from json import JSONDecodeError
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from curator.core.errors import CuratorError, HubError, UsageError
from curator.core.redaction import redact_secrets
from curator.sources.fetch.hub_errors import describe_hub_error, retry_after, status_of

if TYPE_CHECKING:
    from huggingface_hub import HfApi

T = TypeVar("T")

RETRY_DELAYS_S = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each retry."""
READ_TIMEOUT_S = 180.0
"""Seconds without a byte from the server after which a connection counts as lost."""
MAX_RETRY_DELAY_S = 60.0
"""A call is not retried if the server asks for a longer delay."""
TRANSIENT_STATUSES = (429, 500, 502, 503, 504)

_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?"
_REPO = re.compile(f"{_PART}/{_PART}")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")


def parse_repo(name: str, kind: str = "dataset") -> tuple[str, str]:
    """Return id and revision of `ORG/NAME` or `ORG/NAME@REVISION`; the revision may be empty."""
    repo, at, revision = name.partition("@")
    bad = not _REPO.fullmatch(repo) or "--" in repo or ".." in repo or len(repo) > 96
    if bad or (at and not _REVISION.fullmatch(revision)):
        raise UsageError(
            f"'{name[:120]}' is not a valid name of a {kind} on the Hub. "
            "Write ORG/NAME or ORG/NAME@REVISION."
        )
    return repo, revision


def client() -> "HfApi":
    """Return the Hub's client, without progress bars and log lines.

    Raises UsageError if HF_ENDPOINT is not a URL.
    """
    endpoint = _endpoint()  # first: importing the client fails for some values
    from huggingface_hub import HfApi, set_client_factory
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    disable_progress_bars()
    set_client_factory(_http_client)
    # The client itself reads HF_ENDPOINT only once, when it is imported.
    return HfApi(endpoint=endpoint)


def _endpoint() -> str | None:
    endpoint = os.environ.get("HF_ENDPOINT")
    if endpoint is None:
        return None
    try:
        parts = urlsplit(endpoint)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise UsageError(
            f"HF_ENDPOINT {redact_secrets(endpoint)[:80]!a} is not a valid URL. "
            "Set it to one such as https://huggingface.co."
        )
    return endpoint


def _http_client() -> Any:
    """Return the client's own HTTP client with a timeout; by default it waits for ever."""
    from huggingface_hub.utils._http import default_client_factory

    http_client = default_client_factory()
    http_client.timeout = READ_TIMEOUT_S
    return http_client


def download(api: "HfApi", repo: str, path: str, revision: str, folder: Path) -> Path:
    """Download one file of a dataset at a commit below `folder` and return its path."""
    return call_hub(
        repo,
        lambda: Path(
            api.hf_hub_download(
                repo, path, repo_type="dataset", revision=revision, cache_dir=folder
            )
        ),
    )


def call_hub(repo: str, call: Callable[[], T]) -> T:
    """Return the result of a call that is safe to repeat; retry it on transient errors."""
    for delay in (*RETRY_DELAYS_S, None):
        try:
            return call()
        except Exception as error:  # the client raises its own, those of httpx, and bare ones
            pause = retry_delay(error, delay)
            if pause is None:
                raise hub_error(repo, error) from None
            time.sleep(pause)
    raise AssertionError("the last try returns a result or raises an error")


def retry_delay(error: Exception, delay: float | None) -> float | None:
    """Return the seconds to wait before a retry; None if a retry would not help.

    `delay` is the default; None after the last try.
    """
    if delay is None or isinstance(error, CuratorError):
        return None
    status = status_of(error)
    if status is None:
        return delay if _connection_lost(error) else None
    if status not in TRANSIENT_STATUSES or _was_retried_by_client(error):
        return None
    seconds = retry_after(error)
    pause = max(delay, float(seconds)) if seconds else delay
    return pause if pause <= MAX_RETRY_DELAY_S else None


def _connection_lost(error: Exception) -> bool:
    # A gateway may send a page in place of JSON.
    lost = type(error).__module__.startswith("http") or isinstance(error, JSONDecodeError)
    return lost and not _was_retried_by_client(error)


def _was_retried_by_client(error: Exception) -> bool:
    """Return whether the client itself has retried the call, as it does for uploads."""
    try:
        url = str(getattr(error, "request").url)  # noqa: B009
    except (AttributeError, RuntimeError):  # httpx raises the latter for an error without request
        return False
    return "/preupload/" in url or "/info/lfs/" in url


def hub_error(repo: str, error: Exception) -> CuratorError:
    """Return the error of one line for an exception of the client."""
    if isinstance(error, CuratorError):
        return error
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, Exception):
        return hub_error(repo, error.__cause__)  # the client wraps what stopped an upload
    if isinstance(error, UnicodeEncodeError) and error.encoding == "ascii":  # headers are ASCII
        return UsageError(
            "The Hugging Face token is malformed: expected ASCII letters and digits. "
            "Check HF_TOKEN or run 'hf auth login'."
        )
    if status_of(error) == 412:
        why = CHANGED_MEANWHILE
    elif isinstance(error, ValueError) and "metadata" in str(error):
        why = "rejects the metadata of the card; correct the head of its README.md"
    else:
        why = describe_hub_error(
            error,
            revision="",
            lacks="a file of a release; was it published by `curator publish`?",
            offline="rerun the command when it can be reached",
        )
    why = why or f"returned a response that its client cannot read ({type(error).__name__})"
    return HubError(f"{repo} on the Hub {why}")


CHANGED_MEANWHILE = (
    "was changed by somebody else in the meantime; review the change, then publish again"
)
