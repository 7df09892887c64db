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
    from curator.recipe.yaml_document import shipped_recipes

    try:
        names = shipped_recipes()
    except (OSError, CuratorError):
        return []
    # `g-m` is `ablations/g-m`.
    both = sorted({*names, *(Path(name).name for name in names)})
    return [name for name in both if name.startswith(incomplete)]
