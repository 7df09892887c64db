"""Builds over shards: neither the size of shards nor the number of processes changes a version."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from curator import RunOptions, build, load
from curator.core.errors import CuratorError, SourceError
from curator.core.model import Problem
from curator.pipeline import shards
from curator.pipeline.context import BuildContext
from curator.pipeline.executors.local import WorkerError
from curator.pipeline.open_context import open_context
from curator.pipeline.shards import Shard, run_shards
from curator.pipeline.stages import ingest
from curator.pipeline.stages.generate import messages_of
from curator.recipe.load import load_recipe
from curator.versions.content import content_of, objects_of
from curator.writers.prompt_templates import Prompts
from datastore.errors import StoreError
from datastore.store import Store
from datastore.versions import Manifest
from tests.teacher.helpers import Notes

RECIPE = """\
name: whole
about: every kind of subset
seed: 5
subsets:
  texts:
    source: {file: texts.jsonl, columns: {question: q, gold: a, response: r}, licence: MIT}
    kind: CoT
  programs:
    source: {file: programs.jsonl, columns: {question: q, gold: a, program: p}, licence: MIT}
    kind: PoT
    writers: [annotated]
  filled:
    source: {file: bare.jsonl, columns: {question: q, solution: s}, licence: MIT, golds: [gsm8k]}
    kind: CoT
  annotated: {source: gsm8k, kind: PoT, writers: [annotated]}
  taught:
    source: {file: asked.jsonl, columns: {question: q, gold: a}, licence: MIT}
    kind: PoT
    writers: [pot]
  hinted: {source: {subset: texts}, kind: CoT, writers: [hinted]}
screens: {contamination: null}
teacher: {model: m, replay: calls.jsonl, family: replay, parameters: {max_tokens: 100}}
limits: {quarantine: 0.5}
"""


def sum_of(number: int) -> str:
    return f"Ann has {number} pears and buys {number + 1} more at the market. How many pears?"


def solved(number: int) -> str:
    total = 2 * number + 1
    return f"She has {number} + {number + 1} = {total} pears.\nThe answer is {total}"


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Sources with the same rationales at near and far places, wrong ones, and broken records."""
    numbers = [*range(15), 3, 3, 4, *range(10), 3, 14, *range(40, 60), 3]
    right = [{"q": sum_of(n), "a": str(2 * n + 1), "r": solved(n)} for n in numbers]
    wrong = [{"q": sum_of(n), "a": "0", "r": solved(n)} for n in (1, 2, 1)]
    broken: list[dict[str, Any]] = [{"q": 7}, {"other": 1}]
    write_lines(tmp_path / "texts.jsonl", [*right[:20], *wrong, *broken, *right[20:]])
    program = "print({} + {})  # pears"
    rows = [{**row, "p": program.format(n, n + 1)} for n, row in zip(numbers, right, strict=True)]
    write_lines(tmp_path / "programs.jsonl", [*rows[:30], *broken, *rows[30:]])
    write_lines(tmp_path / "bare.jsonl", [{"q": row["q"], "s": "So " + row["r"]} for row in right])
    upstream = [
        {"question": row["q"], "answer": f"<<{n}+{n + 1}={2 * n + 1}>>x\n#### {2 * n + 1}"}
        for n, row in zip(numbers, right, strict=True)
    ]
    write_lines(tmp_path / "mirror" / "sources" / "gsm8k" / "rows.jsonl", upstream)
    write_lines(tmp_path / "asked.jsonl", right[:25])
    prompts = Prompts()
    calls = [
        {
            "model": "m",
            "messages": messages_of(prompts, "pot", Problem("x", sum_of(n), ""))[-1:],
            "reply": f"```python\nprint({n} + {n + 1})\n```",
        }
        for n in range(0, 15, 2)
    ]
    write_lines(tmp_path / "calls.jsonl", calls)
    path = tmp_path / "whole.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def always_parallel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use processes for any number of rows; read sources here, where shards are small."""
    monkeypatch.setattr(shards, "FEW_ROWS", 0)
    monkeypatch.setattr(ingest, "LARGE_BYTES", 0)


def built(recipe: Path, store: Path, workers: int) -> Manifest:
    mirror = recipe.parent / "mirror"
    return build(recipe, store, options=RunOptions(mirror=mirror, workers=workers))


@pytest.mark.usefixtures("always_parallel")
def test_neither_the_size_of_shards_nor_the_number_of_processes_changes_a_version(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = built(recipe, tmp_path / "whole", 1)
    counts = content_of(whole).subsets
    assert all(each.rationales > 5 for each in counts.values())
    assert all(each.available > 5 for each in counts.values())
    assert counts["texts"].quarantined == 2
    assert counts["texts"].reasons["failed: duplicate"] > 3
    for rows, workers in ((3, 2), (7, 4), (20, 1)):
        monkeypatch.setattr(ingest, "SHARD_ROWS", rows)
        store = tmp_path / f"{rows}-{workers}"
        manifest = built(recipe, store, workers)
        assert len(objects_of(manifest).problems["texts"]) > 1
        assert content_of(manifest) == content_of(whole)
        assert manifest.digest == whole.digest
        assert load("whole", store).equals(load("whole", tmp_path / "whole"))
