"""Trains a verifier: cross-entropy on a word, a margin between log-scores, or pairwise reward.

In: a `Verifier` recipe, which names samples or attempts. Out: the model's folder with record and
card, measured on held-out problems. The losses are those of Liu et al. 2023 (arXiv:2310.10047) and
TRL.
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import asdict
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np

from curator.core.errors import UsageError
from curator.core.words import counted, verb
from trainers.apply_verifier import BATCH, encode_prompts, score_batch, verdict_tokens
from trainers.evaluation.calibration import auc, calibration_error, pair_accuracy, reliability
from trainers.exclusive import exclusive
from trainers.graded import load_graded
from trainers.models import load_causal, load_reward, load_tokenizer, loading_options, lora_config
from trainers.pairs import SolutionSet, draw_by_hash, make_pairs, split
from trainers.recipe import Verifier
from trainers.run import (
    Log,
    divide_batches,
    load_finished,
    save_run,
    start_run,
    train,
    training_arguments,
)
from trainers.sft import check_labels
from trainers.tokenize import IGNORED, Row

REPORTED = ("auc", "pair_accuracy", "calibration_error")
"""Measures to log at the end."""

Pair = tuple[Row, Row]
"""A right and a wrong solution of one problem."""


@exclusive
def train_verifier(recipe: Verifier, log: Log) -> dict[str, Any]:
    """Train, or resume where a previous run stopped; return the record of the training.

    Raises UsageError if the samples, the model or the folder is unsuitable.
    """
    data = {"sha256": _digest(Path(recipe.samples))}
    if record := load_finished(recipe, data):
        log(f"{recipe.folder / 'model'} is complete; nothing to do")
        return record
    problems = load_graded(recipe, data["sha256"])
    trained, held_out = split(problems, recipe.held_out, recipe.seed)
    tokenizer = load_tokenizer(recipe.model, recipe.revision)
    rows, too_long = _encode_pairs(tokenizer, trained, recipe)
    run = start_run(recipe, data, log)
    run.record["examples"] = {
        "problems": len(trained),
        "held_out_problems": len(held_out),
        "pairs": len(rows),
        "left_out_for_length": too_long,
    }
    log(
        f"{len(rows):,} pairs of a right and a wrong solution from "
        f"{counted(len(trained), 'problem')}; "
        f"{counted(len(held_out), 'problem')} held out; {counted(too_long, 'pair')} "
        f"{verb(too_long, 'exceeds', 'exceed')} max_length"
    )
    trainer = (_reward_trainer if recipe.loss == "pairwise" else _word_trainer)(
        recipe, tokenizer, rows
    )
    lengths = [[len(row.prompt) + len(row.answer) for row in pair] for pair in rows]
    if recipe.loss == "cross-entropy":
        lengths = [[length] for pair in lengths for length in pair]
    divide_batches(
        run,
        trainer,
        [len(each) * max(each) for each in lengths],
        [sum(each) for each in lengths],
        uneven=recipe.loss != "pairwise",  # whose loss is a mean over micro-batches
    )
    train(run, trainer)
    measures = run.record["measures"] = measure(trainer, tokenizer, recipe, held_out)
    log(f"held out: {', '.join(f'{name} {_format(measures[name])}' for name in REPORTED)}")
    save_run(run, trainer, tokenizer)
    return run.record


def measure(
    trainer: Any, tokenizer: Any, recipe: Verifier, held_out: Sequence[SolutionSet]
) -> dict[str, Any]:
    """Return AUC, pair accuracy and calibration on held-out problems.

    Uses up to `per_problem` solutions of each problem, without balancing right and wrong ones;
    solutions that are too long score 0. All processes must call it, since they share the work.
    """
    texts = [
        draw_by_hash([*each.right, *each.wrong], recipe.per_problem, recipe.seed)
        for each in held_out
    ]
    pairs = [(p.question, text) for p, some in zip(held_out, texts, strict=True) for text in some]
    ids = encode_prompts(tokenizer, pairs)
    kept = [place for place, row in enumerate(ids) if len(row) <= recipe.max_length]
    scores_ = np.zeros(len(ids))
    words = None if recipe.loss == "pairwise" else verdict_tokens(tokenizer)
    scores_[kept] = score_together(trainer, [ids[place] for place in kept], words)
    solved = [set(each.right) for each in held_out]
    right = np.array(
        [t in mine for mine, s in zip(solved, texts, strict=True) for t in s], np.bool_
    )
    ends = np.cumsum([len(some) for some in texts])[:-1]
    parts = list(zip(np.split(scores_, ends), np.split(right, ends), strict=True))
    bins = reliability(scores_, right)
    return {
        "problems": len(parts),
        "solutions": len(right),
        "right": float(right.mean()),
        "auc": _value_or_none(lambda: auc(scores_, right)),
        "pair_accuracy": _value_or_none(lambda: pair_accuracy(parts)),
        "calibration_error": calibration_error(bins),
        "bins": [asdict(each) for each in bins],
        "too_long": len(ids) - len(kept),
    }


def score_together(
    trainer: Any, rows: Sequence[list[int]], words: tuple[int, int] | None
) -> list[float]:
    """Return the scores of tokenized prompts by the trained model, in order.

    Each process scores every n-th batch. All run the same number of forward passes, because a
    sharded model gathers its weights in each one; so none waits longer than for one batch.
    """
    import torch

    accelerator, model = trainer.accelerator, trainer.model_wrapped
    model.eval()
    order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    scores = torch.zeros(len(rows), device=accelerator.device)
    for first in range(0, len(batches), accelerator.num_processes):
        mine = first + accelerator.process_index
        batch = batches[min(mine, len(batches) - 1)]
        pad = trainer.processing_class.pad_token_id
        found = score_batch(model, [rows[place] for place in batch], pad, words)
        if mine < len(batches):
            scores[batch] = torch.tensor(found, device=accelerator.device)
    return [float(each) for each in accelerator.reduce(scores, "sum")]


def margin_loss(correct: Any, incorrect: Any, margin: float) -> Any:
    """Return the sum over pairs of max(0, log S(wrong) - log S(right) + margin).

    `correct` and `incorrect` are the logits of the two words, one element per solution: a right
    solution at each even index, followed by its wrong one. S = p(correct) / (p(correct) +
    p(incorrect)).
    """
    import torch

    log_scores = torch.nn.functional.logsigmoid(correct - incorrect)
    return torch.relu(log_scores[1::2] - log_scores[0::2] + margin).sum()


def _encode_pairs(
    tokenizer: Any, problems: Sequence[SolutionSet], recipe: Verifier
) -> tuple[list[Pair], int]:
    """Return the tokenized pairs, with verdicts as answers, and the number of pairs too long."""
    chosen = make_pairs(problems, recipe.per_problem, recipe.seed)
    right = encode_prompts(tokenizer, [(question, one) for question, one, _ in chosen])
    wrong = encode_prompts(tokenizer, [(question, other) for question, _, other in chosen])
    words = (0, 0) if recipe.loss == "pairwise" else verdict_tokens(tokenizer)
    encoded = [
        (Row(array("i", one), array("i", words[:1])), Row(array("i", other), array("i", words[1:])))
        for one, other in zip(right, wrong, strict=True)
        if max(len(one), len(other)) < recipe.max_length
    ]
    if not encoded:
        raise UsageError(
            f"Every pair is longer than max_length {recipe.max_length:,}. Increase max_length."
        )
    return encoded, len(chosen) - len(encoded)


def _word_trainer(recipe: Verifier, tokenizer: Any, rows: Sequence[Pair]) -> Any:
    """Return a trainer for the verdict word: cross-entropy of solutions, or margins of pairs."""
    from transformers import Trainer, TrainingArguments

    words = verdict_tokens(tokenizer)
    # Before the model is loaded: the arguments make all processes but the first one load shapes
    # only, where weights are sharded.
    arguments = TrainingArguments(**training_arguments(recipe), remove_unused_columns=False)
    model = load_causal(recipe.model, recipe.revision, **loading_options(recipe))
    if (config := lora_config(recipe)) is not None:
        from peft import get_peft_model

        model = get_peft_model(model, config)
        model.enable_input_require_grads()
    examples: list[tuple[Row, ...]] = (
        list(rows) if recipe.loss == "margin" else [(row,) for pair in rows for row in pair]
    )

    def collate(batch: Sequence[tuple[Row, ...]]) -> dict[str, Any]:
        return pad_batch([row for example in batch for row in example], tokenizer.pad_token_id)

    def loss(outputs: Any, labels: Any, num_items_in_batch: Any = None) -> Any:
        import torch

        at, place = (labels != IGNORED).nonzero(as_tuple=True)
        logits = outputs.logits[at, place - 1].float()
        count = len(at) if num_items_in_batch is None else num_items_in_batch
        if recipe.loss == "margin":
            summed = margin_loss(logits[:, words[0]], logits[:, words[1]], recipe.margin)
            return summed / (count / 2)
        return torch.nn.functional.cross_entropy(logits, labels[at, place], reduction="sum") / count

    trainer = Trainer(
        model=model,
        args=arguments,
        processing_class=tokenizer,
        train_dataset=examples,
        data_collator=collate,
        compute_loss_func=loss,
    )
    if recipe.loss == "cross-entropy":
        flat = [row for pair in rows for row in pair]
        lengths = [len(row.prompt) + len(row.answer) for row in flat]
        check_labels(trainer, lengths, flat.__getitem__)
    return trainer


def pad_batch(rows: Sequence[Row], pad: int) -> dict[str, Any]:
    """Return rows as one padded batch: ids, mask, and labels for the verdicts only."""
    import torch

    width = max(len(row.prompt) + len(row.answer) for row in rows)
    ids, mask, labels = [], [], []
    for row in rows:
        rest = width - len(row.prompt) - len(row.answer)
        ids.append([*row.prompt, *row.answer, *[pad] * rest])
        mask.append([1] * (width - rest) + [0] * rest)
        labels.append([IGNORED] * len(row.prompt) + [*row.answer] + [IGNORED] * rest)
    return {
        "input_ids": torch.tensor(ids),
        "attention_mask": torch.tensor(mask),
        "labels": torch.tensor(labels),
    }


def _reward_trainer(recipe: Verifier, tokenizer: Any, rows: Sequence[Pair]) -> Any:
    """Return TRL's trainer of a reward head: -log sigmoid(r(right) - r(wrong))."""
    from datasets import Dataset
    from transformers import set_seed
    from trl import RewardConfig, RewardTrainer

    def ids(side: int) -> list[list[int]]:
        return [list(pair[side].prompt) for pair in rows]

    arguments = RewardConfig(**training_arguments(recipe), max_length=None)  # before the model
    set_seed(recipe.seed)  # the head is new
    model = load_reward(recipe.model, recipe.revision, **loading_options(recipe))
    model.config.pad_token_id = tokenizer.pad_token_id
    return RewardTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict({"chosen_ids": ids(0), "rejected_ids": ids(1)}),
        processing_class=tokenizer,
        peft_config=lora_config(recipe, "SEQ_CLS"),
    )


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"Cannot read the samples {path}: {error.strerror}") from None


def _format(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _value_or_none(measure: Callable[[], float]) -> float | None:
    """Return None if the held-out problems do not allow the measure."""
    try:
        return measure()
    except ValueError:
        return None
