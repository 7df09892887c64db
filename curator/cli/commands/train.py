"""The command `curator train`."""

import os
import sys
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from curator.cli.app import app, show_json
from curator.cli.options import JsonOption
from curator.cli.tables import table
from curator.core.errors import UsageError

if TYPE_CHECKING:
    from trainers.preflight import Preflight

What = Literal["sft", "verifier", "multitask", "preflight"]


@app.command(epilog="Example: curator train sft small-cpu --release rows.jsonl --model ./model")
def train(
    what: Annotated[
        What,
        typer.Argument(
            metavar="WHAT",
            help="sft, verifier or multitask, as the recipe says; or preflight: only say what "
            "would run where, its memory, and what is missing.",
        ),
    ],
    recipe: Annotated[
        str,
        typer.Argument(metavar="RECIPE", help="A training recipe's file, or a shipped one's name."),
    ],
    release: Annotated[
        Path | None, typer.Option("--release", help="File or folder to train on.")
    ] = None,
    samples: Annotated[
        Path | None, typer.Option("--samples", help="Samples to train a verifier on.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Folder or Hub id of the model to start from.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", help="Folder of the run.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Train a model on a release; running it again goes on where it was stopped."""
    from trainers.preflight import preflight
    from trainers.recipe import load_training

    given = {"release": release, "samples": samples, "model": model, "output": output}
    loaded = load_training(recipe, {key: str(value) for key, value in given.items() if value})
    checked = preflight(loaded)
    if what == "preflight":
        if as_json:
            show_json(checked)
        else:
            _print_preflight(checked)
        return
    if what != loaded.train:
        raise UsageError(f"{recipe} trains {loaded.train}; say: curator train {loaded.train}")
    lacking = [f"{one.name} lacks {line}" for one in checked for line in one.missing]
    lacking += [f"{one.name} shards over GPUs: {one.launch}" for one in checked if one.launch]
    if lacking:
        raise UsageError("\n".join(dict.fromkeys(lacking)))
    for one in checked:
        for line in one.notes:
            _say(f"{one.name}: {line}")
    record = _train(loaded)
    if not _first():
        return
    if as_json:
        show_json(record)
    else:
        print(f"The model is in {loaded.folder}, with its record and card beside it")


def _train(recipe: Any) -> Any:
    from trainers.multitask import train_multitask
    from trainers.recipe import SFT, Verifier
    from trainers.sft import train_sft
    from trainers.verifier import train_verifier

    match recipe:
        case SFT():
            return train_sft(recipe, _say)
        case Verifier():
            return train_verifier(recipe, _say)
    return train_multitask(recipe, _say)


def _say(line: str) -> None:
    if _first():
        print(line, file=sys.stderr)


def _first() -> bool:
    """Whether this is the one of several launched processes that speaks."""
    return os.environ.get("RANK", "0") == "0"


def _print_preflight(checked: "list[Preflight]") -> None:
    """A table a training, then what is missing and how to start it."""
    from trainers.preflight import FORMULA

    for one in checked:
        size = f"{one.parameters:,} by {one.size_from}" if one.parameters else "unknown"
        rows: list[tuple[str, object]] = [
            ("trains", f"{one.train} from {one.model}"),
            ("runs on", f"{one.device}; the estimate is for {one.processes} processes"),
            ("precision", f"{one.precision}, sharding {one.sharding}"),
            ("parameters", f"{size}; {one.trained:,} trained"),
            *((f"GiB of {what}", f"{gib:,.2f}") for what, gib in one.memory.items()),
            ("GiB in all", f"{sum(one.memory.values()):,.2f} a process{_there(one.has)}"),
            *(("missing", line) for line in one.missing),
            *(("note", line) for line in one.notes),
            *([("start it by", one.launch)] if one.launch else []),
        ]
        table((one.name, ""), rows, whole=(one.name,))
        print()
    for line in wrap(f"Estimated by: {FORMULA}.", 80):
        print(line)


def _there(gib: float) -> str:
    return f"; {gib:,.1f} are there" if gib else ""
