"""The release folder: the same version gives the same bytes, whole or not at all."""

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
        packages = [write_folder(store, version, tmp_path / name, 0.2) for name in "ab"]
    a, b = (contents(each.folder) for each in packages)
    assert a == b
    assert sorted(a) == sorted(packages[0].files)
    for path, said in packages[0].manifest["files"].items():
        assert said["sha256"] == hashlib.sha256(a[path]).hexdigest()
        assert said["bytes"] == len(a[path])


def test_nothing_of_this_machine_is_in_a_release(quickstart: Path, tmp_path: Path) -> None:
    with Store(quickstart, readonly=True) as store:
        write_folder(store, store.versions.get("quickstart"), tmp_path / "out")
    here = [str(ROOT).encode(), str(tmp_path).encode(), b"/tmp/"]
    for path, content in contents(tmp_path / "out").items():
        assert [each for each in here if each in content] == [], path


def test_the_alpaca_file_has_the_rows_of_the_train_split(quickstart: Path, tmp_path: Path) -> None:
    with Store(quickstart, readonly=True) as store:
        package = write_folder(store, store.versions.get("quickstart"), tmp_path / "out", 0.2)
    rows = json.loads((package.folder / "alpaca.json").read_text())
    wanted = sum(
        said["rows"] for path, said in package.manifest["files"].items() if "/train-" in path
    )
    assert 0 < len(rows) == wanted < 114
    assert set(rows[0]) == {"source", "output", "instruction"}


def test_a_question_stays_on_its_side_when_the_share_grows(
    quickstart: Path, tmp_path: Path
) -> None:
    held = []
    with Store(quickstart, readonly=True) as store:
        for share in (0.0, 0.1, 0.3, 0.5):
            package = write_folder(
                store, store.versions.get("quickstart"), tmp_path / str(share), share
            )
            files = package.folder.glob("data/*/validation-*.parquet")
            held.append({row for file in files for row in pq.read_table(file)["id"].to_pylist()})
    assert held[0] == set() and held[0] < held[1] < held[2] < held[3]
    assert 0.2 < len(held[3]) / 114 < 0.8


def test_the_recipe_of_a_release_is_the_recipe_of_the_version(
    quickstart: Path, tmp_path: Path
) -> None:
    with Store(quickstart, readonly=True) as store:
        version = store.versions.get("quickstart")
        write_folder(store, version, tmp_path / "out")
    recipe = load_recipe(tmp_path / "out/recipe.yaml")
    assert recipe.canonical() == version.content["recipe"]
    assert list(recipe.subsets) == version.content["order"]


def test_the_folder_that_one_is_in_is_not_replaced(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Store(small, readonly=True) as store, pytest.raises(UsageError, match="folder in it"):
        write_folder(store, store.versions.get("small"), Path())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_release_is_left_alone(small: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    with Store(small, readonly=True) as store:
        version = store.versions.get("small")
        write_folder(store, version, target)
        first = contents(target)
        with pytest.raises(UsageError, match="exists; name another folder"):
            write_folder(store, version, target)
        write_folder(store, version, target, overwrite=True)
        assert contents(target) == first
        (tmp_path / "photos").mkdir()
        (tmp_path / "photos/cat.png").write_bytes(b"cat")
        with pytest.raises(UsageError, match="is no release folder and is left alone"):
            write_folder(store, version, tmp_path / "photos", overwrite=True)
        with pytest.raises(UsageError, match=r"held-out share is 0\.9"):
            write_folder(store, version, tmp_path / "more", 0.9)
    assert (tmp_path / "photos/cat.png").read_bytes() == b"cat"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "photos"]


def batch(subset: str, split: str, first: int, rows: int) -> pa.RecordBatch:
    columns: dict[str, list[object]] = {
        name: [f"{name} {n}" for n in range(first, first + rows)] for name in SCHEMA.names
    }
    # Random-looking, so that it does not compress and files grow.
    columns["output"] = [hashlib.sha512(b"%d" % n).hexdigest() for n in range(first, first + rows)]
    columns |= {"subset": [subset] * rows, "choices": [["a", "b"]] * rows, "copy": [0] * rows}
    arrays = [pa.array(columns[field.name], field.type) for field in SCHEMA]
    return pa.RecordBatch.from_arrays([*arrays, pa.array([split] * rows)], [*SCHEMA.names, "split"])


def test_large_subsets_are_cut_into_files_that_are_read_in_order(tmp_path: Path) -> None:
    batches = [batch("a", "train", 0, 12_000), batch("a", "train", 12_000, 9_000)]
    batches.append(batch("b", "train", 0, 10))
    made = write_shards(iter(batches), tmp_path, shard_bytes=600_000)
    paths = [path for path in made if path.startswith("data/a/")]
    assert paths == sorted(paths) and len(paths) > 1
    assert paths[0].endswith(f"train-00000-of-{len(paths):05}.parquet")
    tables = [pq.read_table(tmp_path / path) for path in paths]
    assert [len(table) for table in tables] == [made[path] for path in paths]
    read = pa.concat_tables(tables)["question"].to_pylist()
    assert read == [f"question {n}" for n in range(21_000)]
    groups = pq.ParquetFile(tmp_path / paths[0]).metadata
    assert {groups.row_group(n).num_rows for n in range(groups.num_row_groups)} == {GROUP_ROWS}
    assert made["data/b/train-00000-of-00001.parquet"] == 10
    assert len(list(tmp_path.rglob("*.parquet"))) == len(made)


def test_how_rows_are_batched_does_not_show_in_the_files(tmp_path: Path) -> None:
    whole = batch("a", "train", 0, 11_000)
    written = []
    for size in (11_000, 3_333, 1_000):
        cut = (whole.slice(start, size) for start in range(0, len(whole), size))
        write_shards(cut, tmp_path / str(size))
        written.append(contents(tmp_path / str(size)))
    assert written[0] == written[1] == written[2]


def test_no_rows_make_no_files(tmp_path: Path) -> None:
    assert write_shards(iter([]), tmp_path) == {}


def test_a_version_whose_rows_are_not_those_that_it_says_is_not_released(
    small: Path, tmp_path: Path
) -> None:
    with Store(small, readonly=True) as store:
        version = store.versions.get("small")
        rows = {"count": 11, "sha256": "0" * 64}
        other = replace(version, content={**version.content, "rows": rows})
        with pytest.raises(CuratorError, match="does not have the rows that it says"):
            write_folder(store, other, tmp_path / "out")
        none = replace(version, content={**version.content, "rows": {"count": 0, "sha256": ""}})
        with pytest.raises(UsageError, match="has no rows: there is nothing to release"):
            write_folder(store, none, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
