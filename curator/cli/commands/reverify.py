"""The command `curator reverify`."""

from typing import TYPE_CHECKING

from curator.cli.app import app, show_progress
from curator.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    MessageOption,
    StoreOption,
    VersionArgument,
    run_options,
)
from curator.cli.render import show_manifest

if TYPE_CHECKING:
    from curator.pipeline.run_options import RunOptions


@app.command(epilog="Example: curator reverify mathinstruct")
@run_options("workers", "unsafe_local")
def reverify(
    version: VersionArgument,
    options: "RunOptions",
    store: StoreOption = DEFAULT_STORE,
    message: MessageOption = "",
    as_json: JsonOption = False,
) -> None:
    """Judge a version's rationales again by today's graders; no source is read, nothing re-run."""
    from curator.pipeline.reverify import reverify as again

    with show_progress(options) as options:
        manifest = again(version, store, message=message, options=options)
    show_manifest(manifest, as_json)
