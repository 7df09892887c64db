"""What every section of a YAML recipe builds on: the base model and the marks of its keys.

A section is a frozen pydantic model. The docstring below a field documents its key. Marks go into
the field's annotation, `Annotated[str, Mark.PATH]`; `curator.recipe.keys` reads them.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise

from pydantic import AfterValidator, BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from curator.core.errors import unknown_name


class Section(BaseModel):
    """Base of all sections: frozen, unknown keys are errors, docstrings describe the keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the JSON Schema, with the docstrings of the keys.

        pydantic's `use_attribute_docstrings` parses the source of each section at its import, which
        takes a tenth of the time of a build that finds nothing to do.
        """
        schema = handler(core_schema)
        keys = handler.resolve_ref_schema(schema).get("properties", {})
        for section in cls.__mro__:
            if issubclass(section, Section):
                for key, text in _docstrings(section):
                    if key in keys:
                        keys[key].setdefault("description", text)
        return schema


def _docstrings(section: type[Section]) -> Iterator[tuple[str, str]]:
    """Yield the keys that a class of a source file documents, with the docstrings below them."""
    try:
        source = textwrap.dedent(inspect.getsource(section))
    except (OSError, TypeError):  # made by create_model, which sets descriptions itself
        return
    (statement,) = ast.parse(source).body
    assert isinstance(statement, ast.ClassDef)
    for key, below in pairwise(statement.body):
        match key, below:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                yield name, inspect.cleandoc(text)


class Mark(Enum):
    """A property of a key that code outside its section depends on."""

    PATH = auto()
    """The value is a path relative to the recipe file. `extends` rewrites it so that the variant
    finds the same file."""
    HUB_ID_OR_PATH = auto()
    """As PATH if the value begins with a dot; otherwise an id on the Hub."""
    NOT_DIGESTED = auto()
    """The value does not change the rows of a version, so its digest does not cover it."""
    OMIT_DEFAULT = auto()
    """The digest covers the value only where it is not the default. Needed by every key added
    after a release, since the digests of existing versions must not change."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Mark of a union of plain values: what an error message says was expected."""

    text: str


def one_of(what: str, names: Mapping[str, object]) -> AfterValidator:
    """Return a validator that accepts only `names`; its error suggests the nearest one."""

    def check(name: str) -> str:
        if name not in names:
            raise ValueError(unknown_name(what, name, names))
        return name

    return AfterValidator(check)
