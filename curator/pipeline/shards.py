"""Run one function over many shards, in this process or by the executor of the build.

In: a function of a build context and a shard's arguments, and the shards. Out: its results, in the
order of the shards. Where a shard ends depends on the data alone, so that neither executor nor
workers change a byte. No row passes between processes: a function reads objects of the store,
writes objects and returns their digests.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from curator.core.progress import Listener
from curator.pipeline.context import BuildContext, NotBuilt

FEW_ROWS = 4_000
"""Number of rows up to which starting processes takes longer than the work."""


@dataclass(frozen=True, slots=True)
class Shard:
    """The arguments of one call of the function, and how much work it is."""

    rows: Callable[[], int]
    """Number of rows, computed only for a shard that is not cached."""
    arguments: tuple[Any, ...]
    """Digests, names and other plain values, since another process may receive them."""


ShardFunction = Callable[..., Any]
"""`function(context, *arguments)`, at the top of a module, so that another process can import it.
It runs stages by `context.once` and returns their outputs."""


def run_shards(
    context: BuildContext, function: ShardFunction, shards: Sequence[Shard], what: str
) -> list[Any]:
    """Return the results of all shards. `what` names the work in the progress bar."""
    if context.dry:
        return [function(context, *shard.arguments) for shard in shards]
    results: dict[int, Any] = {}
    cached = replace(context, dry=True)
    for position, shard in enumerate(shards):
        with suppress(NotBuilt):
            results[position] = function(cached, *shard.arguments)
    missing = [position for position in range(len(shards)) if position not in results]
    if missing:
        work = [shards[position] for position in missing]
        results |= zip(missing, _run(context, function, work, what), strict=True)
    return [results[position] for position in range(len(shards))]


def _run(
    context: BuildContext, function: ShardFunction, shards: Sequence[Shard], what: str
) -> list[Any]:
    """Return the results of shards that are not cached."""
    rows = [shard.rows() for shard in shards]
    total, done = sum(rows), 0
    if context.executor is None or len(shards) == 1 or total <= FEW_ROWS:
        return _run_here(context, function, shards, rows, what)
    results: list[Any] = [None] * len(shards)
    context.listener.progress(what, done, total)
    calls = [shard.arguments for shard in shards]
    for position, result, notes in context.executor.run(function, calls):
        for note in notes:
            context.listener.note(note)
        if isinstance(result, Exception):
            raise result
        results[position] = result
        done += rows[position]
        context.listener.progress(what, done, total)
    return results


def _run_here(
    context: BuildContext,
    function: ShardFunction,
    shards: Sequence[Shard],
    rows: Sequence[int],
    what: str,
) -> list[Any]:
    results, done = [], 0
    for shard, size in zip(shards, rows, strict=True):
        inside = in_one_bar(context, what, done, sum(rows))
        results.append(function(inside, *shard.arguments))
        done += size
    return results


def in_one_bar(context: BuildContext, what: str, before: int, total: int) -> BuildContext:
    """Return the context for one shard, whose stages all move the progress bar `what`.

    `before` is the number of rows of the shards before it, `total` that of all; 0 if not known.
    """
    listener = _PartOfWhole(context.listener, what, before, total)
    return replace(context, options=replace(context.options, listener=listener))


class _PartOfWhole:
    """Reports the progress within one shard as progress of all shards.

    It only grows: each stage of a shard counts from 0 again.
    """

    def __init__(self, listener: Listener, what: str, before: int, total: int) -> None:
        self._listener, self._what, self._before, self._total = listener, what, before, total
        self._most = 0

    def progress(self, what: str, done: int, total: int | None) -> None:
        """Receive how much of the shard is done."""
        whole = self._total or None
        self._most = max(self._most, min(self._before + done, whole or done))
        self._listener.progress(self._what, self._most, whole)

    def note(self, text: str) -> None:
        """Pass a note on."""
        self._listener.note(text)
