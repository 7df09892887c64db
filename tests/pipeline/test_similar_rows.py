"""Builds with near-duplicates: the same verdicts by any number of processes, in SQL and reports."""

import json
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest

from curator import RunOptions, build
from curator.pipeline import shards
from curator.pipeline.stages import screen
from curator.screens import SCREENS
from curator.versions.report.write import write_report
from curator.versions.views import run_query
from datastore.store import Store

PEARS = (
    "A farmer has 12 baskets of 30 pears each and sells 5 of the baskets at the market. How many"
)
RECIPE = {
    "name": "similar",
    "about": "Questions that differ in their last word, each with two solutions that do",
    "subsets": {
        "own": {
            "source": {
                "file": "rows.jsonl",
                "columns": {"question": "q", "response": "r", "gold": "g"},
                "licence": "MIT",
            },
            "kind": "CoT",
            "writers": ["verbatim"],
            "checks": ["format"],
        }
    },
    "screens": {
        "contamination": None,
        "near_duplicates": {"threshold": 0.8},
        "similar_solutions": {"threshold": 0.7, "most": 1, "keep": "longest"},
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("similar")
    (folder / "r.yaml").write_text(json.dumps(RECIPE))
    rows = [
        {
            "q": f"In year {group} {PEARS} are {last} in town number {group * 7}?",
            "r": f"He has {group} baskets and sells 5 at the market, so {group} - 5 baskets "
            f"are left in the evening, when he comes home. {so} The answer is 7.",
            "g": "7",
        }
        for group in range(3_000)
        for last in ("left", "there")[: 1 + (group % 10 == 0)]
        for so in ("So", "So it is.")[: 1 + (group % 5 == 0)]
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_processes_do_not_change_what_is_kept(folder: Path) -> None:
    digests = {
        build(
            folder / "r.yaml", folder / f"store{workers}", options=RunOptions(workers=workers)
        ).digest
        for workers in (1, 2)
    }
    assert len(digests) == 1


def test_a_screen_that_may_fill_the_memory_waits_for_the_end_of_the_processes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "FEW_ROWS", 0)
    monkeypatch.setattr(screen, "KEYS_ROWS", 100)
    processes: dict[str, int] = {}

    def watched(name: str) -> Any:
        def run(*args: Any, **parameters: Any) -> Iterator[Any]:
            processes[name] = len(active_children())
            return each.run(*args, **parameters)

        each = SCREENS[name]
        return replace(each, run=run)

    for name in ("duplicates", "near_duplicates", "similar_solutions"):
        monkeypatch.setitem(SCREENS, name, watched(name))
    options = RunOptions(workers=2)
    build(folder / "r.yaml", tmp_path / "store", options=options)
    assert processes == {"duplicates": 2, "near_duplicates": 0, "similar_solutions": 0}


def test_clusters_are_in_sql_and_in_the_report(folder: Path) -> None:
    version = build(folder / "r.yaml", folder / "store", options=RunOptions(workers=1))
    with Store(folder / "store", readonly=True) as store:
        query = (
            "SELECT check_name, count(DISTINCT kept), count(*), min(index) > 0.7 "
            "FROM clusters GROUP BY 1 ORDER BY 1"
        )
        near, solutions = run_query(store, query)[1]
        assert near == ("near_duplicates", 300, 600, True)
        assert solutions == ("similar_solutions", 600, 600, True)
        query = "SELECT a.kept FROM clusters a JOIN clusters b ON a.kept = b.row_id"
        assert run_query(store, f"{query} AND a.check_name = b.check_name")[1] == []
        write_report(store, store.versions.get(version.ref), folder / "page.html")
    page = (folder / "page.html").read_text()
    assert f"near_duplicates: {near[2]:,} rows were rejected" in page
    assert "similar_solutions: 600 rows were rejected, and 600 similar rows kept instead" in page
