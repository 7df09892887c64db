"""The ledger of calls, shared by thousands of coroutines: looked up and written many at once.

In: single keys and records. Out: the same as from the ledger, each within some milliseconds. What
is looked up or put within a short time goes in one piece: a look-up lists a folder and reads
Parquet, and a sync to the disk takes as long for a hundred records as for one.
"""

import asyncio
from typing import Any

from datastore.ledger import Ledger

LOOK_S = 0.02
COMMIT_S = 0.02

Record = dict[str, Any]


class Keeping:
    """For use in one event loop, in whose thread the ledger is read and written."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
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

    async def put(self, key: bytes, record: Record) -> None:
        """Adds the record; when it returns it is on the disk. Raises StoreError if it cannot be."""
        loop = asyncio.get_running_loop()
        if self._synced is None:
            self._synced = loop.create_future()
            loop.call_later(COMMIT_S, self._commit)
        self._new[key] = record
        await asyncio.shield(self._synced)

    def _look(self) -> None:
        wanted, self._wanted = self._wanted, {}
        try:
            found = self._ledger.get_many(wanted)
        except Exception as error:  # of any kind: see `_fail`
            _fail(list(wanted.values()), error)
            return
        for key, future in wanted.items():
            if not future.done():
                future.set_result(found.get(key))

    def _commit(self) -> None:
        new, self._new = self._new, {}
        synced, self._synced = self._synced, None
        assert synced
        try:
            self._ledger.put_many(new)
        except Exception as error:  # of any kind: see `_fail`
            _fail([synced], error)
        else:
            synced.set_result(None)


def _fail(futures: list[Any], error: Exception) -> None:
    """Raises the error to all who wait: the event loop would log it and leave them waiting."""
    for future in futures:
        if not future.done():
            future.set_exception(error)
