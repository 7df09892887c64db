"""Processes that send requests in batches and poll them often, to be killed by tests."""

import asyncio
import os
from pathlib import Path

# The first call would import it. Imported early, so that kills hit calls.
import aiohttp  # noqa: F401

from curator import build
from curator.teacher import TeacherSettings
from curator.teacher.batch import client as module
from curator.teacher.client import CallLedgers, Teacher
from datastore.claims import Claims
from datastore.ledger import Ledger
from tests.teacher.batch.batch_server import KEY
from tests.teacher.helpers import requests


def send_in_batches(store: Path, url: str, first: int, count: int) -> None:
    _prepare()
    asyncio.run(_send(store, url, first, count))


def build_in_batches(recipe: Path, store: Path) -> None:
    """Build a recipe whose teacher uses batches."""
    _prepare()
    build(recipe, store)


def _prepare() -> None:
    os.environ["BATCH_KEY"] = KEY
    module.IDLE_S, module.MIN_POLL_S, module.MAX_POLL_S = 0.05, 0.02, 0.05


async def _send(store: Path, url: str, first: int, count: int) -> None:
    settings = TeacherSettings(model="m", base_url=url, key_env="BATCH_KEY", batch=True)
    with (
        Ledger(store / "calls") as calls,
        Ledger(store / "batches") as batches,
        Claims(store / "claims") as claims,
    ):
        async with Teacher(settings, CallLedgers(calls, claims, batches)) as teacher:
            await asyncio.gather(*map(teacher.get_call, requests(count, first=first)))
