"""Processes that die while they ask, and processes that ask the same at once."""

import random
import time
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tests.teacher.faults import COMPLETION_TOKENS, PROMPT_TOKENS, Server
from tests.teacher.many_calls import AT_ONCE, ask_many
from tests.teacher.worlds import records

KILLS = 50

# Each is a fresh process, forked from one that has imported everything, so that it starts at once.
FRESH = get_context("forkserver")
FRESH.set_forkserver_preload(["tests.teacher.many_calls"])


@dataclass
class Asking:
    """A process that asks, and what it tells."""

    process: ForkServerProcess
    told: Connection
    cut_off: int = 0

    def kill(self) -> bool:
        """Whether it was still at work."""
        self.process.kill()
        self.process.join()
        return self.process.exitcode != 0

    def asked(self) -> int:
        """The number of calls that it made, at its end."""
        self.process.join(60)
        assert self.process.exitcode == 0
        return int(self.told.recv())


def start(store: Path, server: Server, first: int, count: int) -> Asking:
    """A process that has begun, and has told of calls that were cut off before."""
    mine, told = FRESH.Pipe(duplex=False)
    process = FRESH.Process(target=ask_many, args=(store, server.url, first, count, told))
    process.start()
    told.close()
    asking = Asking(process, mine)
    asking.cut_off = int(mine.recv())
    return asking


def test_a_killed_process_loses_no_answer_and_says_what_may_have_been_paid_for(
    tmp_path: Path,
) -> None:
    moments, calls, living, cut_off = random.Random(4), 600, 0, 0
    with Server(latency_s=0.1) as server:
        for _ in range(KILLS):
            asking = start(tmp_path, server, 0, calls)
            time.sleep(moments.uniform(0.0, 0.4))
            living += asking.kill()
            cut_off += asking.cut_off
        last = start(tmp_path, server, 0, calls)
        cut_off += last.cut_off
        last.asked()
    kept = records(tmp_path)
    lost = server.served.total() - len(kept)
    print(f"{living} kills, {server.served.total()} served, {lost} lost, {cut_off} cut off")
    assert living > KILLS / 2
    assert len(kept) == calls
    # Nothing was asked twice but what was under way at a kill, and every such call was told.
    assert 0 < lost <= cut_off <= AT_ONCE * KILLS
    each = PROMPT_TOKENS + COMPLETION_TOKENS
    assert sum(record["money"] for record in kept.values()) == len(kept) * each


def test_two_processes_with_the_same_requests_ask_each_once(tmp_path: Path) -> None:
    with Server(latency_s=0.05) as server:
        both = [start(tmp_path, server, 0, 300) for _ in range(2)]
        asked = [asking.asked() for asking in both]
    assert set(server.served.values()) == {1}
    assert sum(asked) == 300 == len(records(tmp_path))


def test_two_processes_that_share_some_requests_ask_those_once(tmp_path: Path) -> None:
    with Server(latency_s=0.05) as server:
        both = [start(tmp_path, server, first, 300) for first in (0, 100)]
        asked = [asking.asked() for asking in both]
    assert set(server.served.values()) == {1}
    assert sum(asked) == 400 == len(records(tmp_path))
    assert min(asked) >= 100


def test_what_a_killed_process_was_asking_is_free_for_the_next(tmp_path: Path) -> None:
    with Server(latency_s=1.0) as server:
        slow = start(tmp_path, server, 0, 20)
        while not server.tries:
            time.sleep(0.01)
        waiting = start(tmp_path, server, 0, 20)
        time.sleep(1.5)
        assert slow.kill()
        assert waiting.asked() > 0
    assert len(records(tmp_path)) == 20
