"""Whole builds from the Hub, through the official client and a local server."""

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
from tests.worlds import RUN, curator

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
        {"problem": f"What is {n} + {n}?", "answer": 2 * n, "words": f"The answer is {2 * n}."}
        for n in range(count)
    ]
    return "".join(json.dumps(row) + "\n" for row in made).encode()


def test_a_build_from_the_hub_pins_its_commits_and_then_needs_no_network(
    serving: Callable[..., AbstractContextManager[tuple[str, list[str]]]], tmp_path: Path
) -> None:
    recipe, store = tmp_path / "far.yaml", tmp_path / "store"
    recipe.write_text(RECIPE.replace("SPLIT", "train"))

    def run(word: str, endpoint: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, **RUN["env"], "HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "hf")}
        return curator(word, recipe, "--store", store, "--json", env=env)

    def run_json(word: str, endpoint: str) -> dict[str, Any]:
        done = run(word, endpoint)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    nowhere = "http://127.0.0.1:9"
    repository = {"me/data": {"train.jsonl": rows(5), "test.jsonl": rows(3)}}
    with serving({**repository, **repositories(SOURCES["camel_math"])}) as (url, seen):
        before = run_json("plan", url)
        assert [step["next"] for step in before["steps"]] == ["fetch", "fetch"]
        assert seen == [] and not store.exists(), "a plan sends no request and writes nothing"
        made = run_json("build", url)
        del seen[:]
        assert run_json("build", url) == made
        assert not [each for each in seen if "datasets" in each], (
            "cached files are not requested again"
        )
    assert made["sources"]["camel_math"]["revision"] == COMMIT
    assert made["sources"]["mine"]["revision"] == COMMIT, "a branch is pinned to its commit"
    assert made["subsets"]["mine"]["kept"] == 5
    with Store(store, readonly=True) as opened:
        assert opened.ledger("pins").count() == 2
    for cache in ("memo", "objects", "ledgers/executions", "ledgers/gradings", "versions"):
        shutil.rmtree(store / cache, ignore_errors=True)
    assert run_json("build", nowhere)["digest"] == made["digest"]
    after = run_json("plan", nowhere)
    assert [step["state"] for step in after["steps"]] == ["done", "done"]
    assert (after["whole"], after["missing"]) == ([], [])
    recipe.write_text(RECIPE.replace("SPLIT", "test"))
    assert run_json("plan", nowhere)["steps"][1]["next"] == "fetch", "another split is not cached"
    refused = run("build", nowhere)
    assert refused.returncode == 1
    [line] = refused.stderr.splitlines()
    assert line.startswith("mine: me/data on the Hub cannot be reached")
