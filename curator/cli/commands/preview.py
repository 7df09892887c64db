"""The command `curator preview`."""

from typing import TYPE_CHECKING, Annotated

import typer

from curator.cli.app import app, show_json, show_progress
from curator.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    RecipeArgument,
    StoreOption,
    run_options,
)

if TYPE_CHECKING:
    from curator.pipeline.run_options import RunOptions


@app.command(epilog="Example: curator preview quickstart -n 2")
@run_options("mirror", "allow_missing", "workers", "unsafe_local")
def preview(
    recipe: RecipeArgument,
    options: "RunOptions",
    n: Annotated[
        int,
        typer.Option("-n", metavar="N", min=1, help="Number of problems per source, or per part."),
    ] = 3,
    rows: Annotated[
        bool, typer.Option("--rows", help="Print every row. Default: those that fit the screen.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Show the rows made from a few problems of each source.

    The problems go through all stages of a build, also calls to a teacher. No version is created.
    Subsets whose source cannot be read wait; the table names it.
    """
    from curator.cli.render_rows import print_preview
    from curator.pipeline.preview import make_preview

    with show_progress(options) as options:
        made = make_preview(recipe, store, problems=n, options=options)
    if as_json:
        show_json(made.rows)
    else:
        print_preview(made, rows)
