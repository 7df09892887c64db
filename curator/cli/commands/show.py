"""The command `curator show`."""

from curator.cli.app import app, open_existing
from curator.cli.options import DEFAULT_STORE, JsonOption, StoreOption, VersionArgument
from curator.cli.render import show_manifest


@app.command(epilog="Example: curator show quickstart@1")
def show(
    version: VersionArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False
) -> None:
    """Show a version: kept and rejected rows per subset."""
    with open_existing(store) as opened:
        show_manifest(opened.versions.get(version), as_json)
