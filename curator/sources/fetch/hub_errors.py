"""Describe errors of the Hub's client, for fetching sources, publishing and pulling.

In: an exception of a call. Out: the end of a sentence that begins with the name of the dataset.
Nothing that a server wrote is part of it, so neither a token nor a control character reaches the
terminal.
"""

from typing import Any


def status_of(error: Exception) -> int | None:
    """Return the HTTP status of an error; None if there was no response."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    return status if isinstance(status, int) else None


def retry_after(error: Any) -> str:
    """Return the seconds that the server asks to wait for, in digits; empty if it does not."""
    seconds = str(error.response.headers.get("Retry-After", ""))
    return seconds if seconds.isascii() and seconds.isdigit() else ""


def describe_hub_error(error: Exception, *, revision: str, lacks: str, offline: str) -> str:
    """Return what went wrong; empty if it is not an error of the Hub or of the connection.

    `revision` is the requested revision or empty, `lacks` describes a file that does not exist, and
    `offline` is the advice for an error of the connection.
    """
    from huggingface_hub import errors

    status = status_of(error)
    match error:
        case errors.GatedRepoError():
            return "is gated; accept its terms on its page, then set HF_TOKEN or log in"
        case errors.RevisionNotFoundError():
            return f"has no revision {revision}" if revision else "has no such revision"
        case errors.RemoteEntryNotFoundError():
            return f"lacks {lacks}"
        case errors.OfflineModeIsEnabled():
            return f"cannot be reached: HF_HUB_OFFLINE is set; {offline}"
        case errors.LocalEntryNotFoundError():
            return f"cannot be reached and is not cached; {offline}"
        case _ if status == 401:
            return "needs a valid token (set HF_TOKEN, or run 'hf auth login'), or does not exist"
        case errors.RepositoryNotFoundError():
            return "does not exist, or is private and needs a token that may read it"
        case _ if status == 403:
            return "needs a permission that the token does not have; publishing needs write access"
        case _ if status == 429:
            seconds = retry_after(error)
            wait = f" in {seconds} s" if 0 < len(seconds) < 7 else " later"
            return f"received too many requests; rerun the command{wait} to resume"
        case _ if status is not None:
            return f"returned HTTP status {status}; rerun the command to resume"
    # The errors of httpx have no common base, but all come from that module.
    if isinstance(error, OSError) or type(error).__module__.startswith("http"):
        why = error.strerror if isinstance(error, OSError) and error.strerror else ""
        return f"cannot be reached ({why or type(error).__name__}); {offline}"
    return ""
