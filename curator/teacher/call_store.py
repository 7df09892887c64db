"""The ledger of calls, shared by thousands of coroutines, with reads and writes in groups.

In: single keys and records. Out: the same results as from the ledger, within some milliseconds.
Reads and writes that arrive within a short time form one group: a read lists a folder and opens
Parquet files, and syncing a hundred records to the disk takes as long as syncing one. Groups run in
a thread: on a busy disk a sync takes a tenth of a second, during which replies must be read.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sized
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from datastore.ledger import Ledger

MAX_DELAY_S = 0.05
"""Maximum seconds during which a group is collected."""
QUIET_S = 0.005
"""Seconds without a new read or write after which a group is complete."""

T = TypeVar("T")

Record = dict[str, Any]
Records = dict[bytes, Record]


class CallStore:
    """For use in one event loop, which owns the ledger until the store is closed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        # The content of the next group and the futures of those waiting for it; the first one to
        # wait starts the group.
        self._read_keys: set[bytes] = set()
        self._readers: list[asyncio.Future[Records]] = []
        self._new_records: Records = {}
        self._writers: list[asyncio.Future[None]] = []
        self._groups: set[asyncio.Task[None]] = set()

    async def get(self, key: bytes) -> Record | None:
        """Return the record of the key; None if the ledger has none."""
        return (await self.get_many([key])).get(key)

    async def get_many(self, keys: Iterable[bytes]) -> Records:
        """Return the records of those keys that the ledger has."""
        keys = list(keys)
        if not self._readers:
            self._start(self._read_group())
        self._read_keys.update(keys)
        records = await _wait_in(self._readers)
        return {key: records[key] for key in keys if key in records}

    async def put(self, key: bytes, record: Record) -> None:
        """Add the record and wait until it is on the disk. Raises StoreError if that fails."""
        if not self._writers:
            self._start(self._write_group())
        self._new_records[key] = record
        await _wait_in(self._writers)

    async def close(self) -> None:
        """Wait until all records are on the disk and the ledger is no longer in use."""
        try:
            await asyncio.gather(*self._groups)
        finally:
            self._thread.shutdown()

    def _start(self, group: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(group)
        self._groups.add(task)
        task.add_done_callback(self._groups.discard)

    async def _read_group(self) -> None:
        await _collect(self._readers)
        keys, self._read_keys = self._read_keys, set()
        readers, self._readers = self._readers, []
        await self._run_in_thread(readers, self._ledger.get_many, keys)

    async def _write_group(self) -> None:
        await _collect(self._writers)
        records, self._new_records = self._new_records, {}
        writers, self._writers = self._writers, []
        await self._run_in_thread(writers, self._ledger.put_many, records)

    async def _run_in_thread(
        self, waiting: list[asyncio.Future[T]], work: Callable[[Any], T], group: Any
    ) -> None:
        """Run `work` on the group and pass its result or exception to all waiting futures."""
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._thread, work, group)
        except Exception as error:
            for future in waiting:
                if not future.done():
                    future.set_exception(error)
        else:
            for future in waiting:
                if not future.done():  # done if the caller was cancelled
                    future.set_result(result)


async def _collect(waiting: Sized) -> None:
    """Return when no one has begun to wait for QUIET_S, and after MAX_DELAY_S in any case."""
    end, before = time.monotonic() + MAX_DELAY_S, -1
    while before < len(waiting) and time.monotonic() < end:
        before = len(waiting)
        await asyncio.sleep(QUIET_S)


async def _wait_in(waiting: list[asyncio.Future[T]]) -> T:
    # One future per caller is cheaper than a shared one that each must shield from cancellation.
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    waiting.append(future)
    return await future
