"""Preflight: what would run where, what memory it takes, what it lacks; nothing is loaded."""

import json
from pathlib import Path

import pytest

from tests.trainers.tiny import tiny_model
from trainers.preflight import Preflight, preflight
from trainers.recipe import SFT, load_training

torch = pytest.importorskip("torch", reason="the extra train is not installed")

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="tells what a machine without lacks")
GIB = 2**30


def looked(name: str, **keys: object) -> Preflight:
    (found,) = preflight(load_training(name, keys))
    return found


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("preflight"), ["a b c"])


def test_the_memory_of_a_seven_billion_model_is_sixteen_bytes_a_parameter_over_eight_gpus() -> None:
    found = looked("mammoth-7b")
    assert (found.parameters, found.size_from, found.processes) == (7_000_000_000, "its name", 8)
    held = sum(found.memory[key] for key in ("weights", "gradients", "optimizer"))
    assert held == pytest.approx(7e9 * 16 / 8 / GIB)
    assert found.memory["activations"] > 1


def test_adapters_take_frozen_weights_and_little_else() -> None:
    found = looked("mammoth-lora")
    assert found.memory["weights"] == pytest.approx(7e9 * 2 / GIB)
    assert found.trained < found.parameters / 100
    assert found.launch == ""


def test_the_size_of_a_local_model_is_that_of_its_weights(model: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    (tmp_path / "rows.jsonl").write_text("")
    found = looked("small-cpu", model=str(model), release=str(tmp_path / "rows.jsonl"))
    loaded = AutoModelForCausalLM.from_pretrained(model)
    assert found.parameters == sum(each.numel() for each in loaded.parameters())
    assert found.size_from == "its weights"
    assert found.missing == ()
    assert found.has > 0

    from peft import LoraConfig, get_peft_model

    keys = {"model": str(model), "method": "lora"}
    adapted = get_peft_model(loaded, LoraConfig(r=16, target_modules="all-linear"))
    trained = sum(each.numel() for each in adapted.parameters() if each.requires_grad)
    assert looked("small-cpu", **keys).trained == trained


@NO_GPU
def test_what_is_missing_is_told_with_what_to_do(tmp_path: Path) -> None:
    found = looked("mammoth-34b", release=str(tmp_path / "none"), model="./none", batch=96 + 1)
    told = " ".join(found.missing)
    for part in ("deepspeed", "none", "./none: no config.json", "a GPU, for bf16", "97 is no mult"):
        assert part in told
    assert "many-gpus-zero3.yaml" in found.launch
    assert (found.parameters, found.memory) == (0, {})
    assert "size is unknown" in found.notes[0]


def test_activations_of_recomputed_layers_are_kept_in_the_precision_of_the_passes(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainers.preflight._gpus", lambda: [("a GPU", 80.0)])
    keys = {"model": str(model), "micro_batch": 2, "max_length": 100}
    words = json.loads((model / "config.json").read_text())["vocab_size"]
    for precision, size in (("bf16", 2), ("fp32", 4)):
        found = looked("small-cpu", precision=precision, **keys)
        expected = 2 * 100 * (256 * 3 * size + words * 8) / GIB
        assert found.memory["activations"] == pytest.approx(expected), precision


def test_a_model_that_does_not_fit_is_told(model: Path) -> None:
    found = looked("small-cpu", model="meta-llama/Llama-2-70b-hf", precision="fp32")
    assert any("shard it, take adapters" in note for note in found.notes)


def test_launched_processes_share_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    found = looked("mammoth-7b")
    assert (found.processes, found.launch) == (4, "")
    held = sum(found.memory[key] for key in ("weights", "gradients", "optimizer"))
    assert held == pytest.approx(7e9 * 16 / 4 / GIB)


def test_each_stage_of_a_multitask_recipe_is_looked_at() -> None:
    found = preflight(load_training("multitask"))
    assert [each.train for each in found] == ["sft", "verifier", "sft"]
    assert {each.parameters for each in found} == {7_000_000_000}
    assert not any("no config.json" in line for each in found for line in each.missing)


@pytest.mark.parametrize("bad", [b"", b"\xff" * 9, (2**40).to_bytes(8, "little") + b"{}"])
def test_weights_that_are_none_do_not_stop_it(bad: bytes, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"hidden_size": "x"}))
    (tmp_path / "model.safetensors").write_bytes(bad)
    assert looked("small-cpu", model=str(tmp_path)).parameters == 0
    assert isinstance(load_training("small-cpu"), SFT)
