"""SFT on a CPU: a tiny Llama learns answers, and only answers carry loss."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from curator.core.errors import CuratorError, UsageError
from tests.paths import ROOT
from tests.trainers.tiny import ONE_THREAD, tiny_model
from trainers.recipe import SFT
from trainers.release import read_release
from trainers.tokenize import ALPACA, encode, set_template

pytest.importorskip("torch", reason="the extra train is not installed")
pytest.importorskip("trl", reason="the extra train is not installed")

ROWS = [
    {
        "prompt": f"What is {a} + {b}?",
        "completion": f"The answer is {a + b}.",
        "source": "big" if b else "small",
    }
    for a in range(10)
    for b in range(4)
]


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and a release."""
    folder = tmp_path_factory.mktemp("sft")
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    texts = [ALPACA, "<user><assistant>", *(row["prompt"] + row["completion"] for row in ROWS)]
    tiny_model(folder / "model", texts)
    return folder


def recipe(base: Path, **keys: object) -> SFT:
    values = {
        "train": "sft",
        "name": "tiny",
        "about": "A test",
        "model": str(base / "model"),
        "release": str(base / "rows.jsonl"),
        "learning_rate": 1e-3,
        "steps": 12,
        "batch": 16,
        "micro_batch": 8,
        "max_length": 128,
        "precision": "fp32",
        "checkpoint_every": 4,
    }
    return SFT.model_validate({**values, **keys})


def run(keys: SFT) -> tuple[dict, list[str]]:
    from trainers.sft import train_sft

    lines: list[str] = []
    return train_sft(keys, lines.append), lines


def encode_release(base: Path, **keys: object) -> tuple:
    from trainers.models import load_tokenizer

    settings = recipe(base, **keys)
    tokenizer = load_tokenizer(settings.model)
    examples = read_release(Path(settings.release)).examples
    set_template(tokenizer, settings.template)
    found = encode(examples, tokenizer, settings.max_length, settings.truncate, settings.thoughts)
    return tokenizer, *found


@pytest.mark.parametrize("template", ["alpaca", "chat"])
def test_the_answer_and_its_end_token_carry_loss(base: Path, template: str) -> None:
    tokenizer, rows, counts = encode_release(base, template=template)
    assert tokenizer.decode(rows[7].answer) == f"{ROWS[7]['completion']}</s>"
    prompt = tokenizer.decode(rows[7].prompt)
    assert prompt.endswith("### Response:" if template == "alpaca" else "<assistant>")
    assert ROWS[7]["prompt"] in prompt
    assert counts.rows == 40
    assert counts.answer_tokens == sum(len(row.answer) for row in rows)
    assert list(counts.shares()) == ["big", "small"]
    assert sum(counts.shares().values()) == pytest.approx(1)


@pytest.mark.parametrize("template", ["alpaca", "chat"])
@pytest.mark.parametrize(
    ("thoughts", "carries_loss", "shown"),
    [("train", True, True), ("mask", False, True), ("drop", False, False)],
)
def test_a_thought_is_trained_on_masked_or_left_out(
    base: Path, tmp_path: Path, template: str, thoughts: str, carries_loss: bool, shown: bool
) -> None:
    turns = [
        {"role": "user", "content": "What is 3 + 2?"},
        {"role": "assistant", "content": "The answer is 5.", "reasoning_content": "is 3 + 2 an 5?"},
    ]
    unclosed = {"prompt": "What is 3 + 2?", "completion": "<think>is 3 + 2 an 5?"}
    release = tmp_path / "rows.jsonl"
    release.write_text("\n".join(map(json.dumps, [{"messages": turns}, unclosed, ROWS[0]])))
    keys = {"template": template, "thoughts": thoughts, "max_length": 400}
    tokenizer, rows, counts = encode_release(base, release=str(release), **keys)
    prompt, answer = (tokenizer.decode(ids) for ids in (rows[0].prompt, rows[0].answer))
    assert answer.endswith("The answer is 5.</s>")
    assert ("an 5?" in answer, "an 5?" in prompt + answer) == (carries_loss, shown)
    assert "an 5?" in tokenizer.decode(rows[1].answer)  # nothing else is its answer
    assert counts.rows == 3 and counts.answer_tokens == sum(len(row.answer) for row in rows)


def test_cut_answers_are_an_error_with_counts_unless_allowed(base: Path) -> None:
    _, rows, whole = encode_release(base)
    limit = whole.longest - 1
    longest = sum(len(row.prompt) + len(row.answer) > limit for row in rows)
    with pytest.raises(
        UsageError, match=rf"{longest} of 40 rows .* {longest} answers would be cut"
    ):
        encode_release(base, max_length=limit)
    _, cut_rows, cut = encode_release(base, max_length=limit, truncate="allow")
    assert (cut.cut, cut.left_out, cut.rows) == (longest, 0, 40)
    assert max(len(row.prompt) + len(row.answer) for row in cut_rows) == limit
    with pytest.raises(UsageError, match="No row has an answer"):
        encode_release(base, max_length=8, truncate="allow")


def test_the_loss_falls_the_weights_change_and_the_folder_records_the_training(
    base: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    settings = recipe(base, output=str(tmp_path / "run"))
    record, lines = run(settings)
    losses = [loss for _, loss in record["losses"]]
    assert losses[-1] < losses[0] / 1.5
    model = tmp_path / "run" / "model"
    before, after = (load_file(at / "model.safetensors") for at in (base / "model", model))
    assert any((before[name] != after[name]).any() for name in before)
    assert json.loads((model / "training.json").read_text()) == json.loads(json.dumps(record))
    assert record["data"]["sha256"] == read_release(base / "rows.jsonl").digest
    card = (model / "README.md").read_text()
    assert record["data"]["sha256"] in card
    assert "| `small` | 2" in card
    assert not list(model.glob("*.bin"))
    assert any("answer tokens carry loss" in line for line in lines)

    again, lines = run(settings)
    assert again == json.loads(json.dumps(record))
    assert lines == [f"{model} is complete; nothing to do"]
    with pytest.raises(UsageError, match="contains another training"):
        run(recipe(base, output=str(tmp_path / "run"), seed=1))


def test_adapters_are_merged_into_the_model(base: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    keys = {"method": "lora", "output": str(tmp_path / "run"), "steps": 4}
    record, _ = run(recipe(base, **keys))
    assert record["losses"][-1][1] < record["losses"][0][1]
    before = load_file(base / "model" / "model.safetensors")
    after = load_file(tmp_path / "run" / "model" / "model.safetensors")
    assert before.keys() == after.keys()
    moved = {name for name in before if (before[name] != after[name]).any()}
    assert moved
    assert all("_proj" in name for name in moved)


def test_a_killed_training_resumes_from_its_newest_complete_checkpoint(
    base: Path, tmp_path: Path
) -> None:
    whole, _ = run(recipe(base, output=str(tmp_path / "whole")))
    settings = recipe(base, output=str(tmp_path / "killed"))
    program = (
        "import os, sys\n"
        "from trainers.recipe import SFT\n"
        "from trainers.sft import train_sft\n"
        "def say(line):\n"
        "    if line.startswith('step 10'): os.kill(os.getpid(), 9)\n"
        "train_sft(SFT.model_validate_json(sys.stdin.read()), say)\n"
    )
    command = [sys.executable, "-c", program]
    keys = settings.model_dump_json()
    died = subprocess.run(command, input=keys, text=True, cwd=ROOT, env=ONE_THREAD)
    assert died.returncode == -9
    checkpoints = tmp_path / "killed" / "checkpoints"
    assert (checkpoints / "checkpoint-8" / "whole").exists()
    # As if the process was killed while it wrote a checkpoint.
    (checkpoints / "checkpoint-10").mkdir()
    (checkpoints / "checkpoint-10" / "trainer_state.json").write_text("{")
    record, lines = run(settings)
    assert f"resuming from {checkpoints / 'checkpoint-8'}" in lines
    assert not any(line.startswith("step 8 ") for line in lines)
    assert dict(record["losses"]) == pytest.approx(dict(whole["losses"]), abs=1e-5)


@pytest.mark.parametrize("file", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_checkpoint_with_code_is_refused(base: Path, tmp_path: Path, file: str) -> None:
    import torch

    from tests.trainers.test_hostile_models import Bomb

    settings = recipe(base, output=str(tmp_path / "run"), steps=6)
    run(settings)
    (tmp_path / "run" / "model" / "training.json").unlink()
    checkpoint = max((tmp_path / "run" / "checkpoints").glob("*-4"))
    for later in (tmp_path / "run" / "checkpoints").glob("*-6"):
        (later / "whole").unlink()
    torch.save({"a": Bomb(tmp_path / "ran")}, checkpoint / file)
    torch.save({"a": Bomb(tmp_path / "ran")}, checkpoint / "training_args.bin")
    with pytest.raises(UsageError, match=r"checkpoint-4 contains objects other [^\n]+$"):
        run(settings)
    assert not (tmp_path / "ran").exists()


def test_two_processes_have_the_same_losses_as_one(base: Path, tmp_path: Path) -> None:
    settings = recipe(base, output=str(tmp_path / "two"), steps=4, method="full")
    alone, _ = run(recipe(base, output=str(tmp_path / "one"), steps=4))
    keys = settings.model_dump(mode="json")
    (tmp_path / "r.yaml").write_text(json.dumps(keys))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    command += ["--standalone", "-m", "curator", "train", "sft", str(tmp_path / "r.yaml")]
    done = subprocess.run(command, cwd=ROOT, env=ONE_THREAD, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    together = json.loads((tmp_path / "two" / "model" / "training.json").read_text())
    assert done.stderr.count("step 4 of 4") == 1
    for (_, one), (_, two) in zip(alone["losses"], together["losses"], strict=True):
        assert two == pytest.approx(one, rel=0.02)


@pytest.mark.parametrize("wrong", ["prompt carries loss", "answer does not", "other tokens"])
def test_labels_other_than_the_answers_are_an_error(base: Path, wrong: str) -> None:
    from types import SimpleNamespace

    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    from trainers.sft import check_labels, to_dataset

    _, rows, _ = encode_release(base)
    collator = DataCollatorForLanguageModeling(pad_token_id=2)
    check_labels(SimpleNamespace(data_collator=collator, train_dataset=to_dataset(rows)), rows)
    first = rows[0]
    moved = {
        "prompt carries loss": replace(
            first, prompt=first.prompt[:-1], answer=first.prompt[-1:] + first.answer
        ),
        "answer does not": replace(
            first, prompt=first.prompt + first.answer[:1], answer=first.answer[1:]
        ),
        "other tokens": replace(first, answer=first.answer[::-1]),
    }[wrong]
    trainer = SimpleNamespace(data_collator=collator, train_dataset=to_dataset([moved, *rows[1:]]))
    with pytest.raises(CuratorError, match="Row 1"):
        check_labels(trainer, rows)


def test_a_damaged_model_gives_one_line_and_a_damaged_start_file_another_training(
    base: Path, tmp_path: Path
) -> None:
    import shutil

    from trainers.models import load_causal

    cut, other = tmp_path / "cut", tmp_path / "other"
    for each in (cut, other):
        shutil.copytree(base / "model", each)
    weights = cut / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:3_000])
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"hidden_size": 32}))
    for each in (cut, other):
        with pytest.raises(UsageError, match=f"Cannot load the model {each}: [^\n]+$"):
            load_causal(str(each))

    started = tmp_path / "run"
    started.mkdir()
    (started / "start.json").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="contains another training"):
        run(recipe(base, output=str(started)))


def test_pickled_weights_and_code_from_repositories_are_never_loaded(
    base: Path, tmp_path: Path
) -> None:
    import shutil

    import torch

    from trainers.models import load_causal

    pickled = tmp_path / "pickled"
    shutil.copytree(base / "model", pickled)
    (pickled / "model.safetensors").unlink()
    torch.save({}, pickled / "pytorch_model.bin")
    with pytest.raises(UsageError, match="safetensors and built-in code only"):
        load_causal(str(pickled))

    coded = tmp_path / "coded"
    shutil.copytree(base / "model", coded)
    config = json.loads((coded / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoModelForCausalLM": "evil.Evil"}}
    (coded / "config.json").write_text(json.dumps(config))
    (coded / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Evil: pass\n")
    with pytest.raises(UsageError, match="safetensors and built-in code only"):
        load_causal(str(coded))
    assert not (tmp_path / "ran").exists()
