"""Preflight: devices, memory and missing requirements, without loading a model."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.trainers.tiny import tiny_model
from trainers.preflight import Preflight, preflight
from trainers.recipe import SFT, load_training

torch = pytest.importorskip("torch", reason="the extra train is not installed")

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="tests a machine without a GPU")
GIB = 2**30


def check_recipe(name: str, **keys: object) -> Preflight:
    (found,) = preflight(load_training(name, keys))
    return found


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("preflight"), ["a b c"])


def test_a_seven_billion_model_needs_sixteen_bytes_per_parameter_on_eight_gpus() -> None:
    found = check_recipe("mammoth-7b")
    assert (found.parameters, found.size_from, found.processes) == (7_000_000_000, "its name", 8)
    total = sum(found.memory[key] for key in ("weights", "gradients", "optimizer"))
    assert total == pytest.approx(7e9 * 16 / 8 / GIB)
    assert found.memory["activations"] > 1


def test_checkpoints_and_the_loading_of_a_model_are_estimated(tmp_path: Path) -> None:
    output = str(tmp_path / "runs" / "x")
    sharded = check_recipe("mammoth-7b", output=output)
    # Two kept checkpoints and one that is written, with 16 bytes per parameter, and the model.
    assert sharded.disk == pytest.approx(7e9 * (3 * 16 + 4) / GIB)
    assert sharded.host == pytest.approx(7e9 * 8 / GIB)
    assert check_recipe("mammoth-7b", sharding="zero3").host == pytest.approx(7e9 * 4 / GIB)
    free = shutil.disk_usage(tmp_path).free / GIB
    assert sharded.disk_has == pytest.approx(free, abs=5)
    assert any("GiB of disk" in note for note in sharded.notes) == (free < sharded.disk)
    adapters = check_recipe("mammoth-lora")
    assert adapters.disk == pytest.approx((3 * 12 * adapters.trained + 2 * 7e9) / GIB)
    apart = check_recipe("mammoth-lora", lora={"merge": False})
    assert apart.disk == pytest.approx(40 * adapters.trained / GIB)


def test_the_host_memory_of_processes_that_each_load_the_model_is_estimated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trainers.preflight._gpus", lambda: [("a GPU", 80.0)] * 8)
    monkeypatch.setattr("trainers.preflight._machine_memory", lambda: 60.0)
    for key, value in (("WORLD_SIZE", "16"), ("LOCAL_WORLD_SIZE", "8")):
        monkeypatch.setenv(key, value)
    found = check_recipe("mammoth-lora")
    assert found.host == pytest.approx(7e9 * 2 * 8 / GIB)
    assert any("104 GiB of host memory" in note for note in found.notes)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_launcher_that_does_not_fit_the_recipe_is_missing_a_requirement(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    found = check_recipe("small-cpu", method=method)
    expected = "launch with" if method == "full" else "Launch with"
    assert any(expected in line and "8-gpus-ddp.yaml" in line for line in found.missing)


def test_adapters_need_little_memory_beside_the_frozen_weights() -> None:
    found = check_recipe("mammoth-lora")
    assert found.memory["weights"] == pytest.approx(7e9 * 2 / GIB)
    assert found.trained < found.parameters / 100
    assert found.launch == ""


def test_the_size_of_a_local_model_is_read_from_its_weights(model: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    (tmp_path / "rows.jsonl").write_text("")
    found = check_recipe("small-cpu", model=str(model), release=str(tmp_path / "rows.jsonl"))
    loaded = AutoModelForCausalLM.from_pretrained(model)
    assert found.parameters == sum(each.numel() for each in loaded.parameters())
    assert found.size_from == "its weights"
    assert found.missing == ()
    assert found.has > 0

    from peft import LoraConfig, get_peft_model

    keys = {"model": str(model), "method": "lora"}
    adapted = get_peft_model(loaded, LoraConfig(r=16, target_modules="all-linear"))
    trained = sum(each.numel() for each in adapted.parameters() if each.requires_grad)
    assert check_recipe("small-cpu", **keys).trained == trained


@NO_GPU
def test_missing_requirements_are_reported_with_what_to_do(tmp_path: Path) -> None:
    found = check_recipe(
        "mammoth-34b", release=str(tmp_path / "none"), model="./none", batch=96 + 1
    )
    lines = " ".join(found.missing)
    parts = (
        "deepspeed",
        "./none: the folder has no config.json",
        "a GPU for bf16",
        "97 is not a mult",
    )
    assert all(part in lines for part in (*parts, "none"))
    assert "many-gpus-zero3.yaml" in found.launch
    assert (found.parameters, found.memory) == (0, {})
    assert "size is unknown" in found.notes[0]


def test_activations_of_recomputed_layers_have_the_precision_of_the_passes(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainers.preflight._gpus", lambda: [("a GPU", 80.0)])
    keys = {"model": str(model), "micro_batch": 2, "max_length": 100}
    vocabulary = json.loads((model / "config.json").read_text())["vocab_size"]
    for precision, size in (("bf16", 2), ("fp32", 4)):
        found = check_recipe("small-cpu", precision=precision, **keys)
        expected = 2 * 100 * (256 * 3 * size + vocabulary * 8) / GIB
        assert found.memory["activations"] == pytest.approx(expected), precision


def test_a_model_that_does_not_fit_is_reported(model: Path) -> None:
    found = check_recipe("small-cpu", model="meta-llama/Llama-2-70b-hf", precision="fp32")
    assert any("use sharding or adapters" in note for note in found.notes)


def test_launched_processes_share_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    found = check_recipe("mammoth-7b")
    assert (found.processes, found.launch) == (4, "")
    total = sum(found.memory[key] for key in ("weights", "gradients", "optimizer"))
    assert total == pytest.approx(7e9 * 16 / 4 / GIB)


def test_each_stage_of_a_multitask_recipe_is_checked() -> None:
    found = preflight(load_training("multitask"))
    assert [each.train for each in found] == ["sft", "verifier", "sft"]
    assert {each.parameters for each in found} == {7_000_000_000}
    assert not any("no config.json" in line for each in found for line in each.missing)


@pytest.mark.parametrize("bad", [b"", b"\xff" * 9, (2**40).to_bytes(8, "little") + b"{}"])
def test_invalid_weights_do_not_raise(bad: bytes, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"hidden_size": "x"}))
    (tmp_path / "model.safetensors").write_bytes(bad)
    assert check_recipe("small-cpu", model=str(tmp_path)).parameters == 0
    assert isinstance(load_training("small-cpu"), SFT)


def test_the_useful_share_of_the_processes_is_measured_on_the_release(
    model: Path, tmp_path: Path
) -> None:
    rows = [{"prompt": "a", "completion": "b " * (n % 40) + "c"} for n in range(400)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    keys = {"model": str(model), "release": str(tmp_path / "rows.jsonl"), "template": "alpaca"}
    (found,) = preflight(load_training("mammoth-7b", keys), measure=True)
    assert found.shares is not None
    assert found.shares.processes == found.processes == 8
    assert 0 <= found.shares.padding < 0.03
    assert 0.85 < found.shares.useful < 1
    assert preflight(load_training("mammoth-7b", keys))[0].shares is None
    (absent,) = preflight(load_training("mammoth-7b", {"model": "org/none"}), measure=True)
    assert absent.shares is None


def test_a_larger_micro_batch_is_suggested_if_the_gpu_has_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trainers.preflight._gpus", lambda: [("a GPU", 80.0)] * 8)
    found = check_recipe("mammoth-7b")
    assert (found.micro_batch, found.largest_micro_batch) == (4, 16)
    assert sum(found.memory.values()) < 72
    larger = check_recipe("mammoth-7b", micro_batch=16)
    assert sum(larger.memory.values()) < 72
    monkeypatch.setattr("trainers.preflight._gpus", lambda: [("a GPU", 18.0)] * 8)
    assert check_recipe("mammoth-7b").largest_micro_batch == 4


def test_packages_of_single_keys_are_missing_requirements() -> None:
    speed = {"attention": "flash_attention_2", "liger": True}
    found = check_recipe("small-cpu", speed=speed, tracker="mlflow")
    lines = " ".join(found.missing)
    for key, package in (
        ("speed.attention", "flash-attn"), ("speed.liger", "liger-kernel"), ("tracker", "mlflow"),
    ):  # fmt: skip
        absent = find_spec(package.replace("-", "_")) is None
        assert (f"package {package} for {key}" in lines) == absent
    assert "package" not in " ".join(check_recipe("small-cpu").missing)


def test_a_missing_release_is_named_with_how_to_read_one_on_the_hub() -> None:
    lines = " ".join(check_recipe("small-cpu", release="org/name").missing)
    assert "file org/name: create it" in lines and "named ORG/NAME@REVISION" in lines
    lines = " ".join(check_recipe("dpo", release="org/name@v1").missing)
    assert "Only SFT reads releases on the Hub" in lines and "curator pull" in lines
