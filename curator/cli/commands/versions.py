"""The command `curator versions`."""

from curator.cli.app import app, note_skipped_versions, open_existing, show_json
from curator.cli.options import DEFAULT_STORE, JsonOption, StoreOption
from curator.cli.tables import print_table


@app.command(epilog="Example: curator versions")
def versions(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """List all versions in the store."""
    from curator.versions.content import content_of
    from curator.versions.queries import inspect_versions
    from datastore.versions import Manifest

    with open_existing(store) as opened:
        note_skipped_versions(opened)
        read = [each for _, each in inspect_versions(opened) if isinstance(each, Manifest)]
        manifests = [(each, content_of(each).rows.count) for each in read]
    if as_json:
        show_json(
            [
                {
                    "version": m.ref,
                    "rows": count,
                    "digest": m.digest,
                    "parent": m.parent,
                    "message": m.message,
                }
                for m, count in manifests
            ]
        )
        return
    rows = [(m.ref, count, m.digest[:16], m.parent or "–", m.message) for m, count in manifests]
    head = ("version", "rows", "digest", "parent", "message")
    print_table(head, rows, right=("rows",), whole=head[:-1])
