"""The command `curator why`."""

from typing import Annotated

import typer

from curator.cli.app import app, existing, show_json
from curator.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
)


@app.command(epilog="Example: curator why 3fa2c1")
def why(
    row: Annotated[
        str, typer.Argument(metavar="ROW", help="Hex id of a row, or its first 6 digits or more.")
    ],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Tell a row's story: source, problem, writer, every verdict with its evidence."""
    from curator.cli.render import print_row_history
    from curator.versions.why import why as tell

    with existing(store) as opened:
        story = tell(opened, row.lower())
    if as_json:
        show_json(story)
    else:
        print_row_history(story)
