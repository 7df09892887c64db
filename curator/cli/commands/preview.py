"""The command `curator preview`."""

from typing import Annotated

import typer

from curator.cli.app import Progress, app, show_json
from curator.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    MirrorOption,
    MissingOption,
    RecipeArgument,
    StoreOption,
    UnsafeOption,
    WorkersOption,
)


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
    from curator.cli.render import print_previewed
    from curator.pipeline.preview import preview as look

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
