"""Certified exports that are killed and repeated: nothing that was graded is graded again."""

import json
import os
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from datastore.store import Store
from tests.paths import ROOT
from tests.worlds import command

# A package in the place of verl: it writes down what it is asked, and kills who asks too much.
VERL = """\
import fcntl, os, pathlib, signal

FOLDER = pathlib.Path({folder!r})


def compute_score(completion, gold):
    with (FOLDER / "log").open("r+") as log:
        fcntl.flock(log, fcntl.LOCK_EX)  # so that nothing is asked after the kill
        asked, limit = len(log.readlines()), int((FOLDER / "limit").read_text())
        if asked >= limit:
            os._exit(1)
        log.write(f"{{gold}}\\t{{completion}}\\n")
        log.flush()
        if asked + 1 == limit:
            os.kill(os.getppid(), signal.SIGKILL)
    return float(completion == f"The answer is \\\\boxed{{{{{{gold}}}}}}.")
"""
MANY = 10**9
LOOK_AHEAD = 280
"""Forms that may be in work at once, and those of one gold more."""


@pytest.fixture
def grader(tmp_path: Path) -> Path:
    """Install the package in a folder of its own; return the folder."""
    folder = tmp_path / "grader"
    rewards = folder / "verl/utils/reward_score"
    rewards.mkdir(parents=True)
    (folder / "verl/__init__.py").touch()
    (rewards / "math_reward.py").write_text(VERL.format(folder=str(folder)))
    set_version(folder, "1.0")
    (folder / "log").touch()
    (folder / "limit").write_text(str(MANY))
    return folder


@pytest.fixture
def store(quickstart: Path, tmp_path: Path) -> Path:
    shutil.copytree(quickstart, tmp_path / "store")
    return tmp_path / "store"


def set_version(folder: Path, version: str) -> None:
    about = folder / "verl-0.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: verl\nVersion: {version}\n")


def start(store: Path, grader: Path, *more: str) -> subprocess.CompletedProcess[str]:
    fixed = ["export", "quickstart", "--format", "trl-grpo", "--certify", "verl", "--json"]
    return subprocess.run(
        command(*fixed, "--store", str(store), "-o", str(store.parent / "out.jsonl"), *more),
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{grader}"},
        capture_output=True,
        text=True,
        check=False,
    )


def export(store: Path, grader: Path, *more: str) -> dict[str, Any]:
    """Export to the end; return the printed JSON and the bytes of both files."""
    done = start(store, grader, "--overwrite", *more)
    assert done.returncode == 0, done.stderr
    files = [store.parent / name for name in ("out.jsonl", "out-misjudged.jsonl")]
    return {**json.loads(done.stdout), "bytes": [path.read_bytes() for path in files]}


def asked(grader: Path) -> Counter[str]:
    """Return how often each gold was asked about in each form."""
    lines = (grader / "log").read_text().splitlines()
    return Counter(line for line in lines if not line.startswith("10\t\\boxed{\\int"))


def gradings(store: Path) -> list[int]:
    """Return the number of forms of each gold whose outcomes are kept."""
    with Store(store, readonly=True) as opened, opened.ledger("gradings") as ledger:
        return [len(record.get("outcomes", ())) for _, record in ledger.records()]


def test_a_certified_export_that_is_killed_grades_nothing_twice(store: Path, grader: Path) -> None:
    (grader / "limit").write_text("1000")
    assert start(store, grader).returncode == -signal.SIGKILL
    kept, before = gradings(store), asked(grader)
    assert len(kept) >= 10 and not (store.parent / "out.jsonl").exists()
    (grader / "limit").write_text(str(MANY))
    first = export(store, grader)
    after = asked(grader) - before
    golds = len(gradings(store))
    assert golds == sum(each["golds"] for each in first["certified"]["verl"].values()) > len(kept)

    # a second export grades nothing, and writes the same
    known = asked(grader)
    assert export(store, grader) == first and asked(grader) == known
    # another format of the same version has the same golds
    export(store, grader, "--format", "verifiers")
    assert asked(grader) == known
    # another version of the grader is another grader
    set_version(grader, "1.1")
    assert export(store, grader) == first
    complete = asked(grader) - known
    assert len(gradings(store)) == 2 * golds
    # so only the golds that the kill met in work were graded again
    assert after.total() == complete.total() - sum(kept)
    assert before.total() - sum(kept) <= LOOK_AHEAD


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a file system")
def test_a_store_that_cannot_be_written_is_certified_with_what_it_holds(
    store: Path, grader: Path
) -> None:
    mounted = subprocess.run(
        ["mount", "--bind", "-o", "ro", store, store], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this system mounts nothing")
    try:
        first = export(store, grader)
        counts = asked(grader)
        assert export(store, grader) == first
        assert asked(grader) == counts + counts and not any(gradings(store))
    finally:
        subprocess.run(["umount", store], check=True)
