"""What a call costs us, and how much of an endpoint the teacher uses, next to a plain loop.

    python bench/teacher.py [--calls 20000] [--rate 500] [--latency 0.2]

In: nothing; a made-up endpoint runs in a process of its own. It bears so many requests a second
(a second's worth at once) and answers others with 429 and `Retry-After: 1`. Out: calls a second
against what it bears, CPU time a call of the asking process, its memory after a tenth of the calls,
at most, and at the end; of the teacher, whose calls are all durable in a ledger, of a plain asyncio
loop over the openai client, which is told how many calls at once are best and keeps nothing, and of
that loop over the cheapest that the client has. The share counts the beginning too, when the
teacher does not know yet what can be asked. The last row is of a ledger that holds many calls.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

AT_ONCE = 2_000
"""Coroutines that wait for an answer: a build has thousands under way."""
KEPT = 500_000
"""Calls in the ledger of the last row."""
QUESTION = "A train leaves at nine and another one follows it. " * 10
REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "system_fingerprint": "fp_1",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "logprobs": None,
            "message": {"role": "assistant", "content": "It is found so. " * 40, "refusal": None},
        }
    ],
    "usage": {"prompt_tokens": 130, "completion_tokens": 160, "total_tokens": 290},
}


def prebuilt(status: str, headers: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


GOOD = prebuilt("200 OK", "", json.dumps(REPLY).encode())
FULL = prebuilt("429 Too Many Requests", "retry-after: 1\r\n", b'{"error":{"message":"slow down"}}')


class Bearing:
    """What the endpoint still bears at the moment."""

    def __init__(self, rate: float) -> None:
        self.rate, self.left, self.at = rate, rate, time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self.left = min(self.rate, self.left + (now - self.at) * self.rate)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Connection(asyncio.Protocol):
    """Reads no more of a request than where it ends."""

    def __init__(self, bearing: Bearing, latency: float) -> None:
        self.bearing, self.latency, self.data = bearing, latency, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = self.data[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0])
            if len(self.data) < end + 4 + length:
                return
            self.data = self.data[end + 4 + length :]
            if self.bearing.take():
                self.loop.call_later(self.latency, self.say, GOOD)
            else:
                self.say(FULL)

    def say(self, reply: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(reply)


async def serve(rate: float, latency: float) -> None:
    bearing = Bearing(rate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(bearing, latency), "127.0.0.1", 0, backlog=2_000
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def memory_mb() -> float:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * 4096 / 1e6


class Meter:
    """Seconds, CPU seconds and memory of the asking process, from the first answer."""

    def __init__(self, calls: int) -> None:
        self.calls, self.done = calls, 0
        self.clock, self.cpu = time.perf_counter(), time.process_time()
        self.early_mb = self.most_mb = 0.0

    def count(self) -> None:
        self.done += 1
        if self.done == self.calls // 10:
            self.early_mb = memory_mb()
        if self.done % 100 == 0:
            self.most_mb = max(self.most_mb, memory_mb())

    def report(self, more: str) -> None:
        seconds, cpu = time.perf_counter() - self.clock, time.process_time() - self.cpu
        result = {
            "rate": self.done / seconds,
            "cpu_ms": cpu / self.done * 1000,
            "early_mb": self.early_mb,
            "most_mb": self.most_mb,
            "late_mb": memory_mb(),
            "more": more,
        }
        print(json.dumps(result))


async def ask_plainly(url: str, calls: int, at_once: int, cheaply: bool) -> None:
    """The loop that everybody writes: the client's own retries, a fixed number of calls at once.

    `cheaply` it is the client's bare `post` over aiohttp, whose replies are not read into types.
    """
    import httpx2
    import openai

    below = openai.DefaultAioHttpClient() if cheaply else None
    async with openai.AsyncOpenAI(
        base_url=url, api_key="none", max_retries=6, http_client=below
    ) as client:

        async def ask(text: str) -> None:
            messages = [{"role": "user", "content": text}]
            if cheaply:
                body = {"model": "m", "messages": messages, "temperature": 0.7, "max_tokens": 1024}
                reply = await client.post("/chat/completions", body=body, cast_to=httpx2.Response)
                json.loads(reply.content)
            else:
                await client.chat.completions.create(
                    model="m", messages=messages, temperature=0.7, max_tokens=1024
                )

        await ask("warm")
        meter, numbers = Meter(calls), iter(range(calls))

        async def work() -> None:
            for number in numbers:
                await ask(f"{QUESTION}{number}")
                meter.count()

        await asyncio.gather(*(work() for _ in range(at_once)))
        meter.report(f"{at_once} at once, given")


def fill(folder: Path, calls: int) -> None:
    from datastore.ledger import Ledger

    record = {"request": {"messages": [["user", QUESTION]]}, "response": REPLY}
    with Ledger(folder) as ledger:
        for first in range(0, calls, 500):
            keys = (sha256(b"%d" % number).digest()[:16] for number in range(first, first + 500))
            ledger.put_many(dict.fromkeys(keys, record))


async def ask_the_teacher(url: str, calls: int, folder: Path) -> None:
    from curator.teacher import Request, TeacherSettings, parameters
    from curator.teacher.client import CallLedgers, Teacher
    from datastore.claims import Claims
    from datastore.ledger import Ledger

    settings = TeacherSettings(model="m", base_url=url, key_env="")
    how = parameters(settings.parameters)
    with Ledger(folder / "calls") as ledger, Claims(folder / "claims") as claims:
        async with Teacher(settings, CallLedgers(ledger, claims)) as teacher:
            await teacher.ask(Request("bench", "m", (("user", "warm"),), how))
            meter, numbers = Meter(calls), iter(range(calls))

            async def work() -> None:
                for number in numbers:
                    text = f"{QUESTION}{number}"
                    call = await teacher.ask(Request("bench", "m", (("user", text),), how))
                    assert call.status == "answered", call
                    meter.count()

            await asyncio.gather(*(work() for _ in range(min(calls, AT_ONCE))))
            meter.report(f"{teacher.counts.retried:,} tries pushed back")


def run(way: str, url: str, asked: argparse.Namespace) -> dict[str, float | str]:
    options = ["--calls", str(asked.calls), "--rate", str(asked.rate)]
    options += ["--latency", str(asked.latency), "--url", url]
    command = [sys.executable, __file__, *options, "--as", way]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float | str] = json.loads(done.stdout)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=500.0, help="requests a second it bears")
    parser.add_argument("--latency", type=float, default=0.2, help="seconds to an answer")
    parser.add_argument("--as", dest="way", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way == "server":
        asyncio.run(serve(asked.rate, asked.latency))
    elif asked.way in ("plain", "post"):
        at_once = max(1, round(asked.rate * asked.latency))
        asyncio.run(ask_plainly(asked.url, asked.calls, at_once, asked.way == "post"))
    elif asked.way in ("teacher", "filled"):
        with tempfile.TemporaryDirectory() as folder:
            if asked.way == "filled":
                fill(Path(folder) / "calls", KEPT)
            asyncio.run(ask_the_teacher(asked.url, asked.calls, Path(folder)))
    else:
        options = ["--rate", str(asked.rate), "--latency", str(asked.latency), "--as", "server"]
        print(f"{asked.calls:,} calls; the endpoint bears {asked.rate:,.0f} a second")
        print(
            f"{'':20}{'calls/s':>9}{'of it':>7}{'CPU ms':>8}{'MB early':>10}{'most':>6}{'late':>6}"
        )
        ways = {
            "plain": "plain openai loop",
            "post": "… its bare post",
            "teacher": "teacher, durable",
            "filled": f"… {KEPT:,} kept",
        }
        for way, name in ways.items():
            command = [sys.executable, __file__, *options]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
                assert server.stdout
                try:
                    url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
                    got = run(way, url, asked)
                finally:
                    server.kill()
            # A second's worth was there at the beginning.
            seconds = asked.calls / float(got["rate"])
            share = asked.calls / (asked.rate * (seconds + 1))
            print(
                f"{name:20}{got['rate']:9.0f}{share:7.0%}{got['cpu_ms']:8.2f}"
                f"{got['early_mb']:10.0f}{got['most_mb']:6.0f}{got['late_mb']:6.0f}  {got['more']}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
