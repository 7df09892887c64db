"""The ledger of calls as coroutines use it: many at once, on busy and failing disks."""

import asyncio
import os
from pathlib import Path
from threading import Event, Thread

import pytest

from curator.teacher.call_store import MAX_DELAY_S, CallStore
from datastore.errors import StoreError
from datastore.ledger import Ledger

KEYS = [bytes([number]) * 32 for number in range(50)]


def test_coroutines_run_while_the_disk_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop_ran = Event()
    waits: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda _: waits.append(loop_ran.wait(600)))

    async def run() -> None:
        put = asyncio.create_task(calls.put(KEYS[0], {"n": 0}))
        while not waits and not put.done():
            await asyncio.sleep(0.01)
            loop_ran.set()
        await put
        assert await calls.get(KEYS[0]) == {"n": 0}
        await calls.close()

    with Ledger(tmp_path / "calls") as ledger:
        calls = CallStore(ledger)
        asyncio.run(run())
    assert waits and all(waits)


def test_concurrent_readers_and_writers_get_their_own_records(tmp_path: Path) -> None:
    async def run() -> None:
        await asyncio.gather(*(calls.put(key, {"n": key[0]}) for key in KEYS))
        stored = await calls.get_many([*KEYS, b"x" * 32])
        assert stored == {key: {"n": key[0]} for key in KEYS}
        await calls.close()

    with Ledger(tmp_path / "calls") as ledger:
        calls = CallStore(ledger)
        asyncio.run(run())


def test_a_disk_error_is_raised_in_all_writers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: int) -> None:
        raise OSError(28, "No space left on device")

    async def run() -> list[object]:
        puts = (calls.put(key, {"n": key[0]}) for key in KEYS)
        try:
            return list(await asyncio.gather(*puts, return_exceptions=True))
        finally:
            await calls.close()

    with Ledger(tmp_path / "calls") as ledger:
        calls = CallStore(ledger)
        monkeypatch.setattr(os, "fsync", failing)
        errors = asyncio.run(run())
    assert len(errors) == len(KEYS) and all(isinstance(each, StoreError) for each in errors)


def test_a_cancelled_reader_does_not_cancel_others(tmp_path: Path) -> None:
    async def run() -> None:
        cancelled, other = (asyncio.create_task(calls.get(KEYS[0])) for _ in range(2))
        await asyncio.sleep(0)
        cancelled.cancel()
        assert await other is None and cancelled.cancelled()
        await calls.close()

    with Ledger(tmp_path / "calls") as ledger:
        calls = CallStore(ledger)
        asyncio.run(run())


def test_closing_stores_the_records_of_cancelled_writers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        tasks = [asyncio.create_task(calls.put(KEYS[1], {"n": 1}))]
        tasks.append(asyncio.create_task(calls.get(KEYS[0])))
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await calls.close()
        with Ledger(tmp_path / "calls") as other:
            assert other.get_many(KEYS) == {KEYS[1]: {"n": 1}}
        await asyncio.sleep(2 * MAX_DELAY_S)

    with Ledger(tmp_path / "calls") as ledger:
        calls = CallStore(ledger)
        asyncio.run(run())
    assert not caplog.messages


def test_a_thread_that_cannot_start_is_reported_to_all_callers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def run() -> list[object]:
        both = (calls.get(KEYS[0]), calls.put(KEYS[0], {"n": 0}))
        return list(await asyncio.gather(*both, return_exceptions=True))

    with Ledger(tmp_path / "calls") as ledger:
        calls = CallStore(ledger)
        monkeypatch.setattr(Thread, "start", failing)
        errors = asyncio.run(run())
    assert [type(each) for each in errors] == [RuntimeError, RuntimeError]
