"""YAML documents with the line number of every key, and with `extends` resolved.

In: a path or the name of a shipped recipe, and the model of the document. Out: plain values and the
place of every key. The input is untrusted: size and the length of `extends` chains are limited, and
`curator.recipe.yaml_values` reads only a small part of YAML.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from curator.core.errors import RecipeError, UsageError, to_one_line, unknown_name
from curator.core.section import Mark
from curator.recipe import keys
from curator.recipe.builtin import recipes_folder
from curator.recipe.keys import Loc
from curator.recipe.yaml_values import read_values

MAX_BYTES = 250_000
"""Maximum bytes of a file; the largest shipped recipe has 3,000."""
MAX_PARENTS = 8

NOT_RECIPES = ("samples", "training", "accelerate")
"""Subfolders of the shipped files whose YAML files are not recipes of versions."""

Model = type[BaseModel]


@dataclass(frozen=True)
class Document:
    """The values of a YAML file, merged over those of the files it extends."""

    path: Path
    values: dict[str, Any]
    places: dict[Loc, str]
    """`file:line` of every key and list item."""

    def place(self, loc: Loc) -> str:
        """Return the `file:line` of a key, or of the nearest key that contains it."""
        for end in range(len(loc), 0, -1):
            if place := self.places.get(loc[:end]):
                return place
        return f"{self.path.name}:1"


def read_document(name: str | Path, model: Model, part: str = "") -> Document:
    """Return the document in a file, or the shipped recipe of that name, merged over its bases.

    Mappings are merged key by key; lists and plain values are replaced; `null` removes a key unless
    the model gives it a meaning there. Paths of a base are rewritten to lead to the same files from
    here. `part` is the folder of shipped recipes in which names are looked up. Raises UsageError if
    there is no such file, RecipeError if it is not a usable YAML mapping.
    """
    return _read(_find(name, Path(), part), (), model, part)


def shipped_recipes(part: str = "") -> dict[str, Path]:
    """Return the shipped recipes by name, such as `quickstart` or `ablations/g`.

    The part `training` has the training recipes.
    """
    folder = recipes_folder() / part
    names = ((path.relative_to(folder), path) for path in sorted(folder.rglob("*.yaml")))
    return {str(n.with_suffix("")): path for n, path in names if n.parts[0] not in NOT_RECIPES}


def _find(name: str | Path, folder: Path, part: str) -> Path:
    path = folder / name
    try:
        if path.is_file():
            return path
    except OSError as error:
        raise UsageError(f"Cannot read {str(path)[:200]}: {error.strerror}") from None
    except ValueError:  # Python rejects NUL and lone surrogates in a path
        raise UsageError(f"{to_one_line(str(path))} is not a valid path") from None
    shipped = shipped_recipes(part)
    same = [each for each in shipped if each == str(name) or each.endswith(f"/{name}")]
    if str(name) in same or len(same) == 1:  # `g-m` is `ablations/g-m`
        return shipped[str(name) if str(name) in same else same[0]]
    if path.suffix in (".yaml", ".yml") or path.is_dir():
        problem = f"{path} is a folder" if path.is_dir() else f"There is no file {path}"
        raise UsageError(
            f"{problem}. Name a recipe file or a shipped recipe: {', '.join(sorted(shipped))}."
        )
    raise UsageError(unknown_name("recipe", str(name), shipped))


def _read(path: Path, children: tuple[Path, ...], model: Model, part: str) -> Document:
    if path.resolve() in children or len(children) >= MAX_PARENTS:
        raise RecipeError(
            f"{path.name}:1: 'extends' forms a cycle or a chain of more than {MAX_PARENTS} files"
        )
    document = _parse(path)
    parent = document.values.get("extends")
    if not parent:
        return document
    if not isinstance(parent, str):
        place = document.place(("extends",))
        seen = to_one_line(repr(parent), 60)
        raise RecipeError(f"{place}: extends: expected a recipe's name or file, saw {seen}")
    try:
        base_path = _find(parent, path.parent, part)
    except UsageError as error:
        why = to_one_line(str(error), 1_000)
        raise RecipeError(f"{document.place(('extends',))}: extends: {why}") from None
    base = _read(base_path, (*children, path.resolve()), model, part)
    if "only" in model.model_fields:
        _keep_subsets(base.values, document)
    _rewrite_paths(base, path.parent, model)
    places = {**base.places, **document.places}
    return Document(path, _merge(base.values, document.values, model), places)


def _keep_subsets(base: dict[Any, Any], document: Document) -> None:
    """Remove the subsets of a base that the document does not keep, their amounts and actions.

    The key `only` names those to keep, `null` one to leave out. Raises RecipeError if `only` names
    a subset that the base does not have.
    """
    base.pop("only", None)  # what the base kept of its own base
    subsets = base.get("subsets")
    if not isinstance(subsets, dict):
        return
    only, own = document.values.get("only"), document.values.get("subsets")
    if not isinstance(only, list) or not all(isinstance(name, str) for name in only):
        only = None  # an error of its own
    if only == []:
        place = document.place(("only",))
        raise RecipeError(f"{place}: only: expected the name of a subset to keep, saw none")
    for number, name in enumerate(only or ()):
        if name not in subsets:
            place = document.place(("only", number))
            raise RecipeError(f"{place}: only: {unknown_name('subset', name, subsets)}")
    removed = (
        [name for name, value in own.items() if value is None] if isinstance(own, dict) else []
    )
    if only:
        removed += [name for name in subsets if name not in only]
    for path in (("subsets",), ("mixture", "subsets"), ("screens", "contamination", "subsets")):
        values: Any = base
        for key in path:
            values = values.get(key) if isinstance(values, dict) else None
        for name in removed if isinstance(values, dict) else ():
            values.pop(name, None)


def _rewrite_paths(base: Document, folder: Path, model: Model) -> None:
    """Rewrite relative paths of a base so that they lead to the same files from `folder`.

    Digested paths stay relative, since a version must not depend on where its recipe lies.
    """
    here = base.path.parent
    route = os.path.relpath(here.resolve(), folder.resolve())
    for holder, key, marks in keys.marked_values(model, base.values):
        path = holder[key]
        if not isinstance(path, str) or not path:
            continue
        if Mark.PATH in marks and Mark.NOT_DIGESTED in marks:
            holder[key] = str((here / path).absolute())
        elif Mark.PATH in marks and route != ".":
            holder[key] = os.path.join(route, path)
        elif Mark.HUB_ID_OR_PATH in marks and path.startswith(".") and route != ".":
            holder[key] = os.path.join(".", route, path)  # the dot marks it as a path


def _merge(base: Any, over: Any, model: Model, at: Loc = ()) -> Any:
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    removed = {key for key in over if over[key] is None and not keys.takes_null(model, (*at, key))}
    return {
        key: _merge(base.get(key), over[key], model, (*at, key)) if key in over else base[key]
        for key in dict.fromkeys((*base, *over))
        if key not in removed
    }


def _parse(path: Path) -> Document:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror}") from None
    name = to_one_line(path.name)
    if len(data) > MAX_BYTES:
        raise RecipeError(f"{name}:1: expected a file of at most {MAX_BYTES:,} bytes, saw more")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"{name}:1: expected UTF-8 text, but byte {error.start} is not UTF-8"
        ) from None
    values, places = read_values(text, name)
    return Document(path, values, places)
