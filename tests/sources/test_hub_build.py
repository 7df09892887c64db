"""Whole builds from the Hub, through its real client against a local stand-in."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from curator.sources import SOURCES
from datastore.store import Store
from tests.sources.fetch.test_hub import COMMIT, repositories
from tests.worlds import RUN, command

RECIPE = """\
name: far
about: from the Hub
subsets:
  camel: {source: camel_math, kind: CoT, checks: [format]}
  mine:
    source: {hub: me/data, split: SPLIT, revision: main, licence: MIT,
      columns: {question: problem, gold: answer, solution: words}}
    kind: CoT
screens: {contamination: null}
limits: {quarantine: 0.2}
"""


def rows(count: int) -> bytes:
    made = [
        {"problem": f"What is {n} + {n}?", "answer": 2 * n, "words": f"{n} twice is {2 * n}."}
        for n in range(count)
    ]
    return "".join(json.dumps(row) + "\n" for row in made).encode()


def test_a_build_from_the_hub_pins_what_it_read_and_needs_no_network_again(
    serving: Callable[..., AbstractContextManager[tuple[str, list[str]]]], tmp_path: Path
) -> None:
    recipe, store = tmp_path / "far.yaml", tmp_path / "store"
    recipe.write_text(RECIPE.replace("SPLIT", "train"))

    def run(word: str, endpoint: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, **RUN["env"], "HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "hf")}
        words = command(word, recipe, "--store", store, "--json")
        return subprocess.run(words, **{**RUN, "env": env})

    def told(word: str, endpoint: str) -> dict[str, Any]:
        done = run(word, endpoint)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    nowhere = "http://127.0.0.1:9"
    held = {"me/data": {"train.jsonl": rows(5), "test.jsonl": rows(3)}}
    with serving({**held, **repositories(SOURCES["camel_math"])}) as (url, seen):
        before = told("plan", url)
        assert [step["next"] for step in before["steps"]] == ["fetch", "fetch"]
        assert seen == [] and not store.exists(), "a plan asks nobody and writes nothing"
        made = told("build", url)
        del seen[:]
        assert told("build", url) == made
        assert not [each for each in seen if "datasets" in each], (
            "files that are in the cache are not asked for again"
        )
    assert made["sources"]["camel_math"]["revision"] == COMMIT
    assert made["sources"]["mine"]["revision"] == COMMIT, "a branch is pinned to its commit"
    assert made["subsets"]["mine"]["kept"] == 5
    with Store(store, readonly=True) as opened:
        assert opened.ledger("pins").count() == 2
    for cache in ("memo", "objects", "ledgers/executions", "ledgers/gradings", "versions"):
        shutil.rmtree(store / cache, ignore_errors=True)
    assert told("build", nowhere)["digest"] == made["digest"]
    after = told("plan", nowhere)
    assert [step["state"] for step in after["steps"]] == ["done", "done"]
    assert (after["whole"], after["missing"]) == ([], [])
    recipe.write_text(RECIPE.replace("SPLIT", "test"))
    assert told("plan", nowhere)["steps"][1]["next"] == "fetch", "another split was never read"
    refused = run("build", nowhere)
    assert refused.returncode == 1
    [line] = refused.stderr.splitlines()
    assert line.startswith("mine: me/data on the Hub cannot be reached")
