"""The command `curator train`."""

import os
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from curator.cli.app import app, show_json
from curator.cli.options import JsonOption
from curator.cli.tables import print_table
from curator.cli.terminal import print_line
from curator.core.errors import UsageError

if TYPE_CHECKING:
    from trainers.preflight import Preflight
    from trainers.trial import Trial

What = Literal["sft", "verifier", "dpo", "kto", "grpo", "multitask", "preflight"]


WhatArgument = Annotated[
    What,
    typer.Argument(
        metavar="KIND",
        help="sft, verifier, dpo, kto, grpo or multitask, as in the recipe; or preflight, which "
        "trains nothing and shows the device, the memory estimate and what is missing.",
        show_choices=False,
    ),
]


@app.command(epilog="Example: curator train sft small-cpu --release rows.jsonl --model ./model")
def train(
    what: WhatArgument,
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE", help="A training recipe file, or the name of a shipped one."
        ),
    ],
    release: Annotated[
        str | None,
        typer.Option(
            "--release",
            metavar="PATH|ORG/NAME@REV",
            help="Release to train on: a file, a folder, or a dataset on the Hub at a tag, branch "
            "or commit.",
        ),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option(
            "--samples",
            metavar="FILE",
            help="Samples, or an export of attempts, to train a verifier on.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="MODEL", help="Base model: a folder or a Hub id."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="DIR", help="Folder of the run.")
    ] = None,
    try_steps: Annotated[
        bool,
        typer.Option(
            "--try",
            help="With preflight: train for three steps in a folder that is deleted, and report "
            "memory, speed and the estimated duration.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Train a model on a release.

    Options override keys of the training recipe. Rerun the command to resume a training that was
    stopped.
    """
    from trainers.preflight import preflight
    from trainers.recipe import load_training

    given = {"release": release, "samples": samples, "model": model, "output": output}
    loaded = load_training(recipe, {key: str(value) for key, value in given.items() if value})
    if try_steps and what != "preflight":
        raise UsageError(f"--try belongs to preflight. Run: curator train preflight {recipe} --try")
    checks = preflight(loaded, measure=what == "preflight")
    if what == "preflight":
        if try_steps:
            checks = _try(loaded, checks)
        if _is_first_process():
            show_json(checks) if as_json else _print_preflight(checks)
        return
    if what != loaded.train:
        raise UsageError(
            f"{recipe} trains {loaded.train}. Run: curator train {loaded.train} {recipe}"
        )
    _check_complete(checks)
    for one in checks:
        for line in one.notes:
            _note(f"{one.name}: {line}")
    record = _train(loaded)
    if not _is_first_process():
        return
    if as_json:
        show_json(record)
    else:
        print_line(f"Wrote the model, its record and its card to {loaded.folder}")


def _check_complete(checks: "list[Preflight]") -> None:
    """Raise UsageError if a training lacks something or needs several processes."""
    missing = [f"{one.name} needs {line}" for one in checks for line in one.missing]
    missing += [f"{one.name} shards over GPUs. Run: {one.launch}" for one in checks if one.launch]
    if missing:
        raise UsageError("\n".join(dict.fromkeys(missing)))


def _try(recipe: Any, checks: "list[Preflight]") -> "list[Preflight]":
    """Return the checks with a trial of each training; stages start from the first model."""
    from dataclasses import replace

    from trainers.recipe import Multitask
    from trainers.trial import try_training

    _check_complete(checks)
    runs = recipe.runs() if isinstance(recipe, Multitask) else [recipe]
    return [
        replace(
            one,
            trial=try_training(
                run.model_copy(update={"model": recipe.model, "revision": recipe.revision}), _note
            ),
        )
        for run, one in zip(runs, checks, strict=True)
    ]


def _train(recipe: Any) -> Any:
    from trainers.kinds import TRAINERS
    from trainers.multitask import train_multitask
    from trainers.recipe import Multitask

    if isinstance(recipe, Multitask):
        return train_multitask(recipe, _note)
    return TRAINERS[recipe.train](recipe, _note)


def _note(line: str) -> None:
    if _is_first_process():
        print_line(line, error=True)


def _is_first_process() -> bool:
    """Return whether this is the one of several launched processes that prints."""
    return os.environ.get("RANK", "0") == "0"


def _print_preflight(checks: "list[Preflight]") -> None:
    """Print one table per training, then the formula of the memory estimate."""
    from trainers.estimate import FORMULA

    for one in checks:
        size = f"{one.parameters:,} (from {one.size_from})" if one.parameters else "unknown"
        processes = "1 process" if one.processes == 1 else f"{one.processes} processes"
        rows: list[tuple[str, object]] = [
            ("trains", f"{one.train} from {one.model}"),
            ("runs on", f"{one.device}; the estimate is for {processes}"),
            ("precision", f"{one.precision}, sharding {one.sharding}"),
            ("parameters", f"{size}; {one.trained:,} trained"),
            *((f"GiB of {what}", f"{gib:,.2f}") for what, gib in one.memory.items()),
            ("GiB in total", f"{sum(one.memory.values()):,.2f} per process{_available(one.has)}"),
            ("micro_batch", f"{one.micro_batch}; {one.largest_micro_batch} would fit"),
            ("GiB of host memory", f"{one.host:,.2f} per machine{_available(one.host_has)}"),
            ("GiB of disk", f"{one.disk:,.2f}{_available(one.disk_has)}"),
            *([("useful share", one.shares.describe())] if one.shares else []),
            *(_trial_rows(one.trial) if one.trial else []),
            *(("missing", line) for line in one.missing),
            *(("note", line) for line in one.notes),
            *([("launch with", one.launch)] if one.launch else []),
        ]
        print_table((one.name, ""), rows, whole=(one.name,))
        print_line()
    for line in wrap(f"Estimate: {FORMULA}.", 80):
        print_line(line)


def _trial_rows(trial: "Trial") -> list[tuple[str, object]]:
    memory = ", ".join(f"{gib:,.2f}" for gib in trial.memory)
    rows: list[tuple[str, object]] = [
        ("tried: GiB of memory", f"{memory} (peak of each process)"),
        ("tried: seconds per step", f"{trial.step_seconds:,.2f}"),
        ("tried: rows per second", f"{trial.rows_per_second:,.1f}"),
    ]
    if trial.tokens_per_second is not None:
        rows.append(("tried: tokens per second", f"{trial.tokens_per_second:,.0f}"))
    if trial.useful is not None:
        rows.append(("tried: useful share", f"{trial.useful:.1%}"))
    whole = f"{trial.hours:,.2f} for {trial.steps:,} steps on {trial.rows:,} rows"
    return [*rows, ("estimated hours", whole), ("tried: GiB of disk", f"{trial.disk:,.2f}")]


def _available(gib: float) -> str:
    return f"; {gib:,.1f} available" if gib else ""
