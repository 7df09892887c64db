"""The command `curator report`."""

from pathlib import Path
from typing import Annotated

import typer

from curator.cli.app import app, existing, show_json
from curator.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    OverwriteOption,
    StoreOption,
    VersionArgument,
)
from curator.core.errors import UsageError


@app.command(epilog="Example: curator report mine@1 mine@2 -o mine.html")
def report(
    version: VersionArgument,
    newer: Annotated[
        str | None,
        typer.Argument(metavar="NEWER", help="Another version, to compare the first with."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="File to write, else VERSION.html."),
    ] = None,
    overwrite: OverwriteOption = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Write a page about a version for people to look at: one HTML file that works offline."""
    from curator.versions.report.write import write_report

    with existing(store) as opened:
        manifest = opened.versions.get(newer or version)
        before = opened.versions.get(version) if newer else None
        refs = [each.ref for each in (before, manifest) if each]
        target = output or Path("-".join(ref.replace("@", "-") for ref in refs) + ".html")
        if target.exists() and not overwrite:
            raise UsageError(f"{target} exists; name another file, or replace it by --overwrite.")
        write_report(opened, manifest, target, before)
    size = target.stat().st_size
    if as_json:
        show_json({"versions": refs, "file": str(target), "bytes": size})
    else:
        print(
            f"Wrote {target} ({size / 1e6:.1f} MB) about {' and '.join(refs)}; open it in a browser"
        )
