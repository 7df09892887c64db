"""A trial of a training: real steps, measured on one and two processes, and nothing left behind."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from curator.core.errors import UsageError
from tests.paths import ROOT
from tests.trainers.sums import prompt_texts, sums, write_problems
from tests.trainers.tiny import ONE_THREAD, tiny_model
from trainers.tokenize import ALPACA

pytest.importorskip("torch", reason="the extra train is not installed")
pytest.importorskip("trl", reason="the extra train is not installed")

ONE = [sys.executable, "-m", "curator"]
TWO = [
    sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone",
    "-m", "curator",
]  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trial")
    problems = sums(samples=4)
    rows = [{"prompt": each.question, "completion": each.samples[0].text} for each in problems]
    rows[50]["completion"] += " The answer is 1." * 9
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    write_problems(folder / "samples.jsonl", problems)
    tiny_model(folder / "model", [ALPACA, *prompt_texts(problems)], width=64, layers=1)
    return folder


def preflight(base: Path, folder: Path, command: list[str], **keys: object) -> dict[str, Any]:
    """Return the JSON of `curator train preflight --try`."""
    values = {"train": "sft", "name": "x", "about": "A test", "model": str(base / "model")}
    values |= {"learning_rate": 1e-3, "batch": 8, "micro_batch": 2, "max_length": 200, "epochs": 2}
    values |= {"precision": "fp32", "output": str(folder / "runs" / "x"), **keys}
    recipe = base / f"{folder.name}.json"
    recipe.write_text(json.dumps(values))
    done = subprocess.run(
        [*command, "train", "preflight", str(recipe), "--try", "--json"],
        cwd=ROOT, env=ONE_THREAD, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    (found,) = json.loads(done.stdout[done.stdout.index("[") :])
    return dict(found["trial"])


@pytest.mark.parametrize("processes", [1, 2])
def test_a_trial_measures_each_process_and_leaves_nothing_behind(
    base: Path, tmp_path: Path, processes: int
) -> None:
    release = {"release": str(base / "rows.jsonl")}
    trial = preflight(base, tmp_path, ONE if processes == 1 else TWO, **release)
    assert trial["processes"] == len(trial["memory"]) == processes
    assert min(trial["memory"]) > 0.1  # torch alone has more
    assert (trial["rows"], trial["steps"]) == (100, 2 * 13)
    assert trial["step_seconds"] > 0
    assert trial["hours"] == pytest.approx(trial["step_seconds"] * 26 / 3600)
    assert trial["rows_per_second"] == pytest.approx(8 / trial["step_seconds"])
    assert trial["tokens_per_second"] > 20 * trial["rows_per_second"]
    assert 0 < trial["useful"] <= 1
    assert len(trial["losses"]) == 3 and all(0 < loss < 20 for loss in trial["losses"])
    # The weights, twice as much of the optimizer, and the model once more.
    size = (base / "model" / "model.safetensors").stat().st_size
    assert trial["disk"] * 2**30 > 4 * size
    assert list(tmp_path.iterdir()) == []


def test_a_verifier_can_be_tried_and_a_killed_trial_is_cleaned_up(
    base: Path, tmp_path: Path
) -> None:
    left = tmp_path / "runs" / "x.trial"
    left.mkdir(parents=True)
    (left / "rows.jsonl").touch()
    keys = {"train": "verifier", "samples": str(base / "samples.jsonl"), "loss": "margin"}
    trial = preflight(base, tmp_path, ONE, **keys, per_problem=4)
    assert (trial["rows"], trial["tokens_per_second"]) == (100, None)
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize("output", [".", "..", "x/.."])
def test_a_trial_of_a_run_in_the_working_directory_leaves_it_as_it_is(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    from trainers.recipe import SFT
    from trainers.trial import _folder

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RANK", raising=False)
    values = {"train": "sft", "name": "x", "about": "A test", "model": "m", "release": "r"}
    settings = SFT.model_validate({**values, "learning_rate": 1e-3, "output": output})
    before = sorted(tmp_path.parent.rglob("*"))
    with _folder(settings) as folder:
        assert folder.is_dir() and folder.name.endswith(".trial")
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_a_trial_leaves_the_files_of_a_running_one_and_of_others(tmp_path: Path) -> None:
    from trainers.recipe import SFT
    from trainers.trial import _folder

    values = {"train": "sft", "name": "x", "about": "A test", "model": "m", "release": "r"}
    values["output"] = str(tmp_path / "deep" / "x")
    settings = SFT.model_validate({**values, "learning_rate": 1e-3})
    with _folder(settings) as folder:
        (folder / "run").mkdir()
        with pytest.raises(UsageError, match="Another process trains in"), _folder(settings):
            pass
        assert (folder / "run").is_dir()
    assert list(tmp_path.iterdir()) == []
    folder.mkdir(parents=True)
    (folder / "notes.txt").touch()
    with pytest.raises(UsageError, match="is not the folder of a trial"), _folder(settings):
        pass
    assert [each.name for each in folder.iterdir()] == ["notes.txt"]


def test_processes_of_one_launch_alone_agree_on_the_file_they_wait_for() -> None:
    code = "from trainers.trial import _total_file; print(_total_file())"
    keys = {"MASTER_PORT": "29500", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    names = [
        subprocess.run(
            ["sh", "-c", f"{sys.executable} -c '{code}'; " * processes + ":"],
            cwd=ROOT, env={**ONE_THREAD, **keys}, capture_output=True, text=True, check=True,
        ).stdout.split()
        for processes in (2, 1)
    ]  # fmt: skip
    assert names[0][0] == names[0][1] != names[1][0]


def test_trying_belongs_to_preflight_and_needs_what_a_training_needs(
    base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from curator.cli import main

    for words, message in (
        (["sft", "small-cpu", "--try"], "Run: curator train preflight small-cpu --try"),
        (["preflight", "small-cpu", "--try", "--release", "none.jsonl"], "needs file none.jsonl"),
    ):
        sys.argv = ["curator", "train", *words]
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code == 2
        assert message in capsys.readouterr().err
