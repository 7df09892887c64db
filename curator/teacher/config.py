"""The keys `teacher` and `sampling` of a recipe: endpoint, model, limits and samples.

In: YAML values, through the recipe. Out: frozen pydantic models. The API key is not part of them:
it is read from the environment when a call is made.
"""

import json
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, field_validator, model_validator

from curator.core.redaction import redact_all_keys
from curator.core.section import Mark, Section

Share = Annotated[float, Field(ge=0, le=1)]
Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]

T = TypeVar("T")
Delivery = Annotated[T, Mark.NOT_DIGESTED]
"""How, how fast and at what cost a reply is obtained; it does not change the reply."""
RecipePath = Annotated[str, Mark.PATH]


class Prices(Section):
    """Prices per million tokens, in any currency."""

    input: Money = 0.0
    """Price per million tokens of prompts."""
    output: Money = 0.0
    """Price per million tokens of replies."""


class Budget(Section):
    """Limits that the calls of a recipe may not exceed. Default: no limits."""

    money: Money | None = None
    """Maximum cost, in the currency of the prices."""
    tokens: Annotated[int, Field(ge=0)] | None = None
    """Maximum number of tokens, prompts and replies together."""
    calls: Annotated[int, Field(ge=0)] | None = None
    """Maximum number of calls that return a reply."""


class TeacherSettings(Section):
    """A chat model behind an OpenAI-compatible endpoint."""

    model: str = Field(min_length=1)
    """Name of the model at its endpoint."""
    base_url: Delivery[str] = Field(
        default="https://api.openai.com/v1", pattern=r"^https?://[^\s/]+"
    )
    """URL of the endpoint, including `/v1`. A query such as Azure's `?api-version=2024-10-21` is
    sent with every request; with `api-version`, the key is sent in the header `api-key`."""
    replay: Delivery[RecipePath] = ""
    """File of recorded calls to serve instead of the endpoint, relative to the recipe file."""
    family: str = "openai"
    """Provider of the model. Part of every call's key, because one name may stand for different
    models at different providers."""
    key_env: Delivery[str] = "OPENAI_API_KEY"
    """Environment variable that holds the API key. Set it to the empty string for endpoints that
    need no key."""
    parameters: dict[str, Any] = Field(default={"temperature": 0.7, "max_tokens": 1024})
    """Sampling parameters, as the endpoint accepts them."""
    prices: Delivery[Prices] = Prices()
    """Prices per million tokens."""
    budget: Delivery[Budget] = Budget()
    """Limits over all calls that this recipe ever made in a store."""
    concurrency: Delivery[int] = Field(default=256, ge=1, le=4096)
    """Maximum number of calls in flight. The actual number adapts to what the endpoint sustains."""
    requests_per_minute: Delivery[Annotated[int, Field(ge=1)] | None] = None
    """Rate limit of the endpoint, in requests."""
    tokens_per_minute: Delivery[Annotated[int, Field(ge=1)] | None] = None
    """Rate limit of the endpoint, in tokens of prompts and replies together."""
    timeout_s: Delivery[float] = Field(default=300.0, gt=0, le=7200)
    """Timeout per attempt, in seconds."""
    tries: Delivery[int] = Field(default=6, ge=1, le=100)
    """Maximum number of attempts per call before it is recorded as failed."""
    batch: Delivery[bool] = False
    """Use the provider's batch API, which is slower and cheaper."""
    tokenizer: Delivery[RecipePath] = ""
    """Path of a `tokenizer.json` for estimating tokens, relative to the recipe file. Default: a
    general-purpose tokenizer."""

    _role: str = PrivateAttr(default="Teacher")
    _texts_per_request: int = PrivateAttr(default=1)

    @property
    def role(self) -> str:
        """What the endpoint is for, for messages: `Teacher` or `Embeddings`."""
        return self._role

    @property
    def texts_per_request(self) -> int:
        """Maximum number of texts in one request for embeddings."""
        return self._texts_per_request

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, value: str) -> str:
        return check_base_url(value)

    @field_validator("parameters")
    @classmethod
    def _check_parameters(cls, values: dict[str, Any]) -> dict[str, Any]:
        return check_parameters(values)

    def with_address(self, base_url: str) -> "TeacherSettings":
        """Return the same settings for an endpoint without key and batches, such as a replay."""
        update = {"base_url": base_url, "key_env": "", "batch": False}
        return self.model_copy(update=update)


class EmbeddingSettings(Section):
    """An embedding model behind an OpenAI-compatible endpoint."""

    model: str = Field(min_length=1)
    """Name of the model at its endpoint."""
    base_url: Delivery[str] = Field(
        default="https://api.openai.com/v1", pattern=r"^https?://[^\s/]+"
    )
    """URL of the endpoint, including `/v1`."""
    family: str = "openai"
    """Provider of the model. Part of the key of every vector, because one name may stand for
    different models at different providers."""
    dimensions: Annotated[int | None, Mark.OMIT_DEFAULT] = Field(default=None, ge=1, le=16_384)
    """Number of dimensions to request. Default: those of the model."""
    key_env: Delivery[str] = "OPENAI_API_KEY"
    """Environment variable that holds the API key. Set it to the empty string for endpoints that
    need no key."""
    price: Delivery[Money] = 0.0
    """Price per million tokens, in any currency."""
    budget: Delivery[Budget] = Budget()
    """Limits over all texts that this recipe ever embedded in a store; a text counts as one call.
    """
    texts_per_request: Delivery[int] = Field(default=32, ge=1, le=256)
    """Maximum number of texts in one request."""
    concurrency: Delivery[int] = Field(default=256, ge=1, le=4096)
    """Maximum number of texts in flight. The actual number adapts to what the endpoint sustains."""
    tokens_per_minute: Delivery[Annotated[int, Field(ge=1)] | None] = None
    """Rate limit of the endpoint, in tokens."""
    timeout_s: Delivery[float] = Field(default=60.0, gt=0, le=7200)
    """Timeout per attempt, in seconds."""
    tries: Delivery[int] = Field(default=6, ge=1, le=100)
    """Maximum number of attempts per text before its failure is recorded."""

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, value: str) -> str:
        return check_base_url(value)

    @property
    def parameters(self) -> dict[str, int]:
        """Parameters of a request, as the endpoint accepts them."""
        return {"dimensions": self.dimensions} if self.dimensions else {}

    @property
    def identity(self) -> dict[str, Any]:
        """What a vector depends on besides its text."""
        return {"family": self.family, "model": self.model, "parameters": self.parameters}

    def as_teacher(self) -> TeacherSettings:
        """Return the settings of the client, which is that of a teacher."""
        settings = TeacherSettings(
            model=self.model,
            base_url=self.base_url,
            family=self.family,
            key_env=self.key_env,
            parameters={**self.parameters},
            prices=Prices(input=self.price),
            budget=self.budget,
            concurrency=self.concurrency,
            tokens_per_minute=self.tokens_per_minute,
            timeout_s=self.timeout_s,
            tries=self.tries,
        )
        settings._role = "Embeddings"
        settings._texts_per_request = self.texts_per_request
        return settings


def check_base_url(value: str) -> str:
    """Return the URL of an endpoint. Raises ValueError if it is not one."""
    try:
        parts = urlsplit(value)
        valid = bool(parts.hostname) and parts.port != 0 and value.isprintable()
    except ValueError:  # a port that is not a number, or an incomplete IPv6 address
        valid = False
    if not valid or " " in value:
        raise ValueError("expected an address such as http://localhost:8000/v1")
    if "@" in parts.netloc:
        raise ValueError(
            "expected no user name or password in the URL; the key is read from the variable "
            "in key_env"
        )
    if parts.fragment:
        raise ValueError(
            "expected a URL without a fragment (#…); the key is read from the variable in key_env"
        )
    if redact_all_keys(value) != value:
        raise ValueError(
            "expected no key or password in the URL; the key is read from the variable in key_env"
        )
    return value


def check_parameters(values: dict[str, Any]) -> dict[str, Any]:
    """Return sampling parameters. Raises ValueError if they are not valid."""
    reserved = sorted({"model", "messages", "n", "stream"} & values.keys())
    if reserved:
        raise ValueError(
            f"{', '.join(reserved)}: set by Curator, which requests one sample per call"
        )
    if "tools" in values:
        raise ValueError("tools: set by Curator where sampling.tools is true")
    try:
        json.dumps(values, allow_nan=False)
    except (TypeError, ValueError):
        raise ValueError("expected JSON values: numbers, strings, lists") from None
    if redact_all_keys(values) != values:
        raise ValueError(
            "expected no key or password; the key is read from the variable in key_env"
        )
    return values


class Sampling(Section):
    """How many rationales the teacher writes per problem."""

    tries: int = Field(default=1, ge=1, le=10_000)
    """Maximum number of samples per problem."""
    until: Annotated[int, Field(ge=1)] | None = None
    """Stop sampling a problem once this many of its rationales pass all checks, so that hard
    problems get more samples than easy ones. Default: always take `tries` samples."""
    band: Annotated[tuple[Share, Share] | None, Mark.OMIT_DEFAULT] = None
    """Stop sampling a problem once a sequential test decides its band: too hard (solve rate below
    the first number), useful (between the two), or too easy (above the second one), such as `[0.2,
    0.8]`. Problems near an edge take `tries` samples. Samples that pass all checks are successes;
    replies without a rationale or an answer are failures; undecided samples do not count."""
    error: Annotated[float, Field(gt=0, le=0.5), Mark.OMIT_DEFAULT] = 0.1
    """Maximum probability that `band` is decided wrongly."""
    repair: bool = False
    """Show a failed program and its error to the teacher once, and use the corrected program."""
    rounds: Annotated[int, Field(ge=1, le=100), Mark.OMIT_DEFAULT] = 4
    """Maximum number of programs that a solution of the writer `tir` runs. Each costs a call, or
    several together if the teacher calls a tool several times in one reply."""
    tools: Annotated[bool, Mark.OMIT_DEFAULT] = False
    """Whether the writer `tir` lets the teacher call the tool `python` (OpenAI's `tools`), instead
    of asking for programs in fenced blocks. The endpoint must support tool calls."""
    thoughts: Annotated[Literal["drop", "keep"], Mark.OMIT_DEFAULT] = "drop"
    """What to do with the thought of a reply, written between tags or returned as
    `reasoning_content`: `keep` writes it before the answer as `<think>…</think>`. Programs and
    solutions with programs are stored without it. Cached calls keep it in either case."""
    prompts: Annotated[RecipePath, Mark.NOT_DIGESTED] = ""
    """Folder of prompts that replace built-in prompts of the same name, relative to the recipe
    file."""

    @model_validator(mode="after")
    def _check_band(self) -> Self:
        if self.band and self.band[0] >= self.band[1]:
            raise ValueError(f"expected a band such as [0.2, 0.8], saw {list(self.band)}")
        if self.band and self.until:
            raise ValueError("'until' and 'band' both decide when to stop. Remove one")
        return self
