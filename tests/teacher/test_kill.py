"""Processes that are killed during calls, and processes that send the same requests."""

import math
import random
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tests.processes import FRESH, start_fresh, wait_until
from tests.teacher.faults import COMPLETION_TOKENS, PROMPT_TOKENS, Server
from tests.teacher.helpers import records
from tests.teacher.many_calls import CONCURRENCY, ask_many

KILLS = 20


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
        self.process.join()
        assert self.process.exitcode == 0
        return int(self.results.recv())


def start(store: Path, server: Server, first: int, count: int) -> Sender:
    """Start a process and wait until it has reported interrupted calls."""
    results, child_end = FRESH.Pipe(duplex=False)
    process = start_fresh(ask_many, store, server.url, first, count, child_end)
    child_end.close()
    sender = Sender(process, results)
    sender.cut_off = int(results.recv())
    return sender


def test_a_killed_process_loses_no_reply_and_reports_calls_that_may_have_been_paid_for(
    tmp_path: Path,
) -> None:
    moments, calls, killed, cut_off = random.Random(4), 300, 0, 0
    with Server(latency_s=0.05) as server:
        for _ in range(KILLS):
            sender = start(tmp_path, server, 0, calls)
            # Some replies at a time, so that there is always more to send at the next kill.
            server.limit = server.tries.total() + moments.randrange(10)
            wait_until(lambda: server.tries.total() >= server.limit, sender.process.is_alive)
            time.sleep(moments.uniform(0.0, 0.1))
            killed += sender.kill()
            cut_off += sender.cut_off
        server.limit = math.inf
        last = start(tmp_path, server, 0, calls)
        cut_off += last.cut_off
        last.wait()
    stored = records(tmp_path)
    lost = server.served.total() - len(stored)
    print(f"{killed} kills, {server.served.total()} served, {lost} lost, {cut_off} cut off")
    assert killed == KILLS
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
    with Server() as server:
        server.limit = 0
        slow = start(tmp_path, server, 0, 20)
        wait_until(lambda: server.tries, slow.process.is_alive)
        waiting = start(tmp_path, server, 0, 20)
        time.sleep(0.5)  # usually enough for it to find the claims
        assert slow.kill()
        server.limit = math.inf
        assert waiting.wait() > 0
    assert len(records(tmp_path)) == 20
