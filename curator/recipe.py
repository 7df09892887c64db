"""A recipe: what a version is made of, read from YAML and checked whole before any work.

In: a YAML file or the name of a shipped recipe. Out: a frozen `Recipe`, or one RecipeError that
holds every fault with its file, line, what was expected and the nearest valid name.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

import pydantic
from pydantic import BaseModel, Field

from curator.documents import Document, read_document
from curator.errors import RecipeError, unknown
from curator.faults import cross_faults, place
from curator.sections import (
    AMOUNTS,
    Cap,
    Columns,
    Contamination,
    Embedding,
    FileSource,
    HubSource,
    Limits,
    Mixture,
    Name,
    Screens,
    Section,
    SelfInstruct,
    Subset,
    SubsetSource,
)
from curator.teacher import Budget, Prices, Sampling, TeacherSettings


class Recipe(Section):
    """What a version is made of."""

    name: Name
    """Name of the versions it makes."""
    about: str
    """What it is for, in a line."""
    extends: str = ""
    """A shipped recipe or a file, whose keys this one overrides; null removes a key."""
    seed: int = 0
    """Seed of every draw."""
    mirror: str = ""
    """Folder of upstream files, relative to the recipe; empty for the Hub."""
    subsets: dict[Name, Subset] = Field(min_length=1)
    """Source, writers and checks by subset."""
    screens: Screens = Screens()
    mixture: Mixture = Mixture()
    limits: Limits = Limits()
    teacher: TeacherSettings | None = None
    """Who writes what only a chat model can; without it those subsets wait."""
    sampling: Sampling = Sampling()
    """How often the teacher is asked for each problem."""
    undecided: Literal["leave_out", "keep"] = "leave_out"
    """What happens to rows that no check could decide."""

    _folder: Path = pydantic.PrivateAttr(default=Path())

    @property
    def folder(self) -> Path:
        """Where relative paths of the recipe start."""
        return self._folder

    def canonical(self) -> dict[str, Any]:
        """The resolved recipe as plain JSON values: what a version's digest covers.

        Not where files lie, nor how a teacher is reached, how fast and for how much.
        """
        delivery = set(TeacherSettings.model_fields) - {"model", "family", "parameters"}
        exclude: Any = {
            "extends": True,
            "mirror": True,
            "teacher": delivery,
            "sampling": {"prompts"},
            "subsets": {"__all__": {"sampling": {"prompts"}}},
        }
        return cast(dict[str, Any], json.loads(self.model_dump_json(exclude=exclude)))


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
