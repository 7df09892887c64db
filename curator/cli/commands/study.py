"""The command `curator study`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curator.cli.app import app, show_json, show_progress
from curator.cli.options import (
    DEFAULT_STORE,
    AnswerOption,
    BaseModelOption,
    HowOption,
    JsonOption,
    LimitOption,
    ServerOption,
    SetsOption,
    StoreOption,
    TrainingOption,
    run_options,
)
from curator.cli.tables import print_table
from curator.cli.terminal import print_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curator.cli.study import MixtureResult
    from curator.pipeline.run_options import RunOptions


STUDY = Path("runs/study")


@app.command(epilog="Example: curator study ablations --training mammoth-7b --sets gsm8k,math")
@run_options("mirror", "allow_missing")
def study(
    recipes: Annotated[
        str,
        typer.Argument(
            metavar="RECIPES", help="A folder with recipes, or 'ablations' for the shipped ones."
        ),
    ],
    options: "RunOptions",
    training: TrainingOption = "small-cpu",
    model: BaseModelOption = "",
    sets: SetsOption = "gsm8k",
    how: HowOption = "hybrid",
    limit: LimitOption = None,
    max_answer: AnswerOption = 1024,
    server: ServerOption = "",
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="DIR", help="Folder for all files of the study."),
    ] = STUDY,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Train and evaluate a model on each of several mixtures.

    Rerun the command to resume a study that was stopped.
    """
    from curator.cli.model_steps import model_server
    from curator.cli.study import StudyRequest, recipes_in
    from curator.cli.study import study as run_study
    from curator.pipeline.sample import SampleRequest
    from trainers.evaluation.plots import plot_side_by_side

    request = StudyRequest(
        recipes_in(recipes),
        training,
        SampleRequest(tuple(sets.split(",")), how=how, limit=limit),
        parameters={"temperature": 0.0, "max_tokens": max_answer},
        overrides={"model": model} if model else {},
    )
    with show_progress(options) as options:
        results = run_study(request, output, store, model_server(server), options)
    plot = output / "pass-at-1.svg"
    plot.write_text(plot_side_by_side([one.result for one in results], "Pass@1"), "utf-8")
    if as_json:
        show_json(results)
        return
    _print(results, sets.split(","))
    print_line(f"Confidence intervals are in {plot} and in the result files beside it.")


def _print(results: "Sequence[MixtureResult]", groups: list[str]) -> None:
    """Print Pass@1 per mixture and evaluation set."""
    rows: list[tuple[object, ...]] = []
    for one in results:
        shares = {s.group: s.share for s in one.result.scores if s.metric == "Pass@1"}
        scores = [shares.get(group, 0.0) for group in groups]
        cells = [f"{100 * share:.1f}" for share in (*scores, sum(scores) / len(scores))]
        rows.append((one.recipe, one.rows, *cells))
    print_table(("recipe", "rows", *groups, "mean"), rows, ("rows", *groups, "mean"), ("recipe",))
