"""Keys: loader, messages and canonical form read the schema, so a new key needs no list."""

from typing import Annotated, Literal

import pydantic
import pytest
from pydantic import Field

from curator.core.section import Expected, Mark, Section
from curator.recipe import keys
from curator.recipe.schema import Recipe, Screens
from curator.screens import SCREENS


class Inner(Section):
    path: Annotated[str, Mark.PATH] = ""
    """A path."""
    added: Annotated[int, Mark.OMIT_DEFAULT] = 3
    """A key that older versions do not have."""


class Other(Section):
    number: int = 0
    """A number."""


def _tag(value: object) -> str:
    return "other" if isinstance(value, dict) and "number" in value else "inner"


class Outer(Section):
    inner: Inner = Inner()
    nested: dict[str, Inner] = Field(default={})
    listed: tuple[Inner, ...] = ()
    paths: tuple[Annotated[str, Mark.PATH], ...] = ()
    either: Annotated[
        Annotated[Inner, pydantic.Tag("inner")] | Annotated[Other, pydantic.Tag("other")],
        pydantic.Discriminator(_tag),
    ] = Inner()
    amounts: dict[str, Annotated[int | Literal["all"], Expected("expected 5 or all")]] = Field(
        default={}
    )
    off: Inner | None = Inner()
    cache: Annotated[str, Mark.PATH, Mark.NOT_DIGESTED] = ""


def test_marked_values_are_found_wherever_a_section_is_nested() -> None:
    values = {
        "inner": {"path": "a"},
        "nested": {"x": {"path": "b"}},
        "listed": [{}, {"path": "c"}],
        "paths": ["d", "e"],
        "either": {"path": "f"},
        "off": {"path": "g"},
        "cache": "h",
        "unknown": {"path": "i"},
        "amounts": "not a mapping",
    }
    marked = list(keys.marked_values(Outer, values))
    assert [holder[key] for holder, key, _ in marked] == list("abcdefgh")
    assert marked[-1][2] == {Mark.PATH, Mark.NOT_DIGESTED}


def test_the_canonical_form_leaves_out_what_digests_do_not_cover() -> None:
    plain = keys.canonical(Outer(cache="/tmp", nested={"x": Inner(added=3), "y": Inner(added=4)}))
    assert "cache" not in plain
    assert plain["inner"] == {"path": ""}
    assert plain["nested"] == {"x": {"path": ""}, "y": {"path": "", "added": 4}}
    assert plain["listed"] == [] and plain["off"] == {"path": ""}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"either": {"number": "x"}}, ("either", "number")),
        ({"nested": {"x": {"pth": "y"}}}, ("nested", "x", "pth")),
        ({"amounts": {"x": "some"}}, ("amounts", "x")),
        ({"listed": [{"path": 3}]}, ("listed", 0, "path")),
    ],
)
def test_locations_name_keys_of_the_document_only(values: object, expected: keys.Loc) -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        Outer.model_validate(values)
    assert {keys.loc_of(Outer, error["loc"]) for error in caught.value.errors()} == {expected}


def test_keys_of_a_union_are_those_of_all_its_sections() -> None:
    assert keys.keys_at(Outer, ("either",)) == ["path", "added", "number"]
    assert keys.keys_at(Outer, ("nested", "x")) == ["path", "added"]
    assert keys.keys_at(Outer, ("amounts",)) == []
    assert keys.expected_at(Outer, ("amounts", "x")) == "expected 5 or all"


def test_null_is_a_value_only_where_the_default_is_another_one() -> None:
    assert keys.takes_null(Outer, ("off",))
    assert not keys.takes_null(Outer, ("cache",))
    assert keys.takes_null(Recipe, ("screens", "contamination"))
    assert not keys.takes_null(Recipe, ("screens", "cap"))
    assert not keys.takes_null(Recipe, ("teacher",))


def test_every_screen_with_a_key_is_a_key_of_recipes_with_its_documentation() -> None:
    fields = Screens.model_fields
    assert list(fields) == [name for name, screen in SCREENS.items() if screen.has_key]
    descriptions = {name: field.description or "" for name, field in fields.items()}
    assert all(text.startswith(SCREENS[name].about) for name, text in descriptions.items())


def test_a_screen_that_is_not_in_older_digests_is_digested_only_where_it_is_on() -> None:
    marks = {name for name, f in Screens.model_fields.items() if Mark.OMIT_DEFAULT in f.metadata}
    assert marks == {name for name, screen in SCREENS.items() if not screen.always_digested} - {
        name for name, screen in SCREENS.items() if not screen.has_key
    }
    assert Screens.model_fields["cap"].metadata == [], "versions of old stores have `cap: null`"
