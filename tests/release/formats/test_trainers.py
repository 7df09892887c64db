"""Contracts: the real trainers read the formats of prompts, and call our rewards."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curator import build
from curator.release.export import export
from curator.release.formats import FORMATS
from curator.rewards import answer_reward, score, think_reward
from datastore.store import Store
from tests.trainers.tiny import tiny_model


@pytest.fixture(scope="module")
def exported(
    quickstart_built: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Path]]:
    """A file of quickstart in each format of prompts."""
    folder = tmp_path_factory.mktemp("prompts")
    names = [name for name, how in FORMATS.items() if how.prompts]
    files = {name: folder / f"{name}{FORMATS[name].suffix}" for name in names}
    with Store(quickstart_built, readonly=True) as store:
        for name, file in files.items():
            assert export(store, store.versions.get("quickstart"), name, file).rows > 50
    yield files


def rows_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def model(exported: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch", reason="the extra train is not installed")
    texts = [row["prompt"] for row in rows_of(exported["verifiers"])]
    folder = tmp_path_factory.mktemp("tiny") / "model"
    return tiny_model(folder, [*texts, "<user><assistant><think></think>"], width=64, layers=1)


def test_grpo_of_trl_trains_two_steps_with_our_rewards(
    exported: dict[str, Path], model: Path, tmp_path: Path
) -> None:
    pytest.importorskip("trl", reason="the extra train is not installed")
    from datasets import load_dataset
    from trl import GRPOConfig, GRPOTrainer

    data = load_dataset("json", data_files=str(exported["trl-grpo"]), split="train")
    settings = GRPOConfig(
        output_dir=str(tmp_path / "out"),
        max_steps=2,
        per_device_train_batch_size=4,
        num_generations=2,
        max_completion_length=8,
        logging_steps=1,
        report_to="none",
        use_cpu=True,
        bf16=False,
        save_strategy="no",
    )
    trainer = GRPOTrainer(
        str(model), reward_funcs=[answer_reward, think_reward], args=settings, train_dataset=data
    )
    trainer.train()
    logged = [each for each in trainer.state.log_history if "reward" in each]
    assert len(logged) == 2
    assert all("rewards/answer_reward/mean" in each for each in logged)
    assert all("rewards/think_reward/mean" in each for each in logged)


def test_verl_loads_its_format_and_calls_our_reward(
    exported: dict[str, Path], model: Path, tmp_path: Path
) -> None:
    pytest.importorskip("verl", reason="verl is not installed")
    from omegaconf import OmegaConf
    from transformers import AutoTokenizer
    from verl.trainer.ppo.reward import get_custom_reward_fn
    from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn

    settings = {"cache_dir": str(tmp_path), "filter_overlong_prompts_workers": 1}
    data = RLHFDataset(
        str(exported["verl"]), AutoTokenizer.from_pretrained(model), OmegaConf.create(settings)
    )
    batch = collate_fn([data[number] for number in range(len(data))])
    assert len(batch["raw_prompt"]) == len(data) > 50
    function = {"path": "pkg://curator.rewards", "name": "compute_score"}
    chosen = {**function, "reward_kwargs": {"undecided": 0.5}}
    reward = get_custom_reward_fn(OmegaConf.create({"reward": {"custom_reward_function": chosen}}))
    for gold, source, extra in zip(
        batch["reward_model"], batch["data_source"], batch["extra_info"], strict=True
    ):
        text = rf"The answer is \boxed{{{gold['ground_truth']}}}."
        values = {"data_source": source, "ground_truth": gold["ground_truth"], "extra_info": extra}
        assert reward(solution_str=text, **values) == 1.0
        assert reward(solution_str="I do not know.", **values) == 0.0
    undecided = reward("curator/math", r"\boxed{a \star b}", r"b \diamond a")
    assert undecided == 0.5


def test_verifiers_loads_its_format_as_tasks_and_scores_them_with_our_reward(
    exported: dict[str, Path],
) -> None:
    vf = pytest.importorskip("verifiers.v1", reason="verifiers is not installed")

    class MathData(vf.TaskData):
        answer: str
        choices: list[str]

    class MathTask(vf.Task[MathData]):
        @vf.reward
        async def correct(self, task: MathData, trace: Any) -> float:
            reward = await asyncio.to_thread(score, trace.last_reply, task.answer, task.choices)
            return reward or 0.0

    class Released(vf.Taskset[MathTask]):
        def load(self) -> Iterator[Any]:
            return (MathTask(MathData.model_validate(row)) for row in rows)

    async def rewards(task: Any, replies: list[str]) -> list[float]:
        traces = [
            vf.Trace(
                task=vf.TraceTask(type="MathTask", data=task.data),
                agent=vf.AgentInfo(config=vf.AgentConfig()),
                root_reply=reply,
            )
            for reply in replies
        ]
        await asyncio.gather(*map(task.score, traces))
        return [trace.rewards["correct"].score for trace in traces]

    rows = rows_of(exported["verifiers"])
    tasks = list(Released(vf.TasksetConfig()))
    assert len(tasks) == len(rows) > 50
    for row, task in zip(rows, tasks, strict=True):
        assert (task.data.id, task.data.prompt_text) == (row["id"], row["prompt"])
        assert vf.WireTaskData.model_validate(row).id == row["id"]
        replies = [rf"\boxed{{{row['answer']}}}", "I do not know."]
        assert asyncio.run(rewards(task, replies)) == [1.0, 0.0]


def test_open_instruct_finds_the_columns_that_its_schema_names(exported: dict[str, Path]) -> None:
    # rlvr_tokenize_v2 of open_instruct/dataset_transformation.py, allenai/open-instruct 29e5ad1
    for row in rows_of(exported["open-instruct"]):
        (message,) = row["messages"]
        assert message.keys() == {"role", "content"} and message["role"] == "user"
        assert isinstance(row["ground_truth"], str) and row["ground_truth"]
        assert row["dataset"] == "math"  # a name in its REWARD_FN_MAPPING


@pytest.fixture(scope="module")
def attempts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file in each format of attempts, of a version whose problems have two responses."""
    folder = tmp_path_factory.mktemp("attempts")
    rows = [
        {
            "q": f"How many are {n} and {n}?",
            "g": str(2 * n),
            "r": [
                f"{n} and {n} are {total}. The answer is {total}." for total in (2 * n, 2 * n + 1)
            ],
        }
        for n in range(5, 25)
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "tried.yaml").write_text(
        "name: tried\nabout: two responses\nscreens: {contamination: null}\nsubsets:\n  text:\n"
        "    source:\n      file: rows.jsonl\n      columns: {question: q, gold: g, response: r}\n"
        "      licence: MIT\n"
        "    kind: CoT\n    writers: [verbatim]\n"
    )
    build(folder / "tried.yaml", folder / "store")
    files = {name: folder / f"{name}.jsonl" for name, how in FORMATS.items() if how.pairs}
    with Store(folder / "store", readonly=True) as store:
        for name, file in files.items():
            pairs = export(store, store.versions.get("tried"), name, file).pairing.pairs
            assert pairs == 20  # each of the same length
    return files


@pytest.mark.parametrize("form", ["preference", "kto"])
def test_dpo_and_kto_of_trl_train_a_step_on_attempts(
    attempts: dict[str, Path], tmp_path: Path, form: str
) -> None:
    pytest.importorskip("trl", reason="the extra train is not installed")
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

    texts = [
        message["content"]
        for row in rows_of(attempts["preference"])
        for key in ("prompt", "chosen", "rejected")
        for message in row[key]
    ]
    folder = tiny_model(tmp_path / "model", [*texts, "<user><assistant>"], width=64, layers=1)
    data = load_dataset("json", data_files=str(attempts[form]), split="train")
    config, trainer_of = {"preference": (DPOConfig, DPOTrainer), "kto": (KTOConfig, KTOTrainer)}[
        form
    ]
    settings = config(
        output_dir=str(tmp_path / "out"),
        max_steps=1,
        per_device_train_batch_size=4,
        logging_steps=1,
        report_to="none",
        use_cpu=True,
        bf16=False,
        save_strategy="no",
    )
    trainer = trainer_of(
        model=AutoModelForCausalLM.from_pretrained(folder),
        args=settings,
        train_dataset=data,
        processing_class=AutoTokenizer.from_pretrained(folder),
    )
    trainer.train()
    (logged,) = (each for each in trainer.state.log_history if "loss" in each)
    assert logged["loss"] > 0 and logged["grad_norm"] > 0
