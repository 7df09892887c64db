"""Faults of a recipe that lie between its keys: names that must exist, rows that two subsets share.

In: the raw values of a document, so that these faults are told with all others. Out: a line each.
"""

import json
from collections.abc import Mapping
from itertools import combinations
from typing import Any, get_args

from pydantic import BaseModel

from curator.core.errors import unknown
from curator.core.model import Kind
from curator.recipe.schema import (
    AMOUNTS,
    Cap,
    Columns,
    Contamination,
    Embedding,
    FileSource,
    HubSource,
    Limits,
    Mixture,
    Recipe,
    Screens,
    SelfInstruct,
    Subset,
    SubsetSource,
)
from curator.recipe.yaml_document import Document
from curator.teacher import Budget, Prices, Sampling, TeacherSettings
from curator.writers import WRITERS


def cross_faults(document: Document) -> list[str]:
    """One line a fault, each with its place."""
    subsets = _mapping(document.values, "subsets")
    faults = []
    for name in _mapping(document.values, "mixture", "subsets"):
        if name not in subsets:
            place = document.place(("mixture", "subsets", name))
            faults.append(f"{place}: {unknown('subset', name, subsets)}")
    for name in subsets:
        faults += _writer_faults(document, name, _mapping(subsets, name))
    for one, other in combinations(subsets, 2):
        if _overlap(_mapping(subsets, one), _mapping(subsets, other)):
            place = document.place(("subsets", other))
            faults.append(
                f"{place}: '{other}' has rows of '{one}': the same source, kind and writer; "
                "give them different parts or writers, or leave one out"
            )
    return faults


def _writer_faults(document: Document, name: str, subset: Mapping[str, Any]) -> list[str]:
    place = document.place(("subsets", name, "writers"))
    writers, kind = _writers(subset), subset.get("kind")
    if writers == []:
        return [f"{place}: '{name}' has no writer; name at least one"]
    faults = _derived_faults(document, name, subset, place)
    for writer in writers:
        known = WRITERS.get(writer) if isinstance(writer, str) else None
        if known and isinstance(kind, str) and kind in get_args(Kind) and kind not in known.kinds:
            kinds = " or ".join(sorted(known.kinds))
            faults.append(f"{place}: '{writer}' writes {kinds}, not {kind}")
    return faults


def _derived_faults(
    document: Document, name: str, subset: Mapping[str, Any], place: str
) -> list[str]:
    """Writers that need one kind of source, and subsets made of what is no subset to be made of."""
    source, writers = _mapping(subset, "source"), _writers(subset)
    faults = []
    for writer, key, what in (
        ("hinted", "subset", "another subset: {subset: NAME}"),
        ("self_instruct", "seeds", "seeds: {seeds: FILE, licence: …, questions: …}"),
    ):
        if (writer in writers) != (key in source) or (writer in writers and len(writers) > 1):
            faults.append(f"{place}: '{name}': '{writer}' writes alone, and from {what}")
    if isinstance(base := source.get("subset"), str):
        subsets = _mapping(document.values, "subsets")
        place = document.place(("subsets", name, "source", "subset"))
        if base not in subsets:
            faults.append(f"{place}: {unknown('subset', base, subsets)}")
        elif "subset" in _mapping(subsets, base, "source"):
            faults.append(f"{place}: '{base}' is itself made of a subset; name the one it is of")
        elif _mapping(subsets, base).get("kind") != subset.get("kind"):
            faults.append(f"{place}: '{base}' is of another kind than '{name}'")
    return faults


def _overlap(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two subsets would hold the same rows: a row has one id, one verdict a check."""
    source, parts = one.get("source"), {one.get("part") or "", other.get("part") or ""}
    return (
        isinstance(source, str)
        and source == other.get("source")
        and one.get("kind") == other.get("kind")
        and (len(parts) == 1 or "" in parts)
        and any(writer in _writers(other) for writer in _writers(one))
    )


def _writers(subset: Mapping[str, Any]) -> list[Any]:
    writers = subset.get("writers", ["reference"])
    return writers if isinstance(writers, list) else []


def _mapping(values: object, *keys: str) -> Mapping[str, Any]:
    """The mapping at a path of keys; empty where there is none."""
    for key in keys:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values if isinstance(values, Mapping) else {}


def place(fault: str) -> tuple[str, int]:
    """File and line that a fault opens with."""
    file, _, rest = fault.partition(":")
    line = rest.partition(":")[0]
    return file, int(line) if line.isdigit() else 0


def _fault(document: Document, item: Mapping[str, Any]) -> str:
    """One line for one of pydantic's findings: place, what was expected, what was seen."""
    loc = _key_of(item["loc"])
    where = document.place(loc)
    key = ".".join(str(part) for part in loc)
    if loc[:2] == ("mixture", "subsets") and len(loc) == 3:
        # Each member of the union has its own complaint; people need one.
        return f"{where}: {key}: {AMOUNTS}, saw {_seen(item)}"
    match item["type"]:
        case "extra_forbidden":
            return f"{where}: {unknown('key', str(loc[-1]), _keys_at(loc[:-1]))}"
        case "missing":
            return f"{where}: '{key}' is missing"
        case "value_error":
            return f"{where}: {key}: {item['ctx']['error']}"
        case _:
            message = item["msg"]
            return f"{where}: {key}: {message[:1].lower() + message[1:]}, saw {_seen(item)}"


def _seen(item: Mapping[str, Any]) -> str:
    return json.dumps(item.get("input"), default=str)[:60]


def _key_of(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """A location without the names that pydantic puts in for the members of a union."""
    match loc:
        case ("mixture", "subsets", name, *_):
            return ("mixture", "subsets", name)
        case ("subsets", name, "source", _, *rest):
            return ("subsets", name, "source", *rest)
        case _:
            return loc


_MODELS: dict[object, type[BaseModel]] = {
    "screens": Screens,
    "mixture": Mixture,
    "limits": Limits,
    "contamination": Contamination,
    "cap": Cap,
    "columns": Columns,
    "embedding": Embedding,
    "teacher": TeacherSettings,
    "sampling": Sampling,
    "budget": Budget,
    "prices": Prices,
}


def _keys_at(loc: tuple[object, ...]) -> list[str]:
    """The keys that a recipe may have at a place."""
    match loc:
        case ():
            return [*Recipe.model_fields]
        case ("subsets", _):
            return [*Subset.model_fields]
        case (*_, "source"):
            return sorted(
                {
                    *FileSource.model_fields,
                    *HubSource.model_fields,
                    *SelfInstruct.model_fields,
                    *SubsetSource.model_fields,
                }
            )
        case _:
            return [*_MODELS[loc[-1]].model_fields]
