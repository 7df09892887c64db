"""The command `curator new`."""

from pathlib import Path
from typing import Annotated

import typer

from curator.cli.app import app


@app.command(epilog="Example: curator new mine --from quickstart")
def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the variant; its file is NAME.yaml.")
    ],
    base: Annotated[str, typer.Option("--from", help="Recipe to extend.")] = "mathinstruct",
) -> None:
    """Write a recipe that extends a shipped one, to be edited."""
    from curator.recipe.scaffold import write_variant

    path = write_variant(name, base, Path())
    print(f"Wrote {path}, which extends {base}. Look at it, then: curator preview {path}")
