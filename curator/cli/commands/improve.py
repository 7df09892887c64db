"""The command `curator improve`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curator.cli.app import app, show_json, show_progress
from curator.cli.options import (
    DEFAULT_STORE,
    AnswerOption,
    BaseModelOption,
    HowOption,
    JsonOption,
    LimitOption,
    RecipeArgument,
    ServerOption,
    SetsOption,
    StoreOption,
    TrainingOption,
    run_options,
)
from curator.cli.tables import print_table, print_wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curator.cli.improve import Round
    from curator.pipeline.run_options import RunOptions
    from trainers.evaluation.evaluate import Score
    from trainers.evaluation.metrics import Interval


FOLDER = Path("runs/improve")
NONE = "·"


@app.command(epilog="Example: curator improve mine.yaml --model FOLDER --rounds 2 --sets gsm8k")
@run_options("mirror", "allow_missing", "workers", "unsafe_local")
def improve(
    recipe: RecipeArgument,
    options: "RunOptions",
    training: TrainingOption = "small-cpu",
    model: BaseModelOption = "",
    rounds: Annotated[
        int, typer.Option("--rounds", metavar="N", min=1, max=100, help="Number of rounds.")
    ] = 1,
    sets: SetsOption = "gsm8k",
    n: Annotated[
        int, typer.Option("-n", metavar="N", min=1, help="Samples per evaluation problem.")
    ] = 1,
    how: HowOption = "hybrid",
    limit: LimitOption = None,
    max_answer: AnswerOption = 1024,
    server: ServerOption = "",
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="DIR", help="Folder for models and results."),
    ] = FOLDER,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Train a model on its own proved solutions, in rounds.

    This is rejection sampling (RFT, STaR, expert iteration).

    Each round builds RECIPE with the newest model as its teacher into a version, trains the base
    model on that version, and evaluates it. Rerun the command to resume, or with a larger --rounds
    to add rounds.
    """
    from curator.cli.improve import ImproveRequest, compare_rounds
    from curator.cli.improve import improve as run_rounds
    from curator.cli.model_steps import model_server
    from curator.pipeline.sample import SampleRequest, sampling_parameters

    request = ImproveRequest(
        recipe,
        training,
        SampleRequest(tuple(sets.split(",")), n, how, limit=limit),
        rounds,
        parameters=sampling_parameters(n, None, 0.95, max_answer),
        overrides={"model": model} if model else {},
    )
    with show_progress(options) as options:
        done = run_rounds(request, output, store, model_server(server), options)
    differences = compare_rounds(done)
    if as_json:
        show_json({"rounds": [_plain(each) for each in done], "differences": differences})
        return
    _print(done)
    for each in differences:
        print_wrapped(describe_difference(each))


def _scores(one: "Round") -> "dict[str, Score]":
    """Return the score of each evaluation set."""
    from curator.cli.improve import METRIC

    sets = one.result.sets()
    return {
        each.group: each
        for each in one.result.scores
        if each.metric == METRIC and each.group in sets
    }


def _plain(one: "Round") -> dict[str, Any]:
    """Return a round without the values of each problem, which are in its file."""
    values = {key: getattr(one, key) for key in ("model", "version", "rows", "file")}
    rate = asdict(one.solve_rate) if one.solve_rate else None
    scores = list(_scores(one).values())
    return {"round": one.number, **values, "solve_rate": rate, "scores": scores}


def _print(rounds: "Sequence[Round]") -> None:
    """Print one row per model: its training data, solve rate and scores with intervals."""
    sets = list(_scores(rounds[0]))
    rows: list[tuple[object, ...]] = [
        (
            one.number or "base",
            one.version or NONE,
            one.rows,
            _percent(one.solve_rate),
            *(_percent(_scores(one).get(name)) for name in sets),
        )
        for one in rounds
    ]
    print_table(
        ("round", "trained on", "rows", "solve rate", *sets),
        rows,
        ("rows",),
        ("round", "trained on"),
    )
    print_wrapped(
        "In percent, with 95% intervals: the solve rate on the recipe's problems, and "
        "Pass@1 on the evaluation sets."
    )


def _percent(score: "Score | Interval | None") -> str:
    if score is None:
        return NONE
    return f"{100 * score.share:.1f} ({100 * score.low:.1f} to {100 * score.high:.1f})"


def describe_difference(difference: dict[str, Any]) -> str:
    """Return one sentence about a round and the one before."""
    from curator.cli.improve import round_name
    from trainers.evaluation.metrics import format_p

    number, gap, low, high = (difference[key] for key in ("round", "gap", "low", "high"))
    if low > 0:
        relation = "better than"
    else:
        relation = "worse than" if high < 0 else "not significantly better than"
    return (
        f"{difference['group']}: round {number} is {relation} {round_name(number - 1)}: "
        f"{gap:+.1%} (95% interval {low:+.1%} to {high:+.1%}, p {format_p(difference['p'])})."
    )
