"""A user who thinks better of it: batches at the provider are ended, their answers are kept."""

import os
import subprocess
import time
from pathlib import Path

from tests.pipeline.stages.test_generate import GOLDS, write_world
from tests.teacher.batch.batch_server import KEY, BatchServer
from tests.worlds import RUN, command, curator

RECIPE = """\
name: taught
about: programs of a batch
subsets:
  one:
    source: {file: rows.jsonl, columns: {question: q, gold: a}, licence: MIT}
    kind: PoT
    writers: [pot]
screens: {contamination: null}
teacher: {model: m, base_url: URL, key_env: BATCH_KEY, batch: true}
"""
WITH_KEY = {**RUN["env"], "BATCH_KEY": KEY}


def batch_of(build: subprocess.Popen[bytes], server: BatchServer) -> None:
    """Waits until the build has submitted its batch and knows its id."""
    until = time.monotonic() + 60
    while not any(seen.startswith("GET /batches/") for seen in server.seen):
        assert build.poll() is None and time.monotonic() < until, server.seen
        time.sleep(0.05)


def test_batches_are_cancelled_by_command_and_what_they_answered_is_not_asked_again(
    tmp_path: Path,
) -> None:
    with BatchServer(after_s=None) as server:
        recipe = write_world(tmp_path, RECIPE.replace("URL", server.url))
        store = ("--store", tmp_path / "store")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": WITH_KEY}
        build = subprocess.Popen(command("build", recipe, *store), **quiet)
        batch_of(build, server)
        build.kill()
        build.wait()

        server.faults["POST /batches/batch_0/cancel"] = [(401, {}, {"error": {"message": "no"}})]
        said = curator("cancel", recipe, *store, env=WITH_KEY)
        why = f"The teacher at {server.url} cannot be used: key refused: no\n"
        assert (said.returncode, said.stdout, said.stderr) == (1, "", why)

        said = curator("cancel", recipe, *store, env=WITH_KEY)
        assert (said.returncode, said.stdout) == (0, "Batches cancelled: 1.\n"), said.stderr
        again = curator("cancel", recipe, *store, env=WITH_KEY)
        assert (again.returncode, again.stdout) == (0, "No batch is running.\n"), again.stderr

        server.after_s = 0.05
        curator("build", recipe, *store, env=WITH_KEY)
        assert len(server.accepted) == len(GOLDS)
        assert sorted(server.accepted.values()) == [1, 1, 2, 2]


def test_a_recipe_without_batches_has_none_to_cancel(tmp_path: Path) -> None:
    recipe = write_world(tmp_path)
    os.mkdir(tmp_path / "store")
    said = curator("cancel", recipe, "--store", tmp_path / "store")
    assert said.returncode == 2
    assert said.stderr == (
        "Recipe taught does not use a batch API, so there is nothing to cancel. "
        "To use one, set teacher.batch.\n"
    )
