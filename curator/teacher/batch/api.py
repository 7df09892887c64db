"""A provider's batch API, step by step, through the official client: files and batches.

In: an endpoint. Out: ids and files. Each step is tried again with growing waits while that may
help, and is safe to try again: a batch is created once for one name.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from curator.teacher.batch.files import URL
from curator.teacher.endpoint import Endpoint, transport_error
from curator.teacher.rate_limit import LONGEST_HOLD_S, backoff_s, retry_after
from curator.teacher.response import Fault, read_refusal

if TYPE_CHECKING:
    from openai.types import Batch

T = TypeVar("T")

TRIES = 6
"""Tries of one step; whether a batch is over is asked without end."""
STEP_S = 3600.0
"""Seconds that an upload or a download may take."""
OVER = ("completed", "expired", "cancelled", "failed")
LOOKED_THROUGH = 1_000
"""The provider's latest batches, among which one is looked for whose id was not kept."""


class Refused(Exception):
    """A step that no further try mends."""

    def __init__(self, fault: Fault, status: int) -> None:
        super().__init__(fault.reason)
        self.fault, self.status = fault, status


class BatchApi:
    """The batches of an endpoint; `first_wait_s` grows to `longest_wait_s` between two looks."""

    def __init__(self, endpoint: Endpoint, first_wait_s: float, longest_wait_s: float) -> None:
        self._endpoint = endpoint
        self._first_wait_s, self._longest_wait_s = first_wait_s, longest_wait_s

    async def upload(self, name: str, file: BinaryIO) -> str:
        """The id of the uploaded input file."""

        async def once() -> str:
            file.seek(0)
            made = await self._endpoint.client.files.create(
                file=(f"{name}.jsonl", file), purpose="batch", timeout=STEP_S
            )
            return _id(made)

        return await self._patiently(once)

    async def create(self, name: str, file_id: str) -> str:
        """The id of the batch of that name, which is made if there is none after a lost reply."""
        again = False

        async def once() -> str:
            nonlocal again
            if again and (found := await self._find(name, file_id)):
                return found
            again = True
            made = await self._endpoint.client.batches.create(
                completion_window="24h",
                endpoint=URL,
                input_file_id=file_id,
                metadata={"curator": name},
            )
            return _id(made)

        return await self._patiently(once)

    async def find(self, name: str, file_id: str) -> str:
        """The id of the batch that was made of that name or file; empty if there is none."""
        return await self._patiently(lambda: self._find(name, file_id))

    async def over(self, batch_id: str, told: "Callable[[Batch], None]") -> "Batch":
        """The batch, once it has come to an end; `told` hears how far it is."""

        async def once() -> "Batch":
            batch = await self._endpoint.client.batches.retrieve(batch_id)
            _id(batch)
            return batch

        wait = self._first_wait_s
        while True:
            batch = await self._patiently(once, without_end=True)
            told(batch)
            if batch.status in OVER:
                return batch
            await asyncio.sleep(wait * random.uniform(0.8, 1.2))
            wait = min(self._longest_wait_s, wait * 1.5)

    async def download(self, file_id: str, to: BinaryIO) -> None:
        """Write a file's whole content to an empty file; it stands at its beginning afterwards."""

        async def once() -> None:
            to.seek(0)
            to.truncate()
            stream = self._endpoint.client.files.with_streaming_response.content
            async with stream(file_id, timeout=STEP_S) as response:
                async for chunk in response.iter_bytes():
                    to.write(chunk)
            to.seek(0)

        await self._patiently(once)

    async def cancel(self, batch_id: str) -> None:
        """Ask for the end of a batch; one that has ended already stays as it is."""
        try:
            await self._patiently(lambda: self._endpoint.client.batches.cancel(batch_id))
        except Refused as refused:
            if refused.status not in (400, 404, 409):
                raise

    async def _find(self, name: str, file_id: str) -> str:
        seen = 0
        async for batch in self._endpoint.client.batches.list(limit=100):
            if (batch.metadata or {}).get("curator") == name or batch.input_file_id == file_id:
                return batch.id
            if (seen := seen + 1) == LOOKED_THROUGH:
                break
        return ""

    async def _patiently(self, step: Callable[[], Awaitable[T]], without_end: bool = False) -> T:
        """Tries a step until it succeeds; raises Refused where that does not help."""
        import aiohttp
        import httpx2
        import openai

        lost = (openai.OpenAIError, httpx2.HTTPError, aiohttp.ClientError, OSError, ValueError)
        tries = 0
        while True:
            wait, status = None, 0
            try:
                return await step()
            except openai.APIStatusError as error:
                status = error.status_code
                body = await error.response.aread()
                fault, _ = read_refusal(status, body, self._endpoint.key)
                wait = retry_after(error.response.headers)
            except lost as error:
                detail = self._endpoint.redacted(str(transport_error(error)))
                fault = Fault("no connection", detail=detail)
            tries += 1
            if fault.mend != "later" or (tries >= TRIES and not without_end):
                raise Refused(fault, status)
            await asyncio.sleep(min(wait or backoff_s(tries), LONGEST_HOLD_S))


def _id(made: object) -> str:
    """The id of what the provider made; ValueError if the reply was something else (a page)."""
    name = getattr(made, "id", None)
    if not isinstance(name, str) or not name:
        raise ValueError("the reply has no id")
    return name
