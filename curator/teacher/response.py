"""What a reply of an endpoint says: an answer, or a fault with what would mend it.

In: status, content type and bytes, from whoever serves them: nothing is taken on trust. Out: a Call
that was answered, or a Fault; and the body as it is kept.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from curator.teacher.call import Call, Flaw
from curator.teacher.redaction import one_line, without_key, without_keys

LONGEST_KEPT = 100_000
"""Bytes of a body that are kept; of a longer one the beginning, as text."""

Mend = Literal["later", "never", "nobody"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a try brought no answer."""

    reason: str
    """A few countable words."""
    mend: Mend = "later"
    """Who may try again: this call `later`; this call `never`; `nobody`, since every other call
    would meet the same."""
    busy: bool = False
    """The endpoint is asked to do more than it can: fewer calls at once."""
    detail: str = ""
    """The endpoint's own words, on one line, without keys."""
    charged: bool = False
    """Whether a model answered, and somebody has to pay, though the answer is of no use."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """What the endpoint says that it charged for; 0 if it says nothing."""

    @property
    def told(self) -> str:
        """The reason, with the endpoint's words if there are any."""
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


def read_response(content_type: str, body: bytes, key: str) -> tuple[Call | Fault, Any]:
    """A reply with status 200, and its body as it is kept: JSON, or text if it is broken."""
    if "json" not in content_type.lower():
        return Fault("wrong content type", detail=one_line(content_type)), _text(body, key)
    try:
        parsed = _parsed(body)
    except (ValueError, RecursionError):
        return Fault("broken JSON", charged=True), _text(body, key)
    parsed = without_key(parsed, key)
    found = read_completion(parsed)
    if isinstance(found, Fault):
        parsed = without_keys(parsed, key)
    return found, parsed if len(body) <= LONGEST_KEPT else _text(body, key)


def read_completion(body: Any) -> Call | Fault:
    """A parsed chat completion. Of several choices the first is taken: one sample is asked a call.

    Tokens are 0 where the reply does not say them.
    """
    body = _dict(body)
    asked, said = tokens(body.get("usage"))

    def fault(reason: str) -> Fault:
        return Fault(reason, charged=True, prompt_tokens=asked, completion_tokens=said)

    if body.get("error"):
        return Fault("error in the reply", busy=True, detail=message(body))
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        return fault("no choices")
    choice = _dict(choices[0])
    reply = _dict(choice.get("message"))
    text, refusal = _str(reply.get("content")), _str(reply.get("refusal"))
    finish = _str(choice.get("finish_reason"))
    flaw: Flaw = ""
    if refusal:
        flaw, text = "refused", text or refusal
    elif finish == "content_filter":
        flaw = "filtered"
    elif finish == "length":
        flaw = "truncated"
    if not flaw and not text:
        return fault("no content")
    return Call(
        "answered",
        text,
        flaw,
        finish=finish[:200],
        prompt_tokens=asked,
        completion_tokens=said,
        fingerprint=_str(body.get("system_fingerprint"))[:200],
    )


def read_refusal(status: int, body: bytes, key: str) -> tuple[Fault, Any]:
    """A reply with another status than 200, and its body as it is kept."""
    try:
        parsed = without_keys(_parsed(body), key) if len(body) <= LONGEST_KEPT else None
    except (ValueError, RecursionError):
        parsed = None
    kept = _text(body, key) if parsed is None else parsed
    return read_error(status, kept), kept


def read_error(status: int, body: Any) -> Fault:
    """The fault that a status and an error's body (JSON or text, without keys) stand for."""
    code, detail = error_code(body), message(body)
    if status in (401, 403):
        return Fault("key refused", "nobody", detail=detail)
    if status == 404:
        if code == "no_recording":
            return Fault("no recording", "never", detail=detail)
        return Fault("no such model or address", "nobody", detail=detail)
    if 300 <= status < 400:
        return Fault("moved elsewhere", "nobody", detail=detail)
    if status == 429:
        if code == "insufficient_quota":
            return Fault("no credit left", "nobody", detail=detail)
        return Fault("rate limit", busy=True, detail=detail)
    if status in (408, 425, 409) or status >= 500 or status < 300:
        reason = "server error" if status >= 500 else f"status {status}"
        return Fault(reason, busy=status == 408 or status >= 500, detail=detail)
    if "content_filter" in code or "content_policy" in code:
        return Fault("content policy", "never", detail=detail)
    return Fault(f"bad request: {code or detail or status}", "never", detail=detail)


def message(body: Any) -> str:
    """The words of an error's body, on one line; of a text its beginning."""
    if isinstance(body, str):
        return one_line(body)
    error = _dict(body).get("error")
    for words in (_dict(error).get("message"), error, _dict(body).get("message")):
        if isinstance(words, str) and words:
            return one_line(words)
    return ""


def error_code(body: Any) -> str:
    """The code that an error's body gives, empty if it gives none."""
    code = _dict(_dict(body).get("error")).get("code")
    return one_line(code, 60) if isinstance(code, str) else ""


def tokens(usage: Any) -> tuple[int, int]:
    """Tokens of prompt and answer; 0 for each that is not a sound number."""
    counts = (_dict(usage).get("prompt_tokens"), _dict(usage).get("completion_tokens"))
    asked, said = (n if type(n) is int and 0 <= n < 10**9 else 0 for n in counts)
    return asked, said


def _dict(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _str(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)  # NaN and Infinity are not JSON, and SQL would stumble on them


_decoder = json.JSONDecoder(parse_constant=_refuse)


def _parsed(body: bytes) -> Any:
    # As json.loads, which makes a decoder for each body.
    return _decoder.decode(body.decode(json.detect_encoding(body), "surrogatepass"))


def _text(body: bytes, key: str) -> str:
    text: str = without_keys(body[: LONGEST_KEPT + len(key)].decode("utf-8", "replace"), key)
    return text[:LONGEST_KEPT]
