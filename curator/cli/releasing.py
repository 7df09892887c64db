"""Commands that hand a version on: export, publish; and take one in: pull."""

from pathlib import Path
from typing import Annotated

import typer

from curator.cli.app import Progress, app, existing, show_json
from curator.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    OverwriteOption,
    StoreOption,
    VersionArgument,
)
from curator.cli.reading import show_manifest
from curator.errors import UsageError, unknown

HUB = "hub"
"""The one format that is a folder."""

HeldOutOption = Annotated[
    float,
    typer.Option(
        "--held-out",
        min=0,
        max=0.5,
        help="Share of questions whose rows go to the split 'validation' (hub only).",
    ),
]


@app.command(epilog="Example: curator export quickstart@1 --format alpaca -o rows.json")
def export(
    version: VersionArgument,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="alpaca, alpaca-jsonl, messages, prompt-completion or parquet; "
            "hub is the folder that 'publish' uploads.",
        ),
    ] = "alpaca",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="File to write, else VERSION-FORMAT.SUFFIX."),
    ] = None,
    held_out: HeldOutOption = 0.0,
    overwrite: OverwriteOption = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Write a version to a file; alpaca is the form of the released MathInstruct."""
    from curator.packing import pack
    from curator.release import FORMATS
    from curator.releases import export as write

    if form not in {*FORMATS, HUB}:
        raise UsageError(unknown("format", form, {*FORMATS, HUB}))
    if held_out and form != HUB:
        raise UsageError("--held-out makes splits, which only --format hub has")
    suffix = FORMATS[form].suffix if form in FORMATS else ""
    with existing(store) as opened:
        manifest = opened.versions.get(version)
        target = output or Path(f"{manifest.name}-{manifest.number}-{form}{suffix}")
        if form == HUB:
            rows = pack(opened, manifest, target, held_out, overwrite=overwrite).facts.rows
        else:
            rows = write(opened, manifest, form, target, overwrite)
    if as_json:
        show_json({"version": manifest.ref, "format": form, "file": str(target), "rows": rows})
    else:
        print(f"Wrote {rows:,} rows of {manifest.ref} to {target}")


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
    from curator.publish import publish as put

    with existing(store, readonly=False) as opened, Progress() as progress:
        done = put(
            opened,
            version,
            repo,
            public=public,
            message=message,
            held_out=held_out,
            listener=progress,
        )
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
    from curator.pull import pull as get
    from datastore.store import Store

    with Store(store) as opened, Progress() as progress:
        manifest = get(repo, opened, progress)
    show_manifest(manifest, as_json)
