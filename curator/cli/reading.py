"""Commands that look at what is there: versions, show, diff, why, sql, sources."""

import sys
from math import isfinite
from typing import TYPE_CHECKING, Annotated

import typer

from curator.cli.app import Progress, app, existing, show_json
from curator.cli.options import (
    DEFAULT_STORE,
    VERSION,
    JsonOption,
    MirrorOption,
    StoreOption,
    VersionArgument,
)
from curator.cli.tables import cut_table, table

if TYPE_CHECKING:
    from datastore.versions import Manifest


def show_manifest(manifest: "Manifest", as_json: bool) -> None:
    """Print a version for people or machines."""
    from curator.cli.rows import print_manifest

    if as_json:
        show_json({"version": manifest.ref, **_plain(manifest)})
    else:
        print_manifest(manifest)


def _plain(manifest: "Manifest") -> dict[str, object]:
    return {
        "digest": manifest.digest,
        "parent": manifest.parent,
        "message": manifest.message,
        **manifest.content,
    }


@app.command(epilog="Example: curator versions")
def versions(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """List all versions of the store."""
    with existing(store) as opened:
        found = opened.versions.all()
    if as_json:
        show_json(
            [
                {
                    "version": m.ref,
                    "rows": m.content["rows"]["count"],
                    "digest": m.digest,
                    "parent": m.parent,
                    "message": m.message,
                }
                for m in found
            ]
        )
        return
    rows = [
        (m.ref, m.content["rows"]["count"], m.digest[:16], m.parent or "–", m.message)
        for m in found
    ]
    head = ("version", "rows", "digest", "parent", "message")
    table(head, rows, right=("rows",), whole=head[:-1])


@app.command(epilog="Example: curator show quickstart@1")
def show(
    version: VersionArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False
) -> None:
    """Show a version: rows, and the way of every subset from problems to kept rows."""
    with existing(store) as opened:
        show_manifest(opened.versions.get(version), as_json)


@app.command(epilog="Example: curator diff mine@1 mine@2 --rows")
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=f"The older one: {VERSION}")],
    b: Annotated[str, typer.Argument(metavar="B", help=f"The newer one: {VERSION}")],
    rows: Annotated[bool, typer.Option("--rows", help="List every row.")] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Compare two versions: rows and verdicts that changed, with the rule responsible."""
    from curator.cli.rows import print_changes, print_judgements
    from curator.judged import judgements
    from curator.lineage import difference

    with existing(store) as opened:
        changes, judged = difference(opened, a, b), judgements(opened, a, b)
    if as_json:
        show_json({"rows": changes, "verdicts": judged})
    else:
        print_changes(a, b, changes, rows)
        print_judgements(judged, rows)


@app.command(epilog="Example: curator why 3fa2c1")
def why(
    row: Annotated[
        str, typer.Argument(metavar="ROW", help="Hex id of a row, or its first 6 digits or more.")
    ],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Tell a row's story: source, problem, writer, every verdict with its evidence."""
    from curator.cli.rows import print_story
    from curator.lineage import why as tell

    with existing(store) as opened:
        story = tell(opened, row.lower())
    if as_json:
        show_json(story)
    else:
        print_story(story)


@app.command(epilog="Example: curator sql 'SELECT reason, count(*) FROM verdicts GROUP BY reason'")
def sql(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="A DuckDB query over the views.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Ask in SQL: views problems, quarantine, rationales, verdicts, rows, versions."""
    from curator.views import answer

    with existing(store) as opened:
        names, rows = answer(opened, query)
    if as_json:
        show_json([dict(zip(names, map(_finite, row), strict=True)) for row in rows])
    elif names and cut_table(names, rows):
        print("… marks what was cut to the width; --json prints it whole.", file=sys.stderr)


def _finite(value: object) -> object:
    """JSON has no infinity and no NaN."""
    return None if isinstance(value, float) and not isfinite(value) else value


@app.command(epilog="Example: curator sources --mirror data")
def sources(mirror: MirrorOption = None, as_json: JsonOption = False) -> None:
    """List every source and evaluation set: where it is, its rows, its licence."""
    from curator.cli.places import listed

    with Progress() as progress:
        found = listed(mirror, progress)
    if as_json:
        show_json(found)
        return
    for place in found:
        if not place["reachable"]:
            print(place["why"], file=sys.stderr)
    head = ("rows", "reached", "licence", "home")
    for kind in ("source", "evaluation"):
        rows = [
            (
                place["name"],
                place["rows"] or "?",
                place["reachable"],
                place["licence"],
                place["home"],
            )
            for place in found
            if place["kind"] == kind
        ]
        table((kind, *head), rows, right=("rows",), whole=(kind, "reached", "home"))
        if kind == "source":
            print()
