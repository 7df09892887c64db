"""The command `curator publish`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curator.cli.app import Progress, app, open_existing, show_json
from curator.cli.complete import complete_versions
from curator.cli.options import (
    DEFAULT_STORE,
    VERSION,
    CertifyOption,
    HeldOutOption,
    JsonOption,
    StoreOption,
)
from curator.cli.tables import print_table, print_wrapped
from curator.cli.terminal import print_line
from curator.core.errors import UsageError
from curator.core.words import counted

if TYPE_CHECKING:
    from curator.release.hub.model_card import Score
    from curator.release.hub.push import PublishResult

STATES = {
    "published": "Published",
    "tagged": "Added the missing tag to",
    "already there": "Already published:",
}


@app.command(epilog="Example: curator publish mathinstruct@1 org/name")
def publish(
    version: Annotated[
        str,
        typer.Argument(
            metavar="VERSION|DIR",
            help=f"Version: {VERSION} Or the folder of a finished training, to publish its model.",
            autocompletion=complete_versions,
        ),
    ],
    repo: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Dataset or model on the Hub.")],
    public: Annotated[
        bool, typer.Option("--public", help="Make the repository public. Default: private.")
    ] = False,
    message: Annotated[
        str, typer.Option("-m", "--message", metavar="TEXT", help="Message of the commit.")
    ] = "",
    held_out: HeldOutOption = 0.0,
    certify: CertifyOption = "",
    results: Annotated[
        Path | None,
        typer.Option(
            "--results", metavar="FILE", help="Result of 'curator evaluate -o' for a model's card."
        ),
    ] = None,
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset",
            metavar="ORG/NAME[@REV]",
            help="Published release that the model was trained on, for its card; its digest is "
            "compared. Default: the one that 'curator train --release' fetched.",
        ),
    ] = "",
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Change nothing on the Hub; print what would be published."),
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Publish a version or a trained model on the Hub.

    On the Hugging Face Hub, a version becomes one commit and the tag v<number>, a model one
    commit. The token is read from HF_TOKEN or from 'hf auth login'. Rerun the command to resume;
    what is already published is not changed.
    """
    from curator.release.hub.model_folder import is_training

    if is_training(version):
        if held_out or certify:
            raise UsageError(
                "--held-out and --certify are for versions, not for models. Omit them."
            )
        values = {"public": public, "message": message, "dry_run": dry_run, "dataset": dataset}
        _publish_model(Path(version), repo, results, values, as_json)
        return
    if results or dataset:
        raise UsageError(
            f"--results and --dataset are for models, and {version} is not the folder of a "
            "training. Name the folder of the run, or omit them."
        )
    from curator.release.hub.push import PublishOptions
    from curator.release.hub.push import publish as push
    from curator.rewards.certification import certificate_of

    # even a dry run keeps its gradings, if the store can be written
    readonly = dry_run and not (certify and os.access(store, os.W_OK))
    with open_existing(store, readonly) as opened, Progress() as progress:
        certificate = certificate_of(certify, progress.progress, opened)
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


def _publish_model(
    folder: Path, repo: str, results: Path | None, values: dict[str, Any], as_json: bool
) -> None:
    """Publish the model of a training; `values` are fields of `ModelOptions`."""
    from curator.release.hub.push_model import ModelOptions, publish_model

    scores = _read_scores(results) if results else []
    with Progress() as progress:
        done = publish_model(folder, repo, ModelOptions(**values, scores=scores), progress)
    if as_json:
        show_json(done)
        return
    access = "private" if done.private else "public"
    if done.left_out:
        print_wrapped(f"Not published: {', '.join(done.left_out)}.")
    if done.dry_run:
        print_table(("file", "bytes"), list(done.files.items()), ("bytes",))
        print_line(f"Model: {done.repo} ({EXISTS[done.exists]}, {access})")
        print_line(f"Dataset: {done.dataset or 'not stated'}")
        print_line("Nothing was changed (--dry-run).")
        return
    print_line(f"{STATES[done.state]} the model as {done.repo} ({access})")
    print_line(f"{done.url}, commit {done.commit[:12]}")


def _read_scores(file: Path) -> "list[Score]":
    """Return Pass@1 and the vote of all samples on each evaluation set of a result."""
    from curator.release.hub.model_card import Score
    from trainers.evaluation.evaluate import read_result

    result = read_result(file)
    return [
        Score(result.name, **{field: getattr(each, field) for field in SCORE_FIELDS})
        for each in result.scores
        if each.group in result.sets()
        and each.metric in ("Pass@1", f"Maj1@{each.samples}")
        and (each.samples > 1 or each.metric == "Pass@1")
    ]


SCORE_FIELDS = ("group", "metric", "problems", "samples", "share", "low", "high", "standard_error")
EXISTS = {None: "not looked up: no token", True: "exists", False: "would be created"}


def _print_dry_run(done: "PublishResult", access: str) -> None:
    """Print what publishing would do, in at most 80 columns."""
    print_table(("file", "bytes"), list(done.files.items()), ("bytes",))
    words = {"published": "Would publish", "tagged": "Would only tag"}
    word = words.get(done.state, "Already published:")
    print_line(f"{word} {counted(done.rows, 'row')} as {done.tag} ({access}).")
    print_line(f"Dataset: {done.repo} ({EXISTS[done.exists]})")
    licences = done.license if isinstance(done.license, str) else ", ".join(done.license)
    print_line(f"Licence: {licences}")
    print_line("Nothing was changed (--dry-run).")
