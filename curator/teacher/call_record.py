"""What the ledger `calls` keeps of a call: the one form for single calls and batches.

In: a request, the call that it became, and how. Out: a JSON record; and the call back from it.
There is no header in it and no key.
"""

import dataclasses
from typing import Any

from curator.teacher.budget import Spent
from curator.teacher.call import Call, Request

_FIELDS = [field.name for field in dataclasses.fields(Call)]


@dataclasses.dataclass(frozen=True, slots=True)
class Tries:
    """How a request was sent until it became a call."""

    response: Any
    """Body of the last reply, JSON or text."""
    spent: Spent
    """Total cost of all tries."""
    estimated: bool
    """Whether a reply did not state its tokens."""
    count: int
    seconds: float
    """From the start of the first try to the end of the last."""


def record_of(
    request: Request, call: Call, tries: Tries, *, recipe: str, when: float
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
        "call": {name: getattr(call, name) for name in _FIELDS},
        "response": tries.response,
        "recipe": recipe,
        "money": tries.spent.money,
        "tokens": tries.spent.tokens,
        "estimated": tries.estimated,
        "tries": tries.count,
        "seconds": round(tries.seconds, 3),
        "time": round(when, 3),
    }


def call_of(record: dict[str, Any]) -> Call:
    """The call that a record keeps."""
    return Call(**record["call"])


def spent_of(record: dict[str, Any]) -> Spent:
    """What a record says that its call cost."""
    answered = record["call"]["status"] == "answered"
    return Spent(record["money"], record["tokens"], int(answered))
