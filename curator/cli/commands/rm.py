"""The command `curator rm`."""

from typing import TYPE_CHECKING, Annotated

import typer

from curator.cli.app import app, open_existing, show_json
from curator.cli.complete import complete_versions
from curator.cli.options import DEFAULT_STORE, JsonOption, StoreOption
from curator.cli.terminal import print_line

if TYPE_CHECKING:
    from curator.versions.remove import Removal


@app.command(epilog="Example: curator rm mathinstruct@3")
def rm(
    versions: Annotated[
        list[str],
        typer.Argument(
            metavar="VERSION...",
            help="NAME@NUMBER, the start of a digest, or NAME if it has a single version.",
            autocompletion=complete_versions,
        ),
    ],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Remove versions and the stored data that only they use.

    A version with a damaged manifest can be removed, too. Its number is not given again.
    Teacher calls and executions stay cached, so building the recipe again repeats none of
    them. Rerun the command if it was stopped.
    """
    from curator.versions.remove import remove

    def note(line: str) -> None:
        print_line(line, error=True)

    with open_existing(store, readonly=False) as opened:
        removals = remove(opened, versions, note)
    if as_json:
        show_json(removals)
        return
    for each in removals:
        print_line(_describe(each))


def _describe(removal: "Removal") -> str:
    objects = f"{removal.objects:,} object{'s' * (removal.objects != 1)}"
    size = removal.bytes / 1024
    amount = f"{size:,.0f} KiB" if size < 1024 else f"{size / 1024:,.1f} MiB"
    return f"Removed {removal.version}: freed {objects}, {amount}."
