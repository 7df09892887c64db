"""Commands that score models: evaluate."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curator.cli.app import Progress, app, show_json
from curator.cli.options import JsonOption, WorkersOption
from curator.cli.tables import table
from curator.errors import UsageError

if TYPE_CHECKING:
    from curator.samples import Sampled
    from trainers.evaluation import Result, Score


@app.command(epilog="Example: curator evaluate samples.jsonl --name mammoth-7b -o mammoth-7b.json")
def evaluate(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE…", help="Files of samples; two results with --compare."),
    ],
    name: Annotated[str, typer.Option("--name", help="Of the model, in tables and plots.")] = "",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the result, to be compared.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Compare two results that were written before.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw curves over the samples: an SVG file.")
    ] = None,
    trained_on: Annotated[
        Path | None,
        typer.Option("--trained-on", help="Release that the model saw: its problems are flagged."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also by field and level, and for every K of Top-K.")
    ] = False,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score samples: Pass@k, votes and re-ranking with intervals, by our rule and MAmmoTH's."""
    if compare:
        _compare(files, as_json)
        return
    from curator.answers import Grader
    from curator.progress import counted
    from curator.samples import read_samples
    from curator.sandbox import Sandbox
    from trainers.data import read_release
    from trainers.evaluation import evaluate as score
    from trainers.grading import grade
    from trainers.overlap import seen
    from trainers.plots import curves

    def problems() -> "Iterator[Sampled]":
        for path in files:
            yield from read_samples(path)

    known = None
    if trained_on:
        release = read_release(trained_on)
        known = seen(problems(), (each.asked[-1].content for each in release.examples))
    with Progress() as progress, Sandbox(workers=workers or 2) as box, Grader() as grader:
        graded = grade(counted(problems(), progress, "grading", None, every=20), box, grader)
        result = score(graded, name or files[0].stem, seen=known)
    if output:
        output.write_text(json.dumps(result.plain(), ensure_ascii=False, allow_nan=False) + "\n")
    if plot:
        try:
            plot.write_text(curves(result))
        except ValueError as error:
            raise UsageError(f"Nothing to plot: {error}") from None
    if as_json:
        show_json(result)
        return
    _print(result, everything)


def _print(result: "Result", everything: bool) -> None:
    from trainers.metrics import RULES

    shown = [
        score
        for score in result.scores
        if everything
        or ("/" not in score.group and score.metric.partition("@")[0] in ("Pass", *RULES))
    ]
    table(
        ("set", "metric", "problems", "score", "95% interval"),
        [(s.group, s.metric, s.problems, f"{s.share:.1%}", _interval(s)) for s in shown],
        ("problems", "score"),
        ("set", "metric", "95% interval"),
    )
    undecided = sum(row["undecided"] for row in result.problems)
    if undecided:
        total = sum(row["samples"] for row in result.problems)
        print(f"{undecided:,} of {total:,} answers could not be compared; they count as wrong.")
    flagged = [row["set"] for row in result.problems if row["seen"]]
    if flagged:
        print(f"{len(flagged):,} problems are in the release; 'unseen' leaves them out.")
    for note in result.notes:
        print(note)


def _interval(score: "Score") -> str:
    return f"{score.low:.1%} to {score.high:.1%}"


def _compare(files: list[Path], as_json: bool) -> None:
    from trainers.evaluation import compare as differ
    from trainers.evaluation import read_result

    if len(files) != 2:
        raise UsageError(f"--compare takes two results, saw {len(files)}")
    one, other = (read_result(path) for path in files)
    found = differ(one, other)
    if as_json:
        show_json({"one": one.name, "other": other.name, "differences": found})
        return
    table(
        ("set", "metric", "problems", one.name, other.name, "difference", "95% interval", "p"),
        [
            (
                row["group"],
                row["metric"],
                row["problems"],
                f"{row['one']:.1%}",
                f"{row['other']:.1%}",
                f"{row['gap']:+.1%}",
                f"{row['low']:+.1%} to {row['high']:+.1%}",
                f"{row['p']:.3f}",
            )
            for row in found
        ],
        ("problems", one.name, other.name, "difference", "p"),
        ("set", "metric", "95% interval"),
    )
