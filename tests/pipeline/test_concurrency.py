"""Concurrent builds and readers on one store, as real processes; what must not change a version."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curator import RunOptions, build, load
from curator.pipeline import checker
from curator.versions.status import status
from datastore.memo import Memo
from datastore.objects import Objects
from datastore.store import Store
from tests.processes import wait_until
from tests.worlds import RECIPE, RUN, command, make_world

PROGRAMS = 150


def make_busy_world(folder: Path) -> tuple[Path, Path]:
    """Make a world whose build takes seconds: each of its many programs must be run."""
    mirror, recipe = make_world(folder, RECIPE.replace("0.2", "0.9"))
    rows = [
        {
            "question": f"What do {n} and {n + 1} make?",
            "answer": f"<<{n}+{n + 1}={2 * n + 1}>>x\n#### {2 * n + 1}",
        }
        for n in range(PROGRAMS)
    ]
    lines = "\n".join(json.dumps(row) for row in rows)
    (mirror / "sources" / "gsm8k" / "more.jsonl").write_text(lines)
    return mirror, recipe


Start = Callable[[Path, Path, Path], subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a build of a recipe in a store from a mirror; at the end, kill all that still run."""
    running: list[subprocess.Popen[str]] = []

    def go(recipe: Path, store: Path, mirror: Path) -> subprocess.Popen[str]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        words = command("build", recipe, "--store", store, "--mirror", mirror, "--json")
        running.append(subprocess.Popen(words, env=RUN["env"], **pipes))
        return running[-1]

    yield go
    for process in running:
        process.kill()
        process.communicate()


def finish(process: subprocess.Popen[str]) -> dict[str, object]:
    """Wait for a build; return the JSON that it printed."""
    out, err = process.communicate()
    assert process.returncode == 0, err
    return json.loads(out)


def pause_in_a_stage(builder: subprocess.Popen[str], store: Path) -> None:
    """Pause a builder while it runs a stage."""
    memo = Memo(store, Objects(store))

    def is_paused_in_a_stage() -> bool:
        builder.send_signal(signal.SIGSTOP)
        if any(f"process {builder.pid} on" in line for line in memo.list_running()):
            return True
        builder.send_signal(signal.SIGCONT)
        return False

    wait_until(is_paused_in_a_stage, lambda: builder.poll() is None)


def test_the_second_of_two_builders_names_the_first_waits_and_shares_its_work(
    start: Start, tmp_path: Path
) -> None:
    mirror, recipe = make_busy_world(tmp_path)
    store = tmp_path / "store"
    one = start(recipe, store, mirror)
    pause_in_a_stage(one, store)
    other = start(recipe, store, mirror)
    assert other.stderr
    line = other.stderr.readline()
    one.send_signal(signal.SIGCONT)
    stage = r"(gsm8k|cot|pot|small): [a-z ]+ is being built by"
    assert re.match(rf"{stage} process {one.pid} on .+ \(since .+\); waiting for it\n$", line)
    assert finish(one) == finish(other)
    with Store(store, readonly=True) as opened:
        assert [manifest.ref for manifest in opened.versions.all()] == ["small@1"]
        programs = {row["text"] for row in load("small", store).to_pylist() if row["kind"] == "PoT"}
        # One program is wrong and one contaminated: they were run, but rejected.
        assert opened.ledger("executions").count() == len(programs) + 2
        assert status(opened).building == []


def test_builds_of_different_recipes_ingest_a_common_source_once_while_others_read_the_store(
    start: Start, tmp_path: Path
) -> None:
    mirror, recipe = make_busy_world(tmp_path)
    store, other = tmp_path / "store", tmp_path / "other.yaml"
    other.write_text(
        recipe.read_text().replace("name: small", "name: other").replace("seed: 3", "seed: 4")
        + "mixture: {subsets: {cot: 50, pot: 60}}\n"
    )
    early = tmp_path / "early.yaml"
    early.write_text(RECIPE.replace("name: small", "name: early"))
    shutil.copytree(mirror, tmp_path / "little")
    (tmp_path / "little/sources/gsm8k/more.jsonl").unlink()
    before = build(early, store, options=RunOptions(mirror=tmp_path / "little"))
    rows = load("early", store)
    builders = [start(each, store, mirror) for each in (recipe, other)]
    looks, seen = 0, set()
    while any(builder.poll() is None for builder in builders):
        with Store(store, readonly=True) as opened:
            assert opened.versions.get("early") == before
            seen.update(line.split()[0] for line in status(opened).building)
        assert load("early", store) == rows
        looks += 1
        time.sleep(0.2)
    made = [finish(builder) for builder in builders]
    stages = "ingest read write check copies subset prepare keys screen draw"
    assert looks > 1 and seen and seen <= set(stages.split())
    assert [each["rows"]["count"] for each in made] == [2 * PROGRAMS + 11, 110]
    with Store(store, readonly=True) as opened:
        assert opened.versions.names() == ["early", "other", "small"]
    memos = [json.loads(path.read_text()) for path in store.glob("memo/*/*.json")]
    read = [memo["params"]["source"] for memo in memos if memo["stage"] == "ingest"]
    assert len(read) == 3, "both mirrors' source, and the evaluation set that they share"
    alone = build(other, tmp_path / "alone", options=RunOptions(mirror=mirror))
    assert alone.digest == made[1]["digest"]


def test_neither_hash_seed_nor_locale_nor_time_zone_changes_a_version(tmp_path: Path) -> None:
    mirror, recipe = make_world(tmp_path)
    settings = (
        {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "UTC", "PYTHONUTF8": "0"},
        {"PYTHONHASHSEED": "77", "LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu"},
    )
    made = []
    for number, setting in enumerate(settings):
        words = command("build", recipe, "--store", tmp_path / f"s{number}", "--mirror", mirror)
        options = {**RUN, "env": {**RUN["env"], **setting}}
        done = subprocess.run([*words, "--json", "--workers", str(number + 1)], **options)
        assert done.returncode == 0, done.stderr
        made.append(json.loads(done.stdout))
    assert made[0] == made[1]
    stored = [
        sorted(os.path.relpath(path, tmp_path / name) for path in (tmp_path / name).glob("o*/*/*"))
        for name in ("s0", "s1")
    ]
    assert stored[0] == stored[1], "the same bytes in every object"


def test_the_sizes_of_chunks_and_commits_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror, recipe = make_world(tmp_path)
    first = build(recipe, tmp_path / "s0", options=RunOptions(mirror=mirror))
    monkeypatch.setattr(checker, "CHUNK", 3)
    monkeypatch.setattr("datastore.compute_missing.COMMIT", 1)
    second = build(recipe, tmp_path / "s1", options=RunOptions(mirror=mirror))
    assert first.content == second.content
    assert {**first.objects, "created": ""} == {**second.objects, "created": ""}
