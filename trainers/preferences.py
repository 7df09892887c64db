"""Trains on right and wrong attempts with TRL: DPO on pairs, KTO on single attempts.

In: a `DPO` or `KTO` recipe, which names an export. Out: the model's folder with record and card.
TRL gets rows that are already tokenized with the template that is saved, so that it trains on
exactly the tokens that were counted. The reference is the start model: with adapters, the model
without them, otherwise a second copy.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from curator.core.errors import CuratorError, UsageError
from curator.core.words import counted, verb
from trainers.exclusive import exclusive
from trainers.models import load_causal, load_tokenizer, loading_options, lora_config, stop_at
from trainers.preference_rows import (
    Labelled,
    Pair,
    Rows,
    parse_labelled,
    parse_pair,
    read_preferences,
)
from trainers.recipe import DPO, KTO, Preferences
from trainers.release import Example
from trainers.run import (
    Log,
    Run,
    check_start,
    divide_batches,
    load_finished,
    save_run,
    start_run,
    train,
    training_arguments,
)
from trainers.sft import describe_counts
from trainers.tokenize import Counts, Row, encode_chunk, set_template

PREPARE = "_prepare_dataset"
"""Method of TRL's trainers that tokenizes rows."""
TESTED = "1.16.0"
"""Version of TRL that trained with rows that are already tokenized."""


@exclusive
def train_dpo(recipe: DPO, log: Log) -> dict[str, Any]:
    """Train on pairs, or resume where a previous run stopped; return the record of the training.

    Raises UsageError if the export, the model or the folder is unsuitable.
    """
    pairs = read_preferences(Path(recipe.release), parse_pair)
    if record := load_finished(recipe, pairs.run_record()):
        log(f"{recipe.folder / 'model'} is complete; nothing to do")
        return record
    run, tokenizer, end, rows = _start(
        recipe, pairs, [(each.right, each.wrong) for each in pairs.rows], log
    )
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    columns = {
        "prompt_ids": [list(right.prompt) for _, (right, _) in rows],
        "chosen_ids": [list(right.answer) for _, (right, _) in rows],
        "rejected_ids": [list(wrong.answer) for _, (_, wrong) in rows],
    }
    options = DPOConfig(**training_arguments(recipe), max_length=None, beta=recipe.beta)
    trainer = _with_tokens(DPOTrainer)(
        **_models(recipe),
        args=options,
        train_dataset=Dataset.from_dict(columns),
        processing_class=tokenizer,
    )
    check_tokens(trainer, rows[0][1])
    lengths = [[_length(row) for row in pair] for _, pair in rows]
    # The loss is a mean over micro-batches, which therefore have the same number of pairs.
    divide_batches(
        run, trainer, [2 * max(each) for each in lengths], [sum(each) for each in lengths], False
    )
    return _finish(run, trainer, tokenizer, end)


@exclusive
def train_kto(recipe: KTO, log: Log) -> dict[str, Any]:
    """Train on attempts, or resume where a previous run stopped; return the record.

    Raises UsageError if the export, the model or the folder is unsuitable.
    """
    attempts = read_preferences(Path(recipe.release), parse_labelled)
    if record := load_finished(recipe, attempts.run_record()):
        log(f"{recipe.folder / 'model'} is complete; nothing to do")
        return record
    if len({each.right for each in attempts.rows}) < 2:
        raise UsageError(f"{recipe.release} has only right or only wrong attempts; KTO needs both")
    run, tokenizer, end, rows = _start(
        recipe, attempts, [(each.example,) for each in attempts.rows], log
    )
    from datasets import Dataset
    from trl import KTOConfig, KTOTrainer

    # TRL reads the rows in order: the divergence is estimated on fixed neighbours.
    random.Random(recipe.seed).shuffle(rows)
    answers = [list(row.answer) for _, (row,) in rows]
    columns = {
        "prompt_ids": [list(row.prompt) for _, (row,) in rows],
        "completion_ids": answers,
        "KL_completion_ids": rotate(answers, recipe.micro_batch),
        "label": [attempts.rows[place].right for place, _ in rows],
    }
    options = KTOConfig(**training_arguments(recipe), max_length=None, beta=recipe.beta)
    trainer = _with_tokens(KTOTrainer)(
        **_models(recipe),
        args=options,
        train_dataset=Dataset.from_dict(columns),
        processing_class=tokenizer,
    )
    check_tokens(trainer, rows[0][1])
    return _finish(run, trainer, tokenizer, end)


def rotate(answers: Sequence[list[int]], size: int) -> list[list[int]]:
    """Return in each place the answer of the place before, in groups of `size` neighbours.

    KTO estimates its divergence on such prompts with answers of others (TRL's KL completions).
    """
    groups = [answers[start : start + size] for start in range(0, len(answers), size)]
    return [answer for group in groups for answer in [group[-1], *group[:-1]]]


def encode_attempts(
    tokenizer: Any, attempts: Sequence[tuple[Example, ...]], recipe: Preferences
) -> tuple[list[tuple[int, tuple[Row, ...]]], Counts]:
    """Return the place and the tokens of each element that fits `max_length`, and counts.

    Raises UsageError if some do not fit and the recipe does not leave them out.
    """
    flat = [example for some in attempts for example in some]
    tokens = iter(encode_chunk(flat, tokenizer, "train"))
    whole = [tuple(next(tokens) for _ in some) for some in attempts]
    rows = [
        (place, some)
        for place, some in enumerate(whole)
        if max(map(_length, some)) <= recipe.max_length
    ]
    left_out, longest = len(whole) - len(rows), max(_length(row) for some in whole for row in some)
    if left_out and (recipe.too_long == "refuse" or not rows):
        first = next(n for n, s in enumerate(whole) if max(map(_length, s)) > recipe.max_length)
        raise UsageError(
            f"{left_out:,} of {counted(len(whole), 'row')} {verb(left_out, 'is', 'are')} longer "
            f"than max_length {recipe.max_length:,} tokens (longest {longest:,}; first: "
            f"{attempts[first][0].place}). Increase max_length, or set too_long: leave_out."
        )
    answers = Counter[str]()
    for place, some in rows:
        answers[attempts[place][0].subset] += sum(len(row.answer) for row in some)
    prompts = sum(len(row.prompt) for _, some in rows for row in some)
    total = answers.total()
    return rows, Counts(len(rows), prompts, total, longest, 0, left_out, dict(answers))


def _start(
    recipe: Preferences, read: Rows[Pair] | Rows[Labelled], attempts: Sequence[Any], log: Log
) -> tuple[Run, Any, int, list[tuple[int, Any]]]:
    """Return the run, the tokenizer, the token that ends an answer, and the encoded rows."""
    tokenizer = load_tokenizer(recipe.model, recipe.revision)
    end = set_template(tokenizer, recipe.template)
    check_start(recipe, read.run_record())
    rows, counts = encode_attempts(tokenizer, attempts, recipe)
    for line in describe_counts(counts):
        log(line)
    run = start_run(recipe, read.run_record(), log)
    run.record["tokens"] = {**asdict(counts), "shares": counts.shares()}
    return run, tokenizer, end, rows


def _models(recipe: Preferences) -> dict[str, Any]:
    """Return the model, its adapters, and the reference model, as arguments of a trainer."""
    options = loading_options(recipe)
    reference = None
    if recipe.method == "full":
        # TRL would load it by the name in the config, whatever its files are.
        reference = load_causal(recipe.model, recipe.revision, **options)
    return {
        "model": load_causal(recipe.model, recipe.revision, **options),
        "ref_model": reference,
        "peft_config": lora_config(recipe),
    }


def _with_tokens(trainer: Any) -> Any:
    """Return a trainer of TRL that takes rows as they are, since they are tokenized.

    TRL has no public option for it, unlike for SFT. Raises CuratorError if the method to replace is
    gone; `check_tokens` finds other changes.
    """
    if not callable(getattr(trainer, PREPARE, None)):
        raise _unknown_trl(trainer.__name__)

    def prepare(self: Any, dataset: Any, *_: Any) -> Any:
        return dataset

    # Created dynamically, since the base class needs TRL, which is optional.
    return type(trainer.__name__, (trainer,), {PREPARE: prepare})


def check_tokens(trainer: Any, attempts: Sequence[Row]) -> None:
    """Check on the first row of a trainer that its batches have the tokens that were counted.

    `attempts` are those of the row. Raises CuratorError unless each one is in the batch with its
    prompt, and the answer alone is marked.
    """
    try:
        batch = trainer.data_collator([trainer.train_dataset[0]])
        tokens, marks = (batch[key].tolist() for key in ("input_ids", "completion_mask"))
        same = len(tokens) == len(attempts)
    except (LookupError, TypeError, AttributeError):
        raise _unknown_trl(type(trainer).__name__) from None
    for row, ids, marked in zip(attempts, tokens, marks, strict=False):
        rest = len(ids) - _length(row)
        same = same and ids[: _length(row)] == [*row.prompt, *row.answer]
        same = same and marked == [0] * len(row.prompt) + [1] * len(row.answer) + [0] * rest
    if not same:
        raise _unknown_trl(type(trainer).__name__)


def _unknown_trl(trainer: str) -> CuratorError:
    return CuratorError(
        f"TRL {version('trl')} does not take tokenized rows in {trainer} as Curator hands them "
        f"over. Training was not started. Install the version that was tested: pip install "
        f"trl=={TESTED}"
    )


def _finish(run: Run, trainer: Any, tokenizer: Any, end: int) -> dict[str, Any]:
    train(run, trainer)
    stop_at(trainer.model, end)
    save_run(run, trainer, tokenizer)
    return run.record


def _length(row: Row) -> int:
    return len(row.prompt) + len(row.answer)
