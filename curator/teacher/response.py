"""Reads a reply of an endpoint: a call, or a failure that states whether a retry may help.

In: status, content type and bytes from any server, none of which is trusted. Out: a Call or a
Failure, and the body as it is stored.
"""

from dataclasses import dataclass
from typing import Any, Literal

from curator.core.errors import to_one_line
from curator.core.json_text import parse_json
from curator.core.redaction import redact_all_keys, redact_key
from curator.teacher.call import Call, Flaw
from curator.teacher.messages import read_tool_calls

MAX_STORED_BYTES = 100_000
"""Maximum bytes of a stored body; a longer one is cut and stored as text."""

MAX_WORDS = 1_000
"""Maximum characters of an endpoint's message that are shown: advice comes at its end."""
UNSUPPORTED = ("unsupported_parameter", "unsupported_value", "unknown_parameter")
"""Codes of errors that every call with the same parameters meets."""
TEXT_PARTS = ("text", "output_text")
"""Types of the parts of a reply that are its text; others hold a thought or a picture."""
THOUGHT_PARTS = ("thinking", "reasoning")
"""Types of the parts of a reply that are a thought, and names of their texts."""
REASONING = ("reasoning_content", "reasoning")
"""Fields of a message that hold a thought (DeepSeek, vLLM; OpenRouter, newer vLLM)."""

Retry = Literal["later", "never", "stop"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt brought no reply."""

    reason: str
    """One of a few phrases."""
    retry: Retry = "later"
    """`later`: a retry may succeed. `never`: this call fails for good. `stop`: every other call
    would fail as well."""
    busy: bool = False
    """Whether the endpoint is overloaded and needs fewer concurrent calls."""
    detail: str = ""
    """The endpoint's message, on one line, without keys."""
    charged: bool = False
    """Whether a model replied, which costs money, although the reply is of no use."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """Tokens that the endpoint reports as charged; 0 if it reports none."""

    def __str__(self) -> str:
        said = self.detail and self.detail not in self.reason
        return f"{self.reason}: {self.detail}" if said else self.reason


def read_response(content_type: str, body: bytes, key: str) -> tuple[Call | Failure, Any]:
    """Return the call of a reply with status 200, and its body as it is stored.

    That is JSON, or text if the body is broken.
    """
    if "json" not in content_type.lower():
        detail = to_one_line(content_type)
        return Failure("wrong content type", detail=detail), _decode_text(body, key)
    try:
        parsed = parse_json(body)
    except ValueError as error:
        detail = to_one_line(str(error))
        return Failure("broken JSON", detail=detail, charged=True), _decode_text(body, key)
    parsed = redact_key(parsed, key)
    result = read_completion(parsed)
    if isinstance(result, Failure):
        parsed = redact_all_keys(parsed, key)
    return result, parsed if len(body) <= MAX_STORED_BYTES else _decode_text(body, key)


def read_completion(body: Any) -> Call | Failure:
    """Return the call of a parsed chat completion.

    Only the first choice is read, since a request asks for one sample. Tokens are 0 where the reply
    does not report them.
    """
    body = _as_dict(body)
    prompt_tokens, completion_tokens = read_usage(body.get("usage"))

    def fail(reason: str) -> Failure:
        return Failure(
            reason,
            charged=True,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
        )

    if failure := _read_error(body):
        return failure
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        return fail("no choices")
    choice = _as_dict(choices[0])
    if failure := _read_error(choice):
        return failure
    message = _as_dict(choice.get("message"))
    text, parts = _read_content(message.get("content"))
    reasoning, tool_calls = _read_reasoning(message), read_tool_calls(message)
    refusal = _as_str(message.get("refusal"))
    finish = _as_str(choice.get("finish_reason"))
    flaw: Flaw = ""
    if refusal:
        flaw, text = "refused", text or refusal
    elif finish == "content_filter":
        flaw = "filtered"
    elif finish == "length":
        flaw = "truncated"
    if not flaw and not text and not tool_calls:
        only = "only reasoning" if reasoning else parts
        return fail(f"no content: {only}" if only else "no content")
    return Call(
        "answered",
        text,
        flaw,
        finish=finish[:200],
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        fingerprint=_as_str(body.get("system_fingerprint"))[:200],
        reasoning=reasoning,
        tool_calls=tool_calls,
    )


def _read_content(content: Any) -> tuple[str, str]:
    """Return the text of a message, and which parts it has if none is a text.

    Some endpoints send parts: `[{"type": "thinking", …}, {"type": "text", "text": "…"}]`.
    """
    if not isinstance(content, list):
        return _as_str(content), ""
    parts = [{"type": "text", "text": part} if isinstance(part, str) else part for part in content]
    texts = [_as_dict(part) for part in parts]
    found = [_as_str(part.get("text")) for part in texts if part.get("type") in TEXT_PARTS]
    if found:
        return "".join(found), ""
    names = sorted({to_one_line(str(part.get("type")), 40) for part in texts})
    return "", f"only parts {', '.join(names[:5])}" if names else ""


def _read_reasoning(message: dict[Any, Any]) -> str:
    """Return the thought that a message states apart from its content; empty if it has none."""
    for name in REASONING:
        if text := _as_str(message.get(name)):
            return text
    content = message.get("content")
    parts = [_as_dict(part) for part in content] if isinstance(content, list) else []
    thoughts = [part for part in parts if part.get("type") in THOUGHT_PARTS]
    # Mistral's part has a list of parts of text, those of others a text.
    return "".join(_read_content(part.get(part["type"], part.get("text")))[0] for part in thoughts)


def _read_error(body: dict[Any, Any]) -> Failure | None:
    """Return the failure of an error inside a reply with status 200; None without one.

    Gateways put the error of the provider there, with its status as code.
    """
    if not body.get("error") and body.get("object") != "error":
        return None
    error = _as_dict(body.get("error")) or body
    status = error.get("code", error.get("status_code"))
    if isinstance(status, str) and status.isascii() and status.isdigit() and len(status) == 3:
        status = int(status)
    if type(status) is int and status in (401, 402, 403, 429):
        return classify_error(status, body)
    words = error_code(body) or error_message(body)
    reason = f"error in the reply: {words}" if words else "error in the reply"
    return Failure(to_one_line(reason), busy=True, detail=error_message(body))


def read_error_response(status: int, body: bytes, key: str) -> tuple[Failure, Any]:
    """Return the failure of a reply with an error status, and its body as it is stored."""
    try:
        parsed = redact_all_keys(parse_json(body), key) if len(body) <= MAX_STORED_BYTES else None
    except ValueError:
        parsed = None
    stored = _decode_text(body, key) if parsed is None else parsed
    return classify_error(status, stored), stored


def classify_error(status: int, body: Any) -> Failure:
    """Return the failure for a status and an error's body (JSON or text, without keys)."""
    code, detail = error_code(body), error_message(body)
    if status == 402:
        return Failure("no credit left", "stop", detail=detail)
    if status in (401, 403):
        return Failure("key refused", "stop", detail=detail)
    if status == 404:
        if code == "no_recording":
            return Failure("no recording", "never", detail=detail)
        return Failure("no such model or address", "stop", detail=detail)
    if 300 <= status < 400:
        return Failure("moved elsewhere", "stop", detail=detail)
    if status == 429:
        if code == "insufficient_quota":
            return Failure("no credit left", "stop", detail=detail)
        return Failure("rate limit", busy=True, detail=detail)
    if status in (408, 425, 409) or status >= 500 or status < 300:
        reason = "server error" if status >= 500 else f"status {status}"
        return Failure(reason, busy=status == 408 or status >= 500, detail=detail)
    if "content_filter" in code or "content_policy" in code:
        return Failure("content policy", "never", detail=detail)
    retry: Retry = "stop" if code in UNSUPPORTED else "never"
    reason = to_one_line(f"bad request: {code or detail or status}")
    return Failure(reason, retry, detail=detail)


def error_message(body: Any) -> str:
    """Return the message of an error's body on one line; of a text its beginning."""
    if isinstance(body, str):
        return to_one_line(body, MAX_WORDS)
    error = _as_dict(body).get("error")
    for message in (_as_dict(error).get("message"), error, _as_dict(body).get("message")):
        if isinstance(message, str) and message:
            return to_one_line(message, MAX_WORDS)
    return ""


def error_code(body: Any) -> str:
    """Return the code of an error's body; empty if it has none."""
    code = _as_dict(_as_dict(body).get("error")).get("code")
    return to_one_line(code, 60) if isinstance(code, str) else ""


def read_usage(usage: Any) -> tuple[int, int]:
    """Return the tokens of prompt and completion; 0 for each that is not a valid number."""
    counts = (_as_dict(usage).get("prompt_tokens"), _as_dict(usage).get("completion_tokens"))
    prompt, completion = (n if type(n) is int and 0 <= n < 10**9 else 0 for n in counts)
    return prompt, completion


def _as_dict(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _as_str(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _decode_text(body: bytes, key: str) -> str:
    start = body[: MAX_STORED_BYTES + len(key)].decode("utf-8", "replace")
    text: str = redact_all_keys(start, key)
    return text[:MAX_STORED_BYTES]
