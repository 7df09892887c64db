"""The ledger of calls as coroutines use it: many at once, whatever the disk does meanwhile."""

import asyncio
import os
from pathlib import Path
from threading import Event

import pytest

from curator.teacher.keeping import Keeping
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

    with Ledger(tmp_path / "calls") as ledger:
        keeping = Keeping(ledger)
        asyncio.run(run())
        keeping.close()
    assert waits and all(waits)


def test_all_who_put_and_look_at_once_get_theirs(tmp_path: Path) -> None:
    async def run() -> None:
        await asyncio.gather(*(keeping.put(key, {"n": key[0]}) for key in KEYS))
        found = await keeping.get_many([*KEYS, b"x" * 32])
        assert found == {key: {"n": key[0]} for key in KEYS}

    with Ledger(tmp_path / "calls") as ledger:
        keeping = Keeping(ledger)
        asyncio.run(run())
        keeping.close()


def test_a_disk_that_fails_is_told_to_all_who_put(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: int) -> None:
        raise OSError(28, "No space left on device")

    async def run() -> list[object]:
        puts = (keeping.put(key, {"n": key[0]}) for key in KEYS)
        return list(await asyncio.gather(*puts, return_exceptions=True))

    with Ledger(tmp_path / "calls") as ledger:
        keeping = Keeping(ledger)
        monkeypatch.setattr(os, "fsync", failing)
        said = asyncio.run(run())
        keeping.close()
    assert len(said) == len(KEYS) and all(isinstance(each, StoreError) for each in said)
