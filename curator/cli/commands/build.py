"""The command `curator build`."""

import shlex
import sys
from typing import TYPE_CHECKING

from curator.cli.app import app, show_progress
from curator.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    MessageOption,
    RecipeArgument,
    StoreOption,
    run_options,
)
from curator.cli.render import show_manifest

if TYPE_CHECKING:
    from curator.pipeline.run_options import RunOptions


@app.command(epilog="Example: curator build recipes/mathinstruct.yaml --mirror data")
@run_options("mirror", "allow_missing", "workers", "unsafe_local", "budget")
def build(
    recipe: RecipeArgument,
    options: "RunOptions",
    store: StoreOption = DEFAULT_STORE,
    message: MessageOption = "",
    as_json: JsonOption = False,
) -> None:
    """Build a recipe into a version; running it again goes on where it was stopped."""
    from curator.pipeline.build import build as make

    with show_progress(options) as options:
        manifest = make(recipe, store, message=message, options=options)
    show_manifest(manifest, as_json)
    if not as_json:
        where = "" if store == DEFAULT_STORE else f" --store {shlex.quote(str(store))}"
        print(
            f"Look closer: curator show {manifest.ref}{where}, "
            f"curator sql 'FROM verdicts LIMIT 9'{where}",
            file=sys.stderr,
        )
