"""What publishing and pulling share: the Hub's client, repository names, one line for each failure.

In: calls of the client. Out: their answers, or HubError. What is safe to repeat is repeated after a
wait. The token is the client's own affair (HF_TOKEN, or a login); no message of ours holds what a
server says beyond its status, so that neither a token nor a control sign comes back through it.
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

if TYPE_CHECKING:
    from huggingface_hub import HfApi

T = TypeVar("T")

WAITS_S = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each further try."""
QUIET_S = 180.0
"""Seconds without a byte from the server after which a connection counts as lost."""
LONGEST_WAIT_S = 60.0
"""A server that asks for a longer wait is not waited for."""
PASSING = (429, 500, 502, 503, 504)

_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?"
_REPO = re.compile(f"{_PART}/{_PART}")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")


def repository(name: str) -> tuple[str, str]:
    """Id and revision of `ORG/NAME` or `ORG/NAME@REVISION`; raises UsageError for another form."""
    repo, at, revision = name.partition("@")
    bad = not _REPO.fullmatch(repo) or "--" in repo or ".." in repo or len(repo) > 96
    if bad or (at and not _REVISION.fullmatch(revision)):
        raise UsageError(
            f"'{name[:120]}' names no dataset of the Hub; expected ORG/NAME or ORG/NAME@REVISION"
        )
    return repo, revision


def client() -> "HfApi":
    """The Hub's client, silent: it writes neither bars nor what a server says to the terminal.

    Raises UsageError if HF_ENDPOINT is no address.
    """
    endpoint = _endpoint()  # before the client is imported, which fails at some
    from huggingface_hub import HfApi, set_client_factory
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    disable_progress_bars()
    set_client_factory(_impatient)
    # The client itself reads HF_ENDPOINT once, when it is imported.
    return HfApi(endpoint=endpoint)


def _endpoint() -> str | None:
    said = os.environ.get("HF_ENDPOINT")
    if said is None:
        return None
    try:
        parts = urlsplit(said)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        fine = False
    if not fine:
        raise UsageError(
            f"HF_ENDPOINT is {said[:80]!a}; expected an address such as https://huggingface.co"
        )
    return said


def _impatient() -> Any:
    """The client's own connections, which else wait for ever for an answer."""
    from huggingface_hub.utils._http import default_client_factory

    made = default_client_factory()
    made.timeout = QUIET_S
    return made


def download(api: "HfApi", repo: str, path: str, revision: str, folder: Path) -> Path:
    """One file of a dataset at a commit, below `folder`."""
    return call_hub(
        repo,
        lambda: Path(
            api.hf_hub_download(
                repo, path, repo_type="dataset", revision=revision, cache_dir=folder
            )
        ),
    )


def call_hub(repo: str, call: Callable[[], T]) -> T:
    """What a call of the client answers; it must do no harm when it is repeated."""
    for wait in (*WAITS_S, None):
        try:
            return call()
        except Exception as error:  # the client raises its own, those of httpx, and bare ones
            pause = retry_delay(error, wait)
            if pause is None:
                raise hub_error(repo, error) from None
            time.sleep(pause)
    raise AssertionError("the last try ends in an answer or an error")


def retry_delay(error: Exception, wait: float | None) -> float | None:
    """Seconds to wait before the same is tried again; None if that would be of no use."""
    if wait is None or isinstance(error, CuratorError):
        return None
    status = status_of(error)
    if status is None:
        return wait if _lost(error) else None
    if status not in PASSING or _repeated(error):
        return None
    told = str(getattr(error, "response").headers.get("Retry-After", ""))  # noqa: B009
    pause = max(wait, float(told)) if told.isascii() and told.isdigit() else wait
    return pause if pause <= LONGEST_WAIT_S else None


def status_of(error: Exception) -> int | None:
    """The HTTP status that a server refused a call with."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    return status if isinstance(status, int) else None


def _lost(error: Exception) -> bool:
    """Whether a connection broke or could not be made."""
    # A gateway's page in place of JSON counts as lost, too.
    broken = type(error).__module__.startswith("http") or isinstance(error, JSONDecodeError)
    return broken and not _repeated(error)


def _repeated(error: Exception) -> bool:
    """Whether the client itself has tried this call several times: it does for uploads."""
    try:
        url = str(getattr(error, "request").url)  # noqa: B009
    except (AttributeError, RuntimeError):  # the latter is httpx's, where there is none
        return False
    return "/preupload/" in url or "/info/lfs/" in url


def hub_error(repo: str, error: Exception) -> CuratorError:
    """One line for whatever the client raised."""
    from huggingface_hub import errors

    if isinstance(error, CuratorError):
        return error
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, Exception):
        return hub_error(repo, error.__cause__)  # how the client wraps what ended an upload
    if isinstance(error, UnicodeEncodeError) and error.encoding == "ascii":  # headers are ASCII
        return UsageError(
            "The token of HF_TOKEN, or of the login, is none: "
            "a token of the Hub is plain letters and digits"
        )
    status = status_of(error)
    match error:
        case errors.GatedRepoError():
            why = "is gated; accept its terms on its page, then log in or set HF_TOKEN"
        case errors.RevisionNotFoundError():
            why = "has no such revision"
        case errors.RemoteEntryNotFoundError():
            why = "lacks a file that it should have; was it published by `curator publish`?"
        case _ if status == 401:
            why = "refuses the token or needs one (HF_TOKEN, or 'hf auth login'), or is not there"
        case errors.RepositoryNotFoundError():
            why = "does not exist, or is private and the token may not see it"
        case _ if status == 403:
            why = "may not be changed with this token; it needs the permission to write there"
        case _ if status == 412:
            why = "was changed by somebody else meanwhile; look at it, then publish again"
        case _ if status == 429:
            why = f"was asked too often{_after(error)}; what is uploaded is kept, so run it again"
        case _ if status is not None:
            why = f"was answered with HTTP status {status}; nothing is half-made, run it again"
        case ValueError() if "metadata" in str(error):
            why = "does not accept the metadata of the card; mend the head of its README.md"
        case errors.OfflineModeIsEnabled():
            why = "cannot be reached: HF_HUB_OFFLINE is set"
        case _ if isinstance(error, OSError) or _lost(error):
            why = f"cannot be reached ({type(error).__name__}); run it again when it can"
        case _:
            why = f"answered what its client cannot read ({type(error).__name__})"
    return HubError(f"{repo} on the Hub {why}")


def _after(error: Any) -> str:
    told = str(error.response.headers.get("Retry-After", ""))
    return f" (wait {told} s)" if told.isascii() and told.isdigit() and len(told) < 7 else ""
