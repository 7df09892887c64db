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
from curator.cli.tables import format_cell, print_table, print_wrapped
from curator.cli.terminal import print_line
from curator.core.words import counted

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
    """Show what a build would run, without running it.

    Lists the next stage of every subset, what waits for a missing source or teacher, the
    teacher's calls with their cost, and the expected number of rows.
    """
    from curator.pipeline.plan import plan as make_plan
    from curator.recipe.load import load_recipe
    from datastore.store import Store, is_new

    loaded = load_recipe(recipe)
    with ExitStack() as stack:
        new = is_new(store)
        folder = Path(stack.enter_context(TemporaryDirectory())) if new else store
        opened = stack.enter_context(Store(folder, readonly=not new))
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
    print_table(head, rows, right=("available", "rows"), whole=("subset", "state"))
    if not all(step.exact for step in made.steps):
        print_wrapped(
            "≤ marks a maximum: checks and screens that have not run yet will reject some rows."
        )
    _print_calls(made)
    for line in (*made.missing, *made.notes):
        print_wrapped(line)
    for line in filter(None, (made.teacher, *made.models)):
        print_wrapped(line)


def _print_calls(made: "Plan") -> None:
    """Print the calls of the teacher, and the rows that an edit makes again."""
    estimates = [(step.subset, step.calls) for step in made.steps if step.calls]
    estimates += [(f"{screen}: texts", calls) for screen, calls in made.embeddings.items()]
    if estimates:
        rows: list[tuple[object, ...]] = [
            (
                subset,
                calls.cached,
                calls.least if calls.least == calls.most else f"{calls.least:,}–{calls.most:,}",
                calls.prompt_tokens,
                calls.answer_tokens,
                f"{calls.money:,.2f}",
            )
            for subset, calls in estimates
        ]
        calls_of_all = [calls for _, calls in estimates]
        sums = [sum(getattr(calls, key) for calls in calls_of_all) for key in _SUMMED]
        cached, least, most, prompt, answer, money = sums
        missing = least if least == most else f"{least:,}–{most:,}"
        rows.append(("all", cached, missing, prompt, answer, f"{money:,.2f}"))
        print_line()
        head = (
            "teacher" if made.teacher else "embeddings",
            "cached",
            "missing",
            "prompt tokens",
            "reply tokens",
            "money",
        )
        print_table(head, rows, right=head[1:], whole=head[:1])
        if any(calls.most and not calls.prompt_tokens for calls in made.embeddings.values()):
            print_wrapped(
                "Texts to embed are counted, with their tokens and cost, once all subsets are "
                "built; until then the number is a maximum."
            )
        if repairs := sum(calls.repairs for calls in calls_of_all):
            print_line(f"Repairs can add up to {counted(repairs, 'call')}.")
    again = [
        (step.subset, step.again, ", ".join(step.because)) for step in made.steps if step.again
    ]
    if again:
        print_line()
        rows = [(name, count, why or "upstream or the code") for name, count, why in again]
        print_table(("rerun", "rows", "because of"), rows, right=("rows",), whole=("rerun",))


_SUMMED = ("cached", "least", "most", "prompt_tokens", "answer_tokens", "money")


def _bound(step: "Step") -> str:
    """Return the maximum number of rows; "?" if the size of the source is not known."""
    if step.exact or step.state == "waits":
        return format_cell(step.at_most)
    return f"≤ {step.at_most:,}" if step.known else "?"
