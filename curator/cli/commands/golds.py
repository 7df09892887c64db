"""The command `curator golds`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curator.cli.app import app, show_json, show_progress
from curator.cli.options import DEFAULT_STORE, JsonOption, StoreOption, run_options
from curator.cli.tables import print_table, print_wrapped
from curator.cli.terminal import print_line
from curator.core.errors import to_one_line

if TYPE_CHECKING:
    from curator.pipeline.golds.suspects import GoldsInDoubt, Suspect
    from curator.pipeline.run_options import RunOptions

LONGEST, QUESTION, PLACES = 10, 60, 3
"""Printed characters of an answer and of a question, and printed places; JSON has all."""


@app.command(epilog="Example: curator golds evals/gsm8k --answers gpt4.json --mirror DIR")
@run_options("mirror", "workers", "unsafe_local")
def golds(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A source, evaluation set (evals/NAME), version (with its dropped rows), file or "
            "Hub dataset.",
        ),
    ],
    options: "RunOptions",
    answers: Annotated[
        list[str] | None,
        typer.Option(
            "--answers",
            metavar="[FAMILY=]FILE",
            help="A model's answers to the same questions; can be repeated. Models of a family "
            "share one voice. Default: the first word of the file's name.",
        ),
    ] = None,
    errata: Annotated[
        Path | None,
        typer.Option("--errata", metavar="FILE", help="Leave out suspects that FILE rules on."),
    ] = None,
    rows: Annotated[
        int, typer.Option("--rows", metavar="N", min=1, help="Number of suspects to print.")
    ] = 20,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Rank gold answers that may be wrong, with the evidence.

    Evidence: models that agree on another answer, the problem's own solution and program, wrong
    steps of its arithmetic, and numbers that it does not use or invents. Look at the problems, then
    rule with 'curator rule'. --json prints all suspects with their questions.
    """
    from curator.pipeline.golds.run import find_golds_in_doubt

    with show_progress(options) as options:
        found = find_golds_in_doubt(name, answers or (), store, options, errata)
    if as_json:
        show_json(found)
    else:
        _print(found, rows)


def _print(found: "GoldsInDoubt", rows: int) -> None:
    head = ("key", "doubt", "gold", "evidence")
    lines = [
        (
            each.key,
            f"{each.doubt:.2f}",
            _cut(each.gold),
            f"{_describe(each)}: {'; '.join(each.evidence)}",
        )
        for each in found.suspects[:rows]
    ]
    if lines:
        print_table(head, lines, right=("doubt",), whole=("key",))
        print_line()
    if found.agreement:
        agree = "agree with the golds"
        shares = [(name, f"{share:.1%}") for name, share in found.agreement.items()]
        print_table(("answers", agree), shares, right=(agree,))
        print_line()
    doubted = sum(each.doubt > 0 for each in found.suspects)
    print_wrapped(
        f"{found.problems:,} problems, {found.compared:,} with another statement of the answer: "
        f"evidence against {len(found.suspects):,} golds, outweighing what speaks for "
        f"{doubted:,} of them."
    )
    if found.ruled:
        print_line(f"{found.ruled:,} suspects are left out: the errata rule on them.")
    if found.suspects:
        first: Suspect = found.suspects[0]
        print_line(f"Next: curator rule errata.jsonl {first.key} wrong --answer VALUE")


def _cut(answer: str) -> str:
    return answer if len(answer) <= LONGEST else f"{answer[: LONGEST - 1]}…"


def _describe(suspect: "Suspect") -> str:
    """Return the first places of a suspect and the beginning of its question."""
    more = len(suspect.places) - PLACES
    places = ", ".join(suspect.places[:PLACES]) + (f" and {more:,} more" if more > 0 else "")
    return f"{places} {to_one_line(suspect.question, QUESTION)}"
