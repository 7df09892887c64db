"""Trainings that are stopped: a kill, a full disk, a second process in the folder, few rows."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from curator.core.errors import UsageError
from tests.paths import ROOT
from tests.trainers.tiny import ONE_THREAD, tiny_model
from trainers.recipe import SFT
from trainers.sft import train_sft
from trainers.tokenize import ALPACA

pytest.importorskip("torch", reason="the extra train is not installed")
pytest.importorskip("trl", reason="the extra train is not installed")

ROWS = [{"prompt": f"{n} + 1?", "completion": f"so {n + 1}"} for n in range(40)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("interruptions")
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    texts = [ALPACA, *(row["prompt"] + row["completion"] for row in ROWS)]
    tiny_model(folder / "model", texts, width=64, layers=1)
    return folder


def recipe(base: Path, output: Path, **keys: object) -> SFT:
    values = {"train": "sft", "name": "x", "about": "A test", "learning_rate": 1e-3, "steps": 4}
    values |= {"model": str(base / "model"), "release": str(base / "rows.jsonl"), "batch": 8}
    values |= {"micro_batch": 4, "max_length": 100, "precision": "fp32", "output": str(output)}
    return SFT.model_validate({**values, "checkpoint_every": 2, **keys})


def train(settings: SFT) -> tuple[dict[str, Any], list[str]]:
    lines: list[str] = []
    return train_sft(settings, lines.append), lines


def start(settings: SFT, log: str, before: str = "") -> "subprocess.Popen[str]":
    """Train in another process, whose log function is `log` and which runs `before` first."""
    program = (
        "import os, signal, sys, time\n"
        "from trainers.recipe import SFT\n"
        "from trainers.sft import train_sft\n"
        f"{before}\n"
        f"def log(line):\n    {log}\n"
        "train_sft(SFT.model_validate_json(sys.argv[1]), log)\n"
    )
    command = [sys.executable, "-c", program, settings.model_dump_json()]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=ONE_THREAD, stdout=pipe, stderr=pipe, text=True)


def test_a_second_process_in_the_folder_is_refused_and_changes_nothing(
    base: Path, tmp_path: Path
) -> None:
    settings = recipe(base, tmp_path / "run")
    program = start(settings, "print(line, flush=True); line.startswith('step 3 ') and pause()", (
        f"def pause():\n    while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.05)"
    ))  # fmt: skip
    assert program.stdout is not None
    for line in program.stdout:
        if line.startswith("step 3 "):
            break
    # As if the first process were writing a checkpoint.
    unfinished = tmp_path / "run" / "checkpoints" / "checkpoint-3"
    unfinished.mkdir()
    with pytest.raises(UsageError, match=r"^Another process trains in \S+run\. Wait for it, or"):
        train(settings)
    assert unfinished.is_dir()
    unfinished.rmdir()
    (tmp_path / "go").touch()
    rest = program.communicate(timeout=300)
    assert program.returncode == 0, rest
    assert train(settings)[1] == [f"{tmp_path / 'run' / 'model'} is complete; nothing to do"]
    assert not (tmp_path / "run" / "lock").exists()


def test_a_kill_while_encoding_leaves_nothing_behind_after_the_next_start(
    base: Path, tmp_path: Path
) -> None:
    settings = recipe(base, tmp_path / "run")
    kill = (
        "import trainers.encoded as encoded\n"
        "encoded._to_batch = lambda rows: os.kill(os.getpid(), signal.SIGKILL)"
    )
    died = start(settings, "pass", kill)
    died.communicate(timeout=300)
    assert died.returncode == -9
    (left,) = (tmp_path / "run").glob(".encoded-*")
    record, lines = train(settings)
    assert not left.exists()
    assert record["tokens"]["rows"] == len(ROWS)
    assert any(line.startswith("encoding 40 rows") for line in lines)


def test_a_kill_while_the_model_is_saved_adds_no_step_and_a_deleted_file_is_encoded_again(
    base: Path, tmp_path: Path
) -> None:
    settings = recipe(base, tmp_path / "run")
    whole, _ = train(settings)
    model = tmp_path / "run" / "model"
    saved = (model / "model.safetensors").read_bytes()
    (model / "training.json").unlink()
    (encoded,) = (tmp_path / "run").glob("encoded-*.arrow")
    encoded.unlink()
    record, lines = train(settings)
    assert f"resuming from {tmp_path / 'run' / 'checkpoints' / 'checkpoint-4'}" in lines
    assert (record["steps"], record["losses"]) == (4, whole["losses"])
    assert (model / "model.safetensors").read_bytes() == saved
    assert encoded.exists()


@pytest.mark.parametrize("step", [2, 4])
def test_a_disk_that_fills_during_a_checkpoint_is_one_line_and_the_rerun_resumes(
    base: Path, tmp_path: Path, step: int
) -> None:
    settings = recipe(base, tmp_path / "run")
    # The largest file is the optimizer's, with two numbers per parameter.
    size = (base / "model" / "model.safetensors").stat().st_size
    limit = (
        "import resource\nfrom curator.core.errors import CuratorError\n"
        "def fill():\n"
        f"    resource.setrlimit(resource.RLIMIT_FSIZE, ({size // 2}, resource.RLIM_INFINITY))\n"
        "train = train_sft\n"
        "def train_sft(*given):\n"
        "    try: train(*given)\n"
        "    except CuratorError as error: print(error); sys.exit(1)"
    )
    full = start(settings, f"line.startswith('step {step} ') and fill()", limit)
    out, err = full.communicate(timeout=300)
    assert full.returncode == 1, err
    folder = tmp_path / "run" / "checkpoints"
    assert out.startswith(f"Cannot write a checkpoint to {folder} ("), out
    assert out.count("\n") == 1
    record, lines = train(settings)
    resumed = [line for line in lines if line.startswith("resuming")]
    assert resumed == ([] if step == 2 else [f"resuming from {folder / 'checkpoint-2'}"])
    assert record["steps"] == 4
    assert record["losses"] == train(recipe(base, tmp_path / "whole"))[0]["losses"]


def test_two_processes_train_on_one_row(base: Path, tmp_path: Path) -> None:
    (tmp_path / "row.jsonl").write_text(json.dumps(ROWS[0]))
    settings = recipe(
        base, tmp_path / "run", release=str(tmp_path / "row.jsonl"), batch=4, micro_batch=2
    )
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "sft.json").write_text(settings.model_dump_json())
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    command += ["--standalone", str(ROOT / "tests" / "trainers" / "launched.py")]
    paths = os.pathsep.join([str(ROOT), *filter(None, [ONE_THREAD.get("PYTHONPATH")])])
    done = subprocess.run(
        [*command, str(tmp_path / "recipes"), ""],
        cwd=ROOT, env={**ONE_THREAD, "PYTHONPATH": paths}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    record = json.loads((tmp_path / "run" / "model" / "training.json").read_text())
    assert record["steps"] == 4 and record["losses"][-1][1] < record["losses"][0][1]


def test_an_empty_release_and_a_folder_that_cannot_be_made_are_one_line(
    base: Path, tmp_path: Path
) -> None:
    (tmp_path / "none.jsonl").write_text("\n\n")
    with pytest.raises(UsageError, match=r"none\.jsonl has no rows to train on$"):
        train(recipe(base, tmp_path / "run", release=str(tmp_path / "none.jsonl")))
    assert not (tmp_path / "run").exists()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"^Cannot train in \S+: Not a directory\. Choose an"):
        train(recipe(base, tmp_path / "file" / "run"))
