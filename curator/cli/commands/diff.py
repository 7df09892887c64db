"""The command `curator diff`."""

from typing import Annotated

import typer

from curator.cli.app import app, open_existing, show_json
from curator.cli.options import DEFAULT_STORE, VERSION, JsonOption, StoreOption


@app.command(epilog="Example: curator diff mine@1 mine@2 --rows")
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=f"The older version: {VERSION}")],
    b: Annotated[str, typer.Argument(metavar="B", help=f"The newer version: {VERSION}")],
    rows: Annotated[bool, typer.Option("--rows", help="List every row that differs.")] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Compare two versions row by row.

    Counts the rows that were added, removed or changed and the verdicts that changed, with the
    rule responsible.
    """
    from curator.cli.render_diff import print_row_changes, print_verdict_changes
    from curator.versions.diff import row_changes, verdict_changes

    with open_existing(store) as opened:
        older, newer = opened.versions.get(a), opened.versions.get(b)
        changes = row_changes(opened, older, newer)
        verdicts = verdict_changes(opened, older, newer)
    if as_json:
        show_json({"rows": changes, "verdicts": verdicts})
    else:
        print_row_changes(a, b, changes, rows)
        print_verdict_changes(verdicts, rows)
