"""Two processes on the CPU train as one does, sharded or not, and resume after a kill."""

import json
import re
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from curator.core.errors import CuratorError, UsageError
from curator.core.pretrained import load_model, make_empty_model
from curator.recipe.builtin import recipes_folder
from tests.paths import ROOT
from tests.trainers.launched import main
from tests.trainers.sums import prompt_texts, sums, write_problems
from tests.trainers.tiny import ONE_THREAD, tiny_model
from trainers.graded import load_graded
from trainers.models import count_saved
from trainers.recipe import Verifier
from trainers.tokenize import ALPACA

pytest.importorskip("torch", reason="the extra train is not installed")
pytest.importorskip("trl", reason="the extra train is not installed")

STEPS = 8
COMMON = {
    "learning_rate": 1e-3,
    "steps": STEPS,
    "batch": 8,
    "micro_batch": 4,
    "max_length": 128,
    "precision": "fp32",
    "checkpoint_every": 4,
}
VERIFIER = {"train": "verifier", "per_problem": 4, "held_out": 0.2}
TRAININGS: dict[str, dict[str, Any]] = {
    "1-multitask": {
        "train": "multitask",
        "common": COMMON,
        "stages": {
            "sft": {"train": "sft"},
            "margin": {**VERIFIER, "loss": "margin"},
            "again": {"train": "sft", "steps": 2},
        },
    },
    "2-cross-entropy": {**COMMON, **VERIFIER, "loss": "cross-entropy"},
    "3-pairwise": {**COMMON, **VERIFIER, "loss": "pairwise"},
}
KILLS = ("1-multitask/sft", "1-multitask/margin", "2-cross-entropy", "3-pairwise")
"""Where the processes are killed, one after the other."""
ADAPTERS: dict[str, dict[str, Any]] = {
    "1-merged": {**COMMON, "train": "sft", "method": "lora", "lora": {"dropout": 0}},
    "2-apart": {
        **COMMON,
        "train": "sft",
        "method": "lora",
        "lora": {"merge": False, "dropout": 0},
        "steps": 2,
    },
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of 2M parameters, a release and samples."""
    folder = tmp_path_factory.mktemp("two")
    problems = sums(samples=4)
    rows = [{"prompt": each.question, "completion": each.samples[0].text} for each in problems]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    write_problems(folder / "samples.jsonl", problems)
    tiny_model(folder / "model", [ALPACA, *prompt_texts(problems)])
    return folder


def write_recipes(
    base: Path, folder: Path, trainings: dict[str, dict[str, Any]], sharding: str
) -> Path:
    folder.mkdir()
    for name, keys in trainings.items():
        data = {"release": str(base / "rows.jsonl"), "samples": str(base / "samples.jsonl")}
        values = {
            **json.loads(json.dumps(keys)),
            "name": name,
            "about": "A test",
            "model": str(base / "model"),
            "output": str(folder / name),
        }
        place = values.get("common", values)
        kinds = (
            ("release", "samples")
            if "common" in values
            else (("samples",) if values["train"] == "verifier" else ("release",))
        )
        place |= {"sharding": sharding, **{key: data[key] for key in kinds}}
        (folder / f"{name}.json").write_text(json.dumps(values))
    return folder


def launch(folder: Path, environment: dict[str, str], kill: str = "") -> str:
    """Run the trainings of a folder on two processes; return what they printed."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    command += ["--standalone", str(ROOT / "tests" / "trainers" / "launched.py"), str(folder), kill]
    paths = [str(ROOT), *filter(None, [ONE_THREAD.get("PYTHONPATH")])]
    env = {**ONE_THREAD, "PYTHONPATH": ":".join(paths), **environment}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600)
    assert (done.returncode == 0) == (not kill), done.stdout[-2000:] + done.stderr[-4000:]
    if kill:
        assert signal.SIGKILL.name in done.stderr or "-9" in done.stderr
    return done.stdout


def fsdp_environment(state_dict: str = "FULL_STATE_DICT") -> dict[str, str]:
    """Return what `accelerate launch` sets for the shipped configuration of FSDP."""
    path = recipes_folder() / "training" / "accelerate" / "8-gpus-fsdp.yaml"
    keys = yaml.safe_load(path.read_text())["fsdp_config"]
    values = {key.upper(): str(value) for key, value in keys.items()}
    lower = {key: v.lower() if v in ("True", "False") else v for key, v in values.items()}
    return {"ACCELERATE_USE_FSDP": "true", **lower, "FSDP_STATE_DICT_TYPE": state_dict}


def records(folder: Path) -> dict[str, Any]:
    """Return the records of all complete trainings, by the folder of their run."""
    found = sorted(folder.glob("*/**/training.json"))
    return {
        str(path.parents[1].relative_to(folder)): json.loads(path.read_text()) for path in found
    }


def check_same(one: Path, two: Path) -> None:
    """Check that both folders have the same trainings with losses and measures within 1%."""
    alone, together = records(one), records(two)
    assert alone.keys() == together.keys()
    for name, record in together.items():
        losses = dict(record["losses"])
        assert losses == pytest.approx(dict(alone[name]["losses"]), rel=0.01), name
        assert len(losses) == record["steps"]
        expected = record["parameters"]
        assert count_saved(two / name / "model") == expected == alone[name]["parameters"]
        for key in ("auc", "pair_accuracy", "calibration_error"):
            if "measures" in record:
                other = alone[name]["measures"][key]
                assert record["measures"][key] == pytest.approx(other, abs=0.02), (name, key)


@pytest.fixture(scope="module")
def alone(base: Path) -> Path:
    """The runs of one process without sharding."""
    folder = write_recipes(base, base / "alone", TRAININGS, "none")
    main(folder, "")
    return folder


def test_fsdp_trains_as_one_process_does_and_resumes_each_training(base: Path, alone: Path) -> None:
    folder = write_recipes(base, base / "fsdp", TRAININGS, "fsdp")
    # Sharded state dicts are accelerate's default, and write no model by themselves.
    environment = fsdp_environment("SHARDED_STATE_DICT")
    resumed = [launch(folder, environment, kill) for kill in (*KILLS, "")][1:]
    for lines, killed in zip(resumed, KILLS, strict=True):
        assert f"{killed} resuming from" in lines
        assert f"{killed} step 4 " not in lines
    loads = re.findall(r"rank (\d) calls (\w+)", "".join(resumed))
    assert set(loads) == {("0", "load_model"), ("1", "make_empty_model")}
    check_same(alone, folder)


def zero3_environment() -> dict[str, str]:
    """Return what `accelerate launch` sets for the shipped configuration of ZeRO-3."""
    path = recipes_folder() / "training" / "accelerate" / "many-gpus-zero3.yaml"
    keys = yaml.safe_load(path.read_text())["deepspeed_config"]
    return {
        "ACCELERATE_USE_DEEPSPEED": "true",
        "ACCELERATE_DEEPSPEED_ZERO_STAGE": str(keys["zero_stage"]),
        "ACCELERATE_DEEPSPEED_ZERO3_INIT": str(keys["zero3_init_flag"]).lower(),
        "ACCELERATE_DEEPSPEED_ZERO3_SAVE_16BIT_MODEL": str(keys["zero3_save_16bit_model"]).lower(),
        "ACCELERATE_DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE": keys["offload_optimizer_device"],
        "ACCELERATE_DEEPSPEED_OFFLOAD_PARAM_DEVICE": keys["offload_param_device"],
        "DS_ACCELERATOR": "cpu",
    }


@pytest.mark.skipif(not find_spec("deepspeed"), reason="the package deepspeed is not installed")
def test_zero3_trains_as_one_process_does_and_resumes_each_training(
    base: Path, alone: Path
) -> None:
    folder = write_recipes(base, base / "zero3", TRAININGS, "zero3")
    resumed = [launch(folder, zero3_environment(), kill) for kill in (*KILLS, "")][1:]
    for lines, killed in zip(resumed, KILLS, strict=True):
        assert f"{killed} resuming from" in lines
    check_same(alone, folder)


def test_adapters_train_on_two_processes_as_on_one_and_can_be_kept_apart(base: Path) -> None:
    from peft import PeftModel

    from trainers.models import load_causal

    one = write_recipes(base, base / "one", ADAPTERS, "none")
    main(one, "")
    two = write_recipes(base, base / "both", ADAPTERS, "none")
    launch(two, {}, kill="1-merged")
    assert "1-merged resuming from" in launch(two, {})
    check_same(one, two)
    apart = two / "2-apart" / "model"
    assert {file.name for file in apart.glob("*.safetensors")} == {"adapter_model.safetensors"}
    adapted = PeftModel.from_pretrained(load_causal(str(base / "model")), apart)
    trained = sum(each.numel() for name, each in adapted.named_parameters() if "lora_" in name)
    assert trained == records(two)["2-apart"]["parameters"]
    assert "This folder holds adapters of" in (apart / "README.md").read_text()


def test_a_launcher_that_shards_is_refused_for_adapters(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    folder = write_recipes(base, tmp_path / "lora", ADAPTERS, "none")
    with pytest.raises(UsageError, match=r"^1-merged needs a launch without .*8-gpus-ddp\.yaml$"):
        main(folder, "")
    folder = write_recipes(base, tmp_path / "full", {"sft": {**COMMON, "train": "sft"}}, "zero3")
    with pytest.raises(UsageError, match="it uses fsdp, the recipe states zero3"):
        main(folder, "")


def test_a_process_grades_nothing_and_waits_for_the_first_one(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {**COMMON, **VERIFIER, "loss": "margin", "name": "v", "about": "A test", "model": "m"}
    files = {"samples": str(base / "samples.jsonl"), "output": str(tmp_path / "run")}
    recipe = Verifier.model_validate({**keys, **files})
    first = load_graded(recipe, "digest")
    (file,) = (tmp_path / "run").iterdir()
    monkeypatch.setattr("trainers.graded.grade", lambda *_: pytest.fail("graded twice"))
    assert load_graded(recipe, "digest") == first
    monkeypatch.setenv("RANK", "1")
    assert load_graded(recipe, "digest") == first
    file.write_text("{")
    with pytest.raises(UsageError, match="is damaged"):
        load_graded(recipe, "digest")
    shutil.rmtree(tmp_path / "run")
    monkeypatch.setattr("trainers.graded.FOLDER_WAIT_S", 0.0)
    with pytest.raises(UsageError, match="that all machines share"):
        load_graded(recipe, "digest")


@pytest.mark.parametrize("file", ["nothing", "half", "other"])
def test_no_record_is_written_if_the_saved_weights_are_not_complete(
    base: Path, tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file, save_file
    from transformers import Trainer

    save_model = Trainer.save_model

    def save(self: Any, folder: str, **options: Any) -> None:
        target = Path(folder) / "model.safetensors"
        if target.parent.name != "model":
            save_model(self, folder, **options)
        elif file == "half":
            target.write_bytes((base / "model" / "model.safetensors").read_bytes()[:100_000])
        elif file == "other":
            weights = load_file(base / "model" / "model.safetensors")
            save_file({name: each for name, each in weights.items() if "norm" in name}, target)

    keys = {"sft": {**COMMON, "train": "sft", "steps": 4}}
    folder = write_recipes(base, tmp_path / "full", keys, "none")
    with monkeypatch.context() as patched:
        # As with sharded state dicts.
        patched.setattr(Trainer, "save_model", save)
        with pytest.raises(CuratorError, match=r"model has [\d,]+ parameters after saving, exp"):
            main(folder, "")
    assert not list(folder.glob("**/training.json"))
    main(folder, "")
    assert records(folder)["sft"]["parameters"] == count_saved(base / "model")


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", ["AutoModelForCausalLM", "AutoModelForSequenceClassification"])
def test_a_model_without_content_differs_from_the_loaded_one_in_its_weights_only(
    base: Path, tmp_path: Path, kind: str, tied: bool
) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig.from_pretrained(base / "model", tie_word_embeddings=tied)
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    options = {"dtype": "float32", **({} if kind.endswith("LM") else {"num_labels": 1})}
    loaded = load_model(kind, str(tmp_path), **options)
    empty = make_empty_model(kind, str(tmp_path), **options)
    shapes = [
        [(name, each.shape, each.dtype, each.device) for name, each in model.named_parameters()]
        for model in (loaded, empty)
    ]
    assert shapes[0] == shapes[1]
    assert list(loaded.state_dict()) == list(empty.state_dict())
    assert len({each.data_ptr() for each in empty.parameters()}) == len(shapes[0])
    buffers = dict(empty.named_buffers())
    assert all(each.equal(buffers[name]) for name, each in loaded.named_buffers())
