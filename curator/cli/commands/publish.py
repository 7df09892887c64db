"""The command `curator publish`."""

from typing import TYPE_CHECKING, Annotated

import typer

from curator.cli.app import Progress, app, open_existing, show_json
from curator.cli.options import (
    DEFAULT_STORE,
    CertifyOption,
    HeldOutOption,
    JsonOption,
    StoreOption,
    VersionArgument,
)
from curator.cli.tables import print_table
from curator.cli.terminal import print_line
from curator.core.words import counted

if TYPE_CHECKING:
    from curator.release.hub.push import PublishResult

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
    certify: CertifyOption = "",
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Change nothing on the Hub; print what would be published."),
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Publish a version on the Hugging Face Hub.

    Makes one commit and the tag v<number>. The token is read from HF_TOKEN or from 'hf auth
    login'. Rerun the command to resume; a version that is already published is not changed.
    """
    from curator.release.hub.push import PublishOptions
    from curator.release.hub.push import publish as push
    from curator.rewards.certification import certificate_of

    with open_existing(store, readonly=dry_run) as opened, Progress() as progress:
        certificate = certificate_of(certify, progress.progress)
        options = PublishOptions(public, message, held_out, dry_run, certificate)
        done = push(opened, version, repo, options, progress)
        if done.conflict:
            progress.note(f"The dataset as a whole has no permissive licence: {done.conflict}.")
    if as_json:
        show_json(done)
        return
    access = "private" if done.private else "public"
    if done.dry_run:
        _print_dry_run(done, access)
        return
    print_line(
        f"{STATES[done.state]} {counted(done.rows, 'row')} as {done.repo} {done.tag} ({access})"
    )
    print_line(f"{done.url}/tree/{done.tag}, commit {done.commit[:12]}")


def _print_dry_run(done: "PublishResult", access: str) -> None:
    """Print what publishing would do, in at most 80 columns."""
    print_table(("file", "bytes"), list(done.files.items()), ("bytes",))
    where = {None: "not looked up: no token", True: "exists", False: "would be created"}
    words = {"published": "Would publish", "tagged": "Would only tag"}
    word = words.get(done.state, "Already published:")
    print_line(f"{word} {counted(done.rows, 'row')} as {done.tag} ({access}).")
    print_line(f"Dataset: {done.repo} ({where[done.exists]})")
    licences = done.license if isinstance(done.license, str) else ", ".join(done.license)
    print_line(f"Licence: {licences}")
    print_line("Nothing was changed (--dry-run).")
