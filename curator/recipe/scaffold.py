"""A variant: a recipe file that extends another one, with comments that say what to change."""

import json
import re
from pathlib import Path

from curator.core.errors import UsageError
from curator.recipe.load import load_recipe

_TEXT = """\
# yaml-language-server: $schema=recipe.schema.json
# {name}: a variant of {base}.
#   curator preview {name}.yaml     look at a few rows of each subset
#   curator plan {name}.yaml        what would run, how many rows would result
#   curator build {name}.yaml       make the version {name}@1
extends: {quoted}
name: {name}
about: {about}

# What is written here overrides {base} key by key; null removes a key. For example:
# seed: 1
# subsets:
#   {subset}: null            # leave a subset out
# mixture:
#   rows: 10000
#   subsets:
#     {subset}: 1000          # an integer is a number of rows, 0.5 a weight, 30% a share
"""


def write_variant(name: str, base: str, folder: Path) -> Path:
    """Write `NAME.yaml` into a folder and return its path; an existing file is left alone."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,63}", name):
        raise UsageError(f"A name has lower-case letters, digits, '-', '_' and '.', saw '{name}'")
    recipe = load_recipe(base)
    path = folder / f"{name}.yaml"
    text = _TEXT.format(
        name=name,
        base=base,
        quoted=json.dumps(base, ensure_ascii=False),
        about=json.dumps(f"A variant of {base}.", ensure_ascii=False),
        subset=next(iter(recipe.subsets)),
    )
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists; choose another name or edit it") from None
    load_recipe(path)
    return path
