"""The command `curator evaluate`."""

from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curator.cli.app import app, make_parents, show_json, show_progress
from curator.cli.options import (
    DEFAULT_STORE,
    ColumnsOption,
    JsonOption,
    StoreOption,
    refuse_without_effect,
    run_options,
)
from curator.cli.tables import print_table, print_wrapped
from curator.core.errors import UsageError
from curator.core.words import counted, verb

if TYPE_CHECKING:
    from curator.pipeline.run_options import RunOptions
    from trainers.evaluation.evaluate import Result, Score


WRONG = {
    "failed": "samples have no reply, because the call failed, and count as wrong.",
    "truncated": "samples were cut at the maximum number of tokens.",
    "undecided": "answers could not be compared and count as wrong.",
}
"""Counts of a result that are printed unless they are 0."""


@app.command(epilog="Example: curator evaluate samples.jsonl --name mammoth-7b -o mammoth-7b.json")
@run_options("workers", "executor", "unsafe_local")
def evaluate(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Files of samples; with --compare, two results."),
    ],
    options: "RunOptions",
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Name of the model in tables and plots.")
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Output file, for --compare."),
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Compare two results written with --output.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Plot the scores by number of samples (SVG)."),
    ] = None,
    trained_on: Annotated[
        Path | None,
        typer.Option(
            "--trained-on",
            metavar="PATH|ORG/NAME@REV",
            help="Release that the model was trained on, also on the Hub; its problems are "
            "flagged.",
        ),
    ] = None,
    columns: ColumnsOption = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Add scores by field and level, and every K of Top-K.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Score the samples of a model, with confidence intervals.

    Metrics: Pass@k, majority vote and re-ranking. Pass@1 of k samples per problem is avg@k, with
    the standard error of sampling again. Answers are graded by Curator's rules and, for
    comparison, by MAmmoTH's. Votes are averaged over all subsets of samples and all ways to decide
    a tie. Gradings are cached in the store: rerun the command to resume.
    """
    if compare:
        needless = {"name", "output", "plot", "trained_on", "everything", "columns"}
        refuse_without_effect(context, needless, "with --compare")
        _compare(files, as_json)
        return
    from curator.pipeline.grade import grade_in_shards
    from curator.sources import parse_columns
    from curator.sources.sample_files import COLUMNS
    from trainers.evaluation.evaluate import write_result
    from trainers.evaluation.evaluate_files import evaluate_files

    named = parse_columns(columns, COLUMNS)
    make_parents(output, plot)
    with show_progress(options) as options:
        grade = partial(grade_in_shards, store=store, options=options)
        result = evaluate_files(
            files, name or files[0].stem, grade, trained_on=trained_on, columns=named
        )
    if output:
        write_result(result, output)
    if as_json:
        show_json(result)
    else:
        _print(result, everything)
    if plot:
        _plot(result, plot)


def _plot(result: "Result", file: Path) -> None:
    from trainers.evaluation.plots import plot_curves

    try:
        svg = plot_curves(result)
    except ValueError as error:
        raise UsageError(f"Nothing to plot: {error}") from None
    file.write_text(svg, "utf-8", "replace")


def _print(result: "Result", everything: bool) -> None:
    from trainers.evaluation.evaluate import UNSEEN, metric_name
    from trainers.evaluation.metrics import RULES

    sets = result.sets()
    flagged = Counter(row["set"] for row in result.problems if row["seen"])
    shown = [
        score
        for score in result.scores
        if everything
        or (
            score.group.removesuffix(UNSEEN) in sets
            and score.metric.partition("@")[0] in ("Pass", *RULES)
        )
        if not score.group.endswith(UNSEEN) or flagged[score.group.removesuffix(UNSEEN)]
    ]
    with_errors = any(s.standard_error is not None for s in shown)
    print_table(
        ("set", "metric", "problems", "score", "95% interval", *(["SE"] if with_errors else [])),
        [
            (
                s.group,
                metric_name(s.metric, s.samples),
                s.problems,
                f"{s.share:.1%}",
                _interval(s),
                *([_error(s)] if with_errors else []),
            )
            for s in shown
        ],
        ("problems", "score", *(["SE"] if with_errors else [])),
        ("set", "metric", "95% interval"),
    )
    if with_errors:
        print_wrapped(
            "SE: standard error of avg@k if the same problems were sampled again. Intervals also "
            "cover the choice of the problems."
        )
    counts = Counter[str]()
    for row in result.problems:
        counts.update({key: row[key] for key in ("samples", *WRONG)})
    for key, sentence in WRONG.items():
        if counts[key]:
            print_wrapped(f"{counts[key]:,} of {counts['samples']:,} {sentence}")
    if flagged:
        print_wrapped(
            f"{counted(flagged.total(), 'problem')} {verb(flagged.total(), 'is', 'are')} in "
            f"the release; 'unseen' excludes them."
        )
    for note in result.notes:
        print_wrapped(note)


def _interval(score: "Score") -> str:
    return f"{score.low:.1%} to {score.high:.1%}"


def _error(score: "Score") -> str:
    return "" if score.standard_error is None else f"{score.standard_error:.1%}"


def _compare(files: list[Path], as_json: bool) -> None:
    from trainers.evaluation.evaluate import compare as compare_results
    from trainers.evaluation.evaluate import metric_name, read_result
    from trainers.evaluation.metrics import format_p

    if len(files) != 2:
        raise UsageError(
            f"--compare expects two results, saw {len(files)}. Name two files written by -o."
        )
    one, other = (read_result(path) for path in files)
    differences = compare_results(one, other)
    if not differences:
        raise UsageError(
            f"{files[0]} and {files[1]} cannot be compared: no problem has a metric in both. "
            "Compare results on the same evaluation sets."
        )
    if as_json:
        show_json({"one": one.name, "other": other.name, "differences": differences})
        return
    print_table(
        ("set", "metric", "problems", one.name, other.name, "difference", "95% interval", "p"),
        [
            (
                row["group"],
                metric_name(row["metric"]),
                row["problems"],
                f"{row['one']:.1%}",
                f"{row['other']:.1%}",
                f"{row['gap']:+.1%}",
                f"{row['low']:+.1%} to {row['high']:+.1%}",
                format_p(row["p"]),
            )
            for row in differences
        ],
        ("problems", one.name, other.name, "difference", "p"),
        ("set", "metric", "95% interval"),
    )
