"""Processes that are killed during calls, and processes that send the same requests."""

import random
import time
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tests.teacher.faults import COMPLETION_TOKENS, PROMPT_TOKENS, Server
from tests.teacher.helpers import records
from tests.teacher.many_calls import CONCURRENCY, ask_many

KILLS = 50

# Each process is forked from one that has imported everything, so that it starts fast.
FRESH = get_context("forkserver")
FRESH.set_forkserver_preload(["tests.teacher.many_calls"])


@dataclass
class Sender:
    """A process that sends requests, and its results."""

    process: ForkServerProcess
    results: Connection
    cut_off: int = 0

    def kill(self) -> bool:
        """Kill the process; return whether it was still working."""
        self.process.kill()
        self.process.join()
        return self.process.exitcode != 0

    def wait(self) -> int:
        """Wait for the end of the process; return the number of calls that it made."""
        self.process.join(60)
        assert self.process.exitcode == 0
        return int(self.results.recv())


def start(store: Path, server: Server, first: int, count: int) -> Sender:
    """Start a process and wait until it has reported interrupted calls."""
    results, child_end = FRESH.Pipe(duplex=False)
    process = FRESH.Process(target=ask_many, args=(store, server.url, first, count, child_end))
    process.start()
    child_end.close()
    sender = Sender(process, results)
    sender.cut_off = int(results.recv())
    return sender


def test_a_killed_process_loses_no_reply_and_reports_calls_that_may_have_been_paid_for(
    tmp_path: Path,
) -> None:
    moments, calls, killed, cut_off = random.Random(4), 600, 0, 0
    with Server(latency_s=0.1) as server:
        # On a busy machine the first request is late; kills must hit calls there, too.
        sender = start(tmp_path, server, 0, calls)
        started = time.monotonic()
        while not server.tries:
            time.sleep(0.01)
        first_request_s = time.monotonic() - started
        sender.kill()
        for _ in range(KILLS):
            sender = start(tmp_path, server, 0, calls)
            time.sleep(moments.uniform(0.0, first_request_s + 0.3))
            killed += sender.kill()
            cut_off += sender.cut_off
        last = start(tmp_path, server, 0, calls)
        cut_off += last.cut_off
        last.wait()
    stored = records(tmp_path)
    lost = server.served.total() - len(stored)
    print(f"{killed} kills, {server.served.total()} served, {lost} lost, {cut_off} cut off")
    assert killed > KILLS / 2
    assert len(stored) == calls
    # Only calls in flight at a kill were sent twice, and every one of them was reported.
    assert 0 < lost <= cut_off <= CONCURRENCY * KILLS
    each = PROMPT_TOKENS + COMPLETION_TOKENS
    assert sum(record["money"] for record in stored.values()) == len(stored) * each


def test_two_processes_with_the_same_requests_send_each_once(tmp_path: Path) -> None:
    with Server(latency_s=0.05) as server:
        both = [start(tmp_path, server, 0, 300) for _ in range(2)]
        made = [sender.wait() for sender in both]
    assert set(server.served.values()) == {1}
    assert sum(made) == 300 == len(records(tmp_path))


def test_two_processes_that_share_some_requests_send_those_once(tmp_path: Path) -> None:
    with Server(latency_s=0.05) as server:
        both = [start(tmp_path, server, first, 300) for first in (0, 100)]
        made = [sender.wait() for sender in both]
    assert set(server.served.values()) == {1}
    assert sum(made) == 400 == len(records(tmp_path))
    assert min(made) >= 100


def test_the_claims_of_a_killed_process_are_free_for_the_next(tmp_path: Path) -> None:
    with Server(latency_s=1.0) as server:
        slow = start(tmp_path, server, 0, 20)
        while not server.tries:
            time.sleep(0.01)
        waiting = start(tmp_path, server, 0, 20)
        time.sleep(1.5)
        assert slow.kill()
        assert waiting.wait() > 0
    assert len(records(tmp_path)) == 20
