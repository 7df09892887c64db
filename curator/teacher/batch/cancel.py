"""Batches that run at a teacher's provider without us, and how they are stopped."""

import asyncio

from curator.core.progress import Listener, SilentListener
from curator.teacher import TeacherSettings
from curator.teacher.batch.api import Refused
from curator.teacher.batch.client import Batches
from curator.teacher.call_store import CallStore
from curator.teacher.endpoint import Endpoint
from datastore.ledger import Ledger
from datastore.store import Store


def cancel_batches(
    settings: TeacherSettings, store: Store, listener: Listener | None = None
) -> int:
    """Cancel the batches that run at a teacher's endpoint.

    They may belong to any recipe of the store. Returns how many were cancelled. Results that were
    ready are kept for the next build. Raises
    TeacherError if the endpoint refuses.
    """
    with store.ledger("calls") as calls, store.ledger("batches") as batches:
        return asyncio.run(_cancel(settings, calls, batches, listener or SilentListener()))


async def _cancel(
    settings: TeacherSettings, calls: Ledger, batches: Ledger, listener: Listener
) -> int:
    endpoint = Endpoint(settings)
    keeping = CallStore(calls)
    running = Batches(endpoint, keeping, batches, listener)
    try:
        return await running.cancel()
    except Refused as refused:
        raise endpoint.unusable(refused.fault.told) from None
    finally:
        await running.close()
        await endpoint.close()
        await keeping.close()
