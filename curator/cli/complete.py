"""Values that a shell completes: names of versions and of shipped recipes.

In: what was typed so far. Out: the values that begin with it. `curator --install-completion`
installs the completion; nothing here runs before a shell asks for values.
"""

from pathlib import Path

import typer


def complete_versions(context: typer.Context, incomplete: str) -> list[str]:
    """Return names of versions, their numbers and their tags; none if there is no store."""
    from datastore.errors import StoreError
    from datastore.versions import Versions

    versions = Versions(Path(context.params.get("store") or ".curator"))
    try:
        names = versions.names()
        numbered = [f"{name}@{number}" for name in names for number in versions.numbers(name)]
        tagged = [f"{name}@{tag}" for name in names for tag in versions.tags.of(name)]
    except (OSError, StoreError):
        return []
    return [value for value in (*names, *numbered, *tagged) if value.startswith(incomplete)]


def complete_recipes(incomplete: str) -> list[str]:
    """Return names of shipped recipes; where none begins so, shells complete files."""
    from curator.core.errors import CuratorError
    from curator.recipe.builtin import recipes_folder

    try:
        names = sorted(path.stem for path in recipes_folder().glob("*.yaml"))
    except (OSError, CuratorError):
        return []
    return [name for name in names if name.startswith(incomplete)]
