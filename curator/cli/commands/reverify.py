"""The command `curator reverify`."""

from typing import TYPE_CHECKING

from curator.cli.app import app, newest_version, open_existing, show_progress
from curator.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    MessageOption,
    StoreOption,
    VersionArgument,
    run_options,
)
from curator.cli.render import show_made

if TYPE_CHECKING:
    from curator.pipeline.run_options import RunOptions


@app.command(epilog="Example: curator reverify mathinstruct")
@run_options("workers", "executor", "unsafe_local")
def reverify(
    version: VersionArgument,
    options: "RunOptions",
    message: MessageOption = "",
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Check a version again with the current checks and graders.

    No source is read, no rationale is written, and programs with a cached execution are not run.
    """
    from curator.pipeline.reverify import reverify as run_reverify

    with open_existing(store) as opened:
        newest = newest_version(store, opened.versions.get(version).name)
    with show_progress(options) as options:
        manifest = run_reverify(version, store, message=message, options=options)
    show_made(manifest, newest, as_json)
