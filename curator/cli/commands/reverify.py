"""The command `curator reverify`."""

from curator.cli.app import Progress, app
from curator.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    MessageOption,
    StoreOption,
    UnsafeOption,
    VersionArgument,
    WorkersOption,
)
from curator.cli.render import show_manifest


@app.command(epilog="Example: curator reverify mathinstruct")
def reverify(
    version: VersionArgument,
    store: StoreOption = DEFAULT_STORE,
    message: MessageOption = "",
    workers: WorkersOption = None,
    unsafe_local: UnsafeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Judge a version's rationales again by today's graders; no source is read, nothing re-run."""
    from curator.pipeline.reverify import reverify as again

    with Progress() as progress:
        manifest = again(
            version,
            store,
            workers=workers,
            message=message,
            listener=progress,
            unsafe_local=unsafe_local,
        )
    show_manifest(manifest, as_json)
