"""The command `curator versions`."""

from curator.cli.app import app, open_existing, show_json
from curator.cli.options import DEFAULT_STORE, JsonOption, StoreOption
from curator.cli.tables import print_table


@app.command(epilog="Example: curator versions")
def versions(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """List all versions in the store."""
    from curator.versions.content import content_of

    with open_existing(store) as opened:
        manifests = [(each, content_of(each).rows.count) for each in opened.versions.all()]
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
