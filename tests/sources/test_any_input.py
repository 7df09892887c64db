"""For any row and any file, a source yields problems that can be stored, or a reason."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curator.core import arrow
from curator.core.model import Problem, QuarantinedRecord
from curator.sources import EVALS, SOURCES, CustomFiles, Source, custom_source, open_source, records

CUSTOM = custom_source(
    "own",
    CustomFiles(file="rows.json"),
    {"question": "question", "gold": "answer", "choices": "options", "program": "program"},
    "MIT",
)
ALL_SOURCES = {
    **{f"sources/{name}": source for name, source in SOURCES.items()},
    **{f"evals/{name}": source for name, source in EVALS.items()},
    "own": CUSTOM,
}
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(
        [
            "A", "b", "#### 5", "\\boxed{1}", "\\boxed{", "\\boxed 3$", "A)1", "B)2", "Option 1",
            "a ) 1 , b ) 2 , c ) 3 , d ) 4 , e ) 5", "['a ) 1', 'b ) 2']",
            "Answer Choices: (A) (B)",
            "data/CoT/college_math.json", "The answer is B.", "\ud800", "x\x00y", "Answer: A",
        ]
    ),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)  # fmt: skip


def keys(source: Source) -> list[str]:
    extra = {
        "sources/numglue": ["Option1", "Option2", "statement1", "statement2", "passage", "Input"],
        "evals/sat_math": ["question", "answer"],
        "evals/minerva_math": ["problem", "solution", "type"],
        "evals/olympiadbench": ["image_1", "difficulty"],
    }
    added = next((names for key, names in extra.items() if ALL_SOURCES[key] is source), [])
    lila = ["input", "output_program", "output_answer", "split"]
    return [*source.fields, *added, *(lila if "lila" in source.hub else [])]


def check_storable(found: list[Problem | QuarantinedRecord]) -> None:
    """Check that every record can be written, so that it is valid text of the right types."""
    for kind, schema in ((Problem, arrow.PROBLEMS), (QuarantinedRecord, arrow.QUARANTINE)):
        of_kind = [each for each in found if isinstance(each, kind)]
        assert sum(batch.num_rows for batch in arrow.to_batches(of_kind, schema)) == len(of_kind)
    for each in found:
        if isinstance(each, QuarantinedRecord):
            assert 0 < len(each.reason) <= 80
        else:
            assert each.question.strip()
            assert not each.choices or not each.gold or len(each.gold) == 1


@pytest.mark.parametrize("name", ALL_SOURCES)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_row_becomes_a_problem_or_is_quarantined(
    name: str, data: st.DataObject, tmp_path: Path
) -> None:
    source = ALL_SOURCES[name]
    columns = st.dictionaries(st.sampled_from(keys(source)), JUNK)
    rows = data.draw(st.lists(columns, min_size=2, max_size=4))
    folder = tmp_path / "mirror" / (source.folder or "own")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    local = with_local_file(source, folder / "rows.json")
    found = list(records(local, open_source(local, tmp_path / "mirror")))
    check_storable(found)
    if name != "sources/college_math":
        assert len(found) == len(rows)


def with_local_file(source: Source, path: Path) -> Source:
    from dataclasses import replace

    return replace(source, local=str(path)) if source.local else source


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    head=st.sampled_from(
        [b"", b"[", b"{", b"PAR1", b"PK\x03\x04", b'{"Instances": [', b"\xff\xfe"]
    ),
    body=st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-16")),
    suffix=st.sampled_from([".json", ".jsonl", ".csv", ".parquet", ".zip", ""]),
)
def test_any_file_is_read_without_an_exception(
    head: bytes, body: bytes, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"rows{suffix}"
    path.write_bytes(head + body)
    source = custom_source("own", CustomFiles(file=str(path)), {"question": "q"}, "MIT")
    check_storable(list(records(source, open_source(source))))
    path.unlink()


@given(st.lists(JUNK, max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_streamed_json_list_equals_the_parsed_file(tmp_path: Path, rows: list[object]) -> None:
    from curator.sources.readers.detect import read_records

    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows, indent=1))
    found = [
        each[1] for each in read_records(path, "rows") if not isinstance(each, QuarantinedRecord)
    ]
    whole = [row for row in json.loads(path.read_text()) if isinstance(row, dict)]
    assert json.dumps(found) == json.dumps(whole)
