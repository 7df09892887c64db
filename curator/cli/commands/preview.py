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
        typer.Option("-n", metavar="N", min=1, help="Number of records per source, or per part."),
    ] = 3,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Show the rows made from a few problems of each source.

    The problems go through all stages of a build, also calls to a teacher. No version is created.
    """
    from curator.cli.render import print_preview
    from curator.pipeline.preview import preview as run_preview

    with show_progress(options) as options:
        rows = run_preview(recipe, store, problems=n, options=options)
    if as_json:
        show_json(rows)
    else:
        print_preview(rows)
