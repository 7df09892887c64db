"""The command `curator plan`."""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from curator.cli.app import app, show_json
from curator.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    RecipeArgument,
    StoreOption,
    run_options,
)
from curator.cli.tables import number, table

if TYPE_CHECKING:
    from curator.pipeline.plan import Plan, Step
    from curator.pipeline.run_options import RunOptions


@app.command(epilog="Example: curator plan mathinstruct --mirror data")
@run_options("mirror")
def plan(
    recipe: RecipeArgument,
    options: "RunOptions",
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Say what a build would run, what waits, and how many rows would result."""
    from curator.pipeline.plan import plan as make_plan
    from curator.recipe.load import load_recipe
    from datastore.store import Store

    loaded = load_recipe(recipe)
    with ExitStack() as stack:
        folder = store if store.is_dir() else Path(stack.enter_context(TemporaryDirectory()))
        opened = stack.enter_context(Store(folder, readonly=store.is_dir()))
        made = make_plan(loaded, opened, options)
    if as_json:
        show_json(made)
        return
    rows: list[tuple[object, ...]] = [
        (step.subset, step.state, step.next or "–", _bound(step), step.rows) for step in made.steps
    ]
    total = sum(step.rows for step in made.steps)
    rows.append(("all", "", ", ".join(made.whole) or "–", "", total))
    head = ("subset", "state", "next", "available", "rows")
    table(head, rows, right=("available", "rows"), whole=("subset", "state"))
    if not all(step.exact for step in made.steps):
        print("≤ what is known so far: checks and screens not yet run will take some away.")
    _print_calls(made)
    for line in (*made.missing, *made.notes):
        print(line)


def _print_calls(made: "Plan") -> None:
    """What the teacher would be asked, and what is made anew because of an edit."""
    asking = [(step.subset, step.calls) for step in made.steps if step.calls]
    if asking:
        rows: list[tuple[object, ...]] = [
            (
                subset,
                calls.cached,
                calls.least if calls.least == calls.most else f"{calls.least:,}–{calls.most:,}",
                calls.prompt_tokens,
                calls.answer_tokens,
                f"{calls.money:,.2f}",
            )
            for subset, calls in asking
        ]
        all_ = [calls for _, calls in asking]
        sums = [sum(getattr(calls, key) for calls in all_) for key in _SUMMED]
        cached, least, most, prompt, answer, money = sums
        missing = least if least == most else f"{least:,}–{most:,}"
        rows.append(("all", cached, missing, prompt, answer, f"{money:,.2f}"))
        print()
        head = ("teacher", "cached", "missing", "tokens asked", "answered", "money")
        table(head, rows, right=head[1:], whole=("teacher",))
        if repairs := sum(calls.repairs for calls in all_):
            print(f"Repairs may add up to {repairs:,} calls.")
    again = [
        (step.subset, step.again, ", ".join(step.because)) for step in made.steps if step.again
    ]
    if again:
        print()
        rows = [(name, count, why or "upstream or the code") for name, count, why in again]
        table(("made again", "rows", "because of"), rows, right=("rows",), whole=("made again",))


_SUMMED = ("cached", "least", "most", "prompt_tokens", "answer_tokens", "money")


def _bound(step: "Step") -> str:
    """How many rows at most; unknown where upstream says no number and nothing was read."""
    if step.exact or step.state == "waits":
        return number(step.at_most)
    return f"≤ {step.at_most:,}" if step.at_most else "?"
