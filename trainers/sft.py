"""Supervised fine-tuning on a release, with a check that only answers carry loss.

In: an `SFT` recipe. Out: the model's folder with record and card. TRL's SFTTrainer gets rows that
are already tokenized, so that it trains on exactly the tokens that were counted.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from curator.core.errors import CuratorError
from curator.core.words import counted, verb
from trainers.encoded import load_encoded, read_lengths, read_row
from trainers.exclusive import exclusive
from trainers.models import load_causal, load_tokenizer, loading_options, lora_config, stop_at
from trainers.packing import check_packing
from trainers.recipe import SFT
from trainers.release import read_release
from trainers.run import (
    Log,
    check_start,
    divide_batches,
    load_finished,
    save_run,
    start_run,
    train,
    training_arguments,
)
from trainers.tokenize import IGNORED, Counts, Row, set_template

CHECKED_ROWS = 16
"""Number of rows whose labels are checked before training, including the longest and shortest."""


@exclusive
def train_sft(recipe: SFT, log: Log) -> dict[str, Any]:
    """Train, or resume where a previous run stopped; return the record of the training.

    Raises UsageError if the release, the model or the folder is unsuitable, and CuratorError if a
    token of a prompt would carry loss or a token of an answer would not.
    """
    release = read_release(Path(recipe.release))
    if record := load_finished(recipe, release.run_record()):
        log(f"{recipe.folder / 'model'} is complete; nothing to do")
        return record
    from trl import SFTConfig, SFTTrainer

    tokenizer = load_tokenizer(recipe.model, recipe.revision)
    end = set_template(tokenizer, recipe.template)
    check_start(recipe, release.run_record())
    rows, counts = load_encoded(recipe, release, tokenizer, log)
    for line in describe_counts(counts):
        log(line)
    run = start_run(recipe, release.run_record(), log)
    if release.hub:
        run.record["hub"] = release.hub.run_record()
    run.record["tokens"] = {**asdict(counts), "shares": counts.shares()}
    options = SFTConfig(
        **training_arguments(recipe),
        max_length=None,
        packing=False,
        padding_free=recipe.speed.packing,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    trainer = SFTTrainer(
        model=load_causal(recipe.model, recipe.revision, **loading_options(recipe)),
        args=options,
        train_dataset=rows.select_columns(["input_ids", "labels"]),
        processing_class=tokenizer,
        peft_config=lora_config(recipe),
    )
    lengths = read_lengths(rows)
    check_labels(trainer, lengths, lambda place: read_row(rows, place))
    if recipe.speed.packing:
        check_packing(trainer, [read_row(rows, place) for place in range(min(2, len(rows)))])
    # A model that takes no number of tokens averages each micro-batch by itself.
    divide_batches(run, trainer, lengths, lengths, uneven=trainer.model_accepts_loss_kwargs)
    train(run, trainer)
    stop_at(trainer.model, end)
    save_run(run, trainer, tokenizer)
    return run.record


def describe_counts(counts: Counts) -> list[str]:
    """Return the counts as lines of text."""
    lines = [
        f"{counted(counts.rows, 'row')}: {counted(counts.answer_tokens, 'answer token')} "
        f"{verb(counts.answer_tokens, 'carries', 'carry')} loss, "
        f"{counts.prompt_tokens:,} prompt tokens do not; the longest row has {counts.longest:,}"
    ]
    if counts.cut or counts.left_out:
        lines.append(
            f"max_length cuts {counted(counts.cut, 'answer')} and excludes "
            f"{counted(counts.left_out, 'row')}"
        )
    shares = counts.shares()
    if len(shares) > 1 or "" not in shares:
        lines += [f"{share:6.1%} of the answer tokens: {name}" for name, share in shares.items()]
    return lines


def check_labels(trainer: Any, lengths: Sequence[int], read: Callable[[int], Row]) -> None:
    """Check on a collated batch that every answer token carries loss, and no other token.

    `lengths` are the tokens of each row, which `read` returns by its number. Raises CuratorError
    otherwise. The check covers the trainer's dataset and collator for a sample of rows, including
    the longest and the shortest; not how the model uses the labels.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    step = max(1, len(order) // (CHECKED_ROWS - 1))
    places = list(dict.fromkeys([*order[::step], order[-1]]))
    batch = trainer.data_collator([trainer.train_dataset[place] for place in places])
    columns = [batch["labels"], batch["input_ids"]]
    if "position_ids" in batch:  # packed
        columns = [each[0].split([lengths[place] for place in places]) for each in columns]
    for place, *tensors in zip(places, *columns, strict=True):
        row = read(place)
        prompt, answer = list(row.prompt), list(row.answer)
        labels, ids = (tensor.tolist() for tensor in tensors)
        rest = len(labels) - len(prompt) - len(answer)
        if ids[: len(prompt) + len(answer)] != prompt + answer:
            raise CuratorError(
                f"Row {place + 1}: the trainer changed its tokens, expected the counted ones"
            )
        expected, count = row.label_answer(), row.count_loss()
        if labels != [IGNORED] * len(prompt) + expected + [IGNORED] * rest:
            raise CuratorError(
                f"Row {place + 1}: expected loss on its {count} answer tokens only, saw it "
                f"on {sum(label != IGNORED for label in labels)} tokens. Training was not started."
            )
