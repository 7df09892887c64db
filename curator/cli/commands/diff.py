"""The command `curator diff`."""

from dataclasses import asdict
from typing import Annotated

import typer

from curator.cli.app import app, open_existing, show_json
from curator.cli.complete import complete_versions
from curator.cli.options import DEFAULT_STORE, VERSION, JsonOption, StoreOption


@app.command(epilog="Example: curator diff mine@1 mine@2 --rows --limit 20")
def diff(
    a: Annotated[
        str,
        typer.Argument(
            metavar="A", help=f"The older version: {VERSION}", autocompletion=complete_versions
        ),
    ],
    b: Annotated[
        str,
        typer.Argument(
            metavar="B", help=f"The newer version: {VERSION}", autocompletion=complete_versions
        ),
    ],
    rows: Annotated[
        bool, typer.Option("--rows", help="List every row that differs, with its question.")
    ] = False,
    subset: Annotated[
        str, typer.Option("--subset", metavar="NAME", help="Compare only this subset.")
    ] = "",
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=0, help="Maximum number of rows to list.")
    ] = 0,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Compare two versions row by row.

    Lists the keys of the recipe that differ, and counts the rows that were added, removed or
    changed and the verdicts that changed, with the rule responsible.
    """
    from curator.cli.render_diff import print_diff
    from curator.versions.changes import open_changes
    from curator.versions.diff import check_subset, recipe_changes

    with open_existing(store) as opened:
        older, newer = opened.versions.get(a), opened.versions.get(b)
        if subset:
            check_subset(older, newer, subset)
        keys = recipe_changes(older, newer)
        with open_changes(opened, older, newer, subset) as changes:
            if as_json:
                listed = (asdict(row) | {"question": text} for row, text in changes.rows(limit))
                show_json({"recipe": keys, "rows": listed, "verdicts": changes.verdicts(limit)})
            else:
                print_diff((a, b), keys, changes, rows, limit)
