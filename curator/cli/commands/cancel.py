"""The command `curator cancel`."""

from curator.cli.app import Progress, app, open_existing
from curator.cli.options import DEFAULT_STORE, RecipeArgument, StoreOption
from curator.cli.terminal import print_line
from curator.core.errors import UsageError


@app.command(epilog="Example: curator cancel mine.yaml")
def cancel(recipe: RecipeArgument, store: StoreOption = DEFAULT_STORE) -> None:
    """Cancel the running batches of a recipe's teacher.

    Replies that the provider has finished by then are cached.
    """
    from curator.recipe.load import load_recipe
    from curator.teacher.batch.cancel import cancel_batches

    loaded = load_recipe(recipe)
    if loaded.teacher is None or not loaded.teacher.batch:
        raise UsageError(
            f"Recipe {loaded.name} does not use a batch API, so there is nothing to cancel. "
            "To use one, set teacher.batch."
        )
    with open_existing(store, readonly=False) as opened, Progress() as progress:
        cancelled = cancel_batches(loaded.teacher, opened, progress)
    print_line(f"Batches cancelled: {cancelled:,}." if cancelled else "No batch is running.")
