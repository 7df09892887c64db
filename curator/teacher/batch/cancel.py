"""Cancels batches that run at a teacher's provider."""

import asyncio

from curator.core.progress import Listener, SilentListener
from curator.teacher import TeacherSettings
from curator.teacher.batch.api import BatchError
from curator.teacher.batch.client import Batches
from curator.teacher.call_store import CallStore
from curator.teacher.endpoint import Endpoint
from datastore.ledger import Ledger
from datastore.store import Store


def cancel_batches(
    settings: TeacherSettings, store: Store, listener: Listener | None = None
) -> int:
    """Cancel the store's batches that run at a teacher's endpoint; return how many.

    They may belong to any recipe. Replies that were ready are stored for the next build. Raises
    TeacherError if the endpoint refuses.
    """
    with store.ledger("calls") as calls, store.ledger("batches") as batches:
        return asyncio.run(_cancel(settings, calls, batches, listener or SilentListener()))


async def _cancel(
    settings: TeacherSettings, calls: Ledger, ledger: Ledger, listener: Listener
) -> int:
    endpoint = Endpoint(settings, listener)
    call_store = CallStore(calls)
    batches = Batches(endpoint, call_store, ledger, listener)
    try:
        return await batches.cancel()
    except BatchError as error:
        raise endpoint.make_error(str(error.failure)) from None
    finally:
        await batches.close()
        await endpoint.close()
        await call_store.close()
