"""The rows of a version are the same however many shards are joined and sorted at a time."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from curator import RunOptions, build, load
from curator.pipeline.stages import ingest
from curator.release.export import export
from curator.release.folder import write_folder
from curator.release.formats import FORMATS
from curator.versions import rows
from curator.versions.content import objects_of
from datastore.store import Store
from tests.paths import DATA

COLUMNS = "{question: q, gold: a, response: r, field: f}"
RECIPE = f"""\
name: many
about: problems that several shards have
subsets:
  texts: {{source: {{file: texts.jsonl, columns: {COLUMNS}, licence: MIT}}, kind: CoT}}
  others: {{source: {{file: others.jsonl, columns: {COLUMNS}, licence: BSD}}, kind: CoT}}
screens: {{contamination: null, duplicates: false}}
"""
FIELDS = ["data/CoT/aqua_rat.json", "data/CoT/college_math.json", "data/CoT/gsm_train.json"]
LIMITS = [(1, 1), (1, 10_000), (3_000, 1), (9_000, 500)]
"""Bytes of a group and of a temporary file."""


def text_of(number: int, times: int) -> str:
    return f"{'Now. ' * times}It is {number} + 2 = {number + 2}.\nThe answer is {number + 2}"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A version of many shards, in a folder whose name DuckDB could take for a pattern."""
    folder = tmp_path_factory.mktemp("rows")
    for name, factor in (("texts", 7), ("others", 5)):
        lines = [
            json.dumps(
                {
                    "q": f"{name}: what is {place * factor % 12} plus two, as a number?",
                    "a": str(place * factor % 12 + 2),
                    "r": text_of(place * factor % 12, place % 4),
                    "f": FIELDS[place % 3],
                }
            )
            for place in range(40)
        ]
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    (folder / "many.yaml").write_text(RECIPE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingest, "SHARD_ROWS", 6)
        build(
            folder / "many.yaml", folder / "it's [a-z] *" / "store", options=RunOptions(workers=1)
        )
    yield folder / "it's [a-z] *" / "store"


@pytest.fixture(params=LIMITS)
def limited(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    group, bucket = request.param
    monkeypatch.setattr(rows, "GROUP_BYTES", group)
    monkeypatch.setattr(rows, "BUCKET_BYTES", bucket)


def test_rows_are_in_order_with_the_record_of_the_first_place(store: Path) -> None:
    with Store(store, readonly=True) as opened:
        manifest = opened.versions.get("many")
        objects = objects_of(manifest)
        read = opened.objects.read
        assert len(objects.problems["texts"]) == len(objects.verdicts["texts"]) > 5
        expected = []
        for subset in ("texts", "others"):
            problems = {}
            for digest in objects.problems[subset]:
                for row in (row for batch in read(digest) for row in batch.to_pylist()):
                    first = problems.setdefault(row["id"], row)
                    problems[row["id"]] = min(first, row, key=lambda each: each["place"])
            written = {
                row["id"]: row
                for digest in objects.rationales[subset]
                for batch in read(digest)
                for row in batch.to_pylist()
            }
            kept = [
                row["id"]
                for batch in read(objects.rows)
                for row in batch.to_pylist()
                if row["subset"] == subset
            ]
            assert len(kept) == 40
            for row_id in sorted(kept):
                problem = problems[written[row_id]["problem_id"]]
                first = [problem[name] for name in ("place", "licence", "field", "level", "gold")]
                expected.append([subset, row_id.hex(), written[row_id]["text"], *first])
    names = ["subset", "id", "text", "place", "licence", "field", "level", "gold"]
    table = load("many", store)
    assert [list(row.values()) for row in table.select(names).to_pylist()] == expected
    assert len(set(table.column("licence").to_pylist())) > 1


@pytest.fixture(scope="module")
def written(store: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return write_all(store, tmp_path_factory.mktemp("written"))


def write_all(store: Path, folder: Path) -> dict[str, bytes]:
    """Export a version in every format and as a release; return the bytes of all files."""
    with Store(store, readonly=True) as opened:
        manifest = opened.versions.get("many")
        for name, form in FORMATS.items():
            if not form.pairs:  # no attempt of this version is wrong
                export(opened, manifest, name, folder / name)
        write_folder(opened, manifest, folder / "release", held_out=0.3)
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.usefixtures("limited")
def test_exports_and_releases_have_the_same_bytes_whatever_is_read_at_a_time(
    store: Path, tmp_path: Path, written: dict[str, bytes]
) -> None:
    assert write_all(store, tmp_path) == written
    assert sum("validation" in name for name in written) > 1


@pytest.mark.usefixtures("limited")
def test_a_version_of_an_older_release_is_read_whatever_is_read_at_a_time(tmp_path: Path) -> None:
    shutil.copytree(DATA / "store-0.1", tmp_path / "store")
    table = load("small", tmp_path / "store")
    ids = list(zip(table["subset"].to_pylist(), table["id"].to_pylist(), strict=True))
    assert len(ids) == 11
    assert ids == sorted(ids)


@pytest.mark.parametrize("shard_rows", [2, 4_096])
def test_a_version_without_rows_is_loaded_and_exported(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shard_rows: int
) -> None:
    monkeypatch.setattr(ingest, "SHARD_ROWS", shard_rows)
    monkeypatch.setattr(rows, "GROUP_BYTES", 1)
    # Older releases made such versions.
    monkeypatch.setattr("curator.pipeline.build.check_has_rows", lambda *_: None)
    lines = [json.dumps({"q": f"What is {n}?", "a": "0", "r": text_of(9, n)}) for n in range(9)]
    (tmp_path / "wrong.jsonl").write_text("\n".join(lines))
    source = "{file: wrong.jsonl, columns: {question: q, gold: a, response: r}, licence: MIT}"
    (tmp_path / "many.yaml").write_text(
        f"name: many\nabout: x\nsubsets: {{one: {{source: {source}, kind: CoT}}}}\n"
        "screens: {contamination: null}\n"
    )
    manifest = build(tmp_path / "many.yaml", tmp_path / "store", options=RunOptions(workers=1))
    table = load("many", tmp_path / "store")
    assert table.num_rows == 0
    some = load("many", store)
    assert table.column_names == some.column_names
    assert all(map(pa.Field.equals, table.schema.remove(5), some.schema.remove(5)))
    with Store(tmp_path / "store", readonly=True) as opened:
        for name in FORMATS:
            assert export(opened, manifest, name, tmp_path / name).rows == 0
