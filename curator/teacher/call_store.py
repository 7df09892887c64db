"""The ledger of calls, shared by thousands of coroutines: looked up and written many at once.

In: single keys and records. Out: the same as from the ledger, each within some milliseconds. What
is looked up or put within a short time goes in one piece: a look-up lists a folder and reads
Parquet, and a sync to the disk takes as long for a hundred records as for one. It is done in a
thread of its own: on a busy disk a sync takes a tenth of a second, in which answers must be read.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from datastore.ledger import Ledger

LOOK_S = 0.05
COMMIT_S = 0.05

T = TypeVar("T")

Record = dict[str, Any]
Found = dict[bytes, Record]


class CallStore:
    """For use in one event loop; nobody else may use the ledger object until it is closed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        # What the next piece holds and who waits for it; the first to wait begins it.
        self._wanted: set[bytes] = set()
        self._looking: list[asyncio.Future[Found]] = []
        self._new: dict[bytes, Record] = {}
        self._putting: list[asyncio.Future[None]] = []
        self._at_work: set[asyncio.Task[None]] = set()

    async def get(self, key: bytes) -> Record | None:
        """The record of the key, as it is after the call; None if there is none."""
        return (await self.get_many([key])).get(key)

    async def get_many(self, keys: Iterable[bytes]) -> Found:
        """The records of those keys that have one."""
        wanted = list(keys)
        if not self._looking:
            self._start(self._look())
        self._wanted.update(wanted)
        found = await _next(self._looking)
        return {key: found[key] for key in wanted if key in found}

    async def put(self, key: bytes, record: Record) -> None:
        """Adds the record; when it returns it is on the disk. Raises StoreError if it cannot be."""
        if not self._putting:
            self._start(self._commit())
        self._new[key] = record
        await _next(self._putting)

    async def close(self) -> None:
        """Waits until what was put is on the disk and the ledger is left alone."""
        try:
            await asyncio.gather(*self._at_work)
        finally:
            self._thread.shutdown()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)

    async def _look(self) -> None:
        await asyncio.sleep(LOOK_S)
        wanted, self._wanted = self._wanted, set()
        waiting, self._looking = self._looking, []
        await self._in_thread(waiting, self._ledger.get_many, wanted)

    async def _commit(self) -> None:
        await asyncio.sleep(COMMIT_S)
        new, self._new = self._new, {}
        waiting, self._putting = self._putting, []
        await self._in_thread(waiting, self._ledger.put_many, new)

    async def _in_thread(
        self, waiting: list[asyncio.Future[T]], work: Callable[[Any], T], piece: Any
    ) -> None:
        """Does a piece of work and tells all who wait for it how it went."""
        try:
            done = await asyncio.get_running_loop().run_in_executor(self._thread, work, piece)
        except Exception as error:
            for each in waiting:
                if not each.done():
                    each.set_exception(error)
        else:
            for each in waiting:
                if not each.done():  # who was cancelled has gone
                    each.set_result(done)


async def _next(waiting: list[asyncio.Future[T]]) -> T:
    # One for each: cheaper than one for all that each must shield from being cancelled.
    mine: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    waiting.append(mine)
    return await mine
