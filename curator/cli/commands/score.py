"""The command `curator score`."""

from pathlib import Path
from typing import Annotated

import typer

from curator.cli.app import Progress, app, make_parents, show_json
from curator.cli.options import JsonOption
from curator.cli.terminal import print_line
from curator.core.errors import UsageError
from curator.core.words import counted


@app.command(epilog="Example: curator score samples.jsonl --verifier runs/verifier/model")
def score(
    samples: Annotated[
        Path,
        typer.Argument(
            metavar="SAMPLES", help="File of samples, of any form that 'curator evaluate' reads."
        ),
    ],
    verifier: Annotated[
        Path,
        typer.Option("--verifier", metavar="DIR", help="Folder 'model' of a verifier's run."),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Output file, in JSON Lines. Default: SAMPLES, if 'curator sample' wrote it.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Add the scores of a verifier to samples.

    'curator evaluate' then re-ranks the samples by these scores. Rerun the command to resume: the
    scores of a stopped process are beside the output.
    """
    from curator.core.progress import track_progress
    from curator.core.samples import write_samples
    from curator.sources.sample_files import is_rewritable, read_any_samples
    from trainers.apply_verifier import Scorer, journal_path, score_samples

    if not samples.is_file():
        raise UsageError(f"No samples at {samples}. Write them with 'curator sample'.")
    if output is None and not is_rewritable(samples):
        raise UsageError(
            f"{samples} is not a file of 'curator sample' in plain JSON Lines, so it is not "
            "replaced. Name another file for the scores with --output."
        )
    target = output or samples
    make_parents(target)
    scorer = Scorer(verifier)
    journal = journal_path(target, verifier)
    with Progress() as progress:
        problems = track_progress(read_any_samples(samples), progress, "scoring", None, every=20)
        count = write_samples(score_samples(problems, scorer, journal), target)
    journal.unlink(missing_ok=True)
    if as_json:
        show_json({"file": str(target), "problems": count, "too_long": scorer.too_long})
        return
    print_line(f"Wrote the scores of {counted(count, 'problem')} to {target}")
    if scorer.too_long:
        print_line(
            f"{scorer.too_long:,} solutions exceed the verifier's maximum length and score 0."
        )
