"""The command `curator status`."""

from curator.cli.app import app, existing, show_json
from curator.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
)
from curator.cli.tables import table


@app.command(epilog="Example: curator status")
def status(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Say what the store holds, and what is being built in it now."""
    from curator.versions.status import status as look

    with existing(store) as opened:
        found = look(opened)
    if as_json:
        show_json(found)
        return
    print(f"{found.folder}, format {found.format}, {found.bytes / 2**20:,.1f} MiB")
    print()
    table(("remembered", "records"), found.ledgers.items(), right=("records",))
    print()
    table(("version", "rows"), found.versions.items(), right=("rows",))
    print()
    for line in found.building or ["Nothing is being built now."]:
        print(line)
