"""A request to a teacher or for an embedding, and the call that it becomes.

In: provider, model, messages or text, parameters and the number of the sample. Out: a Request or an
EmbeddingRequest, whose key is a hash of exactly these, and a Call, which a ledger stores
permanently.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from curator.core.model import content_id
from curator.teacher.messages import Message, ToolCall, write_message

# Like json.dumps, which makes an encoder per call.
_encode_ascii = json.JSONEncoder(separators=(",", ":")).encode
_encode_unicode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

Flaw = Literal["", "truncated", "refused", "filtered"]
"""Defect of a reply that was paid for: cut off at the token limit, a refusal by the model, or cut
by the provider's filter."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request for one sample from a chat model."""

    family: str
    """Provider of the model: `openai`, `vllm`, `replay`. One name may stand for different models at
    different providers."""
    model: str
    messages: tuple[Message, ...]
    parameters: str = "{}"
    """Sampling parameters as canonical JSON: keys sorted, no spaces. With them the `tools` that the
    model may call."""
    sample: int = 0
    """0 for the first sample of this content, 1 for the next: equal requests with different numbers
    are different calls."""
    key: bytes = dataclasses.field(init=False, repr=False, compare=False)
    """Hash of all fields, 16 bytes."""

    def __post_init__(self) -> None:
        messages = _encode_unicode(self.messages)
        parts = (self.family, self.model, messages, self.parameters, str(self.sample))
        object.__setattr__(self, "key", content_id("call", *parts))

    @property
    def tools(self) -> str:
        """The tools that the model may call, as JSON; empty without any."""
        tools = json.loads(self.parameters).get("tools")
        return _encode_unicode(tools) if tools else ""

    def body(self) -> dict[str, Any]:
        """Return the body for `POST /chat/completions`, without the number of the sample."""
        messages = [write_message(each) for each in self.messages]
        return {"model": self.model, "messages": messages, **json.loads(self.parameters)}

    def encode(self) -> bytes:
        """Return the body as JSON."""
        return _encode_ascii(self.body()).encode("ascii")


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """A request for the vector of one text from an embedding model."""

    family: str
    model: str
    text: str
    parameters: str = "{}"
    """As for a Request: `{"dimensions":256}`."""
    key: bytes = dataclasses.field(init=False, repr=False, compare=False)
    """Hash of all fields, 16 bytes."""

    def __post_init__(self) -> None:
        key = content_id("embedding", self.family, self.model, self.parameters, self.text)
        object.__setattr__(self, "key", key)

    @property
    def messages(self) -> tuple[Message, ...]:
        """The text as a message: its tokens are counted, and it is stored, like that of a chat."""
        return (("user", self.text),)

    @property
    def sample(self) -> int:
        """A text has one vector."""
        return 0

    @property
    def tools(self) -> str:
        """An embedding model calls no tools."""
        return ""


AnyRequest = Request | EmbeddingRequest


def encode_embeddings(requests: Sequence[EmbeddingRequest]) -> bytes:
    """Return the body for `POST /embeddings` with all texts, as JSON."""
    texts = [request.text.encode("utf-8", "replace").decode() for request in requests]
    first = requests[0]
    body = {"model": first.model, "input": texts, "encoding_format": "float"}
    return _encode_ascii({**body, **json.loads(first.parameters)}).encode("ascii")


def parameters(values: Mapping[str, Any]) -> str:
    """Return sampling parameters in the canonical form of a Request."""
    return json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Call:
    """The result of a request."""

    status: Literal["answered", "failed"]
    text: str = ""
    """The reply, of an embedding the text of its vector; empty if the call failed."""
    flaw: Flaw = ""
    reason: str = ""
    """Why the call failed, one of a few phrases: `rate limit`, `timeout`, `broken JSON`."""
    final: bool = True
    """False if a later attempt may succeed: the network or a busy server failed."""
    finish: str = ""
    """Finish reason that the endpoint reported."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    fingerprint: str = ""
    """`system_fingerprint` of the response; a replay server's starts with `replay`."""
    reasoning: str = ""
    """The model's thought, where the endpoint returns it apart from the reply. A thought within the
    reply is a part of `text`."""
    tool_calls: tuple[ToolCall, ...] = ()
    """What the model wants to run, with the ids that the endpoint chose: a resumed conversation
    sends the same ones."""
