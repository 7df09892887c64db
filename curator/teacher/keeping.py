"""The ledger of calls, shared by thousands of coroutines: looked up and written many at once.

In: single keys and records. Out: the same as from the ledger, each within some milliseconds. What
is looked up or put within a short time goes in one piece: a look-up lists a folder and reads
Parquet, and a sync to the disk takes as long for a hundred records as for one. It is done in a
thread of its own: on a busy disk a sync takes a tenth of a second, in which answers must be read.
"""

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from datastore.ledger import Ledger

LOOK_S = 0.05
COMMIT_S = 0.05

Record = dict[str, Any]


class Keeping:
    """For use in one event loop; nobody else may use the ledger object until it is closed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        self._wanted: dict[bytes, asyncio.Future[Record | None]] = {}
        self._new: dict[bytes, Record] = {}
        self._synced: asyncio.Future[None] | None = None

    async def get(self, key: bytes) -> Record | None:
        """The record of the key, as it is after the call; None if there is none."""
        loop = asyncio.get_running_loop()
        if not self._wanted:
            loop.call_later(LOOK_S, self._look)
        if key not in self._wanted:
            self._wanted[key] = loop.create_future()
        return await self._wanted[key]

    async def get_many(self, keys: Iterable[bytes]) -> dict[bytes, Record]:
        """The records of those keys that have one."""
        wanted = list(keys)
        found = await asyncio.gather(*map(self.get, wanted))
        return {key: record for key, record in zip(wanted, found, strict=True) if record}

    async def put(self, key: bytes, record: Record) -> None:
        """Adds the record; when it returns it is on the disk. Raises StoreError if it cannot be."""
        loop = asyncio.get_running_loop()
        if self._synced is None:
            self._synced = loop.create_future()
            loop.call_later(COMMIT_S, self._commit)
        self._new[key] = record
        await asyncio.shield(self._synced)

    def close(self) -> None:
        """Waits until the ledger is left alone."""
        self._thread.shutdown()

    def _look(self) -> None:
        wanted, self._wanted = self._wanted, {}
        asyncio.get_running_loop().run_in_executor(
            self._thread, self._ledger.get_many, wanted
        ).add_done_callback(partial(_found, wanted))

    def _commit(self) -> None:
        new, self._new = self._new, {}
        synced, self._synced = self._synced, None
        assert synced
        asyncio.get_running_loop().run_in_executor(
            self._thread, self._ledger.put_many, new
        ).add_done_callback(partial(_kept, synced))


def _found(
    wanted: dict[bytes, asyncio.Future[Record | None]],
    looked: asyncio.Future[dict[bytes, Record]],
) -> None:
    if error := looked.exception():
        _fail(wanted.values(), error)
        return
    for key, future in wanted.items():
        if not future.done():
            future.set_result(looked.result().get(key))


def _kept(synced: asyncio.Future[None], put: asyncio.Future[None]) -> None:
    if error := put.exception():
        _fail([synced], error)
    elif not synced.done():
        synced.set_result(None)


def _fail(futures: Iterable[asyncio.Future[Any]], error: BaseException) -> None:
    """Raises the error, of whatever kind, to all who wait: none may be left waiting."""
    for future in futures:
        if not future.done():
            future.set_exception(error)
