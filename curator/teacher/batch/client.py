"""Sends requests through a provider's batch API: slower than single calls, cheaper.

In: requests, which are collected until no more arrive and then submitted as one file. Out: the
attempt for each request, as from the endpoint itself, when its batch has ended (within a day).

The ledger `batches` stores under a request's key the batch that contains it, and under a batch's
name the state of that batch, each before the step itself. So a killed process finds its batches
again, by id or by the name under which they were created, and submits nothing twice.
"""

import asyncio
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO
from uuid import uuid4

from curator.core.progress import Listener
from curator.core.words import counted
from curator.teacher.batch.api import END_STATUSES, BatchApi, BatchError
from curator.teacher.batch.files import (
    MAX_REQUESTS,
    read_rejections,
    read_results,
    write_input_files,
)
from curator.teacher.call import Call, Request
from curator.teacher.call_store import CallStore
from curator.teacher.endpoint import Attempt, Endpoint
from curator.teacher.response import Failure, read_response
from datastore.ledger import Ledger

if TYPE_CHECKING:
    from openai.types import Batch

IDLE_S = 0.5
"""Seconds without a new request after which the collected ones are submitted."""
MIN_POLL_S, MAX_POLL_S = 5.0, 60.0
"""Seconds between two polls of a running batch; the wait grows."""
LINES_PER_TURN = 500
"""Lines of results to read before other tasks get a turn."""

Record = dict[str, Any]
"""State of a batch: `id` and `file` (its input file), the provider's ids, empty until they are
known; `status`, `place` (address of the endpoint), `requests` (how many), `time` (Unix time)."""


@dataclass
class _Remainder:
    """The attempts for requests of an ended batch that got no reply."""

    default: Failure
    by_key: dict[bytes, Attempt] = field(default_factory=dict)


class Batches:
    """Sends requests through batches; for use in one event loop.

    `ledger` is the one named `batches`. Not covered: a kill between a submission and its id, with a
    provider whose list of batches lags or omits both name and file; two processes that send the
    same request at the same time (claims prevent that).
    """

    def __init__(
        self, endpoint: Endpoint, calls: CallStore, ledger: Ledger, listener: Listener
    ) -> None:
        self._address, self._endpoint = endpoint.address, endpoint
        self._api = BatchApi(endpoint, MIN_POLL_S, MAX_POLL_S)
        self._calls, self._ledger, self._listener = calls, ledger, listener
        self._last_request = 0.0
        self._waiting: dict[bytes, asyncio.Future[Attempt]] = {}
        self._collected: dict[bytes, Request] = {}
        self._collector: asyncio.Task[None] | None = None
        self._finishers: dict[bytes, asyncio.Task[_Remainder]] = {}
        self._runs: set[asyncio.Task[None]] = set()
        self._finished: set[bytes] = set()
        self._reading = asyncio.Lock()

    async def send(self, request: Request) -> Attempt:
        """Return the attempt for the request when its batch has ended.

        If the caller is cancelled, a submitted batch continues at the provider, and a later call
        for the same request gets its result.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Attempt] = loop.create_future()
        self._waiting[request.key] = future
        self._collected[request.key], self._last_request = request, loop.time()
        if not self._collector or self._collector.done():
            self._collector = asyncio.create_task(self._collect())
        try:
            return await future
        finally:
            if self._waiting.get(request.key) is future:
                del self._waiting[request.key]
                self._collected.pop(request.key, None)

    async def cancel(self) -> int:
        """Cancel all batches that run at this endpoint; return how many.

        The replies that they already have are stored.
        """
        running = [
            (name, record)
            for name, record in self._ledger.records()
            if record.get("id")
            and record["place"] == self._address
            and record["status"] not in END_STATUSES
        ]
        for name, record in running:
            await self._api.cancel(record["id"])
            await self._wait_for_batch(name, record)
        return len(running)

    async def close(self) -> None:
        """Leave running batches to the provider, after reading replies that are being read."""
        async with self._reading:
            tasks = [*self._runs, *self._finishers.values(), *filter(None, [self._collector])]
            for task in tasks:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _collect(self) -> None:
        while self._collected:
            wait_s = self._last_request + IDLE_S - asyncio.get_running_loop().time()
            if wait_s > 0 and len(self._collected) < MAX_REQUESTS:
                await asyncio.sleep(wait_s)
                continue
            requests, self._collected = self._collected, {}
            run = asyncio.create_task(self._run(requests))
            self._runs.add(run)
            run.add_done_callback(self._runs.discard)

    async def _run(self, requests: dict[bytes, Request]) -> None:
        """Submit the requests that no batch contains, and deliver the results of all batches."""
        try:
            self._deliver_stored(requests)
            batches = await self._find_batches(self._filter_waiting(requests))
            submitted = {key for _, _, keys in batches for key in keys}
            new = [requests[key] for key in self._filter_waiting(requests) if key not in submitted]
            for file, group in write_input_files(new):
                with file:
                    batches.append(await self._submit(file, [each.key for each in group]))
            for name, record, keys in batches:
                remainder = await self._wait_for_batch(name, record)
                self._deliver_stored(keys)
                for key in keys:
                    attempt = remainder.by_key.get(key) or Attempt(remainder.default)
                    self._deliver(key, attempt)
        except BatchError as error:
            for key in requests:
                self._deliver(key, Attempt(error.failure))
        except Exception as error:  # whatever it is, no caller may wait for ever
            for key in self._filter_waiting(requests):
                self._waiting[key].set_exception(error)

    async def _find_batches(self, keys: list[bytes]) -> list[tuple[bytes, Record, list[bytes]]]:
        """Return the batches of earlier runs that contain some of the requests, and which."""
        keys_of: dict[bytes, list[bytes]] = {}
        for key, pointer in self._ledger.get_many(keys).items():
            if (name := bytes.fromhex(pointer["batch"])) not in self._finished:
                keys_of.setdefault(name, []).append(key)
        batches = []
        for name, record in self._ledger.get_many(keys_of).items():
            if await self._was_submitted(name, record):
                batches.append((name, record, keys_of[name]))
        return batches

    async def _was_submitted(self, name: bytes, record: Record) -> bool:
        """Whether a batch of an earlier run was submitted; looks up its id if a kill lost it."""
        size = f"{counted(record['requests'], 'call')}"
        if record["place"] != self._address:
            detail = f"a batch of {size} at {record['place']} contains some of these calls"
            raise BatchError(Failure("submitted elsewhere", "stop", detail=detail), 0)
        if not record["id"] and record["file"]:
            record["id"] = await self._api.find(name.hex(), record["file"])
            self._ledger.put_many({name: record})
        if record["id"]:
            self._listener.note(f"Batch {record['id']} of {size} was submitted by an earlier run.")
        else:
            self._listener.note(f"A kill interrupted the submission of a batch of {size}.")
        return bool(record["id"])

    async def _submit(self, file: BinaryIO, keys: list[bytes]) -> tuple[bytes, Record, list[bytes]]:
        name = uuid4().bytes
        record: Record = {"id": "", "file": "", "status": "", "place": self._address}
        record |= {"requests": len(keys), "time": round(time.time(), 3)}
        self._ledger.put_many({**{key: {"batch": name.hex()} for key in keys}, name: record})
        record["file"] = await self._api.upload(name.hex(), file)
        self._ledger.put_many({name: record})
        record["id"] = await self._api.create(name.hex(), record["file"])
        self._ledger.put_many({name: record})
        self._listener.note(
            f"Submitted batch {record['id']} of {counted(len(keys), 'call')}. You may stop "
            f"the command; "
            "rerun it to collect the replies."
        )
        return name, record, keys

    async def _wait_for_batch(self, name: bytes, record: Record) -> _Remainder:
        """Wait until a batch has ended and its replies are delivered, once for all callers."""
        if name not in self._finishers:
            self._finishers[name] = asyncio.create_task(self._finish(name, record))
        try:
            return await asyncio.shield(self._finishers[name])
        except BatchError:
            self._finishers.pop(name, None)
            raise

    async def _finish(self, name: bytes, record: Record) -> _Remainder:
        def report(batch: "Batch") -> None:
            counts = batch.request_counts
            done = counts.completed + counts.failed if counts else 0
            self._listener.progress(f"batch {batch.status}", done, record["requests"])

        try:
            batch = await self._api.wait_until_ended(record["id"], report)
            remainder = await self._explain_missing(batch, record)
            for file_id in (batch.output_file_id, batch.error_file_id):
                if file_id:
                    with TemporaryFile() as file:
                        await self._api.download(file_id, file)
                        async with self._reading:
                            await self._deliver_file(name, record, file, remainder.by_key)
        except BatchError as error:
            if error.status != 404:
                raise
            self._listener.note(f"The provider no longer has batch {record['id']} or its files.")
            remainder = _Remainder(Failure("its batch is lost"))
        else:
            self._ledger.put_many({name: {**record, "status": batch.status}})
        self._finished.add(name)
        return remainder

    async def _explain_missing(self, batch: "Batch", record: Record) -> _Remainder:
        """Return the attempts for requests that have no line in the batch's results."""
        if record["status"]:  # an earlier run saw the end of the batch and reported it
            return _Remainder(Failure("its batch is over"))
        if batch.status in ("completed", "expired"):
            how = "expired in" if batch.status == "expired" else "missing from"
            return _Remainder(Failure(f"{how} its batch"))
        if batch.status == "cancelled":
            detail = f"batch {batch.id}. Its replies are stored; rerun the command for the rest."
            return _Remainder(Failure("its batch was cancelled", "stop", detail=detail))
        errors = [
            (error.line, self._endpoint.redact(f"{error.code or ''} {error.message or ''}"))
            for error in (batch.errors and batch.errors.data) or []
        ]
        if not any(line for line, _ in errors):
            detail = errors[0][1] if errors else "no reason given"
            return _Remainder(Failure("its batch was refused", "stop", detail=detail))
        with TemporaryFile() as file:
            await self._api.download(record["file"], file)
            rejections = read_rejections(file, errors)
        return _Remainder(Failure("its batch was refused for others"), rejections)

    async def _deliver_file(
        self, name: bytes, record: Record, file: BinaryIO, by_key: dict[bytes, Attempt]
    ) -> None:
        """Deliver the replies in a file, and store those that no caller waits for.

        Failures are added to `by_key`.
        """
        unclaimed: dict[bytes, Any] = {}
        invalid = lines = 0
        for key, attempt in read_results(file, self._endpoint.key):
            lines += 1
            if lines % LINES_PER_TURN == 0:
                await self._store_unclaimed(name, unclaimed)
                unclaimed.clear()
                await asyncio.sleep(0)
            if key is None:
                invalid += 1
            elif not isinstance(attempt.result, Call):
                by_key[key] = attempt
            elif key in self._waiting:
                self._deliver(key, attempt)
            elif isinstance(attempt.body, dict):
                unclaimed[key] = attempt.body
        await self._store_unclaimed(name, unclaimed)
        if invalid:
            self._listener.note(
                f"{invalid:,} of {lines:,} lines of batch {record['id']} are invalid. Their "
                "requests are retried."
            )

    async def _store_unclaimed(self, name: bytes, bodies: dict[bytes, Any]) -> None:
        """Store replies of this batch that no caller waits for and no earlier run has stored."""
        calls = await self._calls.get_many(bodies)
        pointers = self._ledger.get_many(bodies)
        self._ledger.put_many(
            {
                key: {**pointers[key], "answer": bodies[key]}
                for key in bodies
                if pointers.get(key) == {"batch": name.hex()}
                if key not in calls or calls[key]["call"]["status"] != "answered"
            }
        )

    def _deliver_stored(self, keys: Iterable[bytes]) -> None:
        """Deliver replies that were stored before a caller waited for them."""
        for key, pointer in self._ledger.get_many(self._filter_waiting(keys)).items():
            if "answer" in pointer:
                body = json.dumps(pointer["answer"]).encode("ascii")
                result = read_response("application/json", body, self._endpoint.key)
                self._deliver(key, Attempt(*result))

    def _filter_waiting(self, keys: Iterable[bytes]) -> list[bytes]:
        """Return the keys that a caller waits for."""
        return [key for key in keys if key in self._waiting and not self._waiting[key].done()]

    def _deliver(self, key: bytes, attempt: Attempt) -> None:
        if (future := self._waiting.get(key)) and not future.done():
            future.set_result(attempt)
