"""Measures the CPU time per call and the throughput of the teacher, next to a plain loop.

    python bench/teacher.py [--calls 20000] [--rate 500] [--latency 0.2] [--json FILE]

In: nothing; a separate process serves a synthetic endpoint. It sustains a fixed rate of requests
(with a burst of one second) and answers others with 429 and `Retry-After: 1`. Out: calls per second
and their share of that rate, CPU time per call of the client process, and its memory after a tenth
of the calls, at its maximum and at the end. Measured are a plain asyncio loop over the openai
client, which is given the best concurrency and stores nothing; the same loop over the cheapest
interface of the client; and the teacher, whose calls are all durable in a ledger, which is empty in
one row and large in the last. The share includes the start, when the teacher does not know the
capacity of the endpoint.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from results import Figure, add_json_option, write_figures

CONCURRENCY = 2_000
"""Coroutines that wait for a reply: a build has thousands in progress."""
STORED = 500_000
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
            "message": {"role": "assistant", "content": "The answer is 7. " * 40, "refusal": None},
        }
    ],
    "usage": {"prompt_tokens": 130, "completion_tokens": 160, "total_tokens": 290},
}


def make_reply(status: str, headers: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


VALID = make_reply("200 OK", "", json.dumps(REPLY).encode())
LIMITED = make_reply(
    "429 Too Many Requests", "retry-after: 1\r\n", b'{"error":{"message":"slow down"}}'
)


class Capacity:
    """The requests that the endpoint accepts at this moment."""

    def __init__(self, rate: float) -> None:
        self.rate, self.left, self.updated = rate, rate, time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self.left = min(self.rate, self.left + (now - self.updated) * self.rate)
        self.updated = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Connection(asyncio.Protocol):
    """Reads a request only as far as necessary to find its end."""

    def __init__(self, capacity: Capacity, latency: float) -> None:
        self.capacity, self.latency, self.data = capacity, latency, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = self.data[:end].lower()
            start = head.find(b"content-length:")
            length = int(head[start + 15 :].split(b"\r\n", 1)[0])
            if len(self.data) < end + 4 + length:
                return
            self.data = self.data[end + 4 + length :]
            if self.capacity.take():
                self.loop.call_later(self.latency, self.send, VALID)
            else:
                self.send(LIMITED)

    def send(self, reply: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(reply)


async def serve(rate: float, latency: float) -> None:
    capacity = Capacity(rate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(capacity, latency), "127.0.0.1", 0, backlog=2_000
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def memory_mb() -> float:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * 4096 / 1e6


class Meter:
    """Time, CPU time and memory of the client process, from its first reply."""

    def __init__(self, calls: int) -> None:
        self.calls, self.done = calls, 0
        self.clock, self.cpu = time.perf_counter(), time.process_time()
        self.early_mb = self.max_mb = 0.0

    def count(self) -> None:
        self.done += 1
        if self.done == self.calls // 10:
            self.early_mb = memory_mb()
        if self.done % 100 == 0:
            self.max_mb = max(self.max_mb, memory_mb())

    def report(self, note: str) -> None:
        seconds, cpu = time.perf_counter() - self.clock, time.process_time() - self.cpu
        result = {
            "rate": self.done / seconds,
            "cpu_ms": cpu / self.done * 1000,
            "early_mb": self.early_mb,
            "max_mb": self.max_mb,
            "late_mb": memory_mb(),
            "note": note,
        }
        print(json.dumps(result))


async def run_plain_loop(url: str, calls: int, concurrency: int, bare: bool) -> None:
    """Run the usual loop: the client's own retries and a fixed concurrency.

    `bare` uses the client's `post` over aiohttp, which does not parse replies into types.
    """
    import httpx2
    import openai

    http_client = openai.DefaultAioHttpClient() if bare else None
    async with openai.AsyncOpenAI(
        base_url=url, api_key="none", max_retries=6, http_client=http_client
    ) as client:

        async def ask(text: str) -> None:
            messages = [{"role": "user", "content": text}]
            if bare:
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

        await asyncio.gather(*(work() for _ in range(concurrency)))
        meter.report(f"concurrency {concurrency}, given")


def fill(folder: Path, calls: int) -> None:
    from datastore.ledger import Ledger

    record = {"request": {"messages": [["user", QUESTION]]}, "response": REPLY}
    with Ledger(folder) as ledger:
        for first in range(0, calls, 500):
            keys = (sha256(b"%d" % number).digest()[:16] for number in range(first, first + 500))
            ledger.put_many(dict.fromkeys(keys, record))


async def run_teacher(url: str, calls: int, folder: Path) -> None:
    from curator.teacher import Request, TeacherSettings, parameters
    from curator.teacher.client import CallLedgers, Teacher
    from datastore.claims import Claims
    from datastore.ledger import Ledger

    settings = TeacherSettings(model="m", base_url=url, key_env="")
    sampling = parameters(settings.parameters)
    with Ledger(folder / "calls") as ledger, Claims(folder / "claims") as claims:
        async with Teacher(settings, CallLedgers(ledger, claims)) as teacher:
            await teacher.get_call(Request("bench", "m", (("user", "warm"),), sampling))
            meter, numbers = Meter(calls), iter(range(calls))

            async def work() -> None:
                for number in numbers:
                    text = f"{QUESTION}{number}"
                    call = await teacher.get_call(
                        Request("bench", "m", (("user", text),), sampling)
                    )
                    assert call.status == "answered", call
                    meter.count()

            await asyncio.gather(*(work() for _ in range(min(calls, CONCURRENCY))))
            meter.report(f"{teacher.counts.retried:,} retries")


def run(name: str, url: str, arguments: argparse.Namespace) -> dict[str, float | str]:
    options = ["--calls", str(arguments.calls), "--rate", str(arguments.rate)]
    options += ["--latency", str(arguments.latency), "--url", url]
    command = [sys.executable, __file__, *options, "--as", name]
    process = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float | str] = json.loads(process.stdout)
    return result


def compare_with_post(results: dict[str, dict[str, float | str]]) -> Iterator[Figure]:
    """Yield the costs of each client, as ratios to those of the client's bare `post`."""
    for client, result in results.items():
        for what, unit in (("cpu_ms", "CPU ms per call"), ("max_mb", "MB")):
            value, baseline = float(result[what]), float(results["post"][what])
            ratio = value / baseline if client != "post" else None
            yield Figure(f"{client} over bare post, {unit}", value, unit, ratio)
        value, baseline = 1000 / float(result["rate"]), 1000 / float(results["post"]["rate"])
        ratio = value / baseline if client != "post" else None
        yield Figure(f"{client} over bare post, ms per call", value, "ms per call", ratio)


def measure(arguments: argparse.Namespace) -> dict[str, dict[str, float | str]]:
    """Print the figures of each client, and return them by its name."""
    rate, latency = str(arguments.rate), str(arguments.latency)
    options = ["--rate", rate, "--latency", latency, "--as", "server"]
    print(f"{arguments.calls:,} calls; the endpoint sustains {arguments.rate:,.0f} per second")
    print(f"{'':20}{'calls/s':>9}{'share':>7}{'CPU ms':>8}{'MB early':>10}{'max':>6}{'end':>6}")
    clients = {
        "plain": "plain openai loop",
        "post": "… its bare post",
        "teacher": "teacher, durable",
        "filled": f"… {STORED:,} stored",
    }
    results: dict[str, dict[str, float | str]] = {}
    for client, name in clients.items():
        command = [sys.executable, __file__, *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout
            try:
                url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
                result = results[client] = run(client, url, arguments)
            finally:
                server.kill()
        # The endpoint starts with a burst of one second.
        seconds = arguments.calls / float(result["rate"])
        share = arguments.calls / (arguments.rate * (seconds + 1))
        print(
            f"{name:20}{result['rate']:9.0f}{share:7.0%}{result['cpu_ms']:8.2f}"
            f"{result['early_mb']:10.0f}{result['max_mb']:6.0f}{result['late_mb']:6.0f}"
            f"  {result['note']}",
            flush=True,
        )
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument(
        "--rate", type=float, default=500.0, help="requests per second that the endpoint sustains"
    )
    parser.add_argument("--latency", type=float, default=0.2, help="seconds to a reply")
    add_json_option(parser)
    parser.add_argument("--as", dest="client", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.client == "server":
        asyncio.run(serve(arguments.rate, arguments.latency))
    elif arguments.client in ("plain", "post"):
        concurrency = max(1, round(arguments.rate * arguments.latency))
        asyncio.run(
            run_plain_loop(arguments.url, arguments.calls, concurrency, arguments.client == "post")
        )
    elif arguments.client in ("teacher", "filled"):
        with tempfile.TemporaryDirectory() as folder:
            if arguments.client == "filled":
                fill(Path(folder) / "calls", STORED)
            asyncio.run(run_teacher(arguments.url, arguments.calls, Path(folder)))
    else:
        write_figures(arguments.json, compare_with_post(measure(arguments)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
