"""The command `curator sql`."""

from math import isfinite
from typing import Annotated

import typer

from curator.cli.app import app, note_skipped_versions, open_existing, show_json
from curator.cli.options import DEFAULT_STORE, JsonOption, StoreOption
from curator.cli.tables import print_cut_table
from curator.cli.terminal import print_line


@app.command(
    epilog="Example: curator sql 'SELECT version, reason, count(*) FROM verdicts GROUP BY ALL'"
)
def sql(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="One SELECT in DuckDB's SQL.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Query the store with SQL (DuckDB).

    Views: versions, rows, verdicts, clusters, rationales, problems, evals, calls, budget,
    quarantine; the reference lists their columns. The query can only read them: it cannot write,
    and it cannot open other files, databases, addresses or extensions.
    """
    from curator.versions.views import run_query

    with open_existing(store) as opened:
        note_skipped_versions(opened)
        names, rows = run_query(opened, query)
    if as_json:
        show_json([dict(zip(names, map(_finite, row), strict=True)) for row in rows])
    elif print_cut_table(names, rows):
        print_line("… marks text cut to the terminal's width; --json prints all of it.", error=True)


def _finite(value: object) -> object:
    """Replace infinities and NaN, which JSON lacks, by None."""
    return None if isinstance(value, float) and not isfinite(value) else value
