"""Writes a variant: a recipe file that extends another one, with commented examples."""

import json
import re
from pathlib import Path

from curator.core.errors import UsageError
from curator.recipe.load import load_recipe

_TEMPLATE = """\
{schema}# {name}: a variant of {base}.
#   curator preview {name}.yaml     show a few rows of each subset
#   curator plan {name}.yaml        show what a build would run and how many rows it would have
#   curator build {name}.yaml       build the version {name}@1
extends: {quoted}
name: {name}
about: {about}

# Keys in this file override those of {base}; null removes a key. For example:
# seed: 1
# only: [{subset}]    # the subsets to keep
# subsets:
#   {subset}: null    # leave a subset out
# mixture:
#   rows: 10000
#   kinds: {{CoT: 50%}}    # the share of a kind in the version
#   subsets:
#     {subset}: 1000    # 1000 is a number of rows, 0.5 a weight, 30% a share
"""
_SCHEMA = "recipe.schema.json"
"""File that editors read: `curator schema > recipe.schema.json` writes it."""


def _has_schema(folder: Path) -> bool:
    return (folder / _SCHEMA).is_file()


def write_variant(name: str, base: str, folder: Path) -> Path:
    """Write `NAME.yaml` into a folder and return its path. Never overwrites a file."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,63}", name):
        raise UsageError(
            f"'{name}' is not a valid name. Use lower-case letters, digits, '-', '_' and '.'."
        )
    recipe = load_recipe(base)
    path = folder / f"{name}.yaml"
    text = _TEMPLATE.format(
        name=name,
        base=base,
        # Editors report a comment that names a missing file.
        schema=f"# yaml-language-server: $schema={_SCHEMA}\n" if _has_schema(folder) else "",
        quoted=json.dumps(base, ensure_ascii=False),
        about=json.dumps(f"A variant of {base}.", ensure_ascii=False),
        subset=next(iter(recipe.subsets)),
    )
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} already exists. Choose another name, or edit the file.") from None
    load_recipe(path)
    return path
