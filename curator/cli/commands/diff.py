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
    from curator.versions.diff import (
        check_subset,
        read_questions,
        recipe_changes,
        row_changes,
        verdict_changes,
    )

    with open_existing(store) as opened:
        older, newer = opened.versions.get(a), opened.versions.get(b)
        if subset:
            check_subset(older, newer, subset)
        changes = [x for x in row_changes(opened, older, newer) if subset in ("", x.subset)]
        verdicts = [x for x in verdict_changes(opened, older, newer) if subset in ("", x.subset)]
        listed = changes[: limit or None] if rows or as_json else []
        questions = read_questions(opened, older, newer, [change.id for change in listed])
    keys = recipe_changes(older, newer)
    if as_json:
        with_questions = [asdict(x) | {"question": questions.get(x.id, "")} for x in listed]
        show_json({"recipe": keys, "rows": with_questions, "verdicts": verdicts[: limit or None]})
    else:
        print_diff((a, b), keys, changes, verdicts, questions if rows else None, limit)
