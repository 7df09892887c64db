"""The command `curator why`."""

from typing import Annotated

import typer

from curator.cli.app import app, note_skipped_versions, open_existing, show_json
from curator.cli.options import DEFAULT_STORE, JsonOption, StoreOption


@app.command(epilog="Example: curator why 3fa2c1")
def why(
    row: Annotated[
        str,
        typer.Argument(metavar="ROW", help="Id of a row in hex, or at least its first 6 digits."),
    ],
    whole: Annotated[
        bool,
        typer.Option("--whole", help="Print texts and thoughts whole. Default: long ones folded."),
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Show the history of a row.

    Prints its source, problem and writer, its parts (thought, text, programs with their outputs,
    labelled steps), and every verdict with its evidence.
    """
    from curator.cli.render_rows import print_row_history
    from curator.versions.why import why as read_history

    with open_existing(store) as opened:
        note_skipped_versions(opened)
        history = read_history(opened, row.lower())
    if as_json:
        show_json(history)
    else:
        print_row_history(history, whole)
