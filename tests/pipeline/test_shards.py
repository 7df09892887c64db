"""Builds over shards: neither the size of shards nor the number of processes changes a version."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from curator import RunOptions, build, load
from curator.core import arrow
from curator.core.errors import CuratorError, SourceError
from curator.core.model import Problem
from curator.pipeline import shards
from curator.pipeline.context import BuildContext
from curator.pipeline.executors.local import WorkerError
from curator.pipeline.locate import find_sources
from curator.pipeline.open_context import open_context
from curator.pipeline.requests import messages_of
from curator.pipeline.shards import Shard, run_shards
from curator.pipeline.stages import ingest
from curator.recipe.load import load_recipe
from curator.sources.readers import detect, pieces
from curator.versions.content import content_of, objects_of
from curator.writers.prompt_templates import Prompts
from datastore.errors import StoreError
from datastore.store import Store
from datastore.versions import Manifest
from tests.pipeline import in_worker
from tests.processes import wait_until
from tests.teacher.helpers import Notes

RECIPE = """\
name: whole
about: every kind of subset
seed: 5
subsets:
  texts:
    source: {file: texts.jsonl, columns: {question: q, gold: a, response: r}, licence: MIT}
    kind: CoT
  programs:
    source: {file: programs.jsonl, columns: {question: q, gold: a, program: p}, licence: MIT}
    kind: PoT
    writers: [annotated]
  filled:
    source: {file: bare.jsonl, columns: {question: q, solution: s}, licence: MIT, golds: [gsm8k]}
    kind: CoT
  annotated: {source: gsm8k, kind: PoT, writers: [annotated]}
  taught:
    source: {file: asked.jsonl, columns: {question: q, gold: a}, licence: MIT}
    kind: PoT
    writers: [pot]
  hinted: {source: {subset: texts}, kind: CoT, writers: [hinted]}
screens: {contamination: null}
teacher: {model: m, replay: calls.jsonl, family: replay, parameters: {max_tokens: 100}}
limits: {quarantine: 0.5}
"""


def sum_of(number: int) -> str:
    return f"Ann has {number} pears and buys {number + 1} more at the market. How many pears?"


def solved(number: int) -> str:
    total = 2 * number + 1
    return f"She has {number} + {number + 1} = {total} pears.\nThe answer is {total}"


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Sources with the same rationales at near and far places, wrong ones, and broken records."""
    numbers = [*range(15), 3, 3, 4, *range(10), 3, 14, *range(40, 60), 3]
    right = [{"q": sum_of(n), "a": str(2 * n + 1), "r": solved(n)} for n in numbers]
    wrong = [{"q": sum_of(n), "a": "0", "r": solved(n)} for n in (1, 2, 1)]
    broken: list[dict[str, Any]] = [{"q": 7}, {"other": 1}]
    write_lines(tmp_path / "texts.jsonl", [*right[:20], *wrong, *broken, *right[20:]])
    program = "print({} + {})  # pears"
    rows = [{**row, "p": program.format(n, n + 1)} for n, row in zip(numbers, right, strict=True)]
    write_lines(tmp_path / "programs.jsonl", [*rows[:30], *broken, *rows[30:]])
    write_lines(tmp_path / "bare.jsonl", [{"q": row["q"], "s": "So " + row["r"]} for row in right])
    upstream = [
        {"question": row["q"], "answer": f"<<{n}+{n + 1}={2 * n + 1}>>x\n#### {2 * n + 1}"}
        for n, row in zip(numbers, right, strict=True)
    ]
    write_lines(tmp_path / "mirror" / "sources" / "gsm8k" / "rows.jsonl", upstream)
    write_lines(tmp_path / "asked.jsonl", right[:25])
    prompts = Prompts()
    calls = [
        {
            "model": "m",
            "messages": messages_of(prompts, "pot", Problem("x", sum_of(n), ""))[-1:],
            "reply": f"```python\nprint({n} + {n + 1})\n```",
        }
        for n in range(0, 15, 2)
    ]
    write_lines(tmp_path / "calls.jsonl", calls)
    path = tmp_path / "whole.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def always_parallel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use processes for any number of rows; read sources here, where shards are small."""
    monkeypatch.setattr(shards, "FEW_ROWS", 0)
    monkeypatch.setattr(ingest, "LARGE_BYTES", 0)


def built(recipe: Path, store: Path, workers: int) -> Manifest:
    mirror = recipe.parent / "mirror"
    return build(recipe, store, options=RunOptions(mirror=mirror, workers=workers))


@pytest.mark.usefixtures("always_parallel")
def test_neither_the_size_of_shards_nor_the_number_of_processes_changes_a_version(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = built(recipe, tmp_path / "whole", 1)
    counts = content_of(whole).subsets
    assert all(each.rationales > 5 for each in counts.values())
    assert all(each.available > 5 for each in counts.values())
    assert counts["texts"].quarantined == 2
    assert counts["texts"].reasons["failed: duplicate"] > 3
    for rows, workers in ((3, 2), (7, 4), (20, 1)):
        monkeypatch.setattr(ingest, "SHARD_ROWS", rows)
        store = tmp_path / f"{rows}-{workers}"
        manifest = built(recipe, store, workers)
        assert len(objects_of(manifest).problems["texts"]) > 1
        assert content_of(manifest) == content_of(whole)
        assert manifest.digest == whole.digest
        assert load("whole", store).equals(load("whole", tmp_path / "whole"))


@pytest.mark.usefixtures("always_parallel")
@pytest.mark.parametrize("checks", ["[format]", "[executed, answer, format]"])
def test_problems_are_read_from_the_store_only_where_other_sources_have_their_golds(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checks: str
) -> None:
    head, _, rest = recipe.read_text().partition("  taught:")
    _, _, end = rest.partition("screens:")
    recipe.write_text(
        head.replace("\n    kind:", f"\n    checks: {checks}\n    kind:") + "screens:" + end
    )
    monkeypatch.setattr(ingest, "SHARD_ROWS", 7)
    whole = built(recipe, tmp_path / "unwatched", 2)
    read: list[tuple[str, str]] = []
    to_problems = arrow.to_problems

    def watched(batch: pa.RecordBatch) -> Iterator[Problem]:
        for problem in to_problems(batch):
            read.append((problem.source, problem.place))
            yield problem

    monkeypatch.setattr(arrow, "to_problems", watched)
    manifest = built(recipe, tmp_path / "watched", 1)
    assert manifest.digest == whole.digest
    counts = content_of(manifest).subsets["filled"]
    assert {source for source, _ in read} == {"filled"}
    assert len(set(read)) == len(read) == counts.records


class Bars:
    """A listener that keeps the progress it receives."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int]] = []

    def progress(self, what: str, done: int, total: int | None) -> None:
        self.seen.append((what, done))

    def note(self, text: str) -> None:
        raise AssertionError(text)


@pytest.fixture
def one_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a recipe with one large file of a format that is not cut into pieces."""
    monkeypatch.setattr(ingest, "LARGE_BYTES", 0)
    rows = [f'"{sum_of(n)}","{solved(n)}",{2 * n + 1}\n' for n in range(2_000)]
    (tmp_path / "rows.csv").write_text("q,r,a\n" + "".join(rows))
    path = tmp_path / "one.yaml"
    source = "{file: rows.csv, columns: {question: q, gold: a, response: r}, licence: MIT}"
    path.write_text(
        f"name: one\nabout: one file\nsubsets:\n  one: {{source: {source}, kind: CoT, "
        "checks: [format]}\nscreens: {contamination: null, duplicates: false}\n"
    )
    return path


def test_the_bar_of_a_large_file_keeps_its_name_while_its_rows_are_written(
    one_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "SHARD_ROWS", 600)
    bars = Bars()
    build(one_csv, tmp_path / "store", options=RunOptions(workers=1, listener=bars))
    names = [name for name, _ in groupby(bars.seen, key=itemgetter(0))]
    assert names.count("reading one") == 1
    done = [count for what, count in bars.seen if what == "reading one"]
    assert done == sorted(done)
    assert done[-1] == 2_000


def test_workers_write_the_rows_of_a_large_file_that_only_one_process_can_read(
    one_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "FEW_ROWS", 0)
    monkeypatch.setattr(ingest, "SHARD_ROWS", 600)
    bars = Bars()
    several = build(one_csv, tmp_path / "two", options=RunOptions(workers=2, listener=bars))
    assert ("writing and checking", 0) in bars.seen
    assert several.digest == build(one_csv, tmp_path / "one", options=RunOptions(workers=1)).digest


@pytest.fixture
def opened(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[BuildContext, Notes]]]:
    """Open the context of a build in a store with a number of worker processes."""
    monkeypatch.setattr(shards, "FEW_ROWS", 0)
    with ExitStack() as stack:

        def open_with(workers: int, store: Path) -> tuple[BuildContext, Notes]:
            notes = Notes()
            options = RunOptions(workers=workers, listener=notes)
            opened_store = stack.enter_context(Store(store))
            context = open_context(opened_store, load_recipe(recipe), options)
            return stack.enter_context(context), notes

        yield open_with


Opened = Callable[..., tuple[BuildContext, Notes]]


def test_a_source_that_is_also_an_evaluation_set_is_read_once(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "LARGE_BYTES", 1 << 20)
    ran: list[str] = []
    run = ingest.run_shards

    def watched(context: BuildContext, function: Any, work: Any, what: str) -> list[Any]:
        ran.extend(shard.arguments[0].name for shard in work)
        return run(context, function, work, what)

    monkeypatch.setattr(ingest, "run_shards", watched)
    context, _ = opened(2, tmp_path / "store")
    located = {name: each for name, each in find_sources(context).items() if each.source.local}
    ingest.ingest_all(context, located, located.values())
    assert sorted(ran) == sorted(each.source.name for each in located.values())
    assert len(ran) > 1


CALLS = [Shard(lambda: 1, (number,)) for number in range(6)]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_shard_and_its_notes_arrive_from_any_process(
    opened: Opened, tmp_path: Path, workers: int
) -> None:
    context, notes = opened(workers, tmp_path / "store")
    with pytest.raises(SourceError, match=r"^too many records do not parse$"):
        run_shards(context, in_worker.fail, CALLS, "work")
    assert notes.texts == ["a file is damaged"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_gives_the_same_line_from_any_process(
    opened: Opened, disk: Path, workers: int
) -> None:
    context, _ = opened(workers, disk / "store")
    with pytest.raises(StoreError, match=r"^Cannot write an object \(.*\): No space left on dev.*"):
        run_shards(context, in_worker.fill_disk, CALLS, "work")


def test_damage_that_every_process_sees_is_noted_once(opened: Opened, tmp_path: Path) -> None:
    with Store(tmp_path / "store") as store:
        store.ledger("executions").put_many({b"x" * 16: {}, b"y" * 16: {}})
    [journal] = tmp_path.glob("store/ledgers/executions/*.journal")
    journal.write_bytes(b"?" + journal.read_bytes()[1:])
    context, notes = opened(2, tmp_path / "store")
    while len({*run_shards(context, in_worker.get_pid, CALLS, "work")}) < 2:
        pass
    [note] = notes.texts
    assert f"{journal} is damaged: 1 of its records are intact" in note


def test_a_killed_process_gives_one_line_and_the_next_run_starts_others(
    opened: Opened, tmp_path: Path
) -> None:
    context, _ = opened(2, tmp_path / "store")
    with pytest.raises(WorkerError, match=r"^A worker .*\(SIGKILL\); .* Rerun: .*[^\n]$"):
        run_shards(context, in_worker.be_killed, CALLS, "work")
    [first, *_] = run_shards(context, in_worker.get_pid, CALLS, "work")
    os.kill(first, signal.SIGKILL)  # between two stages

    def fails() -> bool:
        try:
            run_shards(context, in_worker.get_pid, CALLS, "work")
        except WorkerError:
            return True
        return False

    wait_until(fails)
    assert len(run_shards(context, in_worker.get_pid, CALLS, "work")) == len(CALLS)


def test_released_processes_end_and_the_next_run_starts_others(
    opened: Opened, tmp_path: Path
) -> None:
    context, _ = opened(2, tmp_path / "store")
    assert context.executor
    context.executor.release()  # none was started
    before = {*run_shards(context, in_worker.get_pid, CALLS, "work")}
    context.executor.release()
    assert not [each for each in before if Path(f"/proc/{each}").exists()]
    assert {*run_shards(context, in_worker.get_pid, CALLS, "work")}.isdisjoint(before)


def test_a_store_that_a_process_cannot_open_gives_one_line(
    opened: Opened, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    context, _ = opened(2, tmp_path / "store")
    (tmp_path / "store" / "FORMAT").write_text("of another program")
    with pytest.raises(StoreError, match="FORMAT"):
        run_shards(context, in_worker.get_pid, CALLS, "work")
    assert capfd.readouterr() == ("", "")


def test_too_many_broken_records_give_the_same_line_from_any_process(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "FEW_ROWS", 0)
    write_lines(tmp_path / "texts.jsonl", [{"q": 1, "a": "", "r": ""}] * 20)
    errors = []
    for workers in (1, 2):
        with pytest.raises(CuratorError) as caught:
            built(recipe, tmp_path / f"{workers}", workers)
        errors.append(str(caught.value))
    assert errors[0] == errors[1]
    assert errors[0].startswith("texts: 20 of 20 records do not parse. Most frequent reason: ")


@pytest.mark.usefixtures("always_parallel")
@pytest.mark.parametrize(
    "broken", [[], ['{"q": '], ['{"other": 1}', "3", '{"q": ["x", {"q": 2}]}']]
)
@pytest.mark.parametrize("as_list", [False, True])
def test_a_file_that_is_read_in_pieces_gives_the_same_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: list[str], as_list: bool
) -> None:
    rows = [{"q": sum_of(n), "a": str(2 * n + 1), "r": solved(n)} for n in range(40)]
    lines = [*map(json.dumps, rows[:30]), *broken, *map(json.dumps, rows[30:])]
    (tmp_path / "rows.json").write_text(
        f"[{','.join(lines)}]" if as_list else "\n".join(lines), "utf-8"
    )
    source = "{file: rows.json, columns: {question: q, gold: a, response: r}, licence: MIT}"
    recipe = tmp_path / "cut.yaml"
    recipe.write_text(
        f"name: cut\nabout: x\nsubsets: {{one: {{source: {source}, kind: CoT}}}}\n"
        "screens: {contamination: null}\nlimits: {quarantine: 0.5}\n"
    )
    whole = built(recipe, tmp_path / "whole", 1)
    for module in (pieces, detect):
        monkeypatch.setattr(module, "PIECE_BYTES", 500)
    cut = built(recipe, tmp_path / "cut", 2)
    assert cut.digest == whole.digest
    assert content_of(whole).subsets["one"].quarantined == len(broken)
    shard_counts = [len(objects_of(each).problems["one"]) for each in (whole, cut)]
    assert shard_counts[0] == 1
    assert (shard_counts[1] > 5) == (not as_list or not broken)
    tables = [load("cut", tmp_path / name) for name in ("whole", "cut")]
    assert tables[0].equals(tables[1])
