"""A process that sends many requests, to be killed by tests.

In: a store, an endpoint, and a range of requests. Out: through a pipe, the number of calls that an
earlier kill interrupted, and at the end the number of calls that this process made.
"""

import asyncio
from multiprocessing.connection import Connection
from pathlib import Path

# The first call would import these. Imported early, so that kills hit calls.
import aiohttp  # noqa: F401
import httpcore2  # noqa: F401
import openai.types  # noqa: F401
import truststore  # noqa: F401

from curator.teacher import Budget, Prices, TeacherSettings
from curator.teacher.client import CallLedgers, Teacher
from datastore.claims import Claims
from datastore.ledger import Ledger
from tests.teacher.helpers import requests

MOST_TOKENS = 100
CONCURRENCY = 32


def ask_many(store: Path, url: str, first: int, count: int, results: Connection) -> None:
    asyncio.run(_ask_many(store, url, first, count, results))


async def _ask_many(store: Path, url: str, first: int, count: int, results: Connection) -> None:
    settings = TeacherSettings(
        model="m",
        base_url=url,
        key_env="",
        prices=Prices(input=1_000_000.0, output=1_000_000.0),
        budget=Budget(money=1e9),
        concurrency=CONCURRENCY,
    )
    to_send = requests(count, f'{{"max_tokens":{MOST_TOKENS}}}', first)
    with Ledger(store / "calls") as ledger, Claims(store / "claims") as claims:
        async with Teacher(settings, CallLedgers(ledger, claims)) as teacher:
            results.send(teacher.counts.cut_off)
            calls = await asyncio.gather(*map(teacher.get_call, to_send))
        assert all(call.status == "answered" for call in calls)
        results.send(teacher.counts.answered)
