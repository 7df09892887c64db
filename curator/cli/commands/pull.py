"""The command `curator pull`."""

from typing import Annotated

import typer

from curator.cli.app import Progress, app
from curator.cli.options import DEFAULT_STORE, JsonOption, StoreOption
from curator.cli.render import show_manifest


@app.command(epilog="Example: curator pull org/name@v1")
def pull(
    repo: Annotated[
        str,
        typer.Argument(
            metavar="ORG/NAME[@REV]|DIR",
            help="Dataset on the Hub, with a tag, branch or commit; or a folder that 'curator "
            "export --format hub' wrote.",
        ),
    ],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Fetch a published dataset into the store.

    It becomes a version that can be compared with others, named ORG--NAME, or pulled--NAME if it
    comes from a folder. All files, ids and digests are verified.
    """
    from curator.release.hub.pull import pull as fetch
    from datastore.store import Store

    with Store(store) as opened, Progress() as progress:
        manifest = fetch(repo, opened, progress)
    show_manifest(manifest, as_json)
