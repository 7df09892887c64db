"""The command `curator tag`."""

from typing import Annotated

import typer

from curator.cli.app import app, open_existing, show_json
from curator.cli.options import DEFAULT_STORE, JsonOption, StoreOption, VersionArgument
from curator.cli.terminal import print_line
from curator.core.errors import UsageError


@app.command(epilog="Example: curator tag mathinstruct@3 paper")
def tag(
    version: VersionArgument,
    name: Annotated[
        str | None, typer.Argument(metavar="[TAG]", help="A name such as 'paper' or 'best'.")
    ] = None,
    move: Annotated[
        bool, typer.Option("--move", help="Take the tag from the version that has it.")
    ] = False,
    delete: Annotated[
        bool, typer.Option("--delete", help="Remove the tag VERSION, such as mathinstruct@paper.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Give a version a name, which every command accepts.

    'curator show mathinstruct@paper' shows the version with the tag 'paper'. A version with a tag
    cannot be removed; 'curator versions' lists the tags.
    """
    from curator.versions import tag as tags

    if delete == (name is not None):
        raise UsageError(
            "Give a version and a tag (curator tag mine@3 paper), or a tag to remove "
            "(curator tag --delete mine@paper)."
        )
    with open_existing(store, readonly=False) as opened:
        if name is None:
            ref, label = tags.delete_tag(opened, version), version.rpartition("@")[2]
        else:
            ref, label = tags.tag(opened, version, name, move).ref, name
    if as_json:
        show_json({"version": ref, "tag": label, "deleted": delete})
    elif delete:
        stays = f"{ref} stays" if ref else "its file was damaged"
        print_line(f"Removed the tag {version}; {stays}.")
    else:
        print_line(f"{ref.rpartition('@')[0]}@{label} is {ref}.")
