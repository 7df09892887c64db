"""Reads the rows of a file that is one JSON object: by id, by column, or with a list inside.

In: the object. Out: its rows, or Broken with the form that was seen. A form is one row of `FORMS`;
an object of no other form is a row itself.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from curator.sources.readers.json_array import LONGEST
from curator.sources.readers.repeated import REPEATED, Repeated, parse_value
from curator.sources.readers.unpack import Broken

LARGEST = 64 << 20
"""Maximum bytes of an object that is not one row of a file of lines: it is parsed as a whole."""
MAX_VALUES = 8_000_000
"""Maximum number of commas and brackets in one of more than 16 MB: each may stand for a value of
80 bytes."""
LISTS = ("Instances", "data", "rows", "examples", "records", "items", "problems", "questions")
"""Keys of objects under which published files have their rows, in order of precedence."""
TOO_LARGE = "one JSON object of more than 64 MB: write one record per line"
TOO_MANY = "one JSON object of too many values: write one record per line"

Object = dict[str, Any]


class ObjectForm(NamedTuple):
    """A form of an object that contains rows."""

    name: str
    fits: Callable[[Object], bool]
    rows: Callable[[Object], Sequence[Any]]


def parse_object(raw: bytes) -> Sequence[Any]:
    """Return the rows of a file with one JSON object. Raises Broken."""
    if len(raw) > LARGEST:
        raise Broken(TOO_LARGE, "")
    if len(raw) > LONGEST and sum(map(raw.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise Broken(TOO_MANY, f"more than {MAX_VALUES:,}")
    try:
        value = parse_value(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Broken("not JSON", f"{error}: {raw[:1000]!r}") from None
    if isinstance(value, Repeated):  # one of two records with the same id, or of two columns
        raise Broken(REPEATED, f"in the outermost object, whose keys are {list(value)!r:.1000}")
    return rows_of(value)


def rows_of(value: Object) -> Sequence[Any]:
    """Return the rows that an object contains, or the object itself as the only one."""
    form = _find(FORMS, value)
    return form.rows(value) if form else [value]


def _find(forms: Sequence[ObjectForm], value: Object) -> ObjectForm | None:
    return next((form for form in forms if form.fits(value)), None)


def _rows_under(value: Object) -> str:
    """Return the key under which an object has its rows; empty if it has no such key."""
    for key in LISTS:
        inside = value.get(key)
        if _is_rows(inside) or (isinstance(inside, dict) and _find(TABLES, inside)):
            return key
    found = [key for key, each in value.items() if _is_rows(each)]
    return found[0] if len(value) == len(found) == 1 else ""


def _is_rows(value: object) -> bool:
    """Return whether a value is a list of rows, which the turns of a chat are not."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(each, dict) for each in value)
        and not all("role" in each or "from" in each for each in value)
    )


def _inside(value: Object) -> Sequence[Any]:
    inside = value[_rows_under(value)]
    form = None if isinstance(inside, list) else _find(TABLES, inside)
    return form.rows(inside) if form else inside


def _is_split(value: Object) -> bool:
    names, cells = value.get("columns"), value.get("data")
    return (
        isinstance(names, list)
        and isinstance(cells, list)
        and all(isinstance(each, str) for each in names)
        and all(isinstance(each, list) and len(each) == len(names) for each in cells)
    )


def _by_split(value: Object) -> Sequence[Any]:
    return [dict(zip(value["columns"], cells, strict=True)) for cells in value["data"]]


def _has_splits(value: Object) -> bool:
    """Return whether an object has several lists of rows, and nothing says which one counts."""
    found = [key for key, each in value.items() if key != "features" and _is_rows(each)]
    return len(found) > 1 and (len(found) == len(value) or not set(found).isdisjoint(LISTS))


def _refuse_splits(value: Object) -> Sequence[Any]:
    raise Broken("several lists of rows: give each a file", ", ".join(value)[:1000])


def _are_lists(value: Object) -> bool:
    """Return whether an object is a table of columns: several lists that are not all of objects."""
    return (
        len(value) > 1
        and all(isinstance(each, list) and each for each in value.values())
        and not all(isinstance(each[0], dict) for each in value.values())
    )


def _by_lists(value: Object) -> Sequence[Any]:
    if len({len(each) for each in value.values()}) > 1:
        lengths = ", ".join(f"{name}: {len(each)}" for name, each in value.items())
        raise Broken("columns of different lengths: write one record per line", lengths[:1000])
    return [dict(zip(value, cells, strict=True)) for cells in zip(*value.values(), strict=True)]


def _have_index(value: Object) -> bool:
    """Return whether each column is an object by number, as pandas writes a table."""
    return _all_objects(value) and all(
        key.isdecimal() for column in value.values() for key in column
    )


def _by_index(value: Object) -> Sequence[Any]:
    rows: dict[str, Object] = {}
    for name, column in value.items():
        for number, cell in column.items():
            rows.setdefault(number, {})[name] = cell
    return list(rows.values())


def _all_objects(value: Object) -> bool:
    return bool(value) and all(isinstance(each, dict) and each for each in value.values())


def _are_records(value: Object) -> bool:
    """Return whether each value is a record: objects that share a key, or one below a number."""
    if not _all_objects(value):
        return False
    keys = iter(value.values())
    shared = set(next(keys)).intersection(*keys)
    return bool(shared) and (len(value) > 1 or next(iter(value)).isdecimal())


TABLES = (
    ObjectForm("table of columns and data", _is_split, _by_split),
    ObjectForm("lists by column", _are_lists, _by_lists),
    ObjectForm("columns by number", _have_index, _by_index),
    ObjectForm("records by id", _are_records, lambda value: list(value.values())),
)
"""The forms of an object that is a table; the first that fits counts."""
FORMS = (
    TABLES[0],
    ObjectForm("several lists of rows", _has_splits, _refuse_splits),
    ObjectForm("rows under a key", lambda value: bool(_rows_under(value)), _inside),
    *TABLES[1:],
)
"""The forms of an object that contains rows."""
