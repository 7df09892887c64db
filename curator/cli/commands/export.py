"""The command `curator export`."""

from collections import Counter
from pathlib import Path
from typing import Annotated

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
from curator.release.formats import FORMATS

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
    overwrite: OverwriteOption = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Write a version to a file, or to a folder for the Hub."""
    from curator.release.export import export as write
    from curator.release.folder import write_folder

    if form not in {*FORMATS, HUB}:
        raise UsageError(unknown_name("format", form, {*FORMATS, HUB}))
    if held_out and form != HUB:
        raise UsageError(
            "--held-out makes splits, which only --format hub supports. Add --format hub."
        )
    suffix = FORMATS[form].suffix if form in FORMATS else ""
    left_out: Counter[str] = Counter()
    with open_existing(store) as opened:
        manifest = opened.versions.get(version)
        target = output or Path(f"{manifest.name}-{manifest.number}-{form}{suffix}")
        if form == HUB:
            rows = write_folder(opened, manifest, target, held_out, overwrite=overwrite).counts.rows
        else:
            rows = write(opened, manifest, form, target, overwrite, left_out)
    if as_json:
        values = {"version": manifest.ref, "format": form, "file": str(target), "rows": rows}
        prompts = form in FORMATS and FORMATS[form].prompts
        show_json(values | ({"left_out": dict(left_out.most_common())} if prompts else {}))
    else:
        print_line(f"Wrote {rows:,} rows of {manifest.ref} to {target}")
        for reason, count in left_out.most_common():
            print_line(f"Left out {count:,} rows: {reason}")
