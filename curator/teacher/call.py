"""A request to a teacher and the call it becomes: what is asked, what came back, under which key.

In: who is asked, messages, parameters and the number of the sample. Out: a Request, whose key names
all of that and nothing else, and a Call, which is what the ledger `calls` keeps for ever.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from curator.core.model import content_id

Message = tuple[str, str]
"""Role (`system`, `user`, `assistant`) and text."""

# As json.dumps, which makes an encoder for each text.
_escaped = json.JSONEncoder(separators=(",", ":")).encode
_unescaped = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

Flaw = Literal["", "truncated", "refused", "filtered"]
"""What is wrong with an answer that came and was paid for: cut off by the limit of tokens, the
model declined, or the provider's filter cut it."""


@dataclass(frozen=True, slots=True)
class Request:
    """One sample asked of a chat model."""

    family: str
    """Who serves the model: `openai`, `vllm`, `replay`. The same name of a model at another family
    is another model."""
    model: str
    messages: tuple[Message, ...]
    parameters: str = "{}"
    """Sampling parameters as canonical JSON: keys sorted, no spaces."""
    sample: int = 0
    """0 for the first sample of this content, 1 for the next: equal requests with different numbers
    are different calls."""
    key: bytes = dataclasses.field(init=False, repr=False, compare=False)
    """16 bytes over all fields."""

    def __post_init__(self) -> None:
        messages = _unescaped(self.messages)
        parts = (self.family, self.model, messages, self.parameters, str(self.sample))
        object.__setattr__(self, "key", content_id("call", *parts))

    def body(self) -> dict[str, Any]:
        """What `POST /chat/completions` is given; the number of the sample is not part of it.

        Halves of surrogate pairs, which JSON can write and UTF-8 cannot, are sent as `?`.
        """
        messages = [
            {"role": role, "content": text.encode("utf-8", "replace").decode()}
            for role, text in self.messages
        ]
        return {"model": self.model, "messages": messages, **json.loads(self.parameters)}

    def data(self) -> bytes:
        """The body as JSON."""
        return _escaped(self.body()).encode("ascii")


def parameters(values: Mapping[str, Any]) -> str:
    """Sampling parameters in the canonical form of a Request."""
    return json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Call:
    """What became of a request."""

    status: Literal["answered", "failed"]
    text: str = ""
    """What the model said; empty if it failed."""
    flaw: Flaw = ""
    reason: str = ""
    """Why it failed, in a few countable words: `rate limit`, `timeout`, `broken JSON`."""
    final: bool = True
    """False if asking again later may help: a failure of the network or of a busy server."""
    finish: str = ""
    """Finish reason as the endpoint said it."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    fingerprint: str = ""
    """`system_fingerprint` of the response; a replay server's begins with `replay`."""
