"""Supervised fine-tuning on a release: the loss is on the answers, and that is checked.

In: an `SFT` recipe. Out: a model's folder with its record and card. TRL's SFTTrainer does the
work on rows that are tokens already, so that what was counted is what is trained.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from curator.core.errors import CuratorError
from trainers.models import adapters, dtype, load_causal, load_tokenizer
from trainers.recipe import SFT
from trainers.release import read_release
from trainers.run import Say, arguments, finish, finished, start, train
from trainers.tokenize import Counts, Row, encode

IGNORED = -100
"""Label of a token without loss, as torch has it."""
LOOKED_AT = 16
"""Rows whose labels are checked before training, the longest and the shortest among them."""


def train_sft(recipe: SFT, say: Say) -> dict[str, Any]:
    """Trains, or goes on where it was stopped; returns the record of the finished training.

    Raises UsageError for a release, a model or a folder that does not fit, CuratorError if a
    prompt's token would carry loss or an answer's would not.
    """
    release = read_release(Path(recipe.release))
    if record := finished(recipe, release.run_record()):
        say(f"{recipe.folder / 'model'} is complete; nothing to do")
        return record
    from trl import SFTConfig, SFTTrainer

    tokenizer = load_tokenizer(recipe.model, recipe.revision)
    rows, counts = encode(
        release.examples, tokenizer, recipe.template, recipe.max_length, recipe.truncate
    )
    for line in told(counts):
        say(line)
    run = start(recipe, release.run_record(), say)
    run.record["tokens"] = {**asdict(counts), "shares": counts.shares()}
    options = SFTConfig(
        **arguments(recipe),
        max_length=None,
        packing=False,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    trainer = SFTTrainer(
        model=load_causal(recipe.model, recipe.revision, dtype(recipe)),
        args=options,
        train_dataset=dataset(rows),
        processing_class=tokenizer,
        peft_config=adapters(recipe),
    )
    check_labels(trainer, rows)
    train(run, trainer)
    finish(run, trainer, tokenizer)
    return run.record


def told(counts: Counts) -> list[str]:
    """What was counted, for people, before anything is trained."""
    lines = [
        f"{counts.rows:,} rows: {counts.answer_tokens:,} answer tokens carry loss, "
        f"{counts.prompt_tokens:,} prompt tokens do not; the longest row has {counts.longest:,}"
    ]
    if counts.cut or counts.left_out:
        lines.append(
            f"{counts.cut:,} answers are cut and {counts.left_out:,} rows left out by max_length"
        )
    shares = counts.shares()
    if len(shares) > 1 or "" not in shares:
        lines += [f"{share:6.1%} of the answer tokens: {name}" for name, share in shares.items()]
    return lines


def dataset(rows: Sequence[Row]) -> Any:
    """The rows as a dataset of ids and labels."""
    import numpy as np
    from datasets import Dataset

    ids = [np.array(row.prompt + row.answer, dtype=np.int32) for row in rows]
    labels = [_labels(row) for row in rows]
    return Dataset.from_dict({"input_ids": ids, "labels": labels})


def _labels(row: Row) -> Any:
    import numpy as np

    return np.array([IGNORED] * len(row.prompt) + list(row.answer), dtype=np.int32)


def check_labels(trainer: Any, rows: Sequence[Row]) -> None:
    """Looks at a batch as it goes into the model: loss on every answer token and on no other.

    Raises CuratorError otherwise. It covers what the trainer's dataset and collator make of some
    rows, the longest and the shortest among them; not what a model does with labels.
    """
    order = sorted(range(len(rows)), key=lambda place: len(rows[place].prompt + rows[place].answer))
    step = max(1, len(order) // (LOOKED_AT - 1))
    places = list(dict.fromkeys([*order[::step], order[-1]]))
    batch = trainer.data_collator([trainer.train_dataset[place] for place in places])
    for number, place in enumerate(places):
        prompt, answer = list(rows[place].prompt), list(rows[place].answer)
        labels, ids = batch["labels"][number].tolist(), batch["input_ids"][number].tolist()
        rest = len(labels) - len(prompt) - len(answer)
        if ids[: len(prompt) + len(answer)] != prompt + answer:
            raise CuratorError(f"Row {place + 1} is not what was counted; the trainer changed it")
        if labels != [IGNORED] * len(prompt) + answer + [IGNORED] * rest:
            raise CuratorError(
                f"Row {place + 1}: expected loss on its {len(answer)} answer tokens alone, saw it "
                f"on {sum(label != IGNORED for label in labels)}; not training"
            )
