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
    sections = _sections_at(model, loc)
    return list(dict.fromkeys(key for each in sections for key in each.model_fields))


def expected_at(model: Model, loc: Loc) -> str:
    """Return the text of the mark `Expected` at a location; empty without the mark."""
    texts = [
        m.text for p in _annotations_at(model, loc) for m in _marks_of(p) if isinstance(m, Expected)
    ]
    return texts[0] if texts else ""


def takes_null(model: Model, loc: Loc) -> bool:
    """Return whether `null` at a location is a value that differs from leaving out the key."""
    sections = _sections_at(model, loc[:-1])
    fields = [each.model_fields.get(str(loc[-1])) for each in sections]
    return any(
        field and NoneType in get_args(field.annotation) and field.get_default() is not None
        for field in fields
    )


def loc_of(model: Model, pydantic_loc: Sequence[int | str]) -> Loc:
    """Return a location as the document has it: pydantic also inserts names of union members."""
    annotation: Any = model
    loc: list[object] = []
    for part in pydantic_loc:
        members = _plain_members(annotation)
        if len(members) > 1:
            annotation = _member_with_tag(annotation, part)
            continue
        loc.append(part)
        annotations = _child_annotations(annotation, part)
        annotation = annotations[0] if annotations else Any
    return tuple(loc)


def marked_values(
    model: Model, values: object
) -> Iterator[tuple[dict[Any, Any] | list[Any], Any, frozenset[Mark]]]:
    """Yield (container, key, marks) of every marked value in raw values."""
    yield from _walk([model], values)


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


def _walk(
    annotations: Sequence[Any], values: object
) -> Iterator[tuple[dict[Any, Any] | list[Any], Any, frozenset[Mark]]]:
    if isinstance(values, dict):
        keys: Sequence[Any] = list(values)
    elif isinstance(values, list):
        keys = range(len(values))
    else:
        return
    for key in keys:
        inner = [each for annotation in annotations for each in _child_annotations(annotation, key)]
        marked = [*inner, *(member for each in inner for member in _union_members(each))]
        marks = {m for each in marked for m in _marks_of(each) if isinstance(m, Mark)}
        if marks:
            yield values, key, frozenset(marks)
        if inner:
            yield from _walk(inner, values[key])


def _annotations_at(model: Model, loc: Loc) -> list[Any]:
    """Return the annotations at a location; several if it lies in a union of sections."""
    annotations: list[Any] = [model]
    for part in loc:
        annotations = [
            inner for annotation in annotations for inner in _child_annotations(annotation, part)
        ]
    return annotations


def _sections_at(model: Model, loc: Loc) -> list[Model]:
    annotations = _annotations_at(model, loc)
    members = (member for annotation in annotations for member in _plain_members(annotation))
    return [member for member in members if _is_section(member)]


def _child_annotations(annotation: Any, part: object) -> list[Any]:
    """Return the annotations, with marks, of a key or list item below an annotation."""
    children: list[Any] = []
    for member in _plain_members(annotation):
        if _is_section(member):
            if isinstance(part, str) and (field := member.model_fields.get(part)):
                marks = field.metadata
                children.append(Annotated[field.annotation, *marks] if marks else field.annotation)
        elif get_origin(member) is dict:
            children.append(get_args(member)[1])
        elif get_origin(member) in (tuple, list) and isinstance(part, int):
            children.append(get_args(member)[0])
    return children


def _plain_members(annotation: Any) -> list[Any]:
    """Return the members of a union, or the one type, without null and without marks."""
    return [_without_marks(member) for member in _union_members(annotation)]


def _union_members(annotation: Any) -> list[Any]:
    """Return the members of a union, or the one type, without null and with their marks."""
    union = _without_marks(annotation)
    if get_origin(union) not in (Union, UnionType):
        return [annotation]
    members = (member for member in get_args(union) if member is not NoneType)
    return [inner for member in members for inner in _union_members(member)]


def _member_with_tag(annotation: Any, tag: object) -> Any:
    for member in _union_members(annotation):
        if any(isinstance(m, Tag) and m.tag == tag for m in _marks_of(member)):
            return member
    return Any


def _without_marks(annotation: Any) -> Any:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def _marks_of(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is not Annotated:
        return ()
    inner, *metadata = get_args(annotation)
    return (*metadata, *_marks_of(inner))


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
