"""Releases: every written format can be read, and invalid lines are reported."""

import json
import random
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curator import RunOptions, build
from curator.core.errors import UsageError
from curator.release.folder import write_folder
from datastore.store import Store
from tests.worlds import make_world
from trainers.release import Message, read_release

GOOD = '{"prompt": "1 + 1?", "completion": "2", "source": "s"}'

INVALID = {
    "not JSON": ("{nonsense", "not JSON"),
    "not an object": ("[1, 2]", "expected an object, saw list"),
    "a bare text": ('"text"', "expected an object"),
    "a number": ("7", "expected an object, saw int"),
    "missing column": ('{"prompt": "x"}', "'completion' is missing"),
    "other columns": ('{"text": "x", "id": "y"}', "saw: id, text"),
    "wrong type": ('{"prompt": "x", "completion": 7}', "'completion': expected a text, saw int"),
    "null": ('{"prompt": null, "completion": "y"}', "'prompt': expected a text, saw NoneType"),
    "empty answer": ('{"prompt": "x", "completion": " "}', "'completion' is empty"),
    "NUL": ('{"prompt": "x\\u0000", "completion": "y"}', "contains NUL or lone surrogates"),
    "lone surrogate": (
        '{"prompt": "x", "completion": "\\ud800"}',
        "contains NUL or lone surrogates",
    ),
    "not UTF-8": ('{"prompt": "\udcff", "completion": "y"}', "not JSON"),
    "deep nesting": ("[" * 100_000, "not JSON"),
    "source is not text": ('{"prompt": "x", "completion": "y", "source": {"a": 1}}', "'source'"),
    "messages is not a list": ('{"messages": "hello"}', "messages: expected a list"),
    "one message": (
        '{"messages": [{"role": "user", "content": "x"}]}',
        "messages: expected a list",
    ),
    "unknown role": (
        '{"messages": [{"role": "root", "content": "x"}, {"role": "assistant", "content": "y"}]}',
        "expected role",
    ),
    "no answer": (
        '{"messages": [{"role": "assistant", "content": "x"}, {"role": "user", "content": "y"}]}',
        "at the end",
    ),
}


def write_lines(path: Path, *lines: str) -> Path:
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    return path


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_line_is_reported_with_its_number(name: str, tmp_path: Path) -> None:
    line, message = INVALID[name]
    path = write_lines(tmp_path / "r.jsonl", GOOD, "", line, GOOD)
    with pytest.raises(UsageError) as caught:
        read_release(path)
    (report,) = str(caught.value).splitlines()
    assert report.startswith("r.jsonl:3: ")
    assert message in report


def test_errors_are_reported_together_and_reading_stops_after_ten(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "r.jsonl", *["{"] * 2_000)
    with pytest.raises(UsageError) as caught:
        read_release(path)
    report = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in report[:10]] == [f"r.jsonl:{n}" for n in range(1, 11)]
    assert report[10:] == ["Reading stopped after these errors."]


def test_the_three_forms_of_json_lines_give_the_same_example(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    rows = [
        {"prompt": "q", "completion": "a", "source": "s"},
        {"messages": messages, "source": "s"},
        {"instruction": "q", "output": "a", "source": "s"},
    ]
    path = write_lines(tmp_path / "r.jsonl", *map(json.dumps, rows))
    found = {(one.prompt, one.answer, one.subset) for one in read_release(path).examples()}
    assert found == {((Message("user", "q"),), "a", "s")}


def test_a_published_folder_gives_its_training_rows_and_its_version(tmp_path: Path) -> None:
    shards = tmp_path / "data" / "gsm"
    shards.mkdir(parents=True)
    for split, rows in (("train", 3), ("test", 2)):
        columns = {"instruction": ["q"] * rows, "output": [split] * rows, "subset": ["gsm"] * rows}
        pq.write_table(pa.table(columns), shards / f"{split}-00000-of-00001.parquet")
    files = {
        file.relative_to(tmp_path).as_posix(): {"sha256": sha256(file.read_bytes()).hexdigest()}
        for file in shards.iterdir()
    }
    digest = sha256(b'{"rows":3}').hexdigest()
    manifest = {"version": "m@3", "digest": digest, "content": {"rows": 3}, "files": files}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    release = read_release(tmp_path)
    assert [one.answer for one in release.examples()] == ["train"] * 3
    assert (release.version, release.version_digest) == ("m@3", digest)
    assert release.skipped_files == 1


def test_a_flipped_byte_in_a_published_folder_stops_a_training(tmp_path: Path) -> None:
    mirror, recipe = make_world(tmp_path)
    made = build(recipe, tmp_path / "store", options=RunOptions(mirror=mirror))
    folder = tmp_path / "release"
    with Store(tmp_path / "store") as store:
        write_folder(store, made, folder)
    assert (whole := read_release(folder)).version_digest == made.digest
    chosen = random.Random(1)
    for file in sorted([*folder.rglob("*.parquet"), folder / "manifest.json"]):
        data = file.read_bytes()
        for place in chosen.sample(range(len(data)), 20):
            file.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
            with suppress(UsageError):
                release = read_release(folder)
                assert file.name == "manifest.json" and [*release.examples()] == [*whole.examples()]
        file.unlink()
        if file.suffix == ".parquet":
            with pytest.raises(UsageError, match=r"is missing\. Export or download"):
                read_release(folder)
        file.write_bytes(data)
    (folder / "data/cot/train-00009-of-00010.parquet").write_bytes(b"")
    with pytest.raises(UsageError, match=r"is not in manifest\.json"):
        read_release(folder)


def test_invalid_rows_of_parquet_are_reported_by_number(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    pq.write_table(pa.table({"instruction": ["q", None], "output": ["a", "b"]}), path)
    with pytest.raises(UsageError, match=r"r\.parquet: row 2: 'instruction': expected a text"):
        read_release(path)
    pq.write_table(pa.table({"text": ["q"]}), path)
    with pytest.raises(UsageError, match=r"row 1: expected prompt and completion"):
        read_release(path)
    path.write_bytes(b"PAR1 nonsense PAR1")
    with pytest.raises(UsageError, match="not Parquet"):
        read_release(path)


def test_a_parquet_file_that_expands_to_gigabytes_is_not_trained_on(tmp_path: Path) -> None:
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), ["x" * 100_000])
    table = pa.table({"instruction": texts, "output": texts, "other": texts})
    pq.write_table(table, tmp_path / "r.parquet", store_schema=False)
    with pytest.raises(UsageError, match=r"row \d+ cannot be read \(expands beyond the limit"):
        read_release(tmp_path / "r.parquet")


@pytest.mark.parametrize("name", ["none.jsonl", "rows.json", "rows.pkl"])
def test_an_error_for_other_files_names_the_command_that_writes_a_release(
    name: str, tmp_path: Path
) -> None:
    if name != "none.jsonl":
        (tmp_path / name).write_text("[]")
    with pytest.raises(UsageError, match="curator export"):
        read_release(tmp_path / name)


def test_the_digest_depends_on_the_bytes_and_not_on_the_path(tmp_path: Path) -> None:
    one = read_release(write_lines(tmp_path / "a.jsonl", GOOD)).digest
    assert read_release(write_lines(tmp_path / "b.jsonl", GOOD)).digest == one
    assert read_release(write_lines(tmp_path / "c.jsonl", GOOD, GOOD)).digest != one
