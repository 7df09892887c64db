"""Training recipes: every shipped one loads, every fault is told with its line."""

import re
from pathlib import Path

import pytest
import yaml

from curator.core.errors import RecipeError, UsageError
from curator.recipe.builtin import recipes_folder
from curator.recipe.yaml_document import shipped_recipes
from trainers.recipe import KINDS, SFT, Multitask, Verifier, load_training

SHIPPED = shipped_recipes("training")
GOOD = "train: sft\nname: x\nabout: y\nmodel: m\nrelease: r.jsonl\nlearning_rate: 1.0e-5\n"
STAGES = (
    "train: multitask\nname: x\nabout: y\nmodel: m\ncommon: {release: r, samples: s, seed: 7}\n"
    "stages:\n  one: {train: sft, learning_rate: 1.0e-5}\n"
    "  two: {train: verifier, loss: margin, learning_rate: 1.0e-5}\n"
)

FAULTS = {
    "unknown key": (GOOD + "learnig_rate: 1\n", ["r.yaml:7: ", "Did you mean 'learning_rate'?"]),
    "two faults": (GOOD + "batch: 0\nepochs: -1\n", ["r.yaml:7: batch", "r.yaml:8: epochs"]),
    "missing": (GOOD.replace("release: r.jsonl\n", ""), ["'release' is missing"]),
    "what": (GOOD.replace("sft", "rl"), ["r.yaml:1: train: expected sft, verifier or multitask"]),
    "no multiple": (GOOD + "batch: 10\nmicro_batch: 4\n", ["r.yaml:7: batch 10 is not a multiple"]),
    "sharded adapters": (GOOD + "method: lora\nsharding: fsdp\n", ["r.yaml:8: sharding"]),
    "key of adapters": (GOOD + "lora: {ranc: 4}\n", ["Did you mean 'rank'?"]),
    "loss": (
        "train: verifier\nname: x\nabout: y\nmodel: m\nsamples: s\nlearning_rate: 1.0\nloss: mse\n",
        ["r.yaml:7: loss", "cross-entropy"],
    ),
    "stage's fault": (STAGES + "  three: {train: sft}\n", ["r.yaml:9: ", "three.learning_rate"]),
    "stage's kind": (STAGES + "  three: {train: multitask}\n", ["r.yaml:9: train: expected sft"]),
    "stage's model": (
        STAGES + "  three: {train: sft, learning_rate: 1.0, model: z}\n",
        ["r.yaml:9: a stage may not have the key 'model'"],
    ),
    "common key": (STAGES.replace("seed", "sede"), ["r.yaml:5: ", "Did you mean 'seed'?"]),
    "stage no mapping": (STAGES + "  three: sft\n", ["r.yaml:9: stages.three"]),
    "pairwise stage": (STAGES.replace("margin", "pairwise"), ["replaces the head"]),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_training_recipe_loads_and_says_how_to_run_it(name: str) -> None:
    recipe = load_training(name)
    text = SHIPPED[name].read_text()
    assert recipe.name == name
    assert re.search(rf"curator train {recipe.train} {name}\b", text)
    assert len(text.splitlines()) <= 40
    for config in re.findall(r"recipes/(training/accelerate/\S+)", text):
        assert (recipes_folder() / config).is_file()


@pytest.mark.parametrize("case", FAULTS)
def test_a_faulty_training_recipe_is_refused_with_every_fault(case: str, tmp_path: Path) -> None:
    text, faults = FAULTS[case]
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_training(tmp_path / "r.yaml")
    for fault in faults:
        assert fault in str(caught.value)


def test_a_recipe_of_a_version_is_no_training_recipe() -> None:
    with pytest.raises(UsageError, match="No recipe named 'quickstart'"):
        load_training("quickstart")


def test_the_settings_of_mammoth_are_those_of_the_paper() -> None:
    small, large = load_training("mammoth-7b"), load_training("mammoth-34b")
    assert isinstance(small, SFT)
    assert isinstance(large, SFT)
    assert (small.learning_rate, large.learning_rate) == (2e-5, 1e-5)
    assert (small.sharding, large.sharding) == ("fsdp", "zero3")
    for each in (small, large):
        said = (each.epochs, each.schedule, each.warm_up, each.batch, each.max_length)
        assert said == (3, "cosine", 0.03, 128, 2048)
        assert (each.template, each.precision, each.method) == ("alpaca", "bf16", "full")


def test_each_stage_starts_from_the_model_of_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(STAGES)
    recipe = load_training(tmp_path / "r.yaml", {"output": "out", "release": "mine"})
    assert isinstance(recipe, Multitask)
    one, two = recipe.runs()
    assert isinstance(one, SFT)
    assert isinstance(two, Verifier)
    assert (one.model, two.model) == ("m", "out/1-one/model")
    assert (one.release, one.seed, two.seed, two.samples) == ("mine", 7, 7, "s")


@pytest.mark.parametrize("kind", KINDS)
def test_every_training_key_says_what_it_means(kind: str) -> None:
    full = KINDS[kind].model_json_schema()
    parts = {kind: full, **full.get("$defs", {})}
    silent = [
        f"{name}.{key}"
        for name, part in parts.items()
        for key, value in part["properties"].items()
        if "description" not in value and "$ref" not in value
    ]
    assert silent == []


@pytest.mark.parametrize("path", sorted(recipes_folder().glob("training/accelerate/*.yaml")))
def test_every_accelerate_config_is_one_that_accelerate_reads(path: Path) -> None:
    config_args = pytest.importorskip("accelerate.commands.config.config_args")
    config = config_args.load_config_from_file(str(path))
    said = yaml.safe_load(path.read_text())
    assert config.num_processes == said["num_processes"]
    assert str(config.distributed_type).endswith(said["distributed_type"])
