"""An OpenAI-compatible endpoint on a loopback socket that fails like real ones.

In: the share of faults. A hash of the content of a request, its attempt and a seed selects the
fault. Out: an address, and the number of replies per request.
"""

import asyncio
import json
import math
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from types import TracebackType
from typing import Any, Self

FAULTS = (
    "429",
    "429 retry",
    "500",
    "hang",
    "drip",
    "disconnect",
    "no HTTP",
    "truncated",
    "endless",
    "invalid",
    "html",
    "no choices",
    "no content",
)
HARMLESS = ("same id", "no usage")
"""Oddities of valid replies."""
PROMPT_TOKENS, COMPLETION_TOKENS = 11, 7

Reply = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""


@dataclass
class Server:
    """A context that serves from a thread."""

    share: float = 0.0
    """Share of attempts that meet a fault."""
    faults: Sequence[str] = FAULTS
    seed: int = 0
    latency_s: float = 0.002
    reply: Callable[[dict[str, Any], int], Reply | None] | None = None
    """Returns the reply to a request from its body and the number of its attempt (from 0); None for
    the usual reply."""
    served: Counter[str] = field(default_factory=Counter)
    """Valid replies that were sent whole, by the last message and the sample."""
    tries: Counter[str] = field(default_factory=Counter)
    """Requests received, by the last message and the sample."""
    faults_served: Counter[str] = field(default_factory=Counter)
    """Faults by kind."""
    heads: list[str] = field(default_factory=list)
    """Request line and headers of the last requests."""
    tls: ssl.SSLContext | None = None
    """The certificate, for TLS."""
    in_progress: int = 0
    """Requests at this moment."""
    limit: float = math.inf
    """Number of requests to answer; later ones wait until this grows."""
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        start = asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1000, ssl=self.tls)
        self._server = asyncio.run_coroutine_threadsafe(start, self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().partition("content-length:")[2].split()[0])
                body = json.loads(await reader.readexactly(length))
                self.heads = [*self.heads[-9:], head]
                sample = head.lower().partition("x-curator-sample:")[2].split()[0]
                self.in_progress += 1
                try:
                    await self._answer(f"{body['messages'][-1]['content']}#{sample}", body, writer)
                finally:
                    self.in_progress -= 1
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client closed the connection, or the test ended
        finally:
            writer.close()

    async def _answer(self, name: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        number = self.tries[name]
        self.tries[name] += 1
        place = self.tries.total()
        await asyncio.sleep(self.latency_s)
        while place > self.limit:
            await asyncio.sleep(0.01)
        if self.reply and (reply := self.reply(body, number)):
            status, headers, content = reply
            await _send(writer, status, headers, content)
            self.served[name] += status == 200
            return
        draw = sha256(f"{self.seed} {name} {number}".encode()).digest()
        fault = ""
        if int.from_bytes(draw[:4], "big") < self.share * 2**32:
            kinds = [*self.faults, *HARMLESS]
            fault = kinds[draw[4] % len(kinds)]
            self.faults_served[fault] += 1
        await self._send_with(fault, name, body, writer)

    async def _send_with(
        self, fault: str, name: str, body: dict[str, Any], writer: asyncio.StreamWriter
    ) -> None:
        good = completion(name, body["model"], "one" if fault == "same id" else name)
        if fault == "no usage":
            del good["usage"]
        if fault == "no choices":
            good["choices"] = []
        if fault == "no content":
            good["choices"][0]["message"]["content"] = None
        data = json.dumps(good).encode()
        match fault:
            case "429":
                await _send(writer, 429, {}, error("slow down", "rate_limit_exceeded"))
            case "429 retry":
                await _send(writer, 429, {"retry-after-ms": "20"}, error("slow down"))
            case "500":
                await _send(writer, 500, {}, b"oops")
            case "hang":
                while not writer.is_closing():
                    await asyncio.sleep(0.05)
            case "drip":
                writer.write(_head(200, {}, len(data)))
                for byte in data:
                    if writer.is_closing():
                        raise ConnectionError
                    writer.write(bytes([byte]))
                    await asyncio.sleep(0.05)
            case "disconnect":
                writer.write(_head(200, {}, len(data)) + data[:40])
                writer.close()
                raise ConnectionError
            case "no HTTP":
                writer.write(b"+OK ready\r\n\r\n")
            case "truncated":
                await _send(writer, 200, {}, data[: len(data) // 2])
            case "endless":
                writer.write(_head(200, {"transfer-encoding": "chunked"}) + b"1\r\n{\r\n")
                while not writer.is_closing():
                    writer.write(b"1000\r\n" + b" " * 0x1000 + b"\r\n")
                    await writer.drain()
            case "invalid":
                await _send(writer, 200, {}, b'{"choices": [NaN]}')
            case "html":
                await _send(writer, 200, {"content-type": "text/html"}, b"<h1>Gateway</h1>")
            case _:
                if fault not in ("no choices", "no content"):
                    self.served[name] += 1
                await _send(writer, 200, {}, data)


def completion(text: str, model: str = "m", id: str = "x", **message: Any) -> dict[str, Any]:
    """The body of a valid reply."""
    reply = {"role": "assistant", "content": text, "refusal": None, **message}
    return {
        "id": id,
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "system_fingerprint": "fp_1",
        "choices": [{"index": 0, "finish_reason": "stop", "message": reply}],
        "usage": {
            "prompt_tokens": PROMPT_TOKENS,
            "completion_tokens": COMPLETION_TOKENS,
            "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
        },
    }


def error(message: str, code: str | None = None) -> bytes:
    """The body of an error."""
    return json.dumps({"error": {"message": message, "type": "error", "code": code}}).encode()


def _head(status: int, headers: dict[str, str], length: int | None = None) -> bytes:
    lines = {"content-type": "application/json", **headers}
    if length is not None:
        lines = {"content-length": str(length), **lines}
    fields = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} X\r\n{fields}\r\n".encode()


async def _send(
    writer: asyncio.StreamWriter, status: int, headers: dict[str, str], content: bytes
) -> None:
    writer.write(_head(status, headers, len(content)) + content)
    await writer.drain()
