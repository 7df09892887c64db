"""The command `curator sources`."""

from pathlib import Path
from typing import TYPE_CHECKING

from curator.cli.app import Progress, app, show_json
from curator.cli.options import JsonOption, MirrorOption
from curator.cli.tables import print_table
from curator.cli.terminal import print_line

if TYPE_CHECKING:
    from curator.sources.source import Source


@app.command(epilog="Example: curator sources --mirror data")
def sources(mirror: MirrorOption = None, as_json: JsonOption = False) -> None:
    """List all sources and evaluation sets.

    Shows the number of records, the licence and the location of each, and whether it can be read
    now.
    """
    from curator.core.progress import track_progress
    from curator.sources import EVALS, SOURCES

    all_sources = [(source, "source") for source in SOURCES.values()]
    all_sources += [(source, "evaluation") for source in EVALS.values()]
    with Progress() as progress:
        each = track_progress(all_sources, progress, "checking sources", len(all_sources), every=1)
        places = [_place(source, kind, mirror) for source, kind in each]
    if as_json:
        show_json(places)
        return
    for place in places:
        if not place["reachable"]:
            print_line(str(place["why"]), error=True)
    head = ("records", "readable", "licence", "location")
    for kind in ("source", "evaluation"):
        rows = [
            (
                place["name"],
                place["rows"] or "?",
                place["reachable"],
                place["licence"],
                place["home"],
            )
            for place in places
            if place["kind"] == kind
        ]
        print_table((kind, *head), rows, right=("records",), whole=(kind, "readable", "location"))
        if kind == "source":
            print_line()


def _place(source: "Source", kind: str, mirror: Path | None) -> dict[str, object]:
    """Return where a source is and whether it can be read now."""
    from curator.sources.fetch.open import check_reachable

    origin, why = check_reachable(source, mirror)
    return {
        "name": source.name,
        "kind": kind,
        "about": source.about,
        "rows": source.rows,
        "paper_rows": source.paper_rows,
        "licence": source.licence,
        "hub": source.hub,
        "github": source.github,
        "config": source.config,
        "split": source.split,
        "revision": source.revision,
        "fields": list(source.fields),
        "reachable": origin is not None,
        "home": source.hub or source.github,
        "origin": origin,
        "why": why,
    }
