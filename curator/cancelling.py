"""Batches that run at a teacher's provider without us, and how they are stopped."""

import asyncio
from pathlib import Path

from curator.errors import UsageError
from curator.progress import Listener, Silent
from curator.recipe import load_recipe
from curator.teacher import TeacherSettings
from curator.teacher.batch import Batches
from curator.teacher.batch_api import Refused
from curator.teacher.endpoint import Endpoint
from curator.teacher.keeping import Keeping
from datastore.ledger import Ledger
from datastore.store import Store


def cancel_batches(recipe: str | Path, store: Store, listener: Listener | None = None) -> int:
    """Cancel the batches that run at the endpoint of a recipe's teacher; how many they were.

    Whatever recipe of this store they are for. What they had answered by then is kept, and used by
    the next build. Raises UsageError if the recipe asks through no batches, TeacherError
    if the endpoint refuses.
    """
    loaded = load_recipe(recipe)
    settings = loaded.teacher
    if settings is None or not settings.batch:
        raise UsageError(f"Recipe {loaded.name} asks through no batches; see teacher.batch")
    with store.ledger("calls") as calls, store.ledger("batches") as batches:
        return asyncio.run(_cancel(settings, calls, batches, listener or Silent()))


async def _cancel(
    settings: TeacherSettings, calls: Ledger, batches: Ledger, listener: Listener
) -> int:
    endpoint = Endpoint(settings)
    keeping = Keeping(calls)
    running = Batches(endpoint, keeping, batches, listener)
    try:
        return await running.cancel()
    except Refused as refused:
        raise endpoint.unusable(refused.fault.told) from None
    finally:
        await running.close()
        await endpoint.close()
        await keeping.close()
