"""Builds with a teacher that are killed or run in parallel: no call is paid for twice."""

import json
import math
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curator import build
from datastore.store import Store
from tests.processes import start_fresh, wait_until
from tests.teacher.faults import Server, completion

PROBLEMS = 300
AT_ONCE = 16
KILLS = 20
RECIPE = """\
name: NAME
about: sums
subsets:
  sums:
    source: {file: rows.jsonl, columns: {question: q, gold: a}, licence: MIT}
    kind: PoT
    writers: [pot]
screens: {contamination: null}
teacher:
  model: m
  base_url: URL
  key_env: ""
  concurrency: 16
  parameters: {temperature: 0, max_tokens: 50}
  prices: {input: 2, output: 10}
sampling: {tries: 2, until: 1}
"""


def reply(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], bytes]:
    """A program for the sum in the request; every seventh is wrong on the first try."""
    asked = body["messages"][-1]["content"]
    one, other = map(int, re.findall(r"\d+", asked)[:2])
    wrong = one % 7 == 0
    text = f"```python\nprint({one} + {other}{' + 1' if wrong else ''})\n```"
    good = completion(asked, "m", asked)
    good["choices"][0]["message"]["content"] = text
    return 200, {"content-type": "application/json"}, json.dumps(good).encode()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(latency_s=0.05, reply=reply) as serving:
        yield serving


def write_world(folder: Path, server: Server, name: str = "sums", first: int = 0) -> Path:
    rows = [
        json.dumps({"q": f"How much is {n} plus {n + 3}?", "a": str(2 * n + 3)})
        for n in range(first, first + PROBLEMS)
    ]
    folder.mkdir(exist_ok=True)
    (folder / "rows.jsonl").write_text("\n".join(rows))
    path = folder / "sums.yaml"
    path.write_text(RECIPE.replace("URL", server.url).replace("NAME", name))
    return path


def kept(store: Path) -> list[dict[str, Any]]:
    with Store(store, readonly=True) as opened:
        return [record for _, record in opened.ledger("calls").records()]


def test_a_build_killed_during_calls_pays_once_and_reaches_the_same_digest(
    tmp_path: Path, server: Server
) -> None:
    recipe = write_world(tmp_path / "in", server)
    whole = build(recipe, tmp_path / "whole")
    undisturbed = server.served.total()
    assert undisturbed == len(kept(tmp_path / "whole")) > PROBLEMS
    server.served.clear()
    moments, broken = random.Random(3), tmp_path / "broken"
    for _ in range(KILLS):
        # Some replies at a time, so that there is always more to send at the next kill.
        server.limit = server.tries.total() + moments.randrange(PROBLEMS // KILLS)
        process = start_fresh(build, recipe, broken)
        wait_until(lambda: server.tries.total() >= server.limit, process.is_alive)
        time.sleep(moments.uniform(0.0, 0.1))
        assert process.is_alive()
        process.kill()
        process.join()
    server.limit = math.inf
    ended = build(recipe, broken)
    assert ended.digest == whole.digest
    records = kept(broken)
    assert {record["call"]["status"] for record in records} == {"answered"}
    assert len(records) == undisturbed
    # Every cached call was paid for once; besides, only calls in flight at a kill were paid for.
    assert undisturbed <= server.served.total() <= undisturbed + KILLS * AT_ONCE
    assert sum(record["money"] for record in records) == pytest.approx(
        undisturbed * (11 * 2 + 7 * 10) / 1_000_000
    )


def test_two_parallel_builds_make_each_shared_call_once(tmp_path: Path, server: Server) -> None:
    recipes = [
        write_world(tmp_path / "one", server, "one"),
        write_world(tmp_path / "other", server, "other", first=PROBLEMS // 2),
    ]
    store = tmp_path / "store"
    Store(store).close()
    processes = [start_fresh(build, recipe, store) for recipe in recipes]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert set(server.served.values()) == {1}
    asked = {name.partition("#")[0] for name in server.served}
    assert len(asked) == PROBLEMS + PROBLEMS // 2
