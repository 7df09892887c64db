"""Generator, evaluator, generator: stages continue from each other and resume after a kill."""

import json
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curator.cli.app import app
from tests.paths import ROOT
from tests.trainers.sums import prompt_texts, sums, write_problems
from tests.trainers.tiny import ONE_THREAD, tiny_model
from trainers.recipe import Multitask, load_training
from trainers.tokenize import ALPACA

pytest.importorskip("torch", reason="the extra train is not installed")
pytest.importorskip("trl", reason="the extra train is not installed")

RECIPE = """
train: multitask
name: tiny
about: A test
model: {folder}/model
output: {folder}/run
common:
  release: {folder}/rows.jsonl
  samples: {folder}/samples.jsonl
  batch: 8
  micro_batch: 8
  max_length: 128
  precision: fp32
  checkpoint_every: 5
stages:
  generator: {{train: sft, learning_rate: 1.0e-3, steps: 10}}
  evaluator: {{train: verifier, loss: margin, learning_rate: 3.0e-4, steps: 30}}
  generator-again: {{train: sft, learning_rate: 3.0e-4, steps: 5}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    problems = sums(samples=4)
    rows = [{"prompt": each.question, "completion": each.samples[0].text} for each in problems]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    write_problems(tmp_path / "samples.jsonl", problems)
    tiny_model(tmp_path / "model", [ALPACA, *prompt_texts(problems)], width=128, layers=2)
    (tmp_path / "r.yaml").write_text(RECIPE.format(folder=tmp_path))
    return tmp_path


KILLED = """
import os, sys
from pathlib import Path
from trainers.multitask import train_multitask
from trainers.recipe import load_training
def log(line):
    if Path(sys.argv[2]).exists(): os.kill(os.getpid(), 9)
train_multitask(load_training(sys.argv[1]), log)
"""


def test_stages_resume_after_a_kill_and_start_from_the_previous_model(folder: Path) -> None:
    from trainers.multitask import train_multitask

    run = folder / "run"
    checkpoint = run / "2-evaluator" / "checkpoints" / "checkpoint-10" / "whole"
    command = [sys.executable, "-c", KILLED, folder / "r.yaml", checkpoint]
    assert subprocess.run(command, cwd=ROOT, env=ONE_THREAD).returncode == -signal.SIGKILL
    first = run / "1-generator" / "model" / "model.safetensors"
    stamp = first.stat().st_mtime_ns
    assert not (run / "2-evaluator" / "model" / "training.json").exists()

    recipe = load_training(folder / "r.yaml")
    assert isinstance(recipe, Multitask)
    lines: list[str] = []
    records = train_multitask(recipe, lines.append)
    assert first.stat().st_mtime_ns == stamp
    assert f"{run / '1-generator' / 'model'} is complete; nothing to do" in lines
    (resumed,) = [line for line in lines if line.startswith("resuming from")]
    assert "2-evaluator" in resumed
    assert [each["steps"] for each in records] == [10, 30, 5]
    assert [each["recipe"]["train"] for each in records] == ["sft", "verifier", "sft"]
    models = [
        folder / "model",
        *(run / name / "model" for name in ("1-generator", "2-evaluator", "3-generator-again")),
    ]
    weights = {(each / "model.safetensors").read_bytes() for each in models}
    assert len(weights) == 4
    for before, record in zip(models[1:], records[1:], strict=False):
        digest = sha256((before / "training.json").read_bytes()).hexdigest()
        assert record["data"]["model_record_sha256"] == digest

    words = ["train", "multitask", str(folder / "r.yaml"), "--json"]
    again = CliRunner().invoke(app, words, catch_exceptions=False)
    assert json.loads(again.stdout) == json.loads(json.dumps(records))
    assert again.stderr.count("is complete; nothing to do") == 3


def test_the_command_reports_what_is_missing_and_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(RECIPE.format(folder=tmp_path))
    for what in ("multitask", "sft"):
        found = CliRunner().invoke(app, ["train", what, str(tmp_path / "r.yaml")])
        assert found.exit_code != 0
        expected = "has no config.json" if what == "multitask" else "trains multitask"
        assert expected in str(found.exception)
    assert not (tmp_path / "run").exists()
