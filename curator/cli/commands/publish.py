"""The command `curator publish`."""

from typing import Annotated

import typer

from curator.cli.app import Progress, app, existing, show_json
from curator.cli.options import (
    DEFAULT_STORE,
    HeldOutOption,
    JsonOption,
    StoreOption,
    VersionArgument,
)


@app.command(epilog="Example: curator publish mathinstruct@1 org/name")
def publish(
    version: VersionArgument,
    repo: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Dataset on the Hub.")],
    public: Annotated[
        bool, typer.Option("--public", help="Let everybody see it; private otherwise.")
    ] = False,
    message: Annotated[str, typer.Option("-m", "--message", help="Message of the commit.")] = "",
    held_out: HeldOutOption = 0.0,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Publish a version on the Hugging Face Hub: one commit, then the tag v<number>.

    The token is that of HF_TOKEN or of 'hf auth login'. What is published already is left as it is;
    run it again to go on where it was stopped.
    """
    from curator.release.hub.push import PublishOptions
    from curator.release.hub.push import publish as put

    with existing(store, readonly=False) as opened, Progress() as progress:
        options = PublishOptions(public, message, held_out)
        done = put(opened, version, repo, options, progress)
        if done.conflict:
            progress.note(f"No permissive licence stands on the whole: {done.conflict}.")
    if as_json:
        show_json(done)
        return
    words = {
        "published": "Published",
        "tagged": "Tagged what an earlier run had published of",
        "already there": "Nothing to do for",
    }
    who = "private" if done.private else "public"
    print(f"{words[done.state]} {done.rows:,} rows as {done.repo} {done.tag} ({who})")
    print(f"{done.url}/tree/{done.tag}, commit {done.commit[:12]}")
