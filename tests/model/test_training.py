"""A real small model trained for a few steps, sampled as it stands on the disk, and scored.

What it scores is printed by `pytest -s`: 135 million parameters and three steps solve nothing.
"""

from pathlib import Path

import pytest

from curator import RunOptions, build
from curator.answers import Grader
from curator.checks.grade_samples import grade
from curator.pipeline.sample import SampleRequest, sample
from curator.release.export import export
from curator.sandbox import Sandbox
from curator.teacher import TeacherSettings
from curator.teacher.local_server import serve
from datastore.store import Store
from tests.model.serving import unpacked
from trainers.evaluation.evaluate import evaluate
from trainers.recipe import SFT, load_training
from trainers.sft import train_sft

pytestmark = [pytest.mark.model, pytest.mark.timeout(3600)]


def test_a_small_model_is_trained_on_a_release_served_and_scored(
    tmp_path: Path, shared: Path
) -> None:
    manifest = build("quickstart", tmp_path / "store")
    with Store(tmp_path / "store", readonly=True) as store:
        export(store, manifest, "prompt-completion", tmp_path / "rows.jsonl")
    keys = {
        "model": str(unpacked()),
        "release": str(tmp_path / "rows.jsonl"),
        "output": str(tmp_path / "run"),
    }
    recipe = load_training("small-cpu", keys)
    assert isinstance(recipe, SFT)
    recipe = recipe.model_copy(update={"steps": 3, "batch": 2, "micro_batch": 2})
    notes: list[str] = []
    record = train_sft(recipe, notes.append)
    losses = [loss for _, loss in record["losses"]]
    assert losses and all(0 < loss < 20 for loss in losses)
    assert any("answer tokens carry loss" in line for line in notes)
    asked = SampleRequest(("gsm8k",), samples=1, how="hybrid", limit=20)
    model = str(tmp_path / "run" / "model")
    with serve(model) as address, Store(tmp_path / "store") as store:
        settings = TeacherSettings(
            model=model,
            base_url=address,
            family="local",
            key_env="",
            concurrency=2,
            parameters={"temperature": 0.0, "max_tokens": 100},
        )
        problems = list(sample(asked, settings, store, RunOptions(mirror=shared)))
    assert len(problems) == 20
    with Sandbox() as box, Grader() as grader:
        result = evaluate(grade(problems, box.map, grader.map), "smollm2, three steps")
    [score] = [each for each in result.scores if each.metric == "Pass@1"]
    print(f"\nlosses {losses}; Pass@1 on 20 GSM8K problems: {score.share:.0%}")
    assert score.problems == 20 and score.share < 0.5
