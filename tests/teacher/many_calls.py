"""What a process does that asks many requests; it is made to be killed.

In: a store, an endpoint, which requests. Out: through a pipe, how many calls an earlier kill cut
off, and at the end how many this process asked itself.
"""

import asyncio
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp  # noqa: F401, what the first call would import, so that kills meet calls
import openai.types  # noqa: F401

from curator.teacher import Budget, Prices, TeacherSettings
from curator.teacher.client import CallLedgers, Teacher
from datastore.claims import Claims
from datastore.ledger import Ledger
from tests.teacher.worlds import requests

MOST_TOKENS = 100
AT_ONCE = 32


def ask_many(store: Path, url: str, first: int, count: int, told: Connection) -> None:
    asyncio.run(_ask_many(store, url, first, count, told))


async def _ask_many(store: Path, url: str, first: int, count: int, told: Connection) -> None:
    settings = TeacherSettings(
        model="m",
        base_url=url,
        key_env="",
        prices=Prices(input=1_000_000.0, output=1_000_000.0),
        budget=Budget(money=1e9),
        concurrency=AT_ONCE,
    )
    asked = requests(count, f'{{"max_tokens":{MOST_TOKENS}}}', first)
    with Ledger(store / "calls") as ledger, Claims(store / "claims") as claims:
        async with Teacher(settings, CallLedgers(ledger, claims)) as teacher:
            told.send(teacher.counts.cut_off)
            calls = await asyncio.gather(*map(teacher.ask, asked))
        assert all(call.status == "answered" for call in calls)
        told.send(teacher.counts.answered)
