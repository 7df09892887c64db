"""The command `curator publish`."""

from typing import Annotated

import typer

from curator.cli.app import Progress, app, open_existing, show_json
from curator.cli.options import (
    DEFAULT_STORE,
    HeldOutOption,
    JsonOption,
    StoreOption,
    VersionArgument,
)
from curator.cli.terminal import print_line
from curator.core.words import counted

STATES = {
    "published": "Published",
    "tagged": "Added the missing tag to",
    "already there": "Already published:",
}


@app.command(epilog="Example: curator publish mathinstruct@1 org/name")
def publish(
    version: VersionArgument,
    repo: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Dataset on the Hub.")],
    public: Annotated[
        bool, typer.Option("--public", help="Make the dataset public. Default: private.")
    ] = False,
    message: Annotated[
        str, typer.Option("-m", "--message", metavar="TEXT", help="Message of the commit.")
    ] = "",
    held_out: HeldOutOption = 0.0,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Publish a version on the Hugging Face Hub.

    Makes one commit and the tag v<number>. The token is read from HF_TOKEN or from 'hf auth
    login'. Rerun the command to resume; a version that is already published is not changed.
    """
    from curator.release.hub.push import PublishOptions
    from curator.release.hub.push import publish as push

    with open_existing(store, readonly=False) as opened, Progress() as progress:
        done = push(opened, version, repo, PublishOptions(public, message, held_out), progress)
        if done.conflict:
            progress.note(f"The dataset as a whole has no permissive licence: {done.conflict}.")
    if as_json:
        show_json(done)
        return
    access = "private" if done.private else "public"
    print_line(
        f"{STATES[done.state]} {counted(done.rows, 'row')} as {done.repo} {done.tag} ({access})"
    )
    print_line(f"{done.url}/tree/{done.tag}, commit {done.commit[:12]}")
