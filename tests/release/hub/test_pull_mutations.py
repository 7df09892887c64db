"""Whatever a published release contains, pulling it gives a usable version or one line.

Every key of a small release is deleted and replaced by values of other types, with all digests
corrected. What is rejected leaves the store as it was, byte for byte; what is accepted can be
queried, shown, explained and removed.
"""

import hashlib
import io
import json
import random
import shutil
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curator.cli.render import print_manifest
from curator.core.errors import CuratorError, HubError
from curator.core.progress import SilentListener
from curator.release.hub.pull import pull
from curator.release.hub.push import publish
from curator.release.hub.validate_manifest import read_manifest
from curator.release.hub.validate_rows import Rows
from curator.versions.queries import skipped_versions
from curator.versions.remove import remove
from curator.versions.status import status
from curator.versions.verify import verify
from curator.versions.views import run_query
from curator.versions.why import why
from datastore.errors import StoreError
from datastore.store import Store
from tests.release.hub.hub_server import Hub

REPO = "me/data"
SHARD = "data/cot/train-00000-of-00001.parquet"
ACCEPTED = 12
"""Number of accepted manifests that are pulled and used; each takes a second."""

Path_ = tuple[str | int, ...]


def deep(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "a negative number": -1,
    "a fraction": 0.5,
    "400 digits": 10**400,
    "infinity": float("inf"),
    "a lone surrogate": "\ud800",
    "NUL": "a\0b",
    "an escape sequence": "\x1b]0;owned\x07",
    "a path": "../../x",
    "no text": "",
    "a long text": "x" * 10**6,
    "a list": [],
    "a list of texts": ["cot", "cot"],
    "an object": {},
    "a deep list": deep(300),
    "a date out of range": "99999-99-99T99:99:99Z",
}
NAMES = ("\ud800", "a\0b", "../x", "/etc/passwd", "\x1b[2J", "COT", "x" * 10**5, "default")
"""Keys that are added beside each object's own, with the value of its first one."""


@pytest.fixture
def published(small: Path, hub: Hub, tmp_path: Path) -> tuple[Hub, Path]:
    """The Hub with a release, and a store with a version of its own to pull into."""
    with Store(small, readonly=True) as store:
        publish(store, "small", REPO)
    shutil.copytree(small, tmp_path / "store")
    return hub, tmp_path / "store"


def keys_of(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Yield the path of each key of objects, and of the first entry of lists."""
    entries = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        entries = list(enumerate(value))[:1]
    for key, inner in entries:
        yield (*path, key)
        yield from keys_of(inner, (*path, key))


def mutations(manifest: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what was changed, and a manifest with one change and the right digest."""
    for path in list(keys_of(manifest)):
        changes: dict[str, Callable[[Any, Any], object]] = {
            name: lambda parent, key, value=value: parent.__setitem__(key, value)
            for name, value in VALUES.items()
        }
        changes["deleted"] = lambda parent, key: parent.__delitem__(key)
        for name in NAMES:
            changes[f"a key {name[:9]!a}"] = lambda parent, key, name=name: (
                parent.update({name: parent[key]}) if isinstance(parent, dict) else parent.append(1)
            )
        for what, change in changes.items():
            changed = deepcopy(manifest)
            parent: Any = changed
            for key in path[:-1]:
                parent = parent[key]
            change(parent, path[-1])
            if path != ("digest",) and "content" in changed:
                text = json.dumps(changed["content"], sort_keys=True, separators=(",", ":"))
                changed["digest"] = hashlib.sha256(text.encode("ascii")).hexdigest()
            yield f"{'.'.join(map(str, path))}: {what}", changed


def column(name: str, values: list[Any], type_: pa.DataType) -> Callable[[pa.Table], pa.Table]:
    """Return a change of one column of a table; the values are repeated."""

    def change(table: pa.Table) -> pa.Table:
        place = table.schema.get_field_index(name)
        array = pa.array([values[number % len(values)] for number in range(len(table))], type_)
        return table.set_column(place, name, array)

    return change


def text_column(name: str, data: bytes) -> Callable[[pa.Table], pa.Table]:
    """Return a change that stores bytes, valid or not, as the text of a column."""

    def change(table: pa.Table) -> pa.Table:
        values = pa.array([data] * len(table), pa.binary())
        array = pa.StringArray.from_buffers(len(table), *values.buffers()[1:])
        return table.set_column(table.schema.get_field_index(name), name, array)

    return change


def table_changes(table: pa.Table) -> Iterator[tuple[str, Callable[[pa.Table], pa.Table]]]:
    """Yield what was changed, and the change of a table of rows."""
    for field in table.schema:
        name = field.name
        yield f"{name}: missing", lambda t, name=name: t.drop_columns([name])
        yield f"{name}: null", column(name, [None], field.type)
        yield f"{name}: number", column(name, [7], pa.int64())
        yield f"{name}: nested", column(name, [[["x"]]], pa.list_(pa.list_(pa.string())))
        if field.type == pa.string():
            for what, data in BYTES.items():
                yield f"{name}: {what}", text_column(name, data)
        if pa.types.is_integer(field.type):
            for value in (-1, 2**31 - 1):
                yield f"{name}: {value}", column(name, [value], field.type)
    yield "an extra column", lambda t: t.append_column("more", pa.array([1] * len(t)))
    yield "no column", lambda t: t.select([])
    yield "no row", lambda t: t.slice(0, 0)
    yield "a row twice", lambda t: pa.concat_tables([t, t.slice(0, 1)])
    yield "choices with a null", column("choices", [[None]], pa.list_(pa.string()))
    for number, verdicts in enumerate(VERDICTS):
        yield f"verdicts {number}", column("verdicts", [verdicts], pa.string())


BYTES = {
    "a surrogate in UTF-8": b"\xed\xa0\x80",
    "no UTF-8": b"\xff",
    "NUL": b"a\0b",
    "an escape sequence": b"\x1b]0;owned\x07",
    "empty": b"",
    "long": b"x" * 10**6,
    "a path": b"../../x",
}
VERDICTS = [
    json.dumps([{"check": "answer", "version": 4, "outcome": "passed", "reason": ""} | change])
    for change in (
        {"evidence": {"level": "\ud800"}},
        {"evidence": {"\ud800": "x"}},
        {"evidence": {}, "reason": "\ud800"},
        {"evidence": ["level"]},
        {"evidence": None},
        {"evidence": {}, "version": 10**400},
        {"evidence": {}, "version": -1},
        {"evidence": {}, "version": 2**31},
        {"evidence": {}, "check": ["answer"]},
        {"evidence": {}, "check": {}},
        {"evidence": {}, "outcome": float("nan")},
        {"evidence": {"level": deep(300)}},
    )
] + ["NaN", "[NaN]", "[null]", "[[]]", "{}", "[" * 10**5, "1" * 10**4, r'"\ud800"', ""]


def tree(root: Path) -> dict[str, bytes]:
    """Every file of a store with its content, without locks."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.relative_to(root).parts[0] not in CACHES
    }


CACHES = ("known-files", "locks", "views.duckdb")


def is_one_line(error: Exception) -> bool:
    return str(error).isprintable() and len(str(error)) < 400


def use(root: Path, before: dict[str, bytes], capsys: pytest.CaptureFixture[str]) -> None:
    """Pull, read the version in each way, remove it, and compare the store with `before`."""
    with Store(root) as store:
        pulled = pull(REPO, store)
        assert skipped_versions(store) == []
        assert (pulled.ref, pulled.digest) in run_query(
            store, "SELECT version, digest FROM versions"
        )[1]
        (row,) = run_query(store, f"SELECT min(id) FROM rows WHERE version = '{pulled.ref}'")[1][0]
        assert pulled.ref in why(store, row).versions
        print_manifest(pulled)
        print(json.dumps(run_query(store, "FROM versions")[1]).encode())
        capsys.readouterr()
        assert status(store).versions[pulled.ref] == pulled.content["rows"]["count"]
        assert verify(store, [pulled.ref], SilentListener()).damage == ()
        remove(store, [pulled.ref], print)
        assert run_query(store, "SELECT version FROM versions")[1] == [("small@1",)]
    left = {name: data for name, data in tree(root).items() if ".removed-" not in name}
    assert left == before


def test_a_manifest_with_any_change_is_rejected_in_one_line_or_usable(
    published: tuple[Hub, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    hub, root = published
    files, before = hub.repos[REPO].commits[-1].files, tree(root)
    accepted: list[tuple[str, bytes]] = []
    count = 0
    chosen = random.Random(4)
    for what, manifest in mutations(json.loads(files["manifest.json"])):
        if chosen.random() < 0.6:
            continue
        count += 1
        data = json.dumps(manifest).encode()
        try:
            read_manifest(data, REPO)
        except CuratorError as error:
            assert is_one_line(error), what
        else:
            accepted.append((what, data))
    assert count > 1_000
    # Nothing reads the lengths of a pulled release.
    assert sum(not what.startswith("lengths") for what, _ in accepted) < count / 4
    outcomes = []
    for what, data in random.Random(5).sample(accepted, ACCEPTED):
        files["manifest.json"] = data
        try:
            use(root, before, capsys)
            outcomes.append("used")
        except (CuratorError, StoreError) as error:
            assert is_one_line(error), what
            assert {k: v for k, v in tree(root).items() if ".removed-" not in k} == before, what
            outcomes.append("rejected")
        except BaseException as error:
            error.add_note(what)
            raise
    assert "used" in outcomes


def put_rows(files: dict[str, bytes], manifest: bytes, data: bytes) -> None:
    """Replace the rows of a subset in a release, with their digest."""
    values = json.loads(manifest)
    values["files"][SHARD]["sha256"] = hashlib.sha256(data).hexdigest()
    files |= {SHARD: data, "manifest.json": json.dumps(values).encode()}


def test_rows_with_any_change_are_rejected_in_one_line_or_usable(
    published: tuple[Hub, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub, root = published
    files, before = hub.repos[REPO].commits[-1].files, tree(root)
    manifest, table = files["manifest.json"], pq.read_table(io.BytesIO(files[SHARD]))
    rejected, accepted = [], []
    for what, change in table_changes(table):
        pq.write_table(change(table), tmp_path / "rows")
        rows = Rows("cot", read_manifest(manifest, REPO).content, [tmp_path / "rows"])
        try:
            for reading in (rows.rationales, rows.problems, rows.verdicts):
                for _ in reading():
                    pass
        except CuratorError as error:
            assert is_one_line(error), what
            rejected.append((what, (tmp_path / "rows").read_bytes()))
        else:
            accepted.append((what, (tmp_path / "rows").read_bytes()))
    assert len(rejected) > 100
    for what, data in accepted + random.Random(6).sample(rejected, 6):
        put_rows(files, manifest, data)
        try:
            use(root, before, capsys)
        except (CuratorError, StoreError) as error:
            assert is_one_line(error), what
            assert {k: v for k, v in tree(root).items() if ".removed-" not in k} == before, what
        except BaseException as error:
            error.add_note(what)
            raise


def test_rows_that_expand_to_gigabytes_are_not_pulled(
    published: tuple[Hub, Path], tmp_path: Path
) -> None:
    files = published[0].repos[REPO].commits[-1].files
    table = pq.read_table(io.BytesIO(files[SHARD])).slice(0, 1)
    table = pa.concat_tables([table] * 50_000).combine_chunks()
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 50_000, pa.int32()), ["x" * 100_000])
    at = table.schema.get_field_index("output")
    table = table.set_column(at, pa.field("output", text.type, nullable=False), text)
    pq.write_table(table, tmp_path / "rows", store_schema=False)
    content = read_manifest(files["manifest.json"], REPO).content
    with pytest.raises(HubError, match=r"cannot be read \(expands beyond the limit\)"):
        list(Rows("cot", content, [tmp_path / "rows"])._read("id output"))
