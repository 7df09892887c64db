"""The choice of an executor: what is not possible is a usage error, before any work."""

import os
from pathlib import Path

import pytest

from curator import RunOptions, build
from curator.core.errors import UsageError
from curator.pipeline.executors import ray
from tests.worlds import curator, make_world


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"executor": "rai"}, r"^No executor named 'rai'. Did you mean 'ray'\? Known: local, ray$"),
        ({"address": "node:6379"}, r"^Address 'node:6379' is that of a Ray cluster, but"),
    ],
)
def test_an_executor_that_is_not_possible_is_a_usage_error(
    options: dict[str, str], message: str, tmp_path: Path
) -> None:
    mirror, recipe = make_world(tmp_path)
    with pytest.raises(UsageError, match=message):
        build(recipe, tmp_path / "store", options=RunOptions(mirror=mirror, **options))


def test_ray_that_is_not_installed_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "find_spec", lambda name: None)
    mirror, recipe = make_world(tmp_path)
    with pytest.raises(UsageError, match=r"Run: pip install 'mathcurator\[ray\]'"):
        build(recipe, tmp_path / "store", options=RunOptions(mirror=mirror, executor="ray"))


@pytest.mark.parametrize("command", ["build", "audit", "reverify", "evaluate"])
def test_the_address_of_a_cluster_needs_the_executor_ray(command: str, tmp_path: Path) -> None:
    mirror, recipe = make_world(tmp_path)
    store = ["--store", tmp_path / "store"]
    assert curator("build", recipe, "--mirror", mirror, *store).returncode == 0
    file = mirror / "evals" / "gsm8k" / "rows.jsonl"
    what = {"build": [recipe, "--mirror", mirror], "audit": [file], "reverify": ["small"]}
    what["evaluate"] = [file]
    done = curator(command, *what[command], *store, "--address", "node:6379")
    assert done.returncode == 2 and "without --executor ray. Add it." in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_process_with_few_cores_starts_few_workers() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert (RunOptions().worker_count, RunOptions(workers=3).worker_count) == (1, 3)
    finally:
        os.sched_setaffinity(0, before)
