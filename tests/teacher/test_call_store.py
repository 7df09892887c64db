"""The ledger of calls as coroutines use it: many at once, whatever the disk does meanwhile."""

import asyncio
import os
from pathlib import Path
from threading import Event, Thread

import pytest

from curator.teacher.call_store import COMMIT_S, LOOK_S, CallStore
from datastore.errors import StoreError
from datastore.ledger import Ledger

KEYS = [bytes([number]) * 32 for number in range(50)]


def test_answers_are_read_while_the_disk_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others_ran = Event()
    waits: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda _: waits.append(others_ran.wait(20)))

    async def run() -> None:
        put = asyncio.create_task(keeping.put(KEYS[0], {"n": 0}))
        while not waits and not put.done():
            await asyncio.sleep(0.01)
            others_ran.set()
        await put
        assert await keeping.get(KEYS[0]) == {"n": 0}
        await keeping.close()

    with Ledger(tmp_path / "calls") as ledger:
        keeping = CallStore(ledger)
        asyncio.run(run())
    assert waits and all(waits)


def test_all_who_put_and_look_at_once_get_theirs(tmp_path: Path) -> None:
    async def run() -> None:
        await asyncio.gather(*(keeping.put(key, {"n": key[0]}) for key in KEYS))
        found = await keeping.get_many([*KEYS, b"x" * 32])
        assert found == {key: {"n": key[0]} for key in KEYS}
        await keeping.close()

    with Ledger(tmp_path / "calls") as ledger:
        keeping = CallStore(ledger)
        asyncio.run(run())


def test_a_disk_that_fails_is_told_to_all_who_put(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: int) -> None:
        raise OSError(28, "No space left on device")

    async def run() -> list[object]:
        puts = (keeping.put(key, {"n": key[0]}) for key in KEYS)
        try:
            return list(await asyncio.gather(*puts, return_exceptions=True))
        finally:
            await keeping.close()

    with Ledger(tmp_path / "calls") as ledger:
        keeping = CallStore(ledger)
        monkeypatch.setattr(os, "fsync", failing)
        said = asyncio.run(run())
    assert len(said) == len(KEYS) and all(isinstance(each, StoreError) for each in said)


def test_who_is_cancelled_does_not_take_the_answer_from_others(tmp_path: Path) -> None:
    async def run() -> None:
        gone, left = (asyncio.create_task(keeping.get(KEYS[0])) for _ in range(2))
        await asyncio.sleep(0)
        gone.cancel()
        assert await left is None and gone.cancelled()
        await keeping.close()

    with Ledger(tmp_path / "calls") as ledger:
        keeping = CallStore(ledger)
        asyncio.run(run())


def test_what_was_put_is_kept_by_closing_whoever_has_gone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        tasks = [asyncio.create_task(keeping.put(KEYS[1], {"n": 1}))]
        tasks.append(asyncio.create_task(keeping.get(KEYS[0])))
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await keeping.close()
        with Ledger(tmp_path / "calls") as other:
            assert other.get_many(KEYS) == {KEYS[1]: {"n": 1}}
        await asyncio.sleep(2 * max(LOOK_S, COMMIT_S))

    with Ledger(tmp_path / "calls") as ledger:
        keeping = CallStore(ledger)
        asyncio.run(run())
    assert not caplog.messages


def test_a_thread_that_cannot_be_started_is_told_to_all_who_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def run() -> list[object]:
        both = (keeping.get(KEYS[0]), keeping.put(KEYS[0], {"n": 0}))
        async with asyncio.timeout(20):
            return list(await asyncio.gather(*both, return_exceptions=True))

    with Ledger(tmp_path / "calls") as ledger:
        keeping = CallStore(ledger)
        monkeypatch.setattr(Thread, "start", failing)
        said = asyncio.run(run())
    assert [type(each) for each in said] == [RuntimeError, RuntimeError]
