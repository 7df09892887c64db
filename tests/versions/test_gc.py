"""`curator gc` frees what no version needs, and nothing else, whenever it is killed."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from curator import RunOptions, build
from curator.core.errors import UsageError
from curator.core.progress import SilentListener
from curator.versions.gc import find_garbage, free
from curator.versions.verify import verify
from datastore.errors import StoreError
from datastore.store import Store
from tests.cli.terminal import on_a_terminal
from tests.paths import ROOT
from tests.worlds import curator, make_world

FEWER = "mixture: {subsets: {cot: 2}}\n"


class World:
    """A store with a version, and with what a removed version and stages between left."""

    def __init__(self, folder: Path) -> None:
        self.mirror, self.recipe = make_world(folder)
        self.store = folder / "store"
        other = folder / "other.yaml"
        other.write_text(self.recipe.read_text().replace("seed: 3", "seed: 4") + FEWER)
        self.digest = self.build()
        build(other, self.store, options=RunOptions(mirror=self.mirror))
        with Store(self.store) as store:
            path = store.versions.remove("small", 2)
            assert path.exists()

    def build(self) -> str:
        return build(self.recipe, self.store, options=RunOptions(mirror=self.mirror)).digest


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("built"))


@pytest.fixture
def world(built: World, tmp_path: Path) -> World:
    """A copy of the store, with the recipe and the mirror that it was built from."""
    copy = World.__new__(World)
    copy.mirror, copy.recipe, copy.digest = built.mirror, built.recipe, built.digest
    copy.store = tmp_path / "store"
    shutil.copytree(built.store, copy.store)
    return copy


def files(store: Path, folder: str) -> dict[str, bytes]:
    root = store / folder
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def is_whole(root: Path) -> bool:
    with Store(root) as store:
        return verify(store, [], SilentListener()).damage == ()


def test_what_no_version_needs_is_freed_and_the_rest_stays(world: World) -> None:
    before, ledgers = files(world.store, "objects"), files(world.store, "ledgers")
    with Store(world.store) as store:
        named = store.versions.named_objects(store.versions.path("small@1"))
        found = find_garbage(store)
        freed = free(store, found)
        assert freed == found.bytes > 0
        assert find_garbage(store).bytes == 0
        assert find_garbage(store).kept == found.kept
    after = files(world.store, "objects")
    assert {Path(name).stem for name in after} == {Path(name).stem for name in before} & named
    assert files(world.store, "ledgers") == ledgers, "nothing that was paid for is lost"
    assert is_whole(world.store)


def test_a_build_after_it_gives_the_same_digest(world: World) -> None:
    assert curator("gc", "--yes", "--store", world.store).returncode == 0
    assert world.build() == world.digest
    with Store(world.store) as store:
        assert len(store.versions.numbers("small")) == 1
    shutil.rmtree(world.store / "memo")
    assert world.build() == world.digest, "also if every stage runs again"


def test_it_lists_what_it_would_free_and_removes_nothing_without_an_answer(world: World) -> None:
    before = files(world.store, "objects")
    done = curator("gc", "--store", world.store)
    assert done.returncode == 0
    assert "(records of the stage cache)" in done.stdout and "all calls to teachers" in done.stdout
    assert done.stderr == "Nothing was removed. To remove this, rerun with --yes.\n"
    report = json.loads(curator("gc", "--json", "--store", world.store).stdout)
    assert report["objects"] == sum(each["objects"] for each in report["stages"].values()) > 0
    assert report["freed"] == 0
    assert files(world.store, "objects") == before
    for answer, left in (("n\n", True), ("y\n", False)):
        shown = on_a_terminal("gc", "--store", world.store, typed=answer)
        assert "Remove " in shown
        assert (files(world.store, "objects") == before) is left
    assert "nothing to remove" in curator("gc", "--store", world.store).stdout


def test_what_a_version_began_to_need_after_the_question_stays(world: World) -> None:
    with Store(world.store) as store:
        found = find_garbage(store)
    os.rename(
        next(world.store.glob("versions/small/2.removed-*")), world.store / "versions/small/2.json"
    )
    with Store(world.store) as store:
        assert free(store, found) < found.bytes
    assert is_whole(world.store)


def test_it_stops_if_what_a_version_needs_is_not_known(world: World) -> None:
    path = world.store / "versions/small/1.json"
    path.write_bytes(path.read_bytes()[:-40])
    before = files(world.store, "objects")
    done = curator("gc", "--yes", "--store", world.store)
    assert (done.returncode, done.stdout) == (2, "")
    assert "small@1 may need anything" in done.stderr and "curator rm small@1" in done.stderr
    assert files(world.store, "objects") == before
    with Store(world.store) as store, pytest.raises(UsageError):
        find_garbage(store)


def test_it_refuses_to_run_beside_a_build(world: World) -> None:
    program = (
        "import sys; from pathlib import Path; from datastore.store import Store\n"
        "store = Store(Path(sys.argv[1])); print(flush=True); sys.stdin.read()"
    )
    before = files(world.store, "objects")
    words = [sys.executable, "-c", program, str(world.store)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=ROOT, stdin=pipe, stdout=pipe) as other:
        assert other.stdout and other.stdout.readline()
        done = curator("gc", "--yes", "--store", world.store)
        other.communicate()
    assert done.returncode == 1 and "in use by another process" in done.stderr
    assert files(world.store, "objects") == before


def test_it_refuses_to_run_beside_a_build_on_another_machine(world: World) -> None:
    (world.store / "running").mkdir(exist_ok=True)
    line = world.store / "running" / f"{'0' * 32}@elsewhere"
    line.write_text("small: checking")
    with Store(world.store) as store, pytest.raises(StoreError, match="the machine elsewhere"):
        free(store, find_garbage(store))
    line.unlink()
    with Store(world.store) as store:
        assert free(store, find_garbage(store)) > 0


KILLED = """
import os, signal, sys
from pathlib import Path
from datastore.store import Store
from curator.versions.gc import find_garbage, free
calls, last = 0, int(sys.argv[2])
def kill_at(function):
    def run(*args, **options):
        global calls
        if calls == last:
            os.kill(os.getpid(), signal.SIGKILL)
        calls += 1
        return function(*args, **options)
    return run
Path.unlink = kill_at(Path.unlink)
with Store(Path(sys.argv[1])) as store:
    free(store, find_garbage(store))
"""


def test_killed_at_any_moment_the_store_is_whole_and_the_next_one_finishes(
    built: World, world: World, tmp_path: Path
) -> None:
    with Store(world.store) as store:
        found = find_garbage(store)
        free(store, found)
    complete = files(world.store, "objects"), files(world.store, "memo")
    steps = len(found.objects) + len(found.records)
    moments = {0, len(found.records), steps - 1, *random.sample(range(steps), 3)}
    for moment in sorted(moments):
        root = tmp_path / str(moment)
        shutil.copytree(built.store, root)
        words = [sys.executable, "-c", KILLED, str(root), str(moment)]
        done = subprocess.run(words, cwd=ROOT, capture_output=True)
        assert done.returncode == -signal.SIGKILL, (moment, done.stderr)
        assert is_whole(root), moment
        other = World.__new__(World)
        other.__dict__ |= built.__dict__ | {"store": root}
        assert other.build() == built.digest, moment
        with Store(root) as store:
            free(store, find_garbage(store))
        assert (files(root, "objects"), files(root, "memo")) == complete, moment


def test_no_call_to_a_teacher_is_paid_for_again(quickstart_built: Path, tmp_path: Path) -> None:
    shutil.copytree(quickstart_built, tmp_path / "store")
    with Store(tmp_path / "store") as store:
        calls = store.ledger("calls").count()
        free(store, find_garbage(store))
    shutil.rmtree(tmp_path / "store/memo")
    before = json.loads(
        curator("show", "quickstart", "--store", tmp_path / "store", "--json").stdout
    )
    done = curator("build", "quickstart", "--store", tmp_path / "store")
    assert f"is unchanged: 113 rows, digest {before['digest'][:16]}" in done.stdout
    with Store(tmp_path / "store") as store:
        assert store.ledger("calls").count() == calls > 0
