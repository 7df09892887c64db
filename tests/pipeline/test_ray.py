"""Builds on a real Ray cluster of several nodes, all of them on this machine.

The head of the cluster runs no tasks; each test adds the nodes that it needs. Nodes that lack
something are in a mount namespace of their own.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from curator import RunOptions, build
from curator.core.errors import SourceError
from curator.pipeline import shards
from curator.pipeline.executors import WorkerError
from datastore.memo import Memo
from datastore.objects import Objects
from datastore.store import Store
from tests.paths import ROOT
from tests.processes import wait_until
from tests.worlds import RECIPE, RUN, curator, make_world

# Not imported here: Ray reads the environment when it is imported.
pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra `ray`")

FILES, ROWS = 6, 25
PROBLEMS, SHARD_SAMPLES = 30, 20
DRIVER = f"""
import curator.pipeline.grade
import curator.pipeline.shards
from curator.cli import main
curator.pipeline.grade.SHARD_SAMPLES = {SHARD_SAMPLES}
curator.pipeline.shards.FEW_ROWS = 0
main()
"""
"""The command line, but so that few rows and samples are work for the executor, in many shards."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A Ray cluster whose head runs no tasks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", uuid4().hex)
        patch.setenv("PYTHONPATH", str(ROOT))
        from ray.cluster_utils import Cluster

        made = Cluster(True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        yield made
        made.shutdown()


@pytest.fixture
def nodes(cluster: Any) -> Iterator[list[Any]]:
    """Two nodes with one core each, as long as a test runs."""
    added = [cluster.add_node(num_cpus=1) for _ in range(2)]
    yield added
    for node in added:
        if node in cluster.worker_nodes:
            cluster.remove_node(node)
    wait_until(lambda: not has_cores(cluster))


def has_cores(cluster: Any) -> bool:
    """Return whether a live node runs tasks."""
    found = cluster.global_state.node_table()
    return any(node["Alive"] and node["Resources"].get("CPU") for node in found)


@pytest.fixture
def odd_node(cluster: Any) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start the only node, which runs `prepare` first, in its own mount namespace."""
    started: list[subprocess.Popen[bytes]] = []

    def start(prepare: str = "") -> subprocess.Popen[bytes]:
        ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1"]
        script = f'set -e; mount --make-rprivate /; {prepare}\nexec "$@"'
        words = ["unshare", "--mount", "sh", "-c", script, "sh"]
        process = subprocess.Popen(
            [*words, *ray, f"--address={cluster.address}", "--disable-usage-stats"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        started.append(process)
        wait_until(lambda: has_cores(cluster), lambda: process.poll() is None)
        return process

    yield start
    for process in started:
        process.terminate()
        process.wait()
        wait_until(lambda: not has_cores(cluster))


def make_many_shards(folder: Path) -> tuple[Path, Path]:
    """Make a mirror with many small files, each of which is a shard, and a recipe with programs."""
    mirror, recipe = make_world(folder, RECIPE.replace("0.2", "0.9"))
    for number in range(FILES):
        first = number * ROWS
        rows = [
            {
                "question": f"What do {n} and {n + 1} make?",
                "answer": f"<<{n}+{n + 1}={2 * n + 1}>>x\n#### {2 * n + 1}",
            }
            for n in range(first, first + ROWS)
        ]
        lines = "\n".join(json.dumps(row) for row in rows)
        (mirror / "sources" / "gsm8k" / f"more-{number}.jsonl").write_text(lines)
    return mirror, recipe


@pytest.fixture
def world(tmp_path: Path) -> tuple[Path, Path]:
    """A mirror and a recipe with many shards."""
    return make_many_shards(tmp_path)


@dataclass(frozen=True)
class Local:
    """What this machine builds of that world."""

    digest: str
    programs: list[str]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Local:
    """A build of that world on this machine."""
    folder = tmp_path_factory.mktemp("local")
    mirror, recipe = make_many_shards(folder)
    made = build(recipe, folder / "store", options=RunOptions(mirror=mirror))
    return Local(made.digest, executions(folder / "store"))


@pytest.fixture
def start_driver(
    cluster: Any, world: tuple[Path, Path], tmp_path: Path
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command in `store` as a process, by default a build of the world."""
    mirror, recipe = world
    started: list[subprocess.Popen[str]] = []

    def start(*command: object) -> subprocess.Popen[str]:
        command = command or ("build", recipe, "--mirror", mirror)
        words = [*command, "--store", tmp_path / "store", "--json"]
        ray = ["--executor", "ray", "--address", cluster.address]
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", DRIVER, *map(str, words), *ray],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**RUN["env"], "RAY_AUTH_MODE": "token"}
                | {"RAY_AUTH_TOKEN": os.environ["RAY_AUTH_TOKEN"]},
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def finish(driver: subprocess.Popen[str]) -> str:
    """Wait for a build that must succeed; return the digest of its version."""
    out, err = driver.communicate()
    assert driver.returncode == 0, err
    return str(json.loads(out)["digest"])


def own_lines(err: str) -> list[str]:
    """Return stderr without Ray's own warning on a machine without a network."""
    return [line for line in err.splitlines() if "network_util.cc" not in line]


def on_ray(cluster: Any, mirror: Path | None = None) -> RunOptions:
    """Return the options of a build in the cluster."""
    return RunOptions(mirror=mirror, executor="ray", address=cluster.address)


def running(store: Path, stage: str) -> list[int]:
    """Return the processes that run a stage."""
    lines = Memo(store, Objects(store)).list_running()
    return [int(line.split("process ")[1].split()[0]) for line in lines if f"{stage} is" in line]


def pause(
    store: Path,
    driver: subprocess.Popen[str],
    on: Callable[[int], bool] = lambda process: True,
    stage: str = "check",
) -> int:
    """Pause a process while it runs a stage of a shard; return its id."""
    paused: list[int] = []

    def is_paused() -> bool:
        for process in filter(on, running(store, stage)):
            os.kill(process, signal.SIGSTOP)
            if process in running(store, stage):
                paused.append(process)
                return True
            os.kill(process, signal.SIGCONT)
        return False

    wait_until(is_paused, lambda: driver.poll() is None)
    return paused[0]


def executions(store: Path) -> list[str]:
    """Return the keys of all executions that were ever stored, each as often as it was."""
    lines = [
        line
        for path in (store / "ledgers" / "executions").glob("*.journal")
        for line in path.read_text().splitlines()
    ]
    return [line.split()[1] for line in lines]


def parent(process: int) -> int:
    """Return the id of the parent of a process."""
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_cluster_builds_the_same_quickstart_as_this_machine(
    cluster: Any,
    nodes: list[Any],
    quickstart_built: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shards, "FEW_ROWS", 0)
    made = build("quickstart", tmp_path / "store", options=on_ray(cluster))
    with Store(quickstart_built, readonly=True) as local:
        assert made.digest == local.versions.get("quickstart").digest
    with Store(tmp_path / "store", readonly=True) as store:
        assert len(list((store.root / "ledgers" / "executions").glob("*.journal"))) >= 2
        assert not list((store.root / "tmp").iterdir())


def test_a_node_that_dies_costs_no_row_and_only_its_own_shard_is_checked_again(
    cluster: Any,
    nodes: list[Any],
    local: Local,
    start_driver: Callable[[], subprocess.Popen[str]],
    tmp_path: Path,
) -> None:
    [raylet] = nodes[1].all_processes["raylet"]
    driver = start_driver()
    process = pause(tmp_path / "store", driver, lambda each: parent(each) == raylet.process.pid)
    cluster.remove_node(nodes[1], allow_graceful=False)
    os.kill(process, signal.SIGKILL)
    assert finish(driver) == local.digest
    keys, programs = executions(tmp_path / "store"), local.programs
    assert set(keys) == set(programs) and len(keys) - len(programs) <= ROWS


def write_samples(folder: Path) -> Path:
    """Write samples of several shards: right, wrong and odd ones, a third of them programs."""
    path = folder / "samples.jsonl"
    lines = [
        {
            "id": str(n),
            "question": f"What is {n} + {n}?",
            "gold": str(2 * n),
            "samples": [
                {"kind": "CoT", "text": f"The answer is {2 * n}."},
                {"kind": "CoT", "text": "The answer is a fish.", "score": n / PROBLEMS},
                {"kind": "PoT", "text": f"print({n} + {n + n % 2})"},
            ],
        }
        for n in range(PROBLEMS)
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


@pytest.mark.parametrize(("command", "stage"), [("evaluate", "grade"), ("audit", "check")])
@pytest.mark.parametrize("dies", [False, True], ids=["all nodes live", "a node dies"])
def test_many_shards_give_the_same_bytes_as_this_machine_even_if_a_node_dies(
    cluster: Any,
    nodes: list[Any],
    world: tuple[Path, Path],
    start_driver: Callable[..., subprocess.Popen[str]],
    tmp_path: Path,
    command: str,
    stage: str,
    dies: bool,
) -> None:
    samples, rows = write_samples(tmp_path), world[0] / "sources" / "gsm8k" / "more-*.jsonl"
    words = (command, samples if command == "evaluate" else rows)
    local = curator(*words, "--store", tmp_path / "local", "--json")
    driver = start_driver(*words)
    if dies:
        [raylet] = nodes[1].all_processes["raylet"]
        on_node = lambda each: parent(each) == raylet.process.pid  # noqa: E731
        process = pause(tmp_path / "store", driver, on_node, stage)
        cluster.remove_node(nodes[1], allow_graceful=False)
        os.kill(process, signal.SIGKILL)
    out, err = driver.communicate()
    assert (driver.returncode, local.returncode) == (0, 0), err + local.stderr
    assert out == local.stdout
    records = Memo(tmp_path / "store", Objects(tmp_path / "store")).records()
    assert sum(record is not None and record["stage"] == stage for _, record in records) >= 3
    assert set(executions(tmp_path / "store")) == set(executions(tmp_path / "local"))


def test_a_driver_that_is_stopped_or_killed_leaves_no_task_behind_and_its_successor_resumes(
    nodes: list[Any],
    local: Local,
    start_driver: Callable[[], subprocess.Popen[str]],
    tmp_path: Path,
) -> None:
    store, before, records = tmp_path / "store", list[str](), set[Path]()
    for end in (signal.SIGINT, signal.SIGKILL):
        driver = start_driver()
        done = len(before)
        wait_until(lambda: len(executions(store)) > done, lambda: driver.poll() is None)  # noqa: B023
        pause(store, driver)
        driver.send_signal(end)
        _, err = driver.communicate()
        if end == signal.SIGINT:
            assert own_lines(err)[0].startswith("Interrupted. ")
        else:
            assert driver.returncode < 0
        wait_until(lambda: not Memo(store, Objects(store)).list_running())
        before, records = executions(store), records | set(store.glob("memo/*/*.json"))
    assert finish(start_driver()) == local.digest
    keys = executions(store)
    assert set(before) <= set(keys) == set(local.programs)
    assert len(keys) - len(local.programs) <= 2 * len(nodes) * ROWS
    assert records <= set(store.glob("memo/*/*.json"))


def test_a_node_that_loses_the_shared_folder_says_so_in_one_line(
    odd_node: Callable[..., subprocess.Popen[bytes]],
    start_driver: Callable[[], subprocess.Popen[str]],
    tmp_path: Path,
) -> None:
    node, driver, store = odd_node(), start_driver(), tmp_path / "store"
    process = pause(store, driver)
    inside = ["nsenter", f"--target={node.pid}", "--mount"]
    subprocess.run([*inside, "mount", "-t", "tmpfs", "none", str(store)], check=True)
    os.kill(process, signal.SIGCONT)
    _, err = driver.communicate()
    assert driver.returncode == 1
    [line] = own_lines(err)
    assert line.startswith("Node ") and f"does not reach the store {store}: it has another" in line


@pytest.mark.parametrize("hidden", ["shared", "shared/mirror"])
def test_a_node_without_the_shared_folder_or_the_sources_says_so_in_one_line(
    cluster: Any,
    world: tuple[Path, Path],
    odd_node: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hidden: str,
) -> None:
    monkeypatch.setattr(shards, "FEW_ROWS", 0)
    mirror, recipe = world
    shared = tmp_path / "shared"
    shared.mkdir()
    shutil.move(mirror, shared / "mirror")
    odd_node(f"mount -t tmpfs none {tmp_path / hidden}")
    with pytest.raises(WorkerError, match=r"^Node \S+ \([0-9.]+\) does not reach the s") as caught:
        build(recipe, shared / "store", options=on_ray(cluster, shared / "mirror"))
    what = "source file" if hidden.endswith("mirror") else "no folder there"
    assert what in str(caught.value) and str(shared) in str(caught.value)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("# another version\n", "has code of Curator"),
        ("raise ImportError('broken')\n", "cannot load Curator: ImportError('broken')"),
    ],
)
def test_a_node_with_other_code_than_the_driver_is_rejected_in_one_line(
    cluster: Any,
    world: tuple[Path, Path],
    odd_node: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    expected: str,
) -> None:
    monkeypatch.setattr(shards, "FEW_ROWS", 0)
    mirror, recipe = world
    shutil.copytree(ROOT / "curator", tmp_path / "curator")
    with (tmp_path / "curator" / "__init__.py").open("a") as file:
        file.write(change)
    odd_node(f"mount --bind {tmp_path / 'curator'} {ROOT / 'curator'}")
    with pytest.raises(WorkerError) as caught:
        build(recipe, tmp_path / "store", options=on_ray(cluster, mirror))
    [line] = str(caught.value).splitlines()
    assert line.startswith("Node ") and expected in line and line.endswith("on every node.")


def test_an_error_in_a_task_is_raised_as_itself(
    cluster: Any,
    nodes: list[Any],
    world: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shards, "FEW_ROWS", 0)
    mirror, recipe = world
    for path in (mirror / "sources" / "gsm8k").glob("more*"):
        path.unlink()
    recipe.write_text(RECIPE.replace("0.2", "0"))
    with pytest.raises(SourceError, match="1 of 9 records does not parse") as caught:
        build(recipe, tmp_path / "store", options=on_ray(cluster, mirror))
    assert type(caught.value) is SourceError


def test_a_build_of_few_rows_starts_no_cluster(tmp_path: Path) -> None:
    mirror, recipe = make_world(tmp_path)
    nowhere = ["--executor", "ray", "--address", "no.machine.invalid:1"]
    done = curator("build", recipe, "--store", tmp_path / "s", "--mirror", mirror, *nowhere)
    assert done.returncode == 0, done.stderr


def test_an_address_without_a_cluster_is_one_clear_line(
    world: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "FEW_ROWS", 0)
    mirror, recipe = world
    options = RunOptions(mirror=mirror, executor="ray", address="no.machine.invalid:1")
    with pytest.raises(WorkerError, match=r"^Cannot use the Ray cluster at no\.machine") as caught:
        build(recipe, tmp_path / "store", options=options)
    assert "\n" not in str(caught.value)
