"""Sources on the Hub, through the official client and a local server, give a mirror's problems."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curator.core.errors import SourceError
from curator.core.model import Problem
from curator.sources import (
    EVALS,
    SOURCES,
    CustomFiles,
    Source,
    check_reachable,
    custom_source,
    open_source,
    records,
)
from curator.sources.readers.detect import read_records
from curator.sources.source import Row
from tests.paths import ROOT

COMMIT = "c0ffee00" * 5
Serving = Callable[..., AbstractContextManager[tuple[str, list[str]]]]
SAMPLES = ROOT / "recipes" / "samples"


def as_on_hub(file: str, row: Row) -> dict[str, Any]:
    """Return a native row in the form of the Hub's copy."""
    match file:
        case "theoremqa_test.json":
            columns = ("Question", "Answer", "Answer_type", "Picture")
            return {**{key: row[key] for key in columns}, "Answer": str(row["Answer"])}
        case "SVAMP.json":
            return {**row, "Answer": str(row["Answer"])}
        case "sat.json":
            head, _, tail = row["question"].partition("Answer Choices:")
            options = ["(" + each.strip() for each in tail.split(" (")[1:]]
            options = [each.replace(") ", ")", 1) for each in options]
            query = f"Q: {head.strip()} Answer Choices: {' '.join(options)}"
            return {
                "query": f"{query}\nA: Among A through D, the answer is",
                "choices": options,
                "gold": ["ABCD".index(row["answer"])],
            }
        case _:
            return dict(row)


def parquet(path: Path) -> bytes:
    """Return a native file in the form of the Hub's Parquet copies: one type per column."""
    found = [each[1] for each in read_records(path, path.name) if isinstance(each, tuple)]
    rows = [as_on_hub(path.name, row) for row in found]
    columns = dict.fromkeys(key for row in rows for key in row)
    rows = [{key: row.get(key) for key in columns} for row in rows]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


def has_sample(source: Source) -> bool:
    return (SAMPLES / source.folder).is_dir()


def sample(source: Source) -> Path:
    return next(path for path in sorted((SAMPLES / source.folder).iterdir()))


def repositories(*sources: Source) -> dict[str, dict[str, bytes]]:
    """Return samples under the file names that their sources request."""
    content_of: dict[str, dict[str, bytes]] = {}
    for source in sources:
        files = content_of.setdefault(source.hub or source.github, {})
        for number, pattern in enumerate(source.files):
            name = pattern.replace("*", "0")
            path = sample(source)
            if name.endswith(".parquet"):
                # Of several files, the first has all rows.
                content = parquet(path) if number == 0 else EMPTY
            else:
                content = path.read_bytes()
            files[name] = content
    return content_of


EMPTY = io.BytesIO()
pq.write_table(pa.table({"none": pa.array([], pa.string())}), EMPTY)
EMPTY = EMPTY.getvalue()


@pytest.fixture
def hub(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The requests to a server that imitates the Hub and GitHub."""
    gated = frozenset({"some/gated"})
    sources = filter(has_sample, (*SOURCES.values(), *EVALS.values()))
    served = {**repositories(*sources), "some/gated": {"rows.jsonl": b"{}"}}
    with serving(served, gated) as (url, seen):
        monkeypatch.setenv("HF_ENDPOINT", url)
        monkeypatch.setenv("GITHUB_RAW_ENDPOINT", url)
        yield seen


def pinned(source: Source) -> Source:
    return replace(source, revision=COMMIT)


def problems_without_places(source: Source, mirror: Path | None, cache: Path) -> list[Problem]:
    """Return the problems of a source without their places, which contain file names."""
    found = records(source, open_source(source, mirror, cache))
    # The Hub's copies lack some columns that ids do not cover.
    removed = {"place": "", "part": "", "field": "", "level": ""}
    return [replace(each, **removed) for each in found if isinstance(each, Problem)]


# Without NumGLUE: the Hub has only Lila's form, which is compared below.
NAMES = [
    *(name for name, source in SOURCES.items() if name != "numglue" and has_sample(source)),
    *(f"evals/{name}" for name, source in EVALS.items() if has_sample(source)),
]


@pytest.mark.parametrize("name", sorted(NAMES))
def test_the_hub_and_a_mirror_give_the_same_problems(
    name: str, serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = EVALS[name.removeprefix("evals/")] if "/" in name else SOURCES[name]
    with serving(repositories(source)) as (url, seen):
        monkeypatch.setenv("HF_ENDPOINT", url)
        monkeypatch.setenv("GITHUB_RAW_ENDPOINT", url)
        from_hub = problems_without_places(pinned(source), None, tmp_path)
    assert any(COMMIT in request for request in seen)
    from_mirror = problems_without_places(source, SAMPLES, tmp_path)
    assert from_hub == from_mirror
    assert len(from_hub) >= 3


def test_numglue_on_the_hub_has_the_form_of_lila_with_programs(
    serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = parquet(SAMPLES / "sources/numglue/NumGLUE_Type_8_crowdsourced.json")
    path = "NumGLUE_Type_8_crowdsourced/train/0000.parquet"
    with serving({"allenai/lila": {path: content}}) as (url, _):
        monkeypatch.setenv("HF_ENDPOINT", url)
        found = problems_without_places(pinned(SOURCES["numglue"]), None, tmp_path)
    assert len(found) == 6
    assert {each.notation for each in found} == {"python"}
    assert found == [
        each
        for each in problems_without_places(SOURCES["numglue"], SAMPLES, tmp_path)
        if each.program
    ]


def test_a_cached_file_at_a_full_commit_needs_no_network(
    hub: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = (pinned(SOURCES["gsm8k"]), pinned(EVALS["simuleq"]))
    first = [open_source(source, cache=tmp_path) for source in sources]
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("GITHUB_RAW_ENDPOINT", "http://127.0.0.1:9")
    requests = len(hub)
    assert [open_source(source, cache=tmp_path) for source in sources] == first
    assert len(hub) == requests > 0
    assert {opened.revision for opened in first} == {COMMIT}


def test_an_unpinned_source_reports_its_commit(hub: list[str], tmp_path: Path) -> None:
    opened = open_source(SOURCES["camel_math"], cache=tmp_path)
    assert SOURCES["camel_math"].revision == ""
    assert opened.revision == COMMIT
    again = open_source(pinned(SOURCES["camel_math"]), cache=tmp_path)
    assert again.digest == opened.digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hub": "no/such"}, "does not exist, or is private"),
        ({"revision": "d" * 40}, "has no revision dddd"),
        ({"files": ("x.parquet",)}, "has no file x.parquet"),
        ({"files": ("x-*.parquet",)}, "has no file x-*.parquet"),
        ({"hub": "some/gated", "files": ("rows.jsonl",)}, "is gated"),
        ({"hub": "", "github": "no/such", "files": ("a.json",)}, "HTTP status 404"),
        ({"hub": "", "github": "a/b", "files": ("a.json",), "revision": "main"}, "full commit"),
    ],
)
def test_a_source_that_cannot_be_opened_raises_one_line(
    change: dict[str, object], message: str, hub: list[str], tmp_path: Path
) -> None:
    source = replace(pinned(SOURCES["gsm8k"]), **change)  # type: ignore[arg-type]
    with pytest.raises(SourceError) as caught:
        open_source(source, cache=tmp_path)
    line = str(caught.value)
    assert message in line
    assert line.startswith("gsm8k: ")
    assert "\n" not in line
    origin, why = check_reachable(source)
    assert origin is None
    assert why.startswith("gsm8k: ")


def test_an_unreachable_hub_is_reported_within_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("GITHUB_RAW_ENDPOINT", "http://127.0.0.1:9")
    for source in (SOURCES["gsm8k"], SOURCES["camel_math"], SOURCES["gsm8k_rft"]):
        with pytest.raises(SourceError, match="check the network connection") as caught:
            open_source(source, cache=tmp_path)
        assert "\n" not in str(caught.value)


def test_reachability_downloads_no_data(hub: list[str]) -> None:
    for source in (
        pinned(SOURCES["gsm8k"]),
        pinned(EVALS["sat_math"]),
        pinned(SOURCES["gsm8k_rft"]),
    ):
        assert check_reachable(source)[0] == f"{source.hub or source.github} at {COMMIT[:7]}"
    assert not any(request.startswith("GET") and "resolve" in request for request in hub)
    assert check_reachable(SOURCES["gsm8k"], SAMPLES) == (str(SAMPLES / "sources/gsm8k"), "")
    origin, why = check_reachable(SOURCES["gsm8k"], SAMPLES / "nowhere")
    assert origin is None
    assert "no data file in" in why


def test_a_git_lfs_pointer_is_not_read_as_data(
    serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = pinned(SOURCES["gsm8k_rft"])
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
    with serving({source.github: {source.files[0]: pointer}}) as (url, _):
        monkeypatch.setenv("GITHUB_RAW_ENDPOINT", url)
        with pytest.raises(SourceError, match="LFS"):
            open_source(source, cache=tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_custom_hub_dataset_reads_the_files_of_its_split_and_runs_no_script(
    serving: Serving, tmp_path: Path
) -> None:
    """Runs in a new process, since `datasets` reads the endpoint when it is imported."""
    card = (
        b"---\nconfigs:\n- config_name: hard\n  data_files:\n  - split: train\n"
        b"    path: a/*.jsonl\n  - split: test\n    path: b/*.jsonl\n---\n"
    )
    rows = [{"problem": f"What is {n} + {n}?", "answer": 2 * n} for n in range(5)]
    lines = [json.dumps(row).encode() + b"\n" for row in rows]
    data = {"README.md": card, "a/0.jsonl": b"".join(lines), "b/0.jsonl": b"".join(lines[:2])}
    marker = tmp_path / "ran"
    scripted = {"scripted.py": f"open({str(marker)!r}, 'w').write('x')\n".encode(), "x.txt": b"x"}
    program = f"""
from pathlib import Path
from curator.core.errors import SourceError
from curator.sources import CustomFiles, custom_source, open_source, records
for hub, split in (("data", "train"), ("data", "test"), ("data", "nosuch"), ("scripted", "train")):
    files = CustomFiles(hub="me/" + hub, config="hard", split=split, revision={COMMIT!r})
    source = custom_source("mine", files, {{"question": "problem", "gold": "answer"}}, "MIT")
    try:
        opened = open_source(source, cache=Path({str(tmp_path)!r}))
        print(opened.names, [each.gold for each in records(source, opened)])
    except SourceError as error:
        print(error)
"""
    with serving({"me/data": data, "me/scripted": scripted}) as (url, _):
        env = {**os.environ, "HF_ENDPOINT": url, "HF_HOME": str(tmp_path)}
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, env=env, capture_output=True, text=True)
    lines_out = done.stdout.splitlines()
    assert lines_out[:3] == [
        "('a/0.jsonl',) ['0', '2', '4', '6', '8']",
        "('b/0.jsonl',) ['0', '2']",
        "mine: me/data has no files for split 'nosuch'. Splits: test, train",
    ], done.stderr
    assert lines_out[3].startswith("mine: me/scripted on the Hub cannot be read")
    assert len(lines_out) == 4
    assert not marker.exists()


def test_a_custom_hub_dataset_is_searched_in_a_given_mirror(tmp_path: Path) -> None:
    source = custom_source("mine", CustomFiles(hub="me/data"), {"question": "q"}, "MIT")
    with pytest.raises(SourceError, match="sources/mine"):
        open_source(source, tmp_path)
