"""The command `curator pull`."""

from typing import Annotated

import typer

from curator.cli.app import Progress, app
from curator.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
)
from curator.cli.render import show_manifest


@app.command(epilog="Example: curator pull org/name@v1")
def pull(
    repo: Annotated[
        str,
        typer.Argument(metavar="ORG/NAME[@REV]", help="Dataset, with a tag, branch or commit."),
    ],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Make a published dataset a version ORG--NAME of the store, to be compared with one's own.

    Everything is checked: files, ids and digests are computed again from what was fetched.
    """
    from curator.release.hub.pull import pull as get
    from datastore.store import Store

    with Store(store) as opened, Progress() as progress:
        manifest = get(repo, opened, progress)
    show_manifest(manifest, as_json)
