"""The command `curator build`."""

import shlex
from typing import TYPE_CHECKING

from curator.cli.app import app, newest_version, show_progress
from curator.cli.options import (
    DEFAULT_STORE,
    JsonOption,
    MessageOption,
    RecipeArgument,
    StoreOption,
    run_options,
)
from curator.cli.render import show_made
from curator.cli.terminal import print_line

if TYPE_CHECKING:
    from curator.pipeline.run_options import RunOptions


@app.command(epilog="Example: curator build recipes/mathinstruct.yaml --mirror data")
@run_options("mirror", "allow_missing", "workers", "executor", "unsafe_local", "budget")
def build(
    recipe: RecipeArgument,
    options: "RunOptions",
    message: MessageOption = "",
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Build a recipe into a version.

    Before the first request to a teacher, prints its address and the environment variable whose
    value is sent there. Rerun the command to resume a build that was stopped. If the version would
    be the same as the newest one, none is made.
    """
    from curator.pipeline.build import build as run_build
    from curator.recipe.load import load_recipe

    loaded = load_recipe(recipe)
    newest = newest_version(store, loaded.name)
    with show_progress(options) as options:
        manifest = run_build(loaded, store, message=message, options=options)
    show_made(manifest, newest, as_json)
    if not as_json and manifest.ref != newest:
        store_flag = "" if store == DEFAULT_STORE else f" --store {shlex.quote(str(store))}"
        print_line(
            f"Next: curator show {manifest.ref}{store_flag}, "
            f"curator sql 'FROM verdicts LIMIT 9'{store_flag}",
            error=True,
        )
