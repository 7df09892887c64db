"""The command `curator new`."""

from pathlib import Path
from typing import Annotated

import typer

from curator.cli.app import app
from curator.cli.complete import complete_recipes
from curator.cli.tables import print_wrapped


@app.command(epilog="Example: curator new mine --from quickstart")
def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the recipe; its file is NAME.yaml.")
    ],
    base: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="RECIPE",
            help="Shipped recipe or file to extend.",
            autocompletion=complete_recipes,
        ),
    ] = "mathinstruct",
) -> None:
    """Write a recipe file that extends another recipe."""
    from curator.recipe.scaffold import write_variant

    path = write_variant(name, base, Path())
    print_wrapped(f"Wrote {path}, which extends {base}.")
    print_wrapped(f"Edit it, then run: curator preview {path}")
