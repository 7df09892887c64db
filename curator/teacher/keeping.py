"""The ledger of calls, shared by thousands of coroutines: looked up and written many at once.

In: single keys and records. Out: the same as from the ledger, each within some milliseconds. What
is looked up or put within a short time goes in one piece: a look-up lists a folder and reads
Parquet, and a sync to the disk takes as long for a hundred records as for one. It is done in a
thread of its own: on a busy disk a sync takes a tenth of a second, in which answers must be read.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from datastore.ledger import Ledger

LOOK_S = 0.05
COMMIT_S = 0.05

T = TypeVar("T")

Record = dict[str, Any]


class Keeping:
    """For use in one event loop; nobody else may use the ledger object until it is closed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        self._wanted: set[bytes] = set()
        self._looking: asyncio.Task[dict[bytes, Record]] | None = None
        self._new: dict[bytes, Record] = {}
        self._committing: asyncio.Task[None] | None = None
        self._at_work: set[asyncio.Task[Any]] = set()

    async def get(self, key: bytes) -> Record | None:
        """The record of the key, as it is after the call; None if there is none."""
        return (await self.get_many([key])).get(key)

    async def get_many(self, keys: Iterable[bytes]) -> dict[bytes, Record]:
        """The records of those keys that have one."""
        wanted = list(keys)
        if self._looking is None:
            self._looking = self._started(self._look())
        self._wanted.update(wanted)
        found = await asyncio.shield(self._looking)
        return {key: found[key] for key in wanted if key in found}

    async def put(self, key: bytes, record: Record) -> None:
        """Adds the record; when it returns it is on the disk. Raises StoreError if it cannot be."""
        if self._committing is None:
            self._committing = self._started(self._commit())
        self._new[key] = record
        await asyncio.shield(self._committing)

    async def close(self) -> None:
        """Waits until what was put is on the disk and the ledger is left alone."""
        try:
            await asyncio.gather(*self._at_work, return_exceptions=True)  # raised to who waits
        finally:
            self._thread.shutdown()

    def _started(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)
        return task

    async def _look(self) -> dict[bytes, Record]:
        await asyncio.sleep(LOOK_S)
        wanted, self._wanted, self._looking = self._wanted, set(), None
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, self._ledger.get_many, wanted
        )

    async def _commit(self) -> None:
        await asyncio.sleep(COMMIT_S)
        new, self._new, self._committing = self._new, {}, None
        await asyncio.get_running_loop().run_in_executor(self._thread, self._ledger.put_many, new)
