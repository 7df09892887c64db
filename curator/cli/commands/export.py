"""The command `curator export`."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from curator.cli.app import app, open_existing, show_json
from curator.cli.options import (
    DEFAULT_STORE,
    HeldOutOption,
    JsonOption,
    OverwriteOption,
    StoreOption,
    VersionArgument,
)
from curator.cli.terminal import print_line
from curator.core.errors import UsageError, unknown_name
from curator.core.words import counted
from curator.release.formats import FORMATS

if TYPE_CHECKING:
    from curator.release.order import Order

HUB = "hub"
"""The only format that is a folder."""


@app.command(epilog="Example: curator export quickstart@1 --format alpaca -o rows.json")
def export(
    version: VersionArgument,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help=f"{', '.join(FORMATS)}, or {HUB} (the folder that 'curator publish' uploads).",
        ),
    ] = "alpaca",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Output file. Default: VERSION-FORMAT and the format's suffix.",
        ),
    ] = None,
    held_out: HeldOutOption = 0.0,
    order: Annotated[
        str,
        typer.Option(
            "--order",
            metavar="ORDER",
            help="Order rows by solve rate: easy-first or hard-first. Rows without one come last.",
        ),
    ] = "",
    overwrite: OverwriteOption = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Write a version to a file, or to a folder for the Hub."""
    from curator.release.export import Layout
    from curator.release.export import export as write
    from curator.release.folder import write_folder
    from curator.release.order import ORDERS

    if form not in {*FORMATS, HUB}:
        raise UsageError(unknown_name("format", form, {*FORMATS, HUB}))
    if order and order not in ORDERS:
        raise UsageError(unknown_name("order", order, ORDERS))
    if order and form == HUB:
        raise UsageError(f"--order needs a format of one file, such as alpaca; saw {HUB}.")
    suffix = FORMATS[form].suffix if form in FORMATS else ""
    left_out: Counter[str] = Counter()
    unrated = 0
    with open_existing(store) as opened:
        manifest = opened.versions.get(version)
        target = output or Path(f"{manifest.name}-{manifest.number}-{form}{suffix}")
        if form == HUB:
            release = write_folder(opened, manifest, target, held_out, overwrite=overwrite)
            written = {target: release.counts.rows}
        else:
            layout = Layout(held_out, cast("Order", order))
            exported = write(opened, manifest, form, target, overwrite, layout)
            written, left_out, unrated = exported.files, exported.left_out, exported.unrated
    if as_json:
        files = {str(path): rows for path, rows in written.items()}
        shown = {"file": str(target), "rows": sum(files.values()), "files": files}
        prompts = form in FORMATS and FORMATS[form].prompts
        shown |= {"left_out": dict(left_out.most_common())} if prompts else {}
        shown |= {"without_solve_rate": unrated} if order else {}
        show_json({"version": manifest.ref, "format": form, **shown})
        return
    for path, rows in written.items():
        print_line(f"Wrote {counted(rows, 'row')} of {manifest.ref} to {path}")
    if unrated:
        print_line(f"{counted(unrated, 'row')} without a solve rate: last")
    for reason, rows in left_out.most_common():
        print_line(f"Left out {counted(rows, 'row')}: {reason}")
