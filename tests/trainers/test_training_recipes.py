"""Training recipes: every shipped one loads, and every error is reported with its line."""

import re
from pathlib import Path

import pytest
import yaml

from curator.core.errors import RecipeError, UsageError
from curator.recipe.builtin import recipes_folder
from curator.recipe.yaml_document import shipped_recipes
from trainers.models import loading_options
from trainers.recipe import KINDS, SFT, Multitask, Verifier, load_training
from trainers.run import start_run, training_arguments

ACCELERATE = recipes_folder() / "training" / "accelerate"
SHIPPED = shipped_recipes("training")
GOOD = "train: sft\nname: x\nabout: y\nmodel: m\nrelease: r.jsonl\nlearning_rate: 1.0e-5\n"
STAGES = (
    "train: multitask\nname: x\nabout: y\nmodel: m\ncommon: {release: r, samples: s, seed: 7}\n"
    "stages:\n  one: {train: sft, learning_rate: 1.0e-5}\n"
    "  two: {train: verifier, loss: margin, learning_rate: 1.0e-5}\n"
)

INVALID = {
    "adapters of a stage": (
        STAGES.replace("seed: 7", "lora: 5").replace("{train: sft", "{train: sft, lora: [1]"),
        [
            "r.yaml:7: stages.one.lora: expected keys and values, saw [1]",
            "r.yaml:8: stages.two.lora: expected keys and values, saw 5",
        ],
    ),
    "unknown key": (GOOD + "learnig_rate: 1\n", ["r.yaml:7: ", "Did you mean 'learning_rate'?"]),
    "two errors": (GOOD + "batch: 0\nepochs: -1\n", ["r.yaml:7: batch", "r.yaml:8: epochs"]),
    "missing": (GOOD.replace("release: r.jsonl\n", ""), ["'release' is missing"]),
    "kind of training": (
        GOOD.replace("sft", "rl"),
        ["r.yaml:1: train: expected sft, verifier, dpo, kto, grpo or multitask, saw 'rl'"],
    ),
    "not a multiple": (
        GOOD + "batch: 10\nmicro_batch: 4\n",
        ["r.yaml:7: batch 10 is not a multiple"],
    ),
    "sharded adapters": (GOOD + "method: lora\nsharding: fsdp\n", ["r.yaml:8: sharding"]),
    "key of adapters": (GOOD + "lora: {ranc: 4}\n", ["Did you mean 'rank'?"]),
    "loss": (
        "train: verifier\nname: x\nabout: y\nmodel: m\nsamples: s\nlearning_rate: 1.0\nloss: mse\n",
        ["r.yaml:7: loss", "cross-entropy"],
    ),
    "error in a stage": (STAGES + "  three: {train: sft}\n", ["r.yaml:9: ", "three.learning_rate"]),
    "stage's kind": (STAGES + "  three: {train: multitask}\n", ["r.yaml:9: train: expected sft"]),
    "stage's model": (
        STAGES + "  three: {train: sft, learning_rate: 1.0, model: z}\n",
        ["r.yaml:9: a stage may not have the key 'model'"],
    ),
    "adapters apart, then a stage": (
        STAGES.replace("two:", "two: {train: sft, learning_rate: 1.0}\n  three:").replace(
            "seed: 7", "method: lora, lora: {merge: false}"
        ),
        ["r.yaml:7: lora.merge: expected true", "r.yaml:8: lora.merge: expected true"],
    ),
    "common key": (STAGES.replace("seed", "sede"), ["r.yaml:5: ", "Did you mean 'seed'?"]),
    "stage is not a mapping": (STAGES + "  three: sft\n", ["r.yaml:9: stages.three"]),
    "one row per pass of KTO": (
        GOOD.replace("sft", "kto"),
        ["r.yaml:1: micro_batch: expected 2 or more"],
    ),
    "sharded DPO": (
        GOOD.replace("sft", "dpo") + "sharding: fsdp\n",
        ["r.yaml:7: sharding: expected none, because the reference model of dpo"],
    ),
    "group and answer of GRPO": (
        GOOD.replace("sft", "grpo") + "batch: 12\nmax_answer: 2048\n",
        ["batch 12 is not a multiple of group 8", "r.yaml:8: max_answer 2048 leaves no prompt"],
    ),
    "pairwise stage": (STAGES.replace("margin", "pairwise"), ["replaces the head"]),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_training_recipe_loads_and_states_its_command(name: str) -> None:
    recipe = load_training(name)
    text = SHIPPED[name].read_text()
    assert recipe.name == name
    assert re.search(rf"curator train {recipe.train} {name}\b", text)
    assert len(text.splitlines()) <= 40
    for config in re.findall(r"recipes/(training/accelerate/\S+)", text):
        assert (recipes_folder() / config).is_file()


@pytest.mark.parametrize("case", INVALID)
def test_every_error_of_a_training_recipe_is_reported(case: str, tmp_path: Path) -> None:
    text, messages = INVALID[case]
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_training(tmp_path / "r.yaml")
    for message in messages:
        assert message in str(caught.value)


def test_a_dataset_recipe_is_not_a_training_recipe() -> None:
    with pytest.raises(UsageError, match="No recipe named 'quickstart'"):
        load_training("quickstart")


def test_the_settings_of_mammoth_are_those_of_the_paper() -> None:
    small, large = load_training("mammoth-7b"), load_training("mammoth-34b")
    assert isinstance(small, SFT)
    assert isinstance(large, SFT)
    assert (small.learning_rate, large.learning_rate) == (2e-5, 1e-5)
    assert (small.sharding, large.sharding) == ("fsdp", "zero3")
    for each in (small, large):
        settings = (each.epochs, each.schedule, each.warm_up, each.batch, each.max_length)
        assert settings == (3, "cosine", 0.03, 128, 2048)
        assert (each.template, each.precision, each.method) == ("alpaca", "bf16", "full")


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
def test_every_schedule_warms_up(schedule: str) -> None:
    torch = pytest.importorskip("torch", reason="the extra train is not installed")
    transformers = pytest.importorskip("transformers", reason="the extra train is not installed")
    recipe = load_training("small-cpu", {"schedule": schedule, "warm_up": 0.2})
    assert isinstance(recipe, SFT)
    options = transformers.TrainingArguments(**training_arguments(recipe))
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=recipe.learning_rate)
    plan = transformers.get_scheduler(
        options.lr_scheduler_type, optimizer, options.get_warmup_steps(20), 20
    )
    rates = []
    for _ in range(20):
        rates.append(plan.get_last_lr()[0] / recipe.learning_rate)
        optimizer.step()
        plan.step()
    assert rates[:5] == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert (min(rates[5:]) == 1) == (schedule == "constant")


def test_keys_of_speed_are_arguments_of_transformers(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the extra train is not installed")
    speed = {"attention": "eager", "liger": True, "compile": True, "recompute": "yes"}
    keys = {"speed": speed, "tracker": "tensorboard"}
    fast, plain = load_training("small-cpu", keys), load_training("small-cpu")
    assert isinstance(fast, SFT) and isinstance(plain, SFT)
    found, usual = training_arguments(fast), training_arguments(plain)
    expected = {
        "activation_checkpointing": (True, False),
        "use_liger_kernel": (True, False),
        "torch_compile": (True, False),
        "report_to": ("tensorboard", "none"),
    }
    assert {key: (found[key], usual[key]) for key in expected} == expected
    assert loading_options(fast) == {"dtype": "float32", "attn_implementation": "eager"}
    assert loading_options(plain) == {"dtype": "float32"}
    # They do not make it another training.
    start_run(plain.model_copy(update={"output": str(tmp_path)}), {}, lambda _: None)
    start_run(fast.model_copy(update={"output": str(tmp_path)}), {}, lambda _: None)


def test_activations_are_recomputed_by_fsdp_or_by_transformers_but_not_by_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("torch", reason="the extra train is not installed")
    recipe = load_training("small-cpu", {"speed": {"recompute": "yes"}, "sharding": "fsdp"})
    assert isinstance(recipe, SFT)
    config = yaml.safe_load((ACCELERATE / "8-gpus-fsdp.yaml").read_text())
    assert config["fsdp_config"]["fsdp_activation_checkpointing"] is True
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    for value, by_transformers in (("false", True), ("true", False)):
        monkeypatch.setenv("FSDP_ACTIVATION_CHECKPOINTING", value)
        assert training_arguments(recipe)["activation_checkpointing"] is by_transformers


def test_each_stage_starts_from_the_model_of_the_previous_one(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(STAGES)
    recipe = load_training(tmp_path / "r.yaml", {"output": "out", "release": "mine"})
    assert isinstance(recipe, Multitask)
    one, two = recipe.runs()
    assert isinstance(one, SFT)
    assert isinstance(two, Verifier)
    assert (one.model, two.model) == ("m", "out/1-one/model")
    assert (one.release, one.seed, two.seed, two.samples) == ("mine", 7, 7, "s")


@pytest.mark.parametrize("kind", KINDS)
def test_every_training_key_is_documented(kind: str) -> None:
    full = KINDS[kind].model_json_schema()
    parts = {kind: full, **full.get("$defs", {})}
    undocumented = [
        f"{name}.{key}"
        for name, part in parts.items()
        for key, value in part["properties"].items()
        if "description" not in value and "$ref" not in value
    ]
    assert undocumented == []


@pytest.mark.parametrize("path", sorted(recipes_folder().glob("training/accelerate/*.yaml")))
def test_accelerate_reads_every_shipped_configuration(path: Path) -> None:
    config_args = pytest.importorskip("accelerate.commands.config.config_args")
    config = config_args.load_config_from_file(str(path))
    values = yaml.safe_load(path.read_text())
    assert config.num_processes == values["num_processes"]
    assert str(config.distributed_type).endswith(values["distributed_type"])
