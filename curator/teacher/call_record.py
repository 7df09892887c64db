"""What the ledger `calls` keeps of a call: the one form for single calls and batches.

In: a request, the call that it became, and how. Out: a JSON record; and the call back from it.
There is no header in it and no key.
"""

import dataclasses
from typing import Any

from curator.teacher.budget import Spent
from curator.teacher.call import Call, Request

_FIELDS = [field.name for field in dataclasses.fields(Call)]


def record_of(
    request: Request,
    call: Call,
    *,
    response: Any,
    recipe: str,
    spent: Spent,
    estimated: bool,
    tries: int,
    seconds: float,
    when: float,
) -> dict[str, Any]:
    """The record of a call.

    `response` is the body, JSON or text; `spent` is of all tries, `estimated` if the endpoint did
    not say the tokens; `when` is the Unix time at the end of it.
    """
    return {
        "request": {
            "family": request.family,
            "model": request.model,
            "messages": request.messages,
            "parameters": request.parameters,
            "sample": request.sample,
        },
        "call": {name: getattr(call, name) for name in _FIELDS},
        "response": response,
        "recipe": recipe,
        "money": spent.money,
        "tokens": spent.tokens,
        "estimated": estimated,
        "tries": tries,
        "seconds": round(seconds, 3),
        "time": round(when, 3),
    }


def call_of(record: dict[str, Any]) -> Call:
    """The call that a record keeps."""
    return Call(**record["call"])


def spent_of(record: dict[str, Any]) -> Spent:
    """What a record says that its call cost."""
    answered = record["call"]["status"] == "answered"
    return Spent(record["money"], record["tokens"], int(answered))
