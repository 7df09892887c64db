"""YAML documents that remember their lines, with `extends` resolved.

In: a path, or the name of a shipped recipe. Out: plain values and the place of every key.
Documents are hostile: safe YAML only, no aliases, bounded size, no repeated keys, bounded chains.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from curator.core.errors import RecipeError, UsageError, unknown
from curator.recipe.builtin import recipes_folder

MOST_BYTES = 1_000_000
MOST_PARENTS = 8

APART = ("samples", "training", "accelerate")
"""Folders of shipped files that are no recipes of versions, or no recipes."""

Loc = tuple[object, ...]

SWITCHED_OFF: Loc = ("screens", "contamination")
"""The key of which `null` is a value: without the key its default would screen."""


@dataclass(frozen=True)
class Document:
    """The values of a YAML file merged over those it extends."""

    path: Path
    values: dict[str, Any]
    places: dict[Loc, str]
    """`file:line` of every key and list item."""

    def place(self, loc: Loc) -> str:
        """The `file:line` of a key, or of the nearest key around it."""
        for end in range(len(loc), 0, -1):
            if found := self.places.get(loc[:end]):
                return found
        return f"{self.path.name}:1"


def read_document(name: str | Path, part: str = "") -> Document:
    """The document of a file or of a shipped recipe, with everything it extends merged in.

    Mappings are merged key by key, lists and plain values replaced, `null` removes a key; at
    `SWITCHED_OFF` it is a value. `part` is the folder of the shipped recipes that names are of.
    Raises UsageError if there is no such file, RecipeError if it is not a usable YAML mapping.
    """
    return _read(_find(name, Path(), part), (), part)


def shipped_recipes(part: str = "") -> dict[str, Path]:
    """The shipped recipes by name: `quickstart`, `ablations/g`; of `training` those of models."""
    folder = recipes_folder() / part
    names = ((path.relative_to(folder), path) for path in sorted(folder.rglob("*.yaml")))
    return {str(n.with_suffix("")): path for n, path in names if n.parts[0] not in APART}


def _find(name: str | Path, folder: Path, part: str) -> Path:
    path = folder / name
    try:
        if path.is_file():
            return path
    except OSError as error:
        raise UsageError(f"Cannot read {str(path)[:200]}: {error.strerror}") from None
    known = shipped_recipes(part)
    if str(name) in known:
        return known[str(name)]
    if path.suffix in (".yaml", ".yml") or path.is_dir():
        raise UsageError(f"No recipe file {path}; shipped recipes: {', '.join(sorted(known))}")
    raise UsageError(unknown("recipe", str(name), known))


def _read(path: Path, children: tuple[Path, ...], part: str) -> Document:
    if path.resolve() in children or len(children) >= MOST_PARENTS:
        raise RecipeError(f"{path.name}:1: 'extends' goes round in a circle or over 8 files")
    document = _parse(path)
    parent = document.values.get("extends")
    if not parent:
        return document
    if not isinstance(parent, str):
        place = document.place(("extends",))
        raise RecipeError(f"{place}: extends: expected a recipe's name or file, saw {parent!r}")
    try:
        found = _find(parent, path.parent, part)
    except UsageError as error:
        raise RecipeError(f"{document.place(('extends',))}: extends: {error}") from None
    base = _read(found, (*children, path.resolve()), part)
    _anchor(base, path.parent)
    places = {**base.places, **document.places}
    return Document(path, _merge(base.values, document.values), places)


def _anchor(base: Document, folder: Path) -> None:
    """Rewrites relative paths of a base so that from `folder` they lead where they led before.

    Files of sources stay relative: they are digested, and a version must not depend on the place.
    """
    here = base.path.parent
    sampled = [base.values, *_mappings(base.values.get("subsets"))]
    for holder, key in (
        (base.values, "mirror"),
        *((base.values.get("teacher"), key) for key in ("replay", "tokenizer")),
        *((each.get("sampling"), "prompts") for each in sampled),
    ):
        if isinstance(holder, dict) and isinstance(path := holder.get(key), str) and path:
            holder[key] = str((here / path).absolute())
    way = os.path.relpath(here.resolve(), folder.resolve())
    for subset in _mappings(base.values.get("subsets")):
        source = subset.get("source")
        for key in ("file", "seeds"):
            if isinstance(source, dict) and isinstance(file := source.get(key), str):
                source[key] = file if way == "." else os.path.join(way, file)


def _mappings(values: Any) -> list[dict[Any, Any]]:
    """Those values of a mapping that are mappings themselves."""
    found = values.values() if isinstance(values, dict) else ()
    return [each for each in found if isinstance(each, dict)]


def _merge(base: Any, over: Any, at: Loc = ()) -> Any:
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    gone = {key for key in over if over[key] is None and (*at, key) != SWITCHED_OFF}
    merged = {key: value for key, value in base.items() if key not in over}
    kept = {key: value for key, value in base.items() if key in over}
    return {
        key: merged[key] if key in merged else _merge(kept.get(key), over[key], (*at, key))
        for key in dict.fromkeys((*base, *over))
        if key not in gone
    }


def _parse(path: Path) -> Document:
    try:
        data = path.read_bytes()
        text = data.decode("utf-8")
        if len(data) > MOST_BYTES:
            raise RecipeError(f"{path.name}:1: expected at most 1 MB, saw {len(data):,} bytes")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise RecipeError(f"{path.name}: aliases (`*name`) are not allowed: write it out")
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        values: dict[str, Any] = loader.construct_document(node) if node else {}
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"{path.name}:1: expected UTF-8 text, byte {error.start} is not"
        ) from None
    except RecursionError:
        raise RecipeError(f"{path.name}:1: nested too deeply") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        why = getattr(error, "problem", None) or "not valid YAML"
        raise RecipeError(f"{path.name}:{line}: {why}") from None
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        # What PyYAML raises for values that look like a date, a number or a tag and are none.
        why = (str(error).splitlines() or [""])[0][:200]
        raise RecipeError(f"{path.name}: a value cannot be read ({why}); quote it") from None
    places: dict[Loc, str] = {}
    if not isinstance(node, yaml.MappingNode) or not isinstance(values, dict):
        raise RecipeError(f"{path.name}:1: expected keys and values, saw none")
    faults: list[str] = []
    _walk(node, (), path.name, places, faults)
    if faults:
        raise RecipeError("\n".join(faults))
    return Document(path, values, places)


def _walk(node: yaml.Node, loc: Loc, file: str, places: dict[Loc, str], faults: list[str]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*loc, key.value)
            place = f"{file}:{key.start_mark.line + 1}"
            if here in places:
                faults.append(f"{place}: '{key.value}' was already given at {places[here]}")
            if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                faults.append(f"{place}: expected a plain text key, saw {key.value!r}")
                continue
            places[here] = place
            _walk(value, here, file, places, faults)
    elif isinstance(node, yaml.ScalarNode) and _unstorable(node.value):
        faults.append(f"{places.get(loc, file)}: NUL and lone surrogates are no text")
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            places[(*loc, index)] = f"{file}:{value.start_mark.line + 1}"
            _walk(value, (*loc, index), file, places, faults)


def _unstorable(text: str) -> bool:
    return any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in text)
