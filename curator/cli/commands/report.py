"""The command `curator report`."""

from pathlib import Path
from typing import Annotated

import typer

from curator.cli.app import app, open_existing, show_json
from curator.cli.complete import complete_versions
from curator.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    OverwriteOption,
    StoreOption,
    VersionArgument,
)
from curator.cli.terminal import print_line
from curator.core.errors import UsageError


@app.command(epilog="Example: curator report mine@1 mine@2 -o mine.html")
def report(
    version: VersionArgument,
    newer: Annotated[
        str | None,
        typer.Argument(
            metavar="NEWER",
            help="Another version to compare VERSION with.",
            autocompletion=complete_versions,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Output file. Default: VERSION.html."),
    ] = None,
    overwrite: OverwriteOption = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Write an HTML report on one version, or compare two.

    The report is one file that works offline: figures and a browser of rows. It includes the golds
    in doubt, from stored verdicts and attempts, and the errata that were applied.
    """
    from curator.versions.report.write import write_report

    with open_existing(store) as opened:
        manifest = opened.versions.get(newer or version)
        before = opened.versions.get(version) if newer else None
        refs = [each.ref for each in (before, manifest) if each]
        target = output or Path("-".join(ref.replace("@", "-") for ref in refs) + ".html")
        if target.exists() and not overwrite:
            raise UsageError(f"{target} exists. Choose another file, or pass --overwrite.")
        write_report(opened, manifest, target, before)
    size = target.stat().st_size
    if as_json:
        show_json({"versions": refs, "file": str(target), "bytes": size})
    else:
        print_line(
            f"Wrote a report on {' and '.join(refs)} to {target} ({size / 1e6:.1f} MB); open it in "
            "a browser"
        )
