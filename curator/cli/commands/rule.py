"""The command `curator rule`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from curator.cli.app import app, show_json
from curator.cli.options import JsonOption
from curator.cli.tables import print_wrapped


@app.command(epilog="Example: curator rule errata.jsonl 066e278edfd8a0dc wrong --answer 240")
def rule(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="File of errata; created if it does not exist.")
    ],
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="Key of the problem, as 'curator golds' prints it.")
    ],
    ruling: Annotated[
        Literal["wrong", "ambiguous", "right", "withdrawn"],
        typer.Argument(metavar="RULING", help="wrong, ambiguous, right or withdrawn."),
    ],
    answer: Annotated[
        str, typer.Option("--answer", metavar="VALUE", help="The right answer of a wrong gold.")
    ] = "",
    reason: Annotated[
        str, typer.Option("-m", "--message", metavar="TEXT", help="Why, in your own words.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Append a ruling on a gold answer to a file of errata.

    A recipe applies the file with the key 'errata'. Earlier rulings stay in the file; the last one
    of a key counts, and 'withdrawn' takes them back. The file holds no upstream text, so it can be
    shared.
    """
    from curator.core.errata import Erratum, add_ruling

    added, earlier = add_ruling(file, Erratum(key, ruling, answer, reason=reason))
    if as_json:
        show_json(added)
    else:
        replaced = f" It replaces: {earlier.ruling}." if earlier else ""
        print_wrapped(
            f"Added ruling {added.number} on {added.key} to {file}: {added.ruling}.{replaced}"
        )
