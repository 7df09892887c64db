"""The command `curator diff`."""

from typing import Annotated

import typer

from curator.cli.app import app, existing, show_json
from curator.cli.options import (
    DEFAULT_STORE,
    VERSION,
    JsonOption,
    StoreOption,
)


@app.command(epilog="Example: curator diff mine@1 mine@2 --rows")
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=f"The older one: {VERSION}")],
    b: Annotated[str, typer.Argument(metavar="B", help=f"The newer one: {VERSION}")],
    rows: Annotated[bool, typer.Option("--rows", help="List every row.")] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Compare two versions: rows and verdicts that changed, with the rule responsible."""
    from curator.cli.render import print_changes, print_verdict_changes
    from curator.versions.diff import difference, judgements

    with existing(store) as opened:
        changes, judged = difference(opened, a, b), judgements(opened, a, b)
    if as_json:
        show_json({"rows": changes, "verdicts": judged})
    else:
        print_changes(a, b, changes, rows)
        print_verdict_changes(judged, rows)
