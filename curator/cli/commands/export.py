"""The command `curator export`."""

from collections import Counter
from pathlib import Path
from typing import Annotated, cast

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
from curator.release.formats import FORMATS, THOUGHTS, Thoughts

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
    thoughts: Annotated[
        str,
        typer.Option(
            "--thoughts",
            metavar="WHERE",
            help="Where to write a thought before the answer (<think>…</think>): keep it in the "
            "text, drop it, or apart, in a field of its own (messages, parquet).",
        ),
    ] = "keep",
    overwrite: OverwriteOption = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Write a version to a file, or to a folder for the Hub."""
    from curator.release.export import ExportOptions
    from curator.release.export import export as write
    from curator.release.folder import write_folder

    if form not in {*FORMATS, HUB}:
        raise UsageError(unknown_name("format", form, {*FORMATS, HUB}))
    if thoughts not in THOUGHTS:
        raise UsageError(unknown_name("place of thoughts", thoughts, THOUGHTS))
    if form == HUB and thoughts != "keep":
        raise UsageError(
            f"A folder for the Hub keeps thoughts. Choose one of: {', '.join(FORMATS)}."
        )
    options = ExportOptions(overwrite, held_out, cast(Thoughts, thoughts))
    suffix = FORMATS[form].suffix if form in FORMATS else ""
    left_out: Counter[str] = Counter()
    with open_existing(store) as opened:
        manifest = opened.versions.get(version)
        target = output or Path(f"{manifest.name}-{manifest.number}-{form}{suffix}")
        if form == HUB:
            release = write_folder(opened, manifest, target, held_out, overwrite=overwrite)
            written = {target: release.counts.rows}
        else:
            exported = write(opened, manifest, form, target, options)
            written, left_out = exported.files, exported.left_out
    if as_json:
        files = {str(path): rows for path, rows in written.items()}
        shown = {"file": str(target), "rows": sum(files.values()), "files": files}
        prompts = form in FORMATS and FORMATS[form].prompts
        shown |= {"left_out": dict(left_out.most_common())} if prompts else {}
        show_json({"version": manifest.ref, "format": form, **shown})
        return
    for path, rows in written.items():
        print_line(f"Wrote {counted(rows, 'row')} of {manifest.ref} to {path}")
    for reason, rows in left_out.most_common():
        print_line(f"Left out {counted(rows, 'row')}: {reason}")
