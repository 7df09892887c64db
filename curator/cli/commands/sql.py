"""The command `curator sql`."""

import sys
from math import isfinite
from typing import Annotated

import typer

from curator.cli.app import app, existing, show_json
from curator.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
)
from curator.cli.tables import cut_table


@app.command(epilog="Example: curator sql 'SELECT reason, count(*) FROM verdicts GROUP BY reason'")
def sql(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="A DuckDB query over the views.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Ask in SQL: views problems, quarantine, rationales, verdicts, rows, versions."""
    from curator.versions.views import answer

    with existing(store) as opened:
        names, rows = answer(opened, query)
    if as_json:
        show_json([dict(zip(names, map(_finite, row), strict=True)) for row in rows])
    elif names and cut_table(names, rows):
        print("… marks what was cut to the width; --json prints it whole.", file=sys.stderr)


def _finite(value: object) -> object:
    """JSON has no infinity and no NaN."""
    return None if isinstance(value, float) and not isfinite(value) else value
