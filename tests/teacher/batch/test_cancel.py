"""`curator cancel`: batches at the provider are cancelled, and their replies are stored."""

import os
from pathlib import Path

from tests.pipeline.stages.test_generate import GOLDS, write_world
from tests.processes import start_fresh, wait_until
from tests.teacher.batch.batch_sender import build_in_batches
from tests.teacher.batch.batch_server import KEY, BatchServer
from tests.worlds import RUN, curator

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


def test_the_command_cancels_batches_and_their_replies_are_not_requested_again(
    tmp_path: Path,
) -> None:
    with BatchServer(after_s=None) as server:
        recipe = write_world(tmp_path, RECIPE.replace("URL", server.url))
        store = ("--store", tmp_path / "store")
        build = start_fresh(build_in_batches, recipe, tmp_path / "store")
        wait_until(lambda: "GET /batches/batch_0" in server.seen, build.is_alive)
        build.kill()
        build.join()

        server.faults["POST /batches/batch_0/cancel"] = [(401, {}, {"error": {"message": "no"}})]
        result = curator("cancel", recipe, *store, env=WITH_KEY)
        expected = (
            f"Teacher: m at {server.url} (sends the value of BATCH_KEY).\n"
            f"The teacher at {server.url} cannot be used: key refused: no\n"
        )
        assert (result.returncode, result.stdout, result.stderr) == (1, "", expected)

        result = curator("cancel", recipe, *store, env=WITH_KEY)
        assert (result.returncode, result.stdout) == (0, "Batches cancelled: 1.\n"), result.stderr
        again = curator("cancel", recipe, *store, env=WITH_KEY)
        assert (again.returncode, again.stdout) == (0, "No batch is running.\n"), again.stderr

        server.after_s = 0.05
        build = start_fresh(build_in_batches, recipe, tmp_path / "store")
        build.join()
        assert len(server.accepted) == len(GOLDS)
        assert sorted(server.accepted.values()) == [1, 1, 2, 2]


def test_a_recipe_without_batches_is_reported(tmp_path: Path) -> None:
    recipe = write_world(tmp_path)
    os.mkdir(tmp_path / "store")
    result = curator("cancel", recipe, "--store", tmp_path / "store")
    assert result.returncode == 2
    assert result.stderr == (
        "Recipe taught does not use a batch API, so there is nothing to cancel. "
        "To use one, set teacher.batch.\n"
    )
