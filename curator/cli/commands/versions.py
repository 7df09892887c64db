"""The command `curator versions`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from curator.cli.app import app, note_skipped_versions, open_existing, show_json
from curator.cli.options import DEFAULT_STORE, JsonOption, StoreOption
from curator.cli.tables import print_table

if TYPE_CHECKING:
    from datastore.store import Store
    from datastore.versions import Manifest


@app.command(epilog="Example: curator versions")
def versions(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """List all versions in the store.

    Shows when each version was made, from what (a recipe, a release that was pulled or a version
    that was verified again), its tags and its message.
    """
    from curator.versions.queries import inspect_versions
    from datastore.versions import Manifest

    with open_existing(store) as opened:
        note_skipped_versions(opened)
        read = [each for _, each in inspect_versions(opened) if isinstance(each, Manifest)]
        listed = [_describe(opened, each) for each in read]
    if as_json:
        show_json(listed)
        return
    head = ["version", "made", "rows", "digest", "from", "tags", "message"]
    # Most stores have neither tags nor messages, and a line has 80 columns.
    head = [
        name for name in head if name not in ("tags", "message") or any(x[name] for x in listed)
    ]
    rows = [[_cell(name, each) for name in head] for each in listed]
    print_table(head, rows, right=("rows",), whole=("version", "made", "digest"))


def _describe(store: "Store", manifest: "Manifest") -> dict[str, Any]:
    from curator.versions.content import content_of, objects_of

    tags = store.versions.tags.of(manifest.name).items()
    command = objects_of(manifest).command
    return {
        "version": manifest.ref,
        "made": store.versions.when(manifest),
        "rows": content_of(manifest).rows.count,
        "digest": manifest.digest,
        "parent": manifest.parent,
        "from": command[1] if len(command) > 1 else "",
        "command": command,
        "tags": [tag for tag, number in tags if number == manifest.number],
        "message": manifest.message,
    }


def _cell(name: str, version: dict[str, Any]) -> object:
    match name:
        case "made":
            return str(version[name])[:16].replace("T", " ")
        case "digest":
            return str(version[name])[:16]
        case "tags":
            return ", ".join(version[name])
        case "from" if version["command"][:1] == ["build"]:
            return Path(version[name]).name  # a path would fill the line; --json has all of it
        case "from":
            return str(version[name]).partition("@")[0] if "/" in version[name] else version[name]
    return version[name]
