"""Commands that make versions: new, build, cancel, preview, plan, status, schema."""

import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from curator.cli.app import Progress, app, existing, show_json
from curator.cli.options import (
    DEFAULT_STORE,
    CallsOption,
    JsonOption,
    MessageOption,
    MirrorOption,
    MissingOption,
    MoneyOption,
    RecipeArgument,
    StoreOption,
    TokensOption,
    UnsafeOption,
    WorkersOption,
)
from curator.cli.reading import show_manifest
from curator.cli.tables import number, table

if TYPE_CHECKING:
    from curator.plan import Plan, Step


@app.command(epilog="Example: curator new mine --from quickstart")
def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the variant; its file is NAME.yaml.")
    ],
    base: Annotated[str, typer.Option("--from", help="Recipe to extend.")] = "mathinstruct",
) -> None:
    """Write a recipe that extends a shipped one, to be edited."""
    from curator.variants import write_variant

    path = write_variant(name, base, Path())
    print(f"Wrote {path}, which extends {base}. Look at it, then: curator preview {path}")


@app.command(epilog="Example: curator build recipes/mathinstruct.yaml --mirror data")
def build(
    recipe: RecipeArgument,
    store: StoreOption = DEFAULT_STORE,
    mirror: MirrorOption = None,
    allow_missing: MissingOption = False,
    message: MessageOption = "",
    workers: WorkersOption = None,
    unsafe_local: UnsafeOption = False,
    max_money: MoneyOption = None,
    max_tokens: TokensOption = None,
    max_calls: CallsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build a recipe into a version; running it again goes on where it was stopped."""
    from curator import build as make
    from curator.teacher import Budget

    with Progress() as progress:
        manifest = make(
            recipe,
            store,
            mirror=mirror,
            allow_missing=allow_missing,
            workers=workers,
            message=message,
            listener=progress,
            unsafe_local=unsafe_local,
            budget=Budget(money=max_money, tokens=max_tokens, calls=max_calls),
        )
    show_manifest(manifest, as_json)
    if not as_json:
        where = "" if store == DEFAULT_STORE else f" --store {shlex.quote(str(store))}"
        print(
            f"Look closer: curator show {manifest.ref}{where}, "
            f"curator sql 'FROM verdicts LIMIT 9'{where}",
            file=sys.stderr,
        )


@app.command(epilog="Example: curator cancel mine.yaml")
def cancel(recipe: RecipeArgument, store: StoreOption = DEFAULT_STORE) -> None:
    """Cancel the batches that run at the provider of a recipe's teacher, and keep their answers."""
    from curator.cancelling import cancel_batches

    with existing(store, readonly=False) as opened, Progress() as progress:
        cancelled = cancel_batches(recipe, opened, progress)
    print(f"Batches cancelled: {cancelled:,}." if cancelled else "No batch is running.")


@app.command(epilog="Example: curator preview quickstart -n 2")
def preview(
    recipe: RecipeArgument,
    store: StoreOption = DEFAULT_STORE,
    mirror: MirrorOption = None,
    allow_missing: MissingOption = False,
    n: Annotated[int, typer.Option("-n", min=1, help="Records a source, or a part of one.")] = 3,
    workers: WorkersOption = None,
    unsafe_local: UnsafeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take a few problems of each source through the whole path and show their rows."""
    from curator.cli.rows import print_previewed
    from curator.preview import preview as look

    with Progress() as progress:
        rows = look(
            recipe,
            store,
            problems=n,
            mirror=mirror,
            allow_missing=allow_missing,
            workers=workers,
            listener=progress,
            unsafe_local=unsafe_local,
        )
    if as_json:
        show_json(rows)
    else:
        print_previewed(rows)


@app.command(epilog="Example: curator plan mathinstruct --mirror data")
def plan(
    recipe: RecipeArgument,
    store: StoreOption = DEFAULT_STORE,
    mirror: MirrorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a build would run, what waits, and how many rows would result."""
    from curator.plan import plan as make_plan
    from curator.recipe import load_recipe
    from datastore.store import Store

    loaded = load_recipe(recipe)
    with ExitStack() as stack:
        folder = store if store.is_dir() else Path(stack.enter_context(TemporaryDirectory()))
        opened = stack.enter_context(Store(folder, readonly=store.is_dir()))
        made = make_plan(loaded, opened, mirror)
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


@app.command(epilog="Example: curator status")
def status(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Say what the store holds, and what is being built in it now."""
    from curator.status import status as look

    with existing(store) as opened:
        found = look(opened)
    if as_json:
        show_json(found)
        return
    print(f"{found.folder}, format {found.format}, {found.bytes / 2**20:,.1f} MiB")
    print()
    table(("remembered", "records"), found.ledgers.items(), right=("records",))
    print()
    table(("version", "rows"), found.versions.items(), right=("rows",))
    print()
    for line in found.building or ["Nothing is being built now."]:
        print(line)


@app.command(epilog="Example: curator schema > recipe.schema.json")
def schema() -> None:
    """Print the JSON Schema of recipes, for editors."""
    from curator.recipe import schema as make_schema

    show_json(make_schema())
