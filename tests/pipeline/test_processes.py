"""The processes of a build: how they end, and that a killed build repeats no finished work."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curator import RunOptions, build
from datastore.store import Store
from tests.processes import wait_until
from tests.worlds import RECIPE, RUN, make_world

PROGRAMS = 300
# No guard of `__name__`: the processes of a build must not run this again.
SCRIPT = """
import sys
from curator.cli import main
from curator.pipeline import shards
from curator.pipeline.stages import ingest

shards.FEW_ROWS, ingest.LARGE_BYTES, ingest.SHARD_ROWS = 0, 0, 20
main()
"""


@pytest.fixture
def world(tmp_path: Path) -> tuple[Path, Path]:
    """A recipe, and the store of its builds, which run hundreds of programs in dozens of shards."""
    mirror, recipe = make_world(
        tmp_path, RECIPE.replace("0.2", "0.9").replace("seed: 3", f"seed: 3\nmirror: {tmp_path}/m")
    )
    mirror.rename(tmp_path / "m")
    rows = [
        {
            "question": f"What do {n} and {n + 1} make?",
            "answer": f"<<{n}+{n + 1}={2 * n + 1}>>x\n#### {2 * n + 1}",
        }
        for n in range(PROGRAMS)
    ]
    (tmp_path / "m/sources/gsm8k/rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "script.py").write_text(SCRIPT)
    return recipe, tmp_path / "store"


Start = Callable[[Path, Path], subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a build in a session of its own; at the end, kill what still runs."""
    running: list[subprocess.Popen[str]] = []

    def go(recipe: Path, store: Path) -> subprocess.Popen[str]:
        words = [sys.executable, recipe.parent / "script.py", "build", recipe, "--store", store]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        running.append(
            subprocess.Popen(
                [*map(str, words), "--workers", "2"],
                env=RUN["env"],
                start_new_session=True,
                **options,  # type: ignore[call-overload]
            )
        )
        return running[-1]

    yield go
    for process in running:
        if process.returncode is None:
            process.kill()
            process.communicate()


def session_of(leader: int) -> list[int]:
    """Return the live processes of a session."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z" and int(fields[3]) == leader:
            found.append(int(folder.name))
    return found


def workers_of(leader: int) -> list[int]:
    """Return the processes of a build that run its shards."""
    found = []
    for pid in session_of(leader):
        try:
            if b"popen_loky" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
        except OSError:
            continue
    return found


def executions(store: Path) -> int:
    if not any(store.glob("ledgers/executions/*")):
        return 0
    with Store(store, readonly=True) as opened:
        return opened.ledger("executions").count()


def semaphores_of(pid: int) -> list[str]:
    return [name for name in os.listdir("/dev/shm") if f"loky-{pid}-" in name]


def ends_completely(pid: int) -> None:
    """Wait until no process of a build and none of its semaphores is left."""
    wait_until(lambda: not session_of(pid) and not semaphores_of(pid))


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for a build; check that it worked and left neither output nor processes."""
    _, err = process.communicate()
    assert process.returncode == 0, err
    assert err.startswith("Next: ") and len(err.splitlines()) == 1, err
    ends_completely(process.pid)


def checks(store: Path) -> dict[str, int]:
    """Return each result of stage `check`, and the inode of its record."""
    records = store.glob("memo/*/*.json")
    done = {path: path.read_text() for path in records}
    return {
        path.name: path.stat().st_ino for path, text in done.items() if '"stage":"check"' in text
    }


def test_a_build_that_is_killed_at_many_moments_repeats_no_finished_work(
    world: tuple[Path, Path], start: Start, tmp_path: Path
) -> None:
    recipe, store = world

    def kill_after(count: int) -> None:
        running = start(recipe, store)
        wait_until(lambda: executions(store) >= count, lambda: running.poll() is None)
        running.kill()
        running.communicate()
        ends_completely(running.pid)

    for count in (1, 60, 110, 200, 280):
        before = checks(store)
        kill_after(count)
        assert before.items() <= checks(store).items()
    before = checks(store)
    finish(start(recipe, store))
    assert before.items() <= checks(store).items()
    assert executions(store) == PROGRAMS, "a program that ran twice is counted twice"
    with Store(store, readonly=True) as opened:
        resumed = opened.versions.get("small")
    assert resumed.number == 1
    assert resumed.digest == build(recipe, tmp_path / "other", options=RunOptions(workers=1)).digest


def test_a_killed_process_ends_the_build_in_one_line_and_the_next_one_resumes(
    world: tuple[Path, Path], start: Start
) -> None:
    recipe, store = world
    running = start(recipe, store)
    wait_until(lambda: executions(store), lambda: running.poll() is None)
    os.kill(workers_of(running.pid)[0], signal.SIGKILL)
    out, err = running.communicate()
    assert (running.returncode, out) == (1, "")
    [line] = err.splitlines()
    assert line.startswith("A worker process ended unexpectedly (SIGKILL); ")
    ends_completely(running.pid)
    before = checks(store)
    finish(start(recipe, store))
    assert before.items() <= checks(store).items()
    assert executions(store) == PROGRAMS


def test_no_process_receives_ctrl_c_even_while_it_starts(
    world: tuple[Path, Path], start: Start
) -> None:
    recipe, store = world
    running = start(recipe, store)
    wait_until(lambda: executions(store), lambda: running.poll() is None)
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in workers_of(running.pid)]
    blocked = [int(status.partition("SigBlk:")[2].split()[0], 16) for status in statuses]
    assert blocked and all(mask >> (signal.SIGINT - 1) & 1 for mask in blocked)
    finish(running)


@pytest.mark.parametrize("moment", ["while they start", "while they work"])
def test_ctrl_c_ends_all_processes_in_one_line(
    world: tuple[Path, Path], start: Start, moment: str
) -> None:
    recipe, store = world
    running = start(recipe, store)
    started = workers_of if moment == "while they start" else lambda _: executions(store)
    wait_until(lambda: started(running.pid), lambda: running.poll() is None)
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate()
    assert (running.returncode, out) == (1, "")
    assert len(err.splitlines()) == 1, err
    assert err.startswith("Interrupted. Finished work is cached; resume with: curator build ")
    ends_completely(running.pid)
