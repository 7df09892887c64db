"""What the schema of a recipe states about its keys, for code that holds raw values and locations.

In: a section of the schema, raw YAML values, locations such as ("subsets", "a", "source"). Out: the
keys at a location, the marks of a key, the canonical form. No key is named here.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin

from pydantic import BaseModel, Tag
from pydantic.fields import FieldInfo

from curator.core.section import Expected, Mark, Section

Loc = tuple[object, ...]
Model = type[BaseModel]


def keys_at(model: Model, loc: Loc) -> list[str]:
    """Return the keys that the section at a location may have; of all sections if it is a union."""
    sections = [each for place in _places(model, loc) for each in _members(place) if _section(each)]
    return list(dict.fromkeys(key for each in sections for key in each.model_fields))


def expected_at(model: Model, loc: Loc) -> str:
    """Return the text of the mark `Expected` at a location; empty if there is none."""
    texts = [m.text for p in _places(model, loc) for m in _metadata(p) if isinstance(m, Expected)]
    return texts[0] if texts else ""


def takes_null(model: Model, loc: Loc) -> bool:
    """Return whether `null` at a location is a value that differs from leaving out the key."""
    sections = (each for place in _places(model, loc[:-1]) for each in _members(place))
    fields = [each.model_fields.get(str(loc[-1])) for each in sections if _section(each)]
    return any(
        field and NoneType in get_args(field.annotation) and field.get_default() is not None
        for field in fields
    )


def loc_of(model: Model, pydantic_loc: Sequence[int | str]) -> Loc:
    """Return a location of pydantic without the union members that pydantic adds to it."""
    place: Any = model
    loc: list[object] = []
    for part in pydantic_loc:
        members = _members(place)
        if len(members) > 1:
            place = _tagged(place, part)
            continue
        loc.append(part)
        places = _inside(place, part)
        place = places[0] if places else Any
    return tuple(loc)


def marked_values(
    model: Model, values: object
) -> Iterator[tuple[dict[Any, Any] | list[Any], Any, frozenset[Mark]]]:
    """Yield (container, key, marks) of every marked value in raw values."""
    yield from _marked([model], values)


def canonical(section: Section) -> dict[str, Any]:
    """Return a section as plain JSON values, without what version digests do not cover."""
    values = cast(dict[str, Any], json.loads(section.model_dump_json()))
    _drop_undigested(section, values)
    return values


def _drop_undigested(value: object, plain: Any) -> None:
    if isinstance(value, BaseModel):
        for key, field in type(value).model_fields.items():
            inner = getattr(value, key)
            at_default = Mark.OMIT_DEFAULT in field.metadata and inner == _default(field)
            if at_default or Mark.NOT_DIGESTED in field.metadata:
                del plain[key]
            else:
                _drop_undigested(inner, plain[key])
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            _drop_undigested(inner, plain[key])
    elif isinstance(value, tuple | list):
        for inner, plain_inner in zip(value, plain, strict=True):
            _drop_undigested(inner, plain_inner)


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True, validated_data={})


def _marked(
    places: Sequence[Any], values: object
) -> Iterator[tuple[dict[Any, Any] | list[Any], Any, frozenset[Mark]]]:
    if isinstance(values, dict):
        keys: Sequence[Any] = list(values)
    elif isinstance(values, list):
        keys = range(len(values))
    else:
        return
    for key in keys:
        inner = [each for place in places for each in _inside(place, key)]
        annotations = [*inner, *(member for each in inner for member in _unwrapped(each))]
        marks = {m for each in annotations for m in _metadata(each) if isinstance(m, Mark)}
        if marks:
            yield values, key, frozenset(marks)
        if inner:
            yield from _marked(inner, values[key])


def _places(model: Model, loc: Loc) -> list[Any]:
    """The annotations at a location: several if a union on the way has several members."""
    places: list[Any] = [model]
    for part in loc:
        places = [inner for place in places for inner in _inside(place, part)]
    return places


def _inside(place: Any, part: object) -> list[Any]:
    """The annotations of one key or list item of an annotation, with their marks."""
    found = []
    for member in _members(place):
        if _section(member):
            if isinstance(part, str) and (field := member.model_fields.get(part)):
                marks = field.metadata
                found.append(Annotated[field.annotation, *marks] if marks else field.annotation)
        elif get_origin(member) is dict:
            found.append(get_args(member)[1])
        elif get_origin(member) in (tuple, list) and isinstance(part, int):
            found.append(get_args(member)[0])
    return found


def _members(place: Any) -> list[Any]:
    """The members of a union, or the one type, without null and without marks."""
    return [_bare(member) for member in _unwrapped(place)]


def _unwrapped(place: Any) -> list[Any]:
    """The members of a union, or the one type, without null; members keep their marks."""
    bare = _bare(place)
    if get_origin(bare) not in (Union, UnionType):
        return [place]
    members = (member for member in get_args(bare) if member is not NoneType)
    return [inner for member in members for inner in _unwrapped(member)]


def _tagged(place: Any, tag: object) -> Any:
    for member in _unwrapped(place):
        if any(isinstance(m, Tag) and m.tag == tag for m in _metadata(member)):
            return member
    return Any


def _bare(place: Any) -> Any:
    while get_origin(place) is Annotated:
        place = get_args(place)[0]
    return place


def _metadata(place: Any) -> tuple[Any, ...]:
    if get_origin(place) is not Annotated:
        return ()
    inner, *metadata = get_args(place)
    return (*metadata, *_metadata(inner))


def _section(place: Any) -> bool:
    return isinstance(place, type) and issubclass(place, BaseModel)
