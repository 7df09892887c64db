"""Trains on the model's own answers with TRL: group relative policy optimization (GRPO).

In: a `GRPO` recipe, which names an export of prompts and golds. Out: the model's folder with record
and card. The reward is `curator.rewards.answer_reward`, which compares the answer of a completion
with the gold. A resumed run reads the prompts in the same order and restores the random state of
its checkpoint, so that transformers on the CPU samples the same completions. Not covered: vLLM and
kernels of GPUs, which may sample others; the run then goes on from the same weights.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from curator.core.errors import UsageError
from curator.core.words import counted, verb
from curator.rewards import answer_reward
from trainers.exclusive import exclusive
from trainers.models import load_causal, load_tokenizer, loading_options, lora_config, stop_at
from trainers.preference_rows import Task, parse_task, read_preferences
from trainers.recipe import GRPO
from trainers.run import (
    Log,
    load_finished,
    save_run,
    start_run,
    train,
    training_arguments,
)
from trainers.special_tokens import SpecialTokens
from trainers.tokenize import set_template


@exclusive
def train_grpo(recipe: GRPO, log: Log) -> dict[str, Any]:
    """Train, or resume where a previous run stopped; return the record of the training.

    Raises UsageError if the prompts, the model or the folder is unsuitable.
    """
    tasks = read_preferences(Path(recipe.release), parse_task)
    if record := load_finished(recipe, tasks.run_record()):
        log(f"{recipe.folder / 'model'} is complete; nothing to do")
        return record
    tokenizer = load_tokenizer(recipe.model, recipe.revision)
    end = set_template(tokenizer, recipe.template)
    kept, counts = _prepare_prompts(tokenizer, tasks.rows, recipe, log)
    run = start_run(recipe, tasks.run_record(), log)
    run.record["examples"] = counts
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    options = GRPOConfig(
        **training_arguments(recipe),
        num_generations=recipe.group,
        max_completion_length=recipe.max_answer,
        temperature=recipe.temperature,
        beta=recipe.beta,
        use_vllm=recipe.sampler == "vllm",
        vllm_mode="colocate",
    )
    model = load_causal(recipe.model, recipe.revision, **loading_options(recipe))
    stop_at(model, end)  # before the trainer reads at which tokens completions end
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=[answer_reward],
        args=options,
        train_dataset=Dataset.from_list(
            [
                {
                    "prompt": [asdict(turn) for turn in task.prompt],
                    "solution": task.gold,
                    "choices": list(task.choices),
                }
                for task in kept
            ]
        ),
        processing_class=tokenizer,
        peft_config=lora_config(recipe),
    )
    train(run, trainer)
    save_run(run, trainer, tokenizer)
    return run.record


def _prepare_prompts(
    tokenizer: Any, tasks: Sequence[Task], recipe: GRPO, log: Log
) -> tuple[list[Task], dict[str, int]]:
    """Return the tasks to train on, and counts for the record."""
    rows, changed = break_special_tokens(tokenizer, tasks)
    if changed:
        log(
            f"{counted(changed, 'prompt')} {verb(changed, 'writes', 'write')} special tokens; a "
            "blank behind their first character makes them plain text"
        )
    kept, left_out = fit_prompts(tokenizer, rows, recipe)
    log(
        f"{counted(len(kept), 'prompt')}, {recipe.group} completions each; "
        f"{counted(left_out, 'prompt')} {verb(left_out, 'exceeds', 'exceed')} max_length"
    )
    return kept, {
        "prompts": len(kept),
        "left_out_for_length": left_out,
        "with_special_tokens": changed,
    }


def break_special_tokens(tokenizer: Any, tasks: Sequence[Task]) -> tuple[list[Task], int]:
    """Return the tasks with a blank in the special tokens that they write, and their number.

    TRL tokenizes the texts of prompts and would read them as the template's own.
    """
    special = SpecialTokens(tokenizer)
    rows = [
        replace(
            task,
            prompt=tuple(
                replace(turn, content=special.break_up(turn.content)) for turn in task.prompt
            ),
        )
        for task in tasks
    ]
    return rows, sum(row != task for row, task in zip(rows, tasks, strict=True))


def fit_prompts(tokenizer: Any, tasks: Sequence[Task], recipe: GRPO) -> tuple[list[Task], int]:
    """Return the tasks whose prompt leaves room for an answer, and the number of the others.

    Raises UsageError if there are others and the recipe does not leave them out, or if there are
    fewer prompts than an optimizer step needs.
    """
    limit = recipe.max_length - recipe.max_answer
    kept, longest, first = [], 0, ""
    for task in tasks:
        turns = [asdict(turn) for turn in task.prompt]
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        length = len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
        longest = max(longest, length)
        if length <= limit:
            kept.append(task)
        else:
            first = first or task.place
    left_out = len(tasks) - len(kept)
    if left_out and recipe.too_long == "refuse":
        raise UsageError(
            f"{left_out:,} of {counted(len(tasks), 'prompt')} "
            f"{verb(left_out, 'is', 'are')} longer than max_length - max_answer = {limit:,} tokens "
            f"(longest {longest:,}; first: {first}). Increase max_length, or set too_long: "
            "leave_out."
        )
    if len(kept) < recipe.batch // recipe.group:
        raise UsageError(
            f"An optimizer step has batch / group = {recipe.batch // recipe.group:,} prompts, and "
            f"{recipe.release} has {len(kept):,}. Reduce batch, or use more prompts."
        )
    return kept, left_out
