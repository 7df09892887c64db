"""Records of the ledger `calls`, the same for single calls and batches.

In: a request, its call, and how the call was made. Out: a JSON record, and the call read back from
it. A record contains no header and no API key.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from curator.teacher.budget import Cost
from curator.teacher.call import AnyRequest, Call
from curator.teacher.messages import ToolCall

_FIELDS = [field.name for field in dataclasses.fields(Call)]
_ALWAYS = frozenset(_FIELDS) - {"reasoning", "tool_calls"}
"""Fields of every record; older releases of Curator read calls without the others."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tries:
    """How a request was sent until it became a call."""

    response: Any
    """Body of the last reply, JSON or text."""
    cost: Cost
    """Total cost of all attempts."""
    estimated: bool
    """Whether a reply did not report its tokens."""
    count: int
    """Number of attempts."""
    seconds: float
    """From the start of the first attempt to the end of the last one."""


def make_record(
    request: AnyRequest, call: Call, tries: Tries, *, recipe: str, when: float
) -> dict[str, Any]:
    """Return the record of a call; `when` is the Unix time at its end."""
    return {
        "request": {
            "family": request.family,
            "model": request.model,
            "messages": request.messages,
            "parameters": request.parameters,
            "sample": request.sample,
        },
        "call": {
            name: getattr(call, name) for name in _FIELDS if name in _ALWAYS or getattr(call, name)
        },
        "response": tries.response,
        "recipe": recipe,
        "money": tries.cost.money,
        "tokens": tries.cost.tokens,
        "estimated": tries.estimated,
        "tries": tries.count,
        "seconds": round(tries.seconds, 3),
        "time": round(when, 3),
    }


def read_call(record: Mapping[str, Any]) -> Call:
    """Return the call of a record."""
    values = record["call"]
    return Call(
        **{**values, "tool_calls": tuple(ToolCall(*x) for x in values.get("tool_calls", ()))}
    )


def read_cost(record: dict[str, Any]) -> Cost:
    """Return the cost of a record's call."""
    answered = record["call"]["status"] == "answered"
    return Cost(record["money"], record["tokens"], int(answered))
