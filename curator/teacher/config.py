"""The keys of a recipe's `teacher` and `sampling`: who is asked, how hard, and for how much.

In: YAML values, through the recipe. Out: frozen pydantic models. The key of an endpoint is never
one of them: it is read from the environment when a call is made.
"""

import json
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Prices(_Part):
    """Money a million tokens, in whatever currency the endpoint charges."""

    input: Money = 0.0
    """A million tokens of prompts."""
    output: Money = 0.0
    """A million tokens of answers."""


class Budget(_Part):
    """What must not be exceeded; nothing is bounded by default."""

    money: Money | None = None
    """In the currency of the prices."""
    tokens: Annotated[int, Field(ge=0)] | None = None
    """Tokens of prompts and answers."""
    calls: Annotated[int, Field(ge=0)] | None = None
    """Calls that get an answer."""


class TeacherSettings(_Part):
    """A chat model behind an OpenAI-compatible endpoint."""

    model: str = Field(min_length=1)
    """Name of the model at its endpoint."""
    base_url: str = Field(default="https://api.openai.com/v1", pattern=r"^https?://[^\s/]+")
    """Address of the endpoint, up to and with `/v1`."""
    replay: str = ""
    """File of recorded calls, relative to the recipe, that is served instead of the endpoint."""
    family: str = "openai"
    """Who serves the model: part of every call's key, since the same name elsewhere is another."""
    key_env: str = "OPENAI_API_KEY"
    """Environment variable that holds the key; empty for endpoints that need none."""
    parameters: dict[str, Any] = {"temperature": 0.7, "max_tokens": 1024}
    """Sampling parameters as the endpoint takes them."""
    prices: Prices = Prices()
    """Money a million tokens."""
    budget: Budget = Budget()
    """Of all calls that this recipe ever made in a store."""
    concurrency: int = Field(default=256, ge=1, le=4096)
    """Calls in flight at most; how many really are follows from what the endpoint bears."""
    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    """Limit of the endpoint."""
    tokens_per_minute: Annotated[int, Field(ge=1)] | None = None
    """Limit of the endpoint, prompts and answers together."""
    timeout_s: float = Field(default=300.0, gt=0, le=7200)
    """Seconds that one try may take."""
    tries: int = Field(default=6, ge=1, le=100)
    """Tries of one call before it is kept as failed."""
    batch: bool = False
    """Ask through the provider's batch API: slower and cheaper."""
    tokenizer: str = ""
    """A `tokenizer.json`, relative to the recipe, to estimate tokens; a general one if empty."""

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            sound = bool(parts.hostname) and parts.port != 0 and value.isprintable()
        except ValueError:  # a port that is no number, or half of an IPv6 address
            sound = False
        if not sound or " " in value:
            raise ValueError("expected an address such as http://localhost:8000/v1")
        if "@" in parts.netloc:
            raise ValueError("expected no name or password in it: the key is read from key_env")
        return value

    @field_validator("parameters")
    @classmethod
    def _plain(cls, values: dict[str, Any]) -> dict[str, Any]:
        ours = sorted({"model", "messages", "n", "stream"} & values.keys())
        if ours:
            raise ValueError(f"{', '.join(ours)}: set by Curator, which asks one sample a call")
        try:
            json.dumps(values, allow_nan=False)
        except (TypeError, ValueError):
            raise ValueError("expected values that JSON has: numbers, texts, lists") from None
        return values


class Sampling(_Part):
    """How many rationales a teacher writes for a problem."""

    tries: int = Field(default=1, ge=1, le=10_000)
    """Samples a problem at most."""
    until: Annotated[int, Field(ge=1)] | None = None
    """Stop once so many are proved: hard problems are then sampled more than easy ones."""
    repair: bool = False
    """Show a program that failed its error once, and take what comes back."""
    prompts: str = ""
    """Folder, relative to the recipe, of prompts that replace built-in ones of the same name."""
