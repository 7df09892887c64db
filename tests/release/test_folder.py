"""The release folder is complete or absent, and the same version gives the same bytes."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curator.core.errors import CuratorError, UsageError
from curator.recipe.load import load_recipe
from curator.release.folder import write_folder
from curator.release.shards import GROUP_ROWS, SCHEMA, write_shards
from datastore.store import Store
from tests.paths import ROOT


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_same_version_gives_the_same_bytes(quickstart: Path, tmp_path: Path) -> None:
    with Store(quickstart, readonly=True) as store:
        version = store.versions.get("quickstart")
        releases = [write_folder(store, version, tmp_path / name, 0.2) for name in "ab"]
    a, b = (contents(each.folder) for each in releases)
    assert a == b
    assert sorted(a) == sorted(releases[0].files)
    for path, entry in releases[0].manifest["files"].items():
        assert entry["sha256"] == hashlib.sha256(a[path]).hexdigest()
        assert entry["bytes"] == len(a[path])


def test_a_release_has_no_paths_of_this_machine(quickstart: Path, tmp_path: Path) -> None:
    with Store(quickstart, readonly=True) as store:
        write_folder(store, store.versions.get("quickstart"), tmp_path / "out")
    paths = [str(ROOT).encode(), str(tmp_path).encode(), b"/tmp/"]
    for path, content in contents(tmp_path / "out").items():
        assert [each for each in paths if each in content] == [], path


def test_the_alpaca_file_has_the_rows_of_the_train_split(quickstart: Path, tmp_path: Path) -> None:
    with Store(quickstart, readonly=True) as store:
        release = write_folder(store, store.versions.get("quickstart"), tmp_path / "out", 0.2)
    rows = json.loads((release.folder / "alpaca.json").read_text())
    total = sum(
        entry["rows"] for path, entry in release.manifest["files"].items() if "/train-" in path
    )
    assert 0 < len(rows) == total < 113
    assert set(rows[0]) == {"source", "output", "instruction"}


def test_a_held_out_question_stays_held_out_when_the_share_grows(
    quickstart: Path, tmp_path: Path
) -> None:
    held_out = []
    with Store(quickstart, readonly=True) as store:
        for share in (0.0, 0.1, 0.3, 0.5):
            release = write_folder(
                store, store.versions.get("quickstart"), tmp_path / str(share), share
            )
            files = release.folder.glob("data/*/validation-*.parquet")
            held_out.append(
                {row for file in files for row in pq.read_table(file)["id"].to_pylist()}
            )
    assert held_out[0] == set() and held_out[0] < held_out[1] < held_out[2] < held_out[3]
    assert 0.2 < len(held_out[3]) / 113 < 0.8


def test_the_recipe_of_a_release_is_the_recipe_of_the_version(
    quickstart: Path, tmp_path: Path
) -> None:
    with Store(quickstart, readonly=True) as store:
        version = store.versions.get("quickstart")
        write_folder(store, version, tmp_path / "out")
    recipe = load_recipe(tmp_path / "out/recipe.yaml")
    assert recipe.canonical() == version.content["recipe"]
    assert list(recipe.subsets) == version.content["order"]


def test_the_current_folder_is_not_replaced(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Store(small, readonly=True) as store, pytest.raises(UsageError, match="folder in it"):
        write_folder(store, store.versions.get("small"), Path())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_a_release_is_not_overwritten(small: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    with Store(small, readonly=True) as store:
        version = store.versions.get("small")
        write_folder(store, version, target)
        first = contents(target)
        with pytest.raises(UsageError, match=r"exists\. Choose another folder"):
            write_folder(store, version, target)
        write_folder(store, version, target, overwrite=True)
        assert contents(target) == first
        (tmp_path / "photos").mkdir()
        (tmp_path / "photos/cat.png").write_bytes(b"cat")
        with pytest.raises(UsageError, match="is not a release folder, so it was not overwritten"):
            write_folder(store, version, tmp_path / "photos", overwrite=True)
        with pytest.raises(UsageError, match=r"held-out share is 0\.9"):
            write_folder(store, version, tmp_path / "more", 0.9)
    assert (tmp_path / "photos/cat.png").read_bytes() == b"cat"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "photos"]


def batch(subset: str, split: str, first: int, rows: int) -> pa.RecordBatch:
    columns: dict[str, list[object]] = {
        name: [f"{name} {n}" for n in range(first, first + rows)] for name in SCHEMA.names
    }
    # Hashes do not compress, so files grow.
    columns["output"] = [hashlib.sha512(b"%d" % n).hexdigest() for n in range(first, first + rows)]
    columns |= {"subset": [subset] * rows, "choices": [["a", "b"]] * rows, "copy": [0] * rows}
    arrays = [pa.array(columns[field.name], field.type) for field in SCHEMA]
    return pa.RecordBatch.from_arrays([*arrays, pa.array([split] * rows)], [*SCHEMA.names, "split"])


def test_large_subsets_are_cut_into_files_that_are_read_in_order(tmp_path: Path) -> None:
    batches = [batch("a", "train", 0, 12_000), batch("a", "train", 12_000, 9_000)]
    batches.append(batch("b", "train", 0, 10))
    rows_by_file = write_shards(iter(batches), tmp_path, shard_bytes=600_000)
    paths = [path for path in rows_by_file if path.startswith("data/a/")]
    assert paths == sorted(paths) and len(paths) > 1
    assert paths[0].endswith(f"train-00000-of-{len(paths):05}.parquet")
    tables = [pq.read_table(tmp_path / path) for path in paths]
    assert [len(table) for table in tables] == [rows_by_file[path] for path in paths]
    read = pa.concat_tables(tables)["question"].to_pylist()
    assert read == [f"question {n}" for n in range(21_000)]
    groups = pq.ParquetFile(tmp_path / paths[0]).metadata
    assert {groups.row_group(n).num_rows for n in range(groups.num_row_groups)} == {GROUP_ROWS}
    assert rows_by_file["data/b/train-00000-of-00001.parquet"] == 10
    assert len(list(tmp_path.rglob("*.parquet"))) == len(rows_by_file)


def test_the_size_of_batches_does_not_change_the_files(tmp_path: Path) -> None:
    whole = batch("a", "train", 0, 11_000)
    written = []
    for size in (11_000, 3_333, 1_000):
        cut = (whole.slice(start, size) for start in range(0, len(whole), size))
        write_shards(cut, tmp_path / str(size))
        written.append(contents(tmp_path / str(size)))
    assert written[0] == written[1] == written[2]


def test_without_rows_there_are_no_files(tmp_path: Path) -> None:
    assert write_shards(iter([]), tmp_path) == {}


def test_a_version_whose_rows_do_not_match_its_manifest_is_not_released(
    small: Path, tmp_path: Path
) -> None:
    with Store(small, readonly=True) as store:
        version = store.versions.get("small")
        rows = {"count": 11, "sha256": "0" * 64}
        other = replace(version, content={**version.content, "rows": rows})
        with pytest.raises(CuratorError, match="do not match its manifest"):
            write_folder(store, other, tmp_path / "out")
        none = replace(version, content={**version.content, "rows": {"count": 0, "sha256": ""}})
        with pytest.raises(UsageError, match="has no rows, so it cannot be released"):
            write_folder(store, none, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
