"""The command `curator overlap`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curator.cli.app import app, show_json
from curator.cli.options import DEFAULT_STORE, JsonOption, MirrorOption, StoreOption
from curator.cli.tables import print_table
from curator.cli.terminal import print_line
from curator.core.errors import to_one_line
from curator.core.words import counted

if TYPE_CHECKING:
    from curator.pipeline.overlap import Comparison

WIDTH = 74
"""Printed characters per question."""
EXAMPLES = 2
"""Printed pairs per level."""
NAME = "a source, evaluation set (evals/NAME), version (NAME@N), file or Hub dataset"


@app.command(epilog="Example: curator overlap mine.jsonl evals/gsm8k --mirror DIR")
def overlap(
    name: Annotated[str, typer.Argument(metavar="A", help=f"Questions that may repeat: {NAME}.")],
    other: Annotated[str, typer.Argument(metavar="B", help="Questions that A may repeat.")],
    mirror: MirrorOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """List the questions of A that repeat one of B.

    The levels of match are those of the screen `contamination`: the same question, reworded, the
    same template with other numbers, a shared phrase. --json prints all pairs that were found.
    """
    from curator.pipeline.overlap import compare

    compared = compare(name, other, store, Path(mirror) if mirror else None)
    if as_json:
        show_json(compared)
    else:
        _print(compared, name, other)


def _print(compared: "Comparison", name: str, other: str) -> None:
    rows = [
        (level, count, f"{count / compared.problems:.1%}")
        for level, count in compared.counts.items()
    ]
    if rows:
        print_table(("level", "problems", f"share of {compared.problems:,}"), rows, ("problems",))
    for level in compared.counts:
        for pair in [each for each in compared.pairs if each.level == level][:EXAMPLES]:
            print_line()
            print_line(f"{level}, {pair.covered:.0%} covered, gold answers {pair.gold_answers}")
            print_line(f"  A  {to_one_line(pair.question, WIDTH)}")
            print_line(f"  B  {to_one_line(pair.other, WIDTH)}")
    if rows:
        print_line()
    total = sum(compared.counts.values())
    print_line(
        f"{total:,} of {compared.problems:,} problems of {name} repeat one of "
        f"{compared.others:,} of {other}."
    )
    if compared.unread:
        reasons = ", ".join(f"{text} ({count:,})" for text, count in compared.reasons.items())
        print_line(f"{counted(compared.unread, 'record')} could not be read: {reasons}.")
