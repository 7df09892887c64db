"""Load a recipe: what a version is made of, validated whole before any work starts.

In: a YAML file or the name of a shipped recipe. Out: a frozen `Recipe`, or one RecipeError with all
errors, each with its file, line, what was expected and the nearest valid name.
"""

from pathlib import Path
from typing import Any

import pydantic

from curator.core.errors import RecipeError, join_errors
from curator.recipe.messages import error_lines
from curator.recipe.schema import Recipe
from curator.recipe.validation import cross_key_errors
from curator.recipe.yaml_document import read_document


def load_recipe(name: str | Path) -> Recipe:
    """Return the recipe in the file `name`, or the shipped recipe of that name.

    Raises RecipeError with all errors of the recipe, one per line.
    """
    document = read_document(name, Recipe)
    errors = cross_key_errors(document)
    try:
        recipe = Recipe.model_validate(document.values)
    except pydantic.ValidationError as error:
        errors += error_lines(document, error, Recipe)
    if errors:
        raise RecipeError(join_errors(sorted(dict.fromkeys(errors), key=_file_and_line)))
    recipe._folder = document.path.parent
    is_file = Path(name).is_file()
    recipe._file = str(document.path.absolute() if is_file else name)
    return recipe


def _file_and_line(message: str) -> tuple[str, int]:
    file, _, rest = message.partition(":")
    line = rest.partition(":")[0]
    return file, int(line) if line.isdigit() else 0


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a recipe, for editors.

    Only `name` is required in it, since `extends` may provide all other keys.
    """
    full = Recipe.model_json_schema()
    full["required"] = ["name"]
    full["title"] = "Curator recipe"
    return full
