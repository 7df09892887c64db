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
    store: StoreOption = DEFAULT_STORE,
    n: Annotated[int, typer.Option("-n", min=1, help="Records a source, or a part of one.")] = 3,
    as_json: JsonOption = False,
) -> None:
    """Take a few problems of each source through the whole path and show their rows."""
    from curator.cli.render import print_previewed
    from curator.pipeline.preview import preview as look

    with show_progress(options) as options:
        rows = look(recipe, store, problems=n, options=options)
    if as_json:
        show_json(rows)
    else:
        print_previewed(rows)
