"""The command `curator audit`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curator.cli.app import app, existing, make_room, show_json, show_progress
from curator.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    run_options,
)
from curator.cli.tables import printable, table
from curator.core.errors import UsageError

if TYPE_CHECKING:
    from curator.pipeline.audit.run import Audit
    from curator.pipeline.run_options import RunOptions


EACH, SHOWN = 4, 90
"""Examples of a check, and characters of each, that a terminal gets; JSON has all."""


DatasetArgument = Annotated[
    str,
    typer.Argument(
        metavar="DATASET",
        help="A file, a pattern of files, or a dataset of the Hub: ORG/NAME[@REVISION].",
    ),
]
GoldFromOption = Annotated[
    list[str] | None,
    typer.Option(
        "--gold-from",
        help="Source (gsm8k) or evaluation set (evals/gsm8k) that lends its gold answers to "
        "the same questions; all of the mirror by default.",
    ),
]


@app.command(epilog="Example: curator audit rows.jsonl --mirror data --fix rows-clean")
@run_options("mirror", "workers", "unsafe_local")
def audit(
    dataset: DatasetArgument,
    options: "RunOptions",
    store: StoreOption = DEFAULT_STORE,
    gold_from: GoldFromOption = None,
    question: Annotated[str, typer.Option(help="Column of the question.")] = "",
    response: Annotated[str, typer.Option(help="Column of the solution or program.")] = "",
    gold: Annotated[str, typer.Option(help="Column of the gold answer.")] = "",
    choices: Annotated[str, typer.Option(help="Column of the options.")] = "",
    config: Annotated[str, typer.Option(help="Configuration of a Hub dataset.")] = "",
    split: Annotated[str, typer.Option(help="Split of a Hub dataset.")] = "train",
    licence: Annotated[str, typer.Option(help="Its licence, if you know it.")] = "",
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="Look at so many records; 0 for all.")
    ] = 0,
    fix: Annotated[
        str, typer.Option("--fix", metavar="NAME", help="Keep the clean rows as version NAME.")
    ] = "",
    report: Annotated[
        Path | None, typer.Option("--report", help="Write the report page to this file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge any dataset without a recipe; bad rows are a finding, and no failure."""
    from curator.pipeline.audit.run import AuditRequest
    from curator.pipeline.audit.run import audit as judge

    if report and report.exists():
        raise UsageError(f"{report} exists; name another file for the report.")
    make_room(report)
    columns = {"question": question, "response": response, "gold": gold, "choices": choices}
    request = AuditRequest(
        dataset,
        columns={holds: column for holds, column in columns.items() if column},
        config=config,
        split=split,
        licence=licence,
        limit=limit,
        golds_from=gold_from or (),
        fix=fix,
    )
    with show_progress(options) as options:
        found = judge(request, store, options)
    if as_json:
        show_json(_plain(found))
    else:
        _print(found)
    if report:
        from curator.versions.report.write import write_report

        with existing(store) as opened:
            write_report(opened, found.manifest, report)
        if not as_json:
            print(f"Wrote the report to {report}")


def _plain(found: "Audit") -> dict[str, object]:
    return {
        "dataset": found.dataset,
        "licence": found.licence,
        "columns": found.columns,
        "rows": found.rows,
        "kinds": found.kinds,
        "checks": [
            {
                "check": line.check,
                "rows": line.rows,
                "passed": line.passed,
                "failed": line.failed,
                "undecided": line.undecided,
                "told": line.told,
                "reasons": line.reasons,
                "examples": line.examples,
                "note": line.note,
            }
            for line in found.lines
        ],
        "clean": found.clean,
        "version": found.version or None,
    }


def _print(found: "Audit") -> None:
    kinds = ", ".join(f"{many:,} {kind}" for kind, many in found.kinds.items())
    print(f"{printable(found.dataset)}  {found.rows:,} rows ({kinds})")
    print()
    head = ("holds", "column", "how sure", "why")
    table(head, [(c.holds, c.column, c.sure, c.why) for c in found.columns], whole=head[:3])
    print()
    numbers = ("rows", "passed", "failed", "undecided", "told")
    lines = [
        (line.check, line.rows, line.passed, line.failed, line.undecided, line.told)
        for line in found.lines
    ]
    table(("check", *numbers), lines, right=numbers, whole=("check",))
    print()
    notes = [
        (line.check, each)
        for line in found.lines
        for each in (*(f"{reason}: {many:,}" for reason, many in line.reasons.items()), line.note)
        if each
    ]
    table(("check", "what was found"), notes, whole=("check",))
    examples = [
        (line.check, each.place, printable(each.what)[:SHOWN])
        for line in found.lines
        for each in line.examples[:EACH]
    ]
    if examples:
        print()
        table(("for example", "place", "what was seen"), examples, whole=("for example",))
    print()
    offer = "; --fix NAME keeps them as a version" if found.clean else ""
    saved = f", kept as {found.version}" if found.version else offer
    print(f"{found.clean:,} of {found.rows:,} rows are clean{saved}.")
    if any(line.undecided for line in found.lines):
        print("Undecided is neither passed nor failed: it keeps no row from being clean.")
