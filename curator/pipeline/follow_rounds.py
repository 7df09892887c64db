"""Follow the cached conversations of the writer `tir` as far as the caches go.

In: first messages and the caches of calls and executions. Out: for each conversation, what is
cached of it and what its next request would be. Nothing is sent or run. Conversations advance
together, so that a cache is read once per round.
"""

from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from curator.pipeline.stages.tool_rounds import Conversation, RoundLimits, take_rounds
from curator.teacher import Call, Request
from curator.teacher.call_record import read_call

GetRecords = Callable[[Iterable[bytes]], Mapping[bytes, Mapping[str, Any]]]
"""Return the cached records of those keys that have one."""
FindOutput = Callable[[Sequence[str]], str | None]
"""Return what the last one of several programs printed when they ran; None if not cached."""


@dataclass(slots=True)
class Followed:
    """A conversation as far as it is cached."""

    calls: list[Mapping[str, Any]] = field(default_factory=list)
    """Its cached calls."""
    next: Conversation = ()
    """Messages of the next request; empty at its end."""
    pending: bool = False
    """Whether `next` lacks the last cached reply, since an output of its programs is not cached."""


class _Missing(Exception):
    """A call or an execution is not cached."""


class _Lookup:
    """Awaited by a conversation: the record of a request, or None."""

    def __init__(self, key: bytes) -> None:
        self.key = key

    def __await__(self) -> Generator["_Lookup", Mapping[str, Any] | None, Mapping[str, Any] | None]:
        return (yield self)


_Follower = Coroutine[_Lookup, Mapping[str, Any] | None, Followed]


def follow_rounds(
    starts: Iterable[tuple[Conversation, int]],
    limits: RoundLimits,
    request: Callable[[Conversation, int], Request],
    get_records: GetRecords,
    find_output: FindOutput,
) -> list[Followed]:
    """Return each conversation, given with the number of its sample, as far as it is cached."""
    results: list[Followed] = []
    waiting: list[tuple[int, _Follower, _Lookup]] = []
    for place, (messages, sample) in enumerate(starts):
        results.append(Followed())
        follower = _follow(messages, sample, limits, request, find_output)
        waiting.append((place, follower, follower.send(None)))
    while waiting:
        records = get_records([lookup.key for _, _, lookup in waiting])
        still = []
        for place, follower, lookup in waiting:
            try:
                still.append((place, follower, follower.send(records.get(lookup.key))))
            except StopIteration as ended:
                results[place] = ended.value
        waiting = still
    return results


async def _follow(
    messages: Conversation,
    sample: int,
    limits: RoundLimits,
    request: Callable[[Conversation, int], Request],
    find_output: FindOutput,
) -> Followed:
    found = Followed()

    async def get_call(messages: Conversation) -> Call:
        found.next = messages
        record = await _Lookup(request(messages, sample).key)
        if record is None or not record["call"]["final"]:
            raise _Missing
        found.calls.append(record["call"])
        return read_call(record)

    async def run(programs: Sequence[str]) -> str:
        output = find_output(programs)
        if output is None:
            found.pending = True
            raise _Missing
        return output

    try:
        await take_rounds(messages, limits, get_call, run)
    except _Missing:
        return found
    found.next = ()
    return found
