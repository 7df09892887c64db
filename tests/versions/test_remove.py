"""`curator rm` removes one version and what only it uses; the rest of the store stays usable."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from curator import RunOptions, build
from curator.core.progress import SilentListener
from curator.versions.remove import remove
from curator.versions.verify import verify
from curator.versions.views import run_query
from datastore.errors import NotFound, StoreError
from datastore.files import write_record
from datastore.store import Store
from datastore.versions import Manifest
from tests.changes import row_changes
from tests.paths import ROOT
from tests.worlds import curator, make_world

FEWER = "mixture: {subsets: {cot: 2}}\n"


class World:
    """Three versions of a recipe; the second has fewer rows, the third equals the first."""

    def __init__(self, folder: Path) -> None:
        self.mirror, self.recipe = make_world(folder)
        self.fewer = folder / "fewer.yaml"
        self.fewer.write_text(self.recipe.read_text() + FEWER)
        self.store = folder / "store"
        for recipe in (self.recipe, self.fewer, self.recipe):
            self.build(recipe)

    def build(self, recipe: Path) -> Manifest:
        return build(recipe, self.store, options=RunOptions(mirror=self.mirror))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("built"))


@pytest.fixture
def world(built: World, tmp_path: Path) -> World:
    """A copy of the store, with the recipes and the mirror that it was built from."""
    copy = World.__new__(World)
    copy.mirror, copy.recipe, copy.fewer = built.mirror, built.recipe, built.fewer
    copy.store = tmp_path / "store"
    shutil.copytree(built.store, copy.store)
    return copy


def objects(store: Path) -> set[str]:
    return {path.stem for path in (store / "objects").rglob("*.parquet")}


def ledgers(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (store / "ledgers").rglob("*.*")}


def refs(store: Path) -> list[str]:
    with Store(store, readonly=True) as opened:
        return [manifest.ref for manifest in opened.versions.all()]


def test_a_version_is_removed_with_the_objects_that_only_it_names(world: World) -> None:
    with Store(world.store) as store:
        second = store.versions.get("small@2")
        before, calls = objects(world.store), ledgers(world.store)
        (removal,) = remove(store, ["small@2"], print)
    assert before - objects(world.store) == {second.objects["rows"]}
    assert (removal.version, removal.objects) == ("small@2", 1)
    assert removal.bytes > 500
    assert ledgers(world.store) == calls
    assert refs(world.store) == ["small@1", "small@3"]
    with Store(world.store) as store:
        assert verify(store, [], SilentListener()).damage == ()
        first, third = store.versions.get("small@1"), store.versions.get("small")
        assert third.parent == "small@2", "the version that was removed"
        assert row_changes(store, first, third) == []


def test_a_removed_version_is_explained_and_its_number_is_not_given_again(world: World) -> None:
    done = curator("rm", "small@2", "small@3", "--store", world.store)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Removed small@2: freed 1 object, ")
    shown = curator("show", "small@3", "--store", world.store)
    assert shown.returncode == 2
    assert shown.stderr.startswith("small@3 was removed on 20")
    assert f"curator build {world.recipe}" in shown.stderr
    assert world.build(world.fewer).ref == "small@4"
    with Store(world.store, readonly=True) as store:
        assert store.versions.get("small@4").parent == "small@1"
    curator("rm", "small@1", "small@4", "--store", world.store)
    shown = curator("show", "small@99", "--store", world.store)
    assert shown.stderr.startswith("No version 'small@99'. small@4 was removed on 20")


def test_a_version_that_was_removed_is_built_again_to_the_same_bytes(world: World) -> None:
    before = objects(world.store)
    with Store(world.store) as store:
        named = {
            digest
            for path in world.store.glob("versions/*/*.json")
            for digest in store.versions.named_objects(path)
        }
        remove(store, ["small@1", "small@2", "small@3"], print)
        assert run_status(world) == []
        assert not (world.store / "views.duckdb").exists()
    assert objects(world.store) == before - named, "what is left only the stage cache names"
    assert curator("show", "small", "--store", world.store).stderr.startswith("small@3 was removed")
    for number, recipe in ((4, world.recipe), (5, world.fewer)):
        assert world.build(recipe).ref == f"small@{number}"
    assert objects(world.store) == before


def run_status(world: World) -> list[str]:
    shown = curator("versions", "--store", world.store, "--json")
    assert shown.returncode == 0
    return [each["version"] for each in json.loads(shown.stdout)]


def test_a_damaged_manifest_blocks_no_other_version_and_can_be_removed(world: World) -> None:
    path = world.store / "versions/small/2.json"
    for data in (b"", b"{}", b"\xff", b"[" * 100_000, path.read_bytes().replace(b'"kept"', b'"k"')):
        path.write_bytes(data)
        for words in (
            ("versions",),
            ("sql", "SELECT version FROM versions"),
            ("status",),
            ("show", "small@1"),
        ):
            done = curator(*words, "--store", world.store)
            assert done.returncode == 0, done.stderr
            assert "small@1" in done.stdout
            if words[0] != "show":
                assert "small@3" in done.stdout
                assert done.stderr.count("\n") == 1
                assert "2.json is damaged" in done.stderr and "curator rm small@2" in done.stderr
    assert world.build(world.recipe).ref == "small@3"
    row = curator("sql", "SELECT min(id) AS id FROM rows", "--store", world.store, "--json")
    assert curator("why", json.loads(row.stdout)[0]["id"], "--store", world.store).returncode == 0
    rows = json.loads(curator("rm", "small@2", "--store", world.store, "--json").stdout)
    assert [each["version"] for each in rows] == ["small@2"]
    done = curator("versions", "--store", world.store)
    assert (done.returncode, done.stderr) == (0, "")


def poison(store: Path, **values: object) -> None:
    """Write a manifest with a valid digest, as an older release would have pulled it."""
    with Store(store) as opened:
        manifest = opened.versions.get("small@1")
        record = {name: getattr(manifest, name) for name in Manifest.__slots__}
        path = store / "versions/odd name/1.json"
        write_record(record | {"name": "odd name"} | values, path, store / "tmp")


@pytest.mark.parametrize(
    "values",
    [
        {"message": "\ud800"},
        {"message": "a\0b"},
        {"message": None},
        {"number": "1"},
        {"parent": 3},
        {"content": []},
        {"content": {"a": 1}},
        {"objects": {"rows": "../../x"}},
        {"objects": {}},
    ],
    ids=str,
)
def test_a_poisoned_manifest_is_skipped_and_can_be_removed(
    values: dict[str, object], world: World
) -> None:
    poison(world.store, **values)
    notes: list[str] = []
    with Store(world.store) as store:
        _, rows = run_query(store, "SELECT version FROM versions ORDER BY ALL")
        assert rows == [("small@1",), ("small@2",), ("small@3",)]
        before = objects(world.store)
        remove(store, ["odd name@1"], notes.append)
        assert objects(world.store) == before
        assert "odd name" not in store.versions.names()
    assert notes == []


def test_a_name_alone_is_not_removed_if_it_has_several_versions(world: World) -> None:
    done = curator("rm", "small", "--store", world.store)
    assert done.returncode == 2
    assert done.stderr == (
        "'small' has 3 versions. Give the number of the one to remove, such as 'small@3'.\n"
    )
    with Store(world.store) as store:
        for ref in ("small@4", "small@0", "small@x", "smell", "../small@1", "small/../small@1", ""):
            with pytest.raises(NotFound):
                remove(store, ["small@1", ref], print)
    assert refs(world.store) == ["small@1", "small@2", "small@3"], "nothing or all"


def test_a_version_is_not_removed_while_another_process_writes_the_store(world: World) -> None:
    program = (
        "import sys; from pathlib import Path; from datastore.store import Store\n"
        "store = Store(Path(sys.argv[1])); print(flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", program, str(world.store)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=ROOT, stdin=pipe, stdout=pipe) as other:
        assert other.stdout and other.stdout.readline()
        with Store(world.store) as store, pytest.raises(StoreError, match="in use by another"):
            remove(store, ["small@1"], print)
        other.communicate()
    assert refs(world.store) == ["small@1", "small@2", "small@3"]
    with Store(world.store) as store:
        remove(store, ["small@1"], print)
        assert run_query(store, "SELECT count(*) FROM versions")[1] == [(2,)]


KILLED = """
import os, signal, sys
from pathlib import Path
from datastore.store import Store
from curator.versions.remove import remove
calls, last = 0, int(sys.argv[2])
def kill_at(function):
    def run(*args, **options):
        global calls
        if calls == last:
            os.kill(os.getpid(), signal.SIGKILL)
        calls += 1
        return function(*args, **options)
    return run
os.rename, os.unlink = kill_at(os.rename), kill_at(os.unlink)
Path.unlink = kill_at(Path.unlink)
with Store(Path(sys.argv[1])) as store:
    remove(store, ["small@1", "small@2", "small@3"], print)
"""


def test_a_removal_that_is_killed_at_any_moment_is_finished_by_the_next(
    built: World, tmp_path: Path
) -> None:
    complete = tmp_path / "complete"
    shutil.copytree(built.store, complete)
    with Store(complete) as store:
        remove(store, ["small@1", "small@2", "small@3"], print)
    for moment in (0, 1, 2, 5, 9):
        root = tmp_path / str(moment)
        shutil.copytree(built.store, root)
        words = [sys.executable, "-c", KILLED, str(root), str(moment)]
        done = subprocess.run(words, cwd=ROOT, capture_output=True)
        assert done.returncode == -signal.SIGKILL, done.stderr
        with Store(root) as store:
            assert verify(store, [], SilentListener()).damage == ()
            remove(store, ["small@1", "small@2", "small@3"], print)
        assert objects(root) == objects(complete)
        assert refs(root) == []


def test_a_version_is_removed_on_a_full_disk(world: World, disk: Path) -> None:
    shutil.copytree(world.store, disk / "store")
    with Store(disk / "store") as store:
        with pytest.raises(OSError, match="No space"), (disk / "filler").open("wb") as file:
            while True:
                file.write(bytes(10_000))
                file.flush()
        notes: list[str] = []
        (removal,) = remove(store, ["small@2"], notes.append)
        assert removal.objects == 1
    assert refs(disk / "store") == ["small@1", "small@3"]
