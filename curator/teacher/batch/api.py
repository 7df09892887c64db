"""The steps of a provider's batch API, through the official client: files and batches.

In: an endpoint. Out: ids and files. Each step is retried with growing waits while that may help,
and repeating it is safe: one batch is created per name.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from curator.teacher.batch.files import URL
from curator.teacher.endpoint import Endpoint, transport_error
from curator.teacher.rate_limit import MAX_HOLD_S, backoff_s, parse_retry_after
from curator.teacher.response import Failure, read_error_response

if TYPE_CHECKING:
    from openai.types import Batch

T = TypeVar("T")

TRIES = 6
"""Maximum attempts per step. Polling a running batch is retried without a limit."""
TRANSFER_TIMEOUT_S = 3600.0
"""Timeout of an upload or a download, in seconds."""
END_STATUSES = ("completed", "expired", "cancelled", "failed")
MAX_LISTED = 1_000
"""Number of the provider's latest batches to search for one whose id was not stored."""


class BatchError(Exception):
    """A step failed, and a retry cannot help."""

    def __init__(self, failure: Failure, status: int) -> None:
        super().__init__(failure.reason)
        self.failure, self.status = failure, status


class BatchApi:
    """The batches of an endpoint.

    The wait between two polls of a batch grows from `min_poll_s` to `max_poll_s`.
    """

    def __init__(self, endpoint: Endpoint, min_poll_s: float, max_poll_s: float) -> None:
        self._endpoint = endpoint
        self._min_poll_s, self._max_poll_s = min_poll_s, max_poll_s

    async def upload(self, name: str, file: BinaryIO) -> str:
        """Upload an input file and return its id."""

        async def step() -> str:
            file.seek(0)
            uploaded = await self._endpoint.client.files.create(
                file=(f"{name}.jsonl", file), purpose="batch", timeout=TRANSFER_TIMEOUT_S
            )
            return _read_id(uploaded)

        return await self._retry(step)

    async def create(self, name: str, file_id: str) -> str:
        """Create the batch of that name and return its id.

        After a lost reply, the batch is looked up before it is created again.
        """
        retry = False

        async def step() -> str:
            nonlocal retry
            if retry and (batch_id := await self._find(name, file_id)):
                return batch_id
            retry = True
            batch = await self._endpoint.client.batches.create(
                completion_window="24h",
                endpoint=URL,
                input_file_id=file_id,
                metadata={"curator": name},
            )
            return _read_id(batch)

        return await self._retry(step)

    async def find(self, name: str, file_id: str) -> str:
        """Return the id of the batch with that name or input file; empty if no batch has them."""
        return await self._retry(lambda: self._find(name, file_id))

    async def wait_until_ended(self, batch_id: str, report: "Callable[[Batch], None]") -> "Batch":
        """Poll a batch until it has ended and return it; `report` is called after each poll."""

        async def step() -> "Batch":
            batch = await self._endpoint.client.batches.retrieve(batch_id)
            _read_id(batch)
            return batch

        wait_s = self._min_poll_s
        while True:
            batch = await self._retry(step, without_limit=True)
            report(batch)
            if batch.status in END_STATUSES:
                return batch
            await asyncio.sleep(wait_s * random.uniform(0.8, 1.2))
            wait_s = min(self._max_poll_s, wait_s * 1.5)

    async def download(self, file_id: str, target: BinaryIO) -> None:
        """Write the content of a file to an empty file, and rewind that."""

        async def step() -> None:
            target.seek(0)
            target.truncate()
            stream = self._endpoint.client.files.with_streaming_response.content
            async with stream(file_id, timeout=TRANSFER_TIMEOUT_S) as response:
                async for chunk in response.iter_bytes():
                    target.write(chunk)
            target.seek(0)

        await self._retry(step)

    async def cancel(self, batch_id: str) -> None:
        """Cancel a batch; one that has already ended is left unchanged."""
        try:
            await self._retry(lambda: self._endpoint.client.batches.cancel(batch_id))
        except BatchError as error:
            if error.status not in (400, 404, 409):
                raise

    async def _find(self, name: str, file_id: str) -> str:
        listed = 0
        async for batch in self._endpoint.client.batches.list(limit=100):
            if (batch.metadata or {}).get("curator") == name or batch.input_file_id == file_id:
                return batch.id
            if (listed := listed + 1) == MAX_LISTED:
                break
        return ""

    async def _retry(self, step: Callable[[], Awaitable[T]], without_limit: bool = False) -> T:
        """Repeat a step until it succeeds. Raises BatchError if that cannot help."""
        import aiohttp
        import httpx2
        import openai

        lost = (openai.OpenAIError, httpx2.HTTPError, aiohttp.ClientError, OSError, ValueError)
        tries = 0
        while True:
            wait_s, status = None, 0
            try:
                return await step()
            except openai.APIStatusError as error:
                status = error.status_code
                body = await error.response.aread()
                failure, _ = read_error_response(status, body, self._endpoint.key)
                wait_s = parse_retry_after(error.response.headers)
            except lost as error:
                detail = self._endpoint.redact(str(transport_error(error)))
                failure = Failure("no connection", detail=detail)
            tries += 1
            if failure.retry != "later" or (tries >= TRIES and not without_limit):
                raise BatchError(failure, status)
            await asyncio.sleep(min(wait_s or backoff_s(tries), MAX_HOLD_S))


def _read_id(created: object) -> str:
    """Return the id of what the provider created. Raises ValueError for any other reply."""
    value = getattr(created, "id", None)
    if not isinstance(value, str) or not value:
        raise ValueError("the reply has no id")
    return value
