"""Asking through a provider's batches: slower than single calls, cheaper, nothing submitted twice.

In: requests; they are collected until no more come, then go as one file. Out: what each of them
brought, as from the endpoint itself, when its batch is over (a day at most).

The ledger `batches` says under a request's key which batch it went into, and under a batch's name
how far that got, each before the step itself. So a killed process finds its batches again: by id,
or by the name that the provider was given with it.
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
from curator.teacher.batch.api import OVER, BatchApi, Refused
from curator.teacher.batch.files import MOST_REQUESTS, input_files, refused, results
from curator.teacher.call import Call, Request
from curator.teacher.call_store import CallStore
from curator.teacher.endpoint import Endpoint, Try
from curator.teacher.response import Fault, read_response
from datastore.ledger import Ledger

if TYPE_CHECKING:
    from openai.types import Batch

IDLE_S = 0.5
"""Seconds that no new request has come for when those collected are submitted."""
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 60.0
"""Seconds between two looks at a batch that runs; they grow."""
TURN = 500
"""Lines of results that are read before others have a turn."""

Record = dict[str, Any]
"""Of a batch: `id` and `file` (of its input) as the provider calls them, empty before it did;
`status`, `place` (address of the endpoint), `requests` (how many), `time` (Unix time)."""


@dataclass
class _Ended:
    """What a batch says of requests that it brought no answer for."""

    rest: Fault
    single: dict[bytes, Try] = field(default_factory=dict)


class Batches:
    """Asks requests through batches; for use in one event loop.

    `batches` is the ledger of that name. Not covered: a kill between a submission and its id with a
    provider whose list of batches lags or leaves out both name and file; two processes that ask the
    same request at once (claims keep them apart).
    """

    def __init__(
        self, endpoint: Endpoint, calls: CallStore, batches: Ledger, listener: Listener
    ) -> None:
        self._place, self._endpoint = endpoint.place, endpoint
        self._api = BatchApi(endpoint, FIRST_WAIT_S, LONGEST_WAIT_S)
        self._calls, self._batches, self._listener = calls, batches, listener
        self._last = 0.0
        self._waiting: dict[bytes, asyncio.Future[Try]] = {}
        self._new: dict[bytes, Request] = {}
        self._collecting: asyncio.Task[None] | None = None
        self._settling: dict[bytes, asyncio.Task[_Ended]] = {}
        self._runs: set[asyncio.Task[None]] = set()
        self._read: set[bytes] = set()
        self._reading = asyncio.Lock()

    async def ask(self, request: Request) -> Try:
        """What the request brought, once its batch is over.

        If the caller is cancelled, a batch that was submitted goes on at the provider, and whoever
        asks the same request later gets what it brings.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Try] = loop.create_future()
        self._waiting[request.key] = future
        self._new[request.key], self._last = request, loop.time()
        if not self._collecting or self._collecting.done():
            self._collecting = asyncio.create_task(self._collect())
        try:
            return await future
        finally:
            if self._waiting.get(request.key) is future:
                del self._waiting[request.key]
                self._new.pop(request.key, None)

    async def cancel(self) -> int:
        """Cancel the batches that run at this endpoint, whoever submitted them; how many they are.

        What they had answered is kept.
        """
        running = [
            (name, record)
            for name, record in self._batches.records()
            if record.get("id") and record["place"] == self._place and record["status"] not in OVER
        ]
        for name, record in running:
            await self._api.cancel(record["id"])
            await self._settled(name, record)
        return len(running)

    async def close(self) -> None:
        """Leave the batches to the provider, but those whose answers are being read."""
        async with self._reading:
            tasks = [*self._runs, *self._settling.values(), *filter(None, [self._collecting])]
            for task in tasks:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _collect(self) -> None:
        while self._new:
            rest = self._last + IDLE_S - asyncio.get_running_loop().time()
            if rest > 0 and len(self._new) < MOST_REQUESTS:
                await asyncio.sleep(rest)
                continue
            new, self._new = self._new, {}
            run = asyncio.create_task(self._run(new))
            self._runs.add(run)
            run.add_done_callback(self._runs.discard)

    async def _run(self, requests: dict[bytes, Request]) -> None:
        """Submits what no batch holds, then hands out what each batch brings."""
        try:
            self._give_known(requests)
            under_way = await self._held(self._wanted(requests))
            held = {key for _, _, keys in under_way for key in keys}
            new = [requests[key] for key in self._wanted(requests) if key not in held]
            for file, inside in input_files(new):
                with file:
                    under_way.append(await self._submit(file, [each.key for each in inside]))
            for name, record, keys in under_way:
                ended = await self._settled(name, record)
                self._give_known(keys)
                for key in keys:
                    self._give(key, ended.single.get(key) or Try(ended.rest))
        except Refused as refused:
            for key in requests:
                self._give(key, Try(refused.fault))
        except Exception as error:  # of any kind: whoever asked must hear of it, none may wait on
            for key in self._wanted(requests):
                self._waiting[key].set_exception(error)

    async def _held(self, keys: list[bytes]) -> list[tuple[bytes, Record, list[bytes]]]:
        """Batches of earlier runs that hold some of the requests, and which."""
        inside: dict[bytes, list[bytes]] = {}
        for key, pointer in self._batches.get_many(keys).items():
            if (name := bytes.fromhex(pointer["batch"])) not in self._read:
                inside.setdefault(name, []).append(key)
        held = []
        for name, record in self._batches.get_many(inside).items():
            if await self._found(name, record):
                held.append((name, record, inside[name]))
        return held

    async def _found(self, name: bytes, record: Record) -> bool:
        """Whether a batch of an earlier run was submitted; its id, if a kill kept us from it."""
        many = f"{record['requests']:,} calls"
        if record["place"] != self._place:
            where = f"a batch of {many} at {record['place']} holds some of these"
            raise Refused(Fault("asked elsewhere", "nobody", detail=where), 0)
        if not record["id"] and record["file"]:
            record["id"] = await self._api.find(name.hex(), record["file"])
            self._batches.put_many({name: record})
        if record["id"]:
            self._listener.note(f"Batch {record['id']} of {many} was begun by an earlier run.")
        else:
            self._listener.note(f"A kill cut off the submission of a batch of {many}.")
        return bool(record["id"])

    async def _submit(self, file: BinaryIO, keys: list[bytes]) -> tuple[bytes, Record, list[bytes]]:
        name = uuid4().bytes
        record: Record = {"id": "", "file": "", "status": "", "place": self._place}
        record |= {"requests": len(keys), "time": round(time.time(), 3)}
        self._batches.put_many({**{key: {"batch": name.hex()} for key in keys}, name: record})
        record["file"] = await self._api.upload(name.hex(), file)
        self._batches.put_many({name: record})
        record["id"] = await self._api.create(name.hex(), record["file"])
        self._batches.put_many({name: record})
        self._listener.note(
            f"Batch {record['id']} of {len(keys):,} calls is submitted; stopped meanwhile, "
            "the same command finds it again."
        )
        return name, record, keys

    async def _settled(self, name: bytes, record: Record) -> _Ended:
        """Waits until a batch is over and its answers are handed out: once for all who wait."""
        if name not in self._settling:
            self._settling[name] = asyncio.create_task(self._settle(name, record))
        try:
            return await asyncio.shield(self._settling[name])
        except Refused:
            self._settling.pop(name, None)
            raise

    async def _settle(self, name: bytes, record: Record) -> _Ended:
        def told(batch: "Batch") -> None:
            counts = batch.request_counts
            done = counts.completed + counts.failed if counts else 0
            self._listener.progress(f"batch {batch.status}", done, record["requests"])

        try:
            batch = await self._api.over(record["id"], told)
            ended = _Ended(*await self._rest(batch, record))
            for file_id in (batch.output_file_id, batch.error_file_id):
                if file_id:
                    with TemporaryFile() as file:
                        await self._api.download(file_id, file)
                        async with self._reading:
                            await self._hand_out(name, record, file, ended.single)
        except Refused as refused:
            if refused.status != 404:
                raise
            self._listener.note(f"The provider no longer has batch {record['id']}, or its files.")
            ended = _Ended(Fault("its batch is lost"))
        else:
            self._batches.put_many({name: {**record, "status": batch.status}})
        self._read.add(name)
        return ended

    async def _rest(self, batch: "Batch", record: Record) -> tuple[Fault, dict[bytes, Try]]:
        """What became of requests that the batch brings nothing for: of all, and of single ones."""
        if record["status"]:  # an earlier run saw it end, and told why
            return Fault("its batch is over"), {}
        if batch.status in ("completed", "expired"):
            how = "expired in" if batch.status == "expired" else "missing from"
            return Fault(f"{how} its batch"), {}
        if batch.status == "cancelled":
            detail = f"batch {batch.id}; what it had answered is kept, run the same for the rest"
            return Fault("its batch was cancelled", "nobody", detail=detail), {}
        errors = (batch.errors and batch.errors.data) or []
        why = [
            (error.line, self._endpoint.redacted(f"{error.code or ''} {error.message or ''}"))
            for error in errors
        ]
        if not any(line for line, _ in why):
            detail = why[0][1] if why else "no reason given"
            return Fault("its batch was refused", "nobody", detail=detail), {}
        with TemporaryFile() as file:
            await self._api.download(record["file"], file)
            return Fault("its batch was refused for others"), refused(file, why)

    async def _hand_out(
        self, name: bytes, record: Record, file: BinaryIO, single: dict[bytes, Try]
    ) -> None:
        """Gives answers to who waits for them; those that nobody waits for are put aside."""
        unasked: dict[bytes, Any] = {}
        broken = lines = 0
        for key, tried in results(file, self._endpoint.key):
            lines += 1
            if lines % TURN == 0:
                await self._put_aside(name, unasked)
                unasked.clear()
                await asyncio.sleep(0)
            if key is None:
                broken += 1
            elif not isinstance(tried.found, Call):
                single[key] = tried
            elif key in self._waiting:
                self._give(key, tried)
            elif isinstance(tried.body, dict):
                unasked[key] = tried.body
        await self._put_aside(name, unasked)
        if broken:
            told = f"{broken:,} of {lines:,} lines of batch {record['id']} are broken"
            self._listener.note(f"{told}; what they stood for is asked again.")

    async def _put_aside(self, name: bytes, answers: dict[bytes, Any]) -> None:
        """Keeps answers of this batch that nobody asks for now and no earlier run has taken."""
        calls = await self._calls.get_many(answers)
        pointers = self._batches.get_many(answers)
        self._batches.put_many(
            {
                key: {**pointers[key], "answer": answers[key]}
                for key in answers
                if pointers.get(key) == {"batch": name.hex()}
                if key not in calls or calls[key]["call"]["status"] != "answered"
            }
        )

    def _give_known(self, keys: Iterable[bytes]) -> None:
        """Gives answers that were put aside before anybody asked for them."""
        for key, pointer in self._batches.get_many(self._wanted(keys)).items():
            if "answer" in pointer:
                body = json.dumps(pointer["answer"]).encode("ascii")
                self._give(key, Try(*read_response("application/json", body, self._endpoint.key)))

    def _wanted(self, keys: Iterable[bytes]) -> list[bytes]:
        """Those that somebody waits for."""
        return [key for key in keys if key in self._waiting and not self._waiting[key].done()]

    def _give(self, key: bytes, tried: Try) -> None:
        if (future := self._waiting.get(key)) and not future.done():
            future.set_result(tried)
