"""Training a verifier: cross-entropy on a word, a margin between log-scores, or pairwise reward.

In: a `Verifier` recipe, graded samples. Out: a model's folder with its record and card, measured on
problems that were held out. The losses are those of Liu et al. 2023 (arXiv:2310.10047) and TRL's.
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import asdict
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np

from curator.answers import Grader
from curator.core.errors import UsageError
from curator.core.samples import read_samples
from curator.sandbox import Sandbox
from trainers.apply_verifier import Scorer, prompts, verdict_tokens
from trainers.evaluation.calibration import auc, calibration_error, pair_accuracy, reliability
from trainers.evaluation.grade import grade
from trainers.models import adapters, dtype, load_causal, load_reward, load_tokenizer
from trainers.pairs import Judged, drawn, judged, pairs, split
from trainers.recipe import Verifier
from trainers.run import Say, arguments, finish, finished, start, train
from trainers.sft import IGNORED, check_labels
from trainers.tokenize import Row

WORKERS = 2
"""Processes that run programs while samples are graded."""

TOLD = ("auc", "pair_accuracy", "calibration_error")
"""Measures that are told at the end."""

Pair = tuple[Row, Row]
"""A right and a wrong solution of one problem."""


def train_verifier(recipe: Verifier, say: Say) -> dict[str, Any]:
    """Trains, or goes on where it was stopped; returns the record of the finished training.

    Raises UsageError for samples, a model or a folder that does not fit.
    """
    path = Path(recipe.samples)
    data = {"sha256": _digest(path)}
    if record := finished(recipe, data):
        say(f"{recipe.folder / 'model'} is complete; nothing to do")
        return record
    with Sandbox(workers=WORKERS) as box, Grader() as grader:
        problems = judged(grade(read_samples(path), box, grader))
    trained, held_out = split(problems, recipe.held_out, recipe.seed)
    tokenizer = load_tokenizer(recipe.model, recipe.revision)
    rows, too_long = _rows(tokenizer, trained, recipe)
    run = start(recipe, data, say)
    run.record["examples"] = {
        "problems": len(trained),
        "held_out_problems": len(held_out),
        "pairs": len(rows),
        "left_out_for_length": too_long,
    }
    say(
        f"{len(rows):,} right and as many wrong solutions of {len(trained):,} problems; "
        f"{len(held_out):,} problems held out; {too_long:,} pairs too long for max_length"
    )
    trainer = (_rewarding if recipe.loss == "pairwise" else _wording)(recipe, tokenizer, rows)
    train(run, trainer)
    finish(run, trainer, tokenizer, lambda folder: measures(folder, recipe, held_out))
    # Only the process that writes measures.
    if found := run.record.get("measures"):
        say(f"held out: {', '.join(f'{name} {_shown(found[name])}' for name in TOLD)}")
    return run.record


def measures(folder: Path, recipe: Verifier, held_out: Sequence[Judged]) -> dict[str, Any]:
    """AUC, accuracy on pairs within problems and calibration, on at most `per_problem` solutions
    of each held-out problem, right and wrong ones as they come."""
    scorer = Scorer(folder, recipe.loss, recipe.max_length)
    parts = []
    for each in held_out:
        texts = drawn([*each.right, *each.wrong], recipe.per_problem, recipe.seed)
        scores = scorer.scores([(each.question, text) for text in texts])
        known = set(each.right)
        parts.append((np.array(scores), np.array([text in known for text in texts], np.bool_)))
    scores_, right = (np.concatenate(side) for side in zip(*parts, strict=True))
    bins = reliability(scores_, right)
    return {
        "problems": len(parts),
        "solutions": len(right),
        "right": float(right.mean()),
        "auc": _or_none(lambda: auc(scores_, right)),
        "pair_accuracy": _or_none(lambda: pair_accuracy(parts)),
        "calibration_error": calibration_error(bins),
        "bins": [asdict(each) for each in bins],
        "too_long": scorer.too_long,
    }


def margin_loss(correct: Any, incorrect: Any, margin: float) -> Any:
    """The sum over pairs of max(0, log S(wrong) - log S(right) + margin).

    In: logits of the words correct and incorrect, a place a solution, right ones at even places
    and each one's wrong one behind it. S = p(correct) / (p(correct) + p(incorrect)).
    """
    import torch

    log_scores = torch.nn.functional.logsigmoid(correct - incorrect)
    return torch.relu(log_scores[1::2] - log_scores[0::2] + margin).sum()


def _rows(tokenizer: Any, problems: Sequence[Judged], recipe: Verifier) -> tuple[list[Pair], int]:
    """Pairs as tokens, each with its verdict as the answer, and how many were too long."""
    chosen = pairs(problems, recipe.per_problem, recipe.seed)
    right = prompts(tokenizer, [(asked, one) for asked, one, _ in chosen])
    wrong = prompts(tokenizer, [(asked, other) for asked, _, other in chosen])
    words = (0, 0) if recipe.loss == "pairwise" else verdict_tokens(tokenizer)
    found = [
        (Row(array("i", one), array("i", words[:1])), Row(array("i", other), array("i", words[1:])))
        for one, other in zip(right, wrong, strict=True)
        if max(len(one), len(other)) < recipe.max_length
    ]
    if not found:
        raise UsageError(f"Every pair is longer than max_length {recipe.max_length:,} tokens")
    return found, len(chosen) - len(found)


def _wording(recipe: Verifier, tokenizer: Any, rows: Sequence[Pair]) -> Any:
    """A trainer of the next word: cross-entropy over solutions, or margins over pairs."""
    from transformers import Trainer, TrainingArguments

    words = verdict_tokens(tokenizer)
    model = load_causal(recipe.model, recipe.revision, dtype(recipe))
    if (config := adapters(recipe)) is not None:
        from peft import get_peft_model

        model = get_peft_model(model, config)
        model.enable_input_require_grads()
    examples: list[tuple[Row, ...]] = (
        list(rows) if recipe.loss == "margin" else [(row,) for pair in rows for row in pair]
    )

    def collate(batch: Sequence[tuple[Row, ...]]) -> dict[str, Any]:
        return padded([row for example in batch for row in example], tokenizer.pad_token_id)

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
        args=TrainingArguments(**arguments(recipe), remove_unused_columns=False),
        train_dataset=examples,
        data_collator=collate,
        compute_loss_func=loss,
    )
    if recipe.loss == "cross-entropy":
        check_labels(trainer, [row for pair in rows for row in pair])
    return trainer


def padded(rows: Sequence[Row], pad: int) -> dict[str, Any]:
    """Rows as one batch: ids, mask, and labels that are the verdicts alone."""
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


def _rewarding(recipe: Verifier, tokenizer: Any, rows: Sequence[Pair]) -> Any:
    """TRL's trainer of a reward head: -log sigmoid(r(right) - r(wrong))."""
    from datasets import Dataset
    from transformers import set_seed
    from trl import RewardConfig, RewardTrainer

    def ids(side: int) -> list[list[int]]:
        return [list(pair[side].prompt) for pair in rows]

    set_seed(recipe.seed)  # the head is new
    model = load_reward(recipe.model, recipe.revision, dtype(recipe))
    model.config.pad_token_id = tokenizer.pad_token_id
    return RewardTrainer(
        model=model,
        args=RewardConfig(**arguments(recipe), max_length=None),
        train_dataset=Dataset.from_dict({"chosen_ids": ids(0), "rejected_ids": ids(1)}),
        processing_class=tokenizer,
        peft_config=adapters(recipe, "SEQ_CLS"),
    )


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"Cannot read samples at {path}: {error.strerror}") from None


def _shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _or_none(measure: Callable[[], float]) -> float | None:
    """None where the held-out problems cannot tell."""
    try:
        return measure()
    except ValueError:
        return None
