"""Sends single requests in groups.

In: requests, one by one, that arrive within some milliseconds. Out: the result of each, from one
call for all of them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

MAX_DELAY_S = 0.01
"""Seconds that a request waits for others."""

T = TypeVar("T")
R = TypeVar("R")


class Grouping(Generic[T, R]):
    """For use in one event loop. `send_all` returns the results in the order of the requests."""

    def __init__(self, send_all: Callable[[Sequence[T]], Awaitable[Sequence[R]]], size: int):
        self._send_all, self._size = send_all, size
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(self, request: T) -> R:
        """Return the result of the request."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if len(self._waiting) == self._size:
            self._start(0)
        elif len(self._waiting) == 1:
            self._start(MAX_DELAY_S)
        return await future

    def _start(self, delay_s: float) -> None:
        task = asyncio.create_task(self._send_waiting(delay_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_waiting(self, delay_s: float) -> None:
        if delay_s:
            await asyncio.sleep(delay_s)
        group, self._waiting = self._waiting[: self._size], self._waiting[self._size :]
        if self._waiting:
            self._start(MAX_DELAY_S)
        if not group:  # a full group was sent in the meantime
            return
        try:
            results = await self._send_all([request for request, _ in group])
        except BaseException as error:
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
            if not isinstance(error, Exception):
                raise
        else:
            for (_, future), result in zip(group, results, strict=True):
                if not future.done():  # done if the caller was cancelled
                    future.set_result(result)
