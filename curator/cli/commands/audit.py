"""The command `curator audit`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curator.cli.app import app, make_parents, open_existing, show_json, show_progress
from curator.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    run_options,
)
from curator.cli.tables import print_table, print_wrapped
from curator.cli.terminal import print_line
from curator.core.errors import UsageError
from curator.core.words import counted, verb

if TYPE_CHECKING:
    from curator.pipeline.audit.run import Audit
    from curator.pipeline.run_options import RunOptions


MAX_EXAMPLES, MAX_CHARACTERS = 4, 90
"""Examples per check, and characters per example, that are printed; JSON has all."""


DatasetArgument = Annotated[
    str,
    typer.Argument(
        metavar="DATASET",
        help="A file, a pattern of files, or a Hub dataset ORG/NAME[@REVISION].",
    ),
]
GoldFromOption = Annotated[
    list[str] | None,
    typer.Option(
        "--gold-from",
        metavar="NAME",
        help="Source (gsm8k) or evaluation set (evals/gsm8k) whose gold answers fill missing "
        "ones; can be repeated. Default: all in the mirror.",
    ),
]


LicenceOption = Annotated[
    str, typer.Option(metavar="NAME", help="Licence of the dataset, if its card has none.")
]
ThoughtMarksOption = Annotated[
    tuple[str, str] | None,
    typer.Option(
        "--thought-marks",
        metavar="OPENING CLOSING",
        help="Further marks around thoughts, as texts. Default: the usual ones.",
    ),
]
FixOption = Annotated[
    str, typer.Option("--fix", metavar="NAME", help="Save the clean rows as version NAME.")
]
KeepOption = Annotated[
    bool,
    typer.Option(
        "--keep-undecided",
        help="Count rows that state no answer as clean, although their gold answer is known.",
    ),
]


ReportOption = Annotated[
    Path | None, typer.Option("--report", metavar="FILE", help="Write an HTML report.")
]


def _column(content: str) -> Any:
    """Return the option that names the column with this content."""
    return typer.Option(metavar="COLUMN", help=f"Column of {content}.")


@app.command(epilog="Example: curator audit rows.jsonl --mirror data --fix rows-clean")
@run_options("mirror", "workers", "executor", "unsafe_local")
def audit(
    dataset: DatasetArgument,
    options: "RunOptions",
    question: Annotated[str, _column("the question")] = "",
    response: Annotated[str, _column("the solution or program")] = "",
    thought: Annotated[str, _column("the thought before the solution")] = "",
    gold: Annotated[str, _column("the gold answer")] = "",
    choices: Annotated[str, _column("the choices")] = "",
    gold_from: GoldFromOption = None,
    config: Annotated[
        str, typer.Option(metavar="NAME", help="Configuration of a Hub dataset.")
    ] = "",
    split: Annotated[str, typer.Option(metavar="NAME", help="Split of a Hub dataset.")] = "train",
    licence: LicenceOption = "",
    limit: Annotated[
        int,
        typer.Option("--limit", metavar="N", min=0, help="Maximum number of records; 0 for all."),
    ] = 0,
    thought_marks: ThoughtMarksOption = None,
    fix: FixOption = "",
    keep_undecided: KeepOption = False,
    report: ReportOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Check any dataset; no recipe needed.

    Bad rows are reported and do not fail the command. Columns are detected; options
    override the detection. The line 'golds' counts gold answers in doubt.
    """
    from curator.pipeline.audit.run import AuditRequest
    from curator.pipeline.audit.run import audit as run_audit

    if report and report.exists():
        raise UsageError(f"{report} exists. Choose another file for the report.")
    make_parents(report)
    columns = {
        "question": question,
        "response": response,
        "thought": thought,
        "gold": gold,
        "choices": choices,
    }
    request = AuditRequest(
        dataset,
        columns={content: column for content, column in columns.items() if column},
        config=config,
        split=split,
        licence=licence,
        limit=limit,
        golds_from=gold_from or (),
        thoughts=(thought_marks,) if thought_marks else (),
        fix=fix,
        keep_undecided=keep_undecided,
    )
    with show_progress(options) as options:
        result = run_audit(request, store, options)
    if as_json:
        show_json(_to_json(result))
    else:
        _print(result, keep_undecided)
    if report:
        from curator.versions.report.write import write_report

        with open_existing(store) as opened:
            write_report(opened, result.manifest, report)
        if not as_json:
            print_line(f"Wrote the report to {report}")


def _to_json(audit: "Audit") -> dict[str, object]:
    return {
        "dataset": audit.dataset,
        "licence": audit.licence,
        "columns": audit.columns,
        "rows": audit.rows,
        "kinds": audit.kinds,
        "checks": [
            {
                "check": line.check,
                "rows": line.rows,
                "passed": line.passed,
                "failed": line.failed,
                "undecided": line.undecided,
                "reported": line.reported,
                "reasons": line.reasons,
                "examples": line.examples,
                "note": line.note,
            }
            for line in audit.lines
        ],
        "clean": audit.clean,
        "version": audit.version or None,
    }


def _print(audit: "Audit", keep_undecided: bool) -> None:
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in audit.kinds.items())
    print_wrapped(f"{audit.dataset}  {counted(audit.rows, 'row')} ({kinds})")
    print_line()
    head = ("content", "column", "certainty", "reason")
    print_table(
        head, [(c.content, c.column, c.certainty, c.reason) for c in audit.columns], whole=head[:3]
    )
    print_line()
    numbers = ("rows", "passed", "failed", "undecided", "reported")
    lines = [
        (line.check, line.rows, line.passed, line.failed, line.undecided, line.reported)
        for line in audit.lines
    ]
    print_table(("check", *numbers), lines, right=numbers, whole=("check",))
    print_line()
    notes = [
        (line.check, each)
        for line in audit.lines
        for each in (*(f"{reason}: {count:,}" for reason, count in line.reasons.items()), line.note)
        if each
    ]
    print_table(("check", "finding"), notes, whole=("check",))
    examples = [
        (line.check, each.place, each.what[:MAX_CHARACTERS])
        for line in audit.lines
        for each in line.examples[:MAX_EXAMPLES]
    ]
    if examples:
        print_line()
        print_table(("example of", "place", "content"), examples, whole=("example of",))
    print_line()
    offer = "; save them as a version with --fix NAME" if audit.clean else ", so none can be saved"
    saved = f", saved as {audit.version}" if audit.version else offer
    print_wrapped(
        f"{audit.clean:,} of {counted(audit.rows, 'row')} {verb(audit.clean, 'is', 'are')} "
        f"clean{saved}."
    )
    from curator.checks.answer import NO_ANSWER

    if NO_ANSWER in {reason for line in audit.lines for reason in line.reasons}:
        print_wrapped(
            "Rows that state no answer although their gold answer is known "
            + (
                "count as clean: --keep-undecided."
                if keep_undecided
                else "do not count as clean; --keep-undecided keeps them."
            )
        )
