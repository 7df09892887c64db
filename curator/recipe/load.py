"""A recipe: what a version is made of, read from YAML and checked whole before any work.

In: a YAML file or the name of a shipped recipe. Out: a frozen `Recipe`, or one RecipeError that
holds every fault with its file, line, what was expected and the nearest valid name.
"""

from pathlib import Path
from typing import Any

import pydantic

from curator.core.errors import RecipeError
from curator.recipe.schema import (
    Recipe,
)
from curator.recipe.validation import _fault, cross_faults, place
from curator.recipe.yaml_document import read_document


def load_recipe(name: str | Path) -> Recipe:
    """The recipe in the file `name`, or the shipped recipe of that name, checked whole.

    Raises RecipeError with every fault, one a line.
    """
    document = read_document(name)
    faults = cross_faults(document)
    try:
        recipe = Recipe.model_validate(document.values)
    except pydantic.ValidationError as error:
        faults += [_fault(document, dict(item)) for item in error.errors()]
    if faults:
        raise RecipeError("\n".join(sorted(dict.fromkeys(faults), key=place)))
    recipe._folder = document.path.parent
    return recipe


def schema() -> dict[str, Any]:
    """JSON Schema of a recipe, for editors.

    `extends` may provide what is required otherwise, so only the name is required there.
    """
    full = Recipe.model_json_schema()
    full["required"] = ["name"]
    full["title"] = "Curator recipe"
    return full
