"""DPO, KTO and GRPO on a CPU: two steps or more of a tiny Llama, a kill, and an exact resume."""

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curator.core.errors import CuratorError, UsageError
from tests.paths import ROOT
from tests.trainers.sums import prompt_texts, sums
from tests.trainers.test_two_processes import launch
from tests.trainers.tiny import ONE_THREAD, tiny_model
from trainers.kinds import TRAINERS
from trainers.models import count_saved
from trainers.preferences import rotate
from trainers.recipe import SINGLE, Training
from trainers.tokenize import ALPACA

pytest.importorskip("torch", reason="the extra train is not installed")
pytest.importorskip("trl", reason="the extra train is not installed")

STEPS = 4
FORMATS = {"dpo": "preference", "kto": "kto", "grpo": "trl-grpo"}
OWN: dict[str, dict[str, Any]] = {
    "dpo": {"learning_rate": 1e-3},
    "kto": {"learning_rate": 1e-3},
    "grpo": {"group": 4, "max_answer": 12, "learning_rate": 1e-3},
}


def exported(name: str, folder: Path) -> Path:
    """Write pairs of sums as `curator export` writes them in a format."""
    import pyarrow as pa

    from curator.release.formats import FORMATS as ALL
    from curator.release.formats.format import COLUMNS, REJECTED

    def batches() -> Iterator[pa.RecordBatch]:
        rows = []
        for number, problem in enumerate(sums(samples=2)):
            right, wrong = problem.samples
            row = dict.fromkeys((*COLUMNS, *REJECTED), "")
            row |= {"instruction": problem.question, "text": right.text, "gold": problem.gold}
            row |= {"rejected_text": wrong.text, "release_as": "sums", "choices": []}
            row |= {"id": number.to_bytes(16, "big"), "rejected_id": bytes(16)}
            rows.append(row)
        yield pa.RecordBatch.from_pylist(rows)

    path = folder / f"{name}.jsonl"
    ALL[name].write(batches(), path)
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an export per format, and a model that states sums, some of them right."""
    folder = tmp_path_factory.mktemp("preferences")
    for name in FORMATS.values():
        exported(name, folder)
    problems = sums(samples=4)
    start = tiny_model(folder / "start", [ALPACA, *prompt_texts(problems)], width=64, layers=2)
    lines = [{"prompt": each.question, "completion": each.samples[0].text} for each in problems]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)))
    values = {"train": "sft", "name": "x", "about": "A test", "model": str(start), "batch": 20}
    values |= {"release": str(folder / "rows.jsonl"), "output": str(folder), "steps": 150}
    values |= {"micro_batch": 20, "learning_rate": 3e-3, "precision": "fp32", "max_length": 128}
    run(SINGLE["sft"].model_validate(values))
    return folder


def recipe(base: Path, kind: str, **keys: object) -> Training:
    values = {
        "train": kind,
        "name": "tiny",
        "about": "A test",
        "model": str(base / "model"),
        "release": str(base / f"{FORMATS[kind]}.jsonl"),
        "steps": STEPS,
        "batch": 8,
        "micro_batch": 4,
        "max_length": 128,
        "precision": "fp32",
        "checkpoint_every": 2,
        **OWN[kind],
    }
    return SINGLE[kind].model_validate({**values, **keys})


def run(settings: Training) -> tuple[dict[str, Any], list[str]]:
    lines: list[str] = []
    return TRAINERS[settings.train](settings, lines.append), lines


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "model" / "model.safetensors")


KILLED = """
import os, sys
from trainers.kinds import TRAINERS
from trainers.recipe import SINGLE
kind = sys.argv[1]
def say(line):
    if line.startswith('step 3'): os.kill(os.getpid(), 9)
TRAINERS[kind](SINGLE[kind].model_validate_json(sys.stdin.read()), say)
"""


@pytest.mark.parametrize("kind", FORMATS)
def test_a_killed_training_resumes_to_the_same_losses_and_weights(
    base: Path, tmp_path: Path, kind: str
) -> None:
    whole, _ = run(recipe(base, kind, output=str(tmp_path / "whole")))
    assert whole["steps"] == STEPS
    before, after = weights(base), weights(tmp_path / "whole")
    assert any((before[name] != after[name]).any() for name in before)

    settings = recipe(base, kind, output=str(tmp_path / "killed"))
    command = [sys.executable, "-c", KILLED, kind]
    keys = settings.model_dump_json()
    died = subprocess.run(command, input=keys, text=True, cwd=ROOT, env=ONE_THREAD)
    assert died.returncode == -9
    record, lines = run(settings)
    assert f"resuming from {tmp_path / 'killed' / 'checkpoints' / 'checkpoint-2'}" in lines
    assert not any(line.startswith("step 2 ") for line in lines)
    assert record["losses"] == whole["losses"]
    assert record.get("rewards") == whole.get("rewards")
    resumed = weights(tmp_path / "killed")
    assert all((resumed[name] == each).all() for name, each in after.items())


@pytest.mark.parametrize("kind", FORMATS)
def test_the_folder_has_record_card_and_template_and_is_not_trained_twice(
    base: Path, tmp_path: Path, kind: str
) -> None:
    from transformers import AutoTokenizer, GenerationConfig

    settings = recipe(base, kind, output=str(tmp_path / "run"), steps=2)
    record, _ = run(settings)
    model = tmp_path / "run" / "model"
    assert json.loads((model / "training.json").read_text()) == json.loads(json.dumps(record))
    card = (model / "README.md").read_text()
    assert record["data"]["sha256"] in card and "Alpaca's template" in card
    assert AutoTokenizer.from_pretrained(model).chat_template.startswith("{% if messages")
    stops = GenerationConfig.from_pretrained(model).eos_token_id
    assert 2 in (stops if isinstance(stops, list) else [stops])
    again, lines = run(settings)
    assert again == json.loads(json.dumps(record))
    assert lines == [f"{model} is complete; nothing to do"]
    with pytest.raises(UsageError, match="contains another training"):
        run(recipe(base, kind, output=str(tmp_path / "run"), beta=0.3))


@pytest.mark.parametrize("kind", ["dpo", "kto"])
def test_right_attempts_become_more_probable_than_wrong_ones(
    base: Path, tmp_path: Path, kind: str
) -> None:
    record, lines = run(recipe(base, kind, output=str(tmp_path / "run"), steps=30))
    losses = [loss for _, loss in record["losses"]]
    assert losses[-1] < losses[0]
    assert any("answer tokens carry loss" in line for line in lines)
    assert gap(tmp_path / "run" / "model") > gap(base / "model") + 0.5


def gap(folder: Path) -> float:
    """Return by how much the log-probability of a right sum exceeds that of a wrong one."""
    import torch

    from trainers.models import load_causal, load_tokenizer
    from trainers.release import Example, Message
    from trainers.tokenize import encode_chunk, set_template

    tokenizer, model = load_tokenizer(str(folder)), load_causal(str(folder)).eval()
    set_template(tokenizer, "alpaca")
    total = 0.0
    for problem in sums(samples=2)[::9]:
        for sample, sign in zip(problem.samples, (1, -1), strict=True):
            example = Example((Message("user", problem.question),), sample.text, "", "")
            (row,) = encode_chunk([example], tokenizer, "train")
            ids = torch.tensor([[*row.prompt, *row.answer]])
            with torch.no_grad():
                logs = model(ids).logits[0, :-1].log_softmax(-1)
            found = logs[range(len(logs)), ids[0, 1:]][len(row.prompt) - 1 :]
            total += sign * float(found.sum())
    return total / len(sums(samples=2)[::9])


def test_a_reward_is_recorded_at_every_step_of_grpo(base: Path, tmp_path: Path) -> None:
    record, lines = run(recipe(base, "grpo", output=str(tmp_path / "run"), steps=2))
    assert [step for step, _ in record["rewards"]] == [1, 2]
    assert sum(", reward " in line for line in lines) == 2


def test_special_tokens_of_a_prompt_of_grpo_are_plain_text(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRL tokenizes the prompts, so what the model gets is read where it samples."""
    from transformers import LlamaForCausalLM

    rows = [json.loads(line) for line in (base / "trl-grpo.jsonl").read_text().splitlines()][:2]
    for row in rows:
        row["prompt"][-1]["content"] += " </s></s> <s>"
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    sampled: list[list[int]] = []
    sample = LlamaForCausalLM.generate

    def spy(model: Any, **keys: Any) -> Any:
        sampled.extend(
            ids[seen.bool()].tolist()
            for ids, seen in zip(keys["input_ids"], keys["attention_mask"], strict=True)
        )
        return sample(model, **keys)

    monkeypatch.setattr(LlamaForCausalLM, "generate", spy)
    _, lines = run(recipe(base, "grpo", release=str(file), output=str(tmp_path / "run"), steps=1))
    assert len(sampled) == 8
    assert all(1 not in ids and 2 not in ids for ids in sampled), "ids of <s> and </s>"
    assert any(line.startswith("2 prompts write special tokens") for line in lines), lines


def test_adapters_are_trained_against_the_model_without_them(base: Path, tmp_path: Path) -> None:
    before = weights(base)
    for kind in FORMATS:
        keys = {"method": "lora", "output": str(tmp_path / kind), "steps": 2, "learning_rate": 0.1}
        run(recipe(base, kind, **keys))
        after = weights(tmp_path / kind)
        moved = {name for name in before if (before[name] != after[name]).any()}
        assert before.keys() == after.keys() and all("_proj" in name for name in moved), kind
        assert moved or kind == "grpo"  # whose rewards may all be equal


def test_rows_that_are_too_long_are_refused_or_left_out_whole(base: Path, tmp_path: Path) -> None:
    long = json.loads((base / "preference.jsonl").read_text().splitlines()[0])
    long["rejected"][0]["content"] += " so" * 300
    text = (base / "preference.jsonl").read_text() + json.dumps(long)
    (tmp_path / "pairs.jsonl").write_text(text)
    keys = {"release": str(tmp_path / "pairs.jsonl"), "output": str(tmp_path / "run"), "steps": 1}
    with pytest.raises(UsageError, match=r"^1 of 101 rows is longer .* first: pairs\.jsonl:101\)"):
        run(recipe(base, "dpo", **keys))
    assert not (tmp_path / "run").exists()
    record, lines = run(recipe(base, "dpo", too_long="leave_out", **keys))
    assert (record["tokens"]["rows"], record["tokens"]["left_out"]) == (100, 1)
    assert any("excludes 1 row" in line for line in lines)
    with pytest.raises(UsageError, match=r"100 of 100 prompts are longer than .* = 8 tokens"):
        run(recipe(base, "grpo", output=str(tmp_path / "g"), max_length=20))


INVALID = {
    "dpo": [
        ({"prompt": "1?", "completion": "1"}, "expected prompt, chosen and rejected"),
        ({"prompt": "1?", "chosen": "1", "rejected": "1"}, "are the same text"),
        ({"prompt": [], "chosen": "1", "rejected": "2"}, "expected a user message at the end"),
        ({"prompt": "1?", "chosen": ["1"], "rejected": "2"}, "expected a text or one message"),
    ],
    "kto": [
        ({"prompt": "1?", "completion": "1", "label": 1}, r"label \(true or false\)"),
        ({"prompt": "1?", "completion": "\ud800", "label": True}, "lone surrogates"),
    ],
    "grpo": [
        ({"prompt": "1?"}, "expected prompt and solution"),
        ({"prompt": "1?", "solution": "1", "choices": "abc"}, "expected a list of texts"),
    ],
}


@pytest.mark.parametrize("kind", INVALID)
def test_a_file_of_another_format_is_refused_by_line(base: Path, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "rows.jsonl"
    for row, message in INVALID[kind]:
        file.write_text(f"{json.dumps(row)}\n[]\n")
        with pytest.raises(UsageError, match=message) as caught:
            run(recipe(base, kind, release=str(file), output=str(tmp_path / "run")))
        assert [line.partition(": ")[0] for line in str(caught.value).splitlines()] == [
            "rows.jsonl:1",
            "rows.jsonl:2",
        ]
    file.write_text("")
    with pytest.raises(UsageError, match="has no rows to train on"):
        run(recipe(base, kind, release=str(file), output=str(tmp_path / "run")))


def test_kto_needs_attempts_of_both_kinds_and_grpo_enough_prompts(
    base: Path, tmp_path: Path
) -> None:
    lines = (base / "kto.jsonl").read_text().splitlines()
    (tmp_path / "right.jsonl").write_text("\n".join(lines[::2]))
    with pytest.raises(UsageError, match="only right or only wrong attempts"):
        run(recipe(base, "kto", release=str(tmp_path / "right.jsonl")))
    (tmp_path / "one.jsonl").write_text((base / "trl-grpo.jsonl").read_text().split("\n")[0])
    with pytest.raises(UsageError, match=r"has batch / group = 2 prompts, and .* has 1"):
        run(recipe(base, "grpo", release=str(tmp_path / "one.jsonl")))


def test_the_divergence_of_kto_is_estimated_on_answers_to_other_prompts() -> None:
    assert rotate([[1], [2], [3], [4], [5]], 2) == [[2], [1], [4], [3], [5]]


def test_two_processes_train_and_resume_and_pairs_have_the_losses_of_one_process(
    base: Path, tmp_path: Path
) -> None:
    keys = {"steps": 6, "micro_batch": 2, "checkpoint_every": 4}
    folder = tmp_path / "two"
    folder.mkdir()
    for kind in FORMATS:
        settings = recipe(base, kind, output=str(folder / kind), **keys)
        (folder / f"{kind}.json").write_text(settings.model_dump_json())
    launch(folder, {}, "grpo")
    lines = launch(folder, {}).splitlines()
    records = {
        kind: json.loads((folder / kind / "model/training.json").read_text()) for kind in FORMATS
    }
    for kind, record in records.items():
        losses = dict(record["losses"])
        assert list(losses) == [1, 2, 3, 4, 5, 6] and all(map(math.isfinite, losses.values()))
        assert (
            count_saved(folder / kind / "model")
            == record["parameters"]
            == count_saved(base / "model")
        )
        before, after = weights(base), weights(folder / kind)
        assert any((before[name] != after[name]).any() for name in before), kind
    assert f"grpo resuming from {folder / 'grpo' / 'checkpoints' / 'checkpoint-4'}" in lines
    alone, _ = run(recipe(base, "dpo", output=str(tmp_path / "alone"), **keys))
    assert dict(records["dpo"]["losses"]) == pytest.approx(dict(alone["losses"]), rel=0.01)


@pytest.mark.parametrize("name", ["DPOTrainer", "KTOTrainer"])
def test_a_trainer_of_trl_that_prepares_rows_in_another_way_is_refused(
    base: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import trl

    trainer, kind = getattr(trl, name), name[:3].lower()
    message = rf"^TRL [\d.]+ does not take tokenized rows in {name} .*: pip install trl==1\.16\.0$"
    assert callable(getattr(trainer, "_prepare_dataset", None)), f"TRL {trl.__version__} has none"

    def another_collator(self: Any, *args: Any, **options: Any) -> None:
        trainer.__init__(self, *args, **options)
        collate = self.data_collator
        self.data_collator = lambda rows: {
            key: each[..., 1:] if each.ndim > 1 else each for key, each in collate(rows).items()
        }

    changed = {
        "renamed": type(name, (trainer,), {"_prepare_dataset": None}),
        "cuts tokens": type(name, (trainer,), {"__init__": another_collator}),
    }
    for way, other in changed.items():
        monkeypatch.setattr(trl, name, other)
        with pytest.raises(CuratorError, match=message):
            run(recipe(base, kind, output=str(tmp_path / way)))
        assert not list((tmp_path / way).rglob("checkpoint-*"))
