"""Readers get exactly the rows that were written, and the same rows give the same bytes."""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import datasets
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curator.core.model import content_id
from curator.release.formats import COLUMNS, FORMATS
from curator.release.formats.format import REJECTED
from datastore.engine import Engine
from tests.paths import DATA

TEXTS: dict[str, str] = json.loads((DATA / "release/texts.json").read_text(encoding="utf-8"))
LINES = tuple(name for name, how in FORMATS.items() if how.suffix == ".jsonl")
PARQUET = tuple(name for name, how in FORMATS.items() if how.suffix == ".parquet")
STRING_COLUMNS = [name for name in COLUMNS if name not in {"id", "choices"}]

Row = dict[str, Any]


def as_row(number: int, **values: str) -> Row:
    row: Row = {name: values.get(name, f"{name} {number}") for name in STRING_COLUMNS}
    rejected = {"rejected_id": bytes(16), "rejected_text": row["text"], "rejected_reason": "é"}
    ids = {"id": number.to_bytes(16, "big"), "choices": [row["question"], "é", ""]}
    return {**row, **ids, **rejected}


def hard_rows() -> list[Row]:
    rows = [as_row(n, **dict.fromkeys(STRING_COLUMNS, t)) for n, t in enumerate(TEXTS.values())]
    return [{**row, "text": row["text"] or "a solution"} for row in rows]


def batch_of(rows: list[Row]) -> pa.RecordBatch:
    types = {"id": pa.binary(16), "choices": pa.list_(pa.string()), "rejected_id": pa.binary(16)}
    names = (*COLUMNS, *REJECTED)
    schema = pa.schema([(name, types.get(name, pa.string())) for name in names])
    return pa.RecordBatch.from_pylist(rows, schema)


def lines_of(name: str, rows: list[Row]) -> list[Row]:
    """Return what a reader of the format should see of all rows."""
    return [line for row in rows for line in attempts(name, row) or [expected(name, row)]]


def attempts(name: str, row: Row) -> list[Row]:
    """Return the attempts of a pair as a reader should see them; none in other formats."""
    user = [{"role": "user", "content": row["instruction"]}]
    right, wrong = row["text"], row["rejected_text"]
    chosen, rejected = ([{"role": "assistant", "content": text}] for text in (right, wrong))
    level, reason = {"evidence_level": row["evidence_level"]}, row["rejected_reason"]
    traced = {"id": row["id"].hex(), "source": row["release_as"]}
    other = {"id": row["rejected_id"].hex(), "source": row["release_as"]}
    no_level = {"evidence_level": "", "reason": reason}
    match name:
        case "preference":
            ids = {"rejected_reason": reason, "rejected_id": other["id"]}
            line = {"prompt": user, "chosen": chosen, "rejected": rejected}
            return [
                {**line, **level, "rejected_reason": reason, "id": traced["id"], **ids, **traced}
            ]
        case "kto":
            return [
                {
                    "prompt": user,
                    "completion": chosen,
                    "label": True,
                    **level,
                    "reason": "",
                    **traced,
                },
                {"prompt": user, "completion": rejected, "label": False, **no_level, **other},
            ]
        case "scored":
            one = {"prompt": row["instruction"], "completion": right, "score": 1.0}
            two = {"prompt": row["instruction"], "completion": wrong, "score": 0.0}
            return [
                {**one, "verdict": "passed", **level, "reason": "", **traced},
                {**two, "verdict": "failed", **no_level, **other},
            ]
    return []


def expected(name: str, row: Row) -> Row:
    """Return a row as a reader of a format of rows should see it."""
    traced = {"id": row["id"].hex(), "source": row["release_as"]}
    user = {"role": "user", "content": row["instruction"]}
    assistant = {"role": "assistant", "content": row["text"]}
    gold = {"gold": row["gold"]}  # of a question without a solution
    prompt, completion = row["instruction"].rstrip() + "\n", row["text"].lstrip()
    match name:
        case "messages" if not row["text"]:
            return {"messages": [user], **traced, **gold}
        case "messages":
            return {"messages": [user, assistant], **traced}
        case "prompt-completion" if not completion:
            return {"prompt": prompt, **gold, **traced}
        case "prompt-completion":
            return {"prompt": prompt, "completion": completion, **traced}
    known = {"field": row["field"], "level": row["level"]}
    stated = {**known, "evidence_level": row["evidence_level"]}
    choices = {"choices": row["choices"]}
    ability = {"ability": "math"}
    match name:
        case "trl-grpo":
            prompt = {"prompt": [user], "solution": row["gold"]}
            return {**prompt, **choices, **ability, **stated, **traced}
        case "open-instruct":
            prompt = {"messages": [user], "ground_truth": row["gold"], "dataset": "math"}
            return {**prompt, **choices, **ability, **stated, **traced}
        case "verifiers":
            task = {"id": traced["id"], "prompt": row["instruction"], "answer": row["gold"]}
            return {**task, **choices, **ability, **stated, "source": traced["source"]}
        case "verl":
            return {
                "data_source": f"curator/{row['source']}",
                "prompt": [user],
                **ability,
                "reward_model": {"style": "rule", "ground_truth": row["gold"]},
                "extra_info": {
                    "index": int.from_bytes(row["id"], "big"),
                    "id": traced["id"],
                    **choices,
                    **stated,
                    "source": traced["source"],
                },
            }
    alpaca = {
        "source": row["release_as"],
        "output": row["text"],
        "instruction": row["instruction"],
    }
    if name != "parquet":
        return alpaca
    same = ("subset", "kind", "question", "choices", "gold", "licence", "place", "evidence_level")
    rest = {column: row[column] for column in same}
    return {"id": row["id"].hex(), **alpaca, **rest, "upstream": row["source"]}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(threads=2, spill=tmp_path / "spill") as engine:
        yield engine


def release(engine: Engine, name: str, rows: list[Row], folder: Path) -> Path:
    """Write rows in a format, from a stored file by way of the engine, in the order of ids."""
    stored = folder / "rows.parquet"
    pq.write_table(pa.Table.from_batches([batch_of(rows)]), stored)
    target = folder / f"release{FORMATS[name].suffix}"
    sql = f"SELECT * FROM read_parquet('{stored}') ORDER BY id"
    assert FORMATS[name].write(engine.batches(sql), target, overwrite=True) == len(
        lines_of(name, rows)
    )
    return target


def read(name: str, path: Path) -> list[Row]:
    """Read a release with Python's json, or polars for Parquet."""
    if name in PARQUET:
        return pl.read_parquet(path).to_dicts()
    text = path.read_bytes().decode()
    return json.loads(text) if name == "alpaca" else [json.loads(x) for x in text.split("\n")[:-1]]


@pytest.mark.parametrize("name", FORMATS)
def test_hard_texts_are_read_as_written(engine: Engine, tmp_path: Path, name: str) -> None:
    rows = hard_rows()
    seen = read(name, release(engine, name, rows, tmp_path))
    assert seen == lines_of(name, rows)


@pytest.mark.parametrize("name", FORMATS)
def test_the_datasets_library_reads_a_release(engine: Engine, tmp_path: Path, name: str) -> None:
    rows = hard_rows()
    path = str(release(engine, name, rows, tmp_path))
    kind = "parquet" if name in PARQUET else "json"
    cache = str(tmp_path / "cache")
    loaded = datasets.load_dataset(kind, data_files=path, split="train", cache_dir=cache)
    assert loaded.to_list() == lines_of(name, rows)


@pytest.mark.parametrize("name", LINES)
def test_polars_reads_a_release_in_json_lines(engine: Engine, tmp_path: Path, name: str) -> None:
    rows = hard_rows()
    seen = pl.read_ndjson(release(engine, name, rows, tmp_path)).to_dicts()
    assert seen == lines_of(name, rows)


texts = st.text(max_size=30) | st.sampled_from(list(TEXTS.values()))


@settings(max_examples=25)
@given(st.lists(st.fixed_dictionaries(dict.fromkeys(STRING_COLUMNS, texts)), max_size=5))
def test_json_releases_are_the_bytes_that_python_s_json_writes(
    values: list[dict[str, str]],
) -> None:
    rows = [as_row(number, **value) for number, value in enumerate(values)]
    for name in ("alpaca", *LINES):
        out = BytesIO()
        assert FORMATS[name].write_batches(iter([batch_of(rows)]), out) == len(lines_of(name, rows))
        seen = lines_of(name, rows)
        if name == "alpaca":
            assert out.getvalue() == json.dumps(seen, indent=2).encode()
        else:
            written = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in seen)
            assert out.getvalue() == written.encode()


def test_alpaca_looks_like_the_released_mathinstruct(engine: Engine, tmp_path: Path) -> None:
    row = as_row(
        1, release_as="data/CoT/a.json", instruction="2 × 3?", text="Six.\nThe answer is 6"
    )
    written = release(engine, "alpaca", [row], tmp_path).read_bytes()
    assert written == (
        b'[\n  {\n    "source": "data/CoT/a.json",\n    "output": "Six.\\nThe answer is 6",\n'
        b'    "instruction": "2 \\u00d7 3?"\n  }\n]'
    )


@pytest.mark.parametrize("name", FORMATS)
def test_the_size_of_batches_does_not_change_the_file(tmp_path: Path, name: str) -> None:
    # More than one row group of Parquet.
    rows = [as_row(n, text=content_id(str(n)).hex()) for n in range(20_500)]
    whole = batch_of(rows)
    written = set()
    for size in (20_500, 20_000, 6_999):
        path = tmp_path / str(size)
        with path.open("wb") as out:
            cut = (whole.slice(start, size) for start in range(0, len(rows), size))
            assert FORMATS[name].write_batches(cut, out) == len(lines_of(name, rows))
        written.add(path.read_bytes())
    assert len(written) == 1


@pytest.mark.parametrize("name", PARQUET)
def test_parquet_has_row_groups_that_a_small_reader_can_hold(tmp_path: Path, name: str) -> None:
    rows = [as_row(n) for n in range(25_000)]
    with (tmp_path / "rows.parquet").open("wb") as out:
        FORMATS[name].write_batches(iter([batch_of(rows)]), out)
    groups = pq.ParquetFile(tmp_path / "rows.parquet").metadata
    sizes = [groups.row_group(n).num_rows for n in range(groups.num_row_groups)]
    assert sizes == [20_000, 5_000]


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_rows_give_the_same_bytes_with_more_threads(tmp_path: Path, name: str) -> None:
    rows = [as_row((n * 7919) % 5_003) for n in range(5_003)]
    written = set()
    for threads in (1, 4):
        folder = tmp_path / str(threads)
        folder.mkdir()
        with Engine(threads=threads, spill=tmp_path / "spill") as engine:
            written.add(release(engine, name, rows, folder).read_bytes())
    assert len(written) == 1


@pytest.mark.parametrize("name", FORMATS)
def test_a_version_without_rows_is_a_valid_file(engine: Engine, tmp_path: Path, name: str) -> None:
    path = release(engine, name, [], tmp_path)
    assert read(name, path) == []
    assert path.read_bytes() == b"[]" or name != "alpaca"
