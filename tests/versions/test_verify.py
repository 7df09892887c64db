"""Objects are what their name says: a flipped byte is noticed or harmless, and is repaired."""

import random
import shlex
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import pytest

from curator import RunOptions, build, load
from curator.checks import CHECKS
from curator.core.errors import CuratorError
from curator.core.progress import SilentListener
from curator.pipeline.reverify import reverify
from curator.release.export import export
from curator.release.folder import write_folder
from curator.versions.report.write import write_report
from curator.versions.verify import Verification, verify
from datastore.errors import NotFound, StoreError
from datastore.store import Store
from datastore.versions import Manifest
from tests.worlds import RUN, curator, make_world

FLIPS = 300


class World(NamedTuple):
    """A store with one version, and what it was built from."""

    mirror: Path
    recipe: Path
    store: Path
    made: Manifest

    def build(self) -> Manifest:
        return build(self.recipe, self.store, options=RunOptions(mirror=self.mirror))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("built")
    mirror, recipe = make_world(folder)
    made = build(recipe, folder / "store", options=RunOptions(mirror=mirror))
    return World(mirror, recipe, folder / "store", made)


@pytest.fixture
def world(built: World, tmp_path: Path) -> World:
    """A copy of the store, and the recipe and mirror that it was built from."""
    shutil.copytree(built.store, tmp_path / "store")
    return built._replace(store=tmp_path / "store")


def files_of(store: Path) -> list[Path]:
    return sorted(
        path
        for path in store.rglob("*")
        if path.is_file() and path.relative_to(store).parts[0] not in ("locks", "tmp")
    )


def find_damage(store: Path, *refs: str) -> Verification:
    with Store(store, readonly=True) as opened:
        return verify(opened, refs, SilentListener())


@contextmanager
def flipped(path: Path, place: int, mask: int) -> Iterator[None]:
    """Change one byte of a file; restore it at the end."""
    data = path.read_bytes()
    path.write_bytes(data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :])
    try:
        yield
    finally:
        path.write_bytes(data)


def as_bytes(write: Callable[[Store, Manifest, Path], object]) -> Callable[[World, Path], object]:
    """Return a reading that gives the bytes of all files that `write` writes to a path."""

    def read(world: World, folder: Path) -> object:
        with Store(world.store, readonly=True) as store:
            write(store, store.versions.get("small@1"), folder / "out")
        written = [folder / "out", *sorted((folder / "out").rglob("*"))]
        return {
            str(path.relative_to(folder)): path.read_bytes() for path in written if path.is_file()
        }

    return read


READINGS: dict[str, Callable[[World, Path], object]] = {
    "alpaca": as_bytes(lambda store, made, to: export(store, made, "alpaca", to)),
    "hub": as_bytes(lambda store, made, to: write_folder(store, made, to)),
    "parquet": as_bytes(lambda store, made, to: export(store, made, "parquet", to)),
    "load": lambda world, _: load("small@1", world.store).to_pylist(),
    "report": as_bytes(lambda store, made, to: write_report(store, made, to)),
    "build": lambda world, _: world.build(),
}
SEQUENCE = (*READINGS, *("alpaca", "load", "parquet") * 4, "load")
"""The readings, the quick ones more often; 19 of them, so that each meets every file in turn."""
ERRORS = (StoreError, CuratorError)


def spread_flips(store: Path, chosen: random.Random) -> Iterator[tuple[Path, int, int]]:
    """Yield 300 places, spread evenly over all files of a store, with the bits to change."""
    files = files_of(store)
    for path in [files[number % len(files)] for number in range(FLIPS)]:
        yield path, chosen.randrange(path.stat().st_size), 1 << chosen.randrange(8)


def files_of_cached_stages(store: Path) -> set[Path]:
    """Return the files that a build reads only if it runs a screen or a subset again."""
    found = set()
    with Store(store, readonly=True) as opened:
        for path, record in opened.memo.records():
            stage = record["stage"].split()[0] if record else ""
            if stage in ("keys", "prepare"):
                found |= {path, *map(opened.objects.locate, record["objects"].values())}
            elif stage in ("write", "check", "copies", "number"):
                found.add(path)
    return found


def test_every_flipped_byte_is_noticed_or_harmless(world: World, tmp_path: Path) -> None:
    whole: dict[str, object] = {}
    for name, read in READINGS.items():
        (tmp_path / name).mkdir()
        whole[name] = read(world, tmp_path / name)
    before = {path: path.read_bytes() for path in files_of(world.store)}
    unread = files_of_cached_stages(world.store)
    outcomes: Counter[tuple[str, str]] = Counter()
    names = cycle(SEQUENCE)
    for number, (path, place, mask) in enumerate(spread_flips(world.store, random.Random(7))):
        kind = path.relative_to(world.store).parts[0]
        name = next(names)
        folder = tmp_path / str(number)
        folder.mkdir()
        with flipped(path, place, mask):
            if kind in ("objects", "memo"):
                (found,) = find_damage(world.store).damage
                assert world.store / found.file == path
            try:
                result = READINGS[name](world, folder)
            except ERRORS as error:
                assert "\n" not in str(error)
                outcomes[kind, "noticed"] += 1
            else:
                assert result == whole[name], f"{name}: byte {place} of {path}"
                outcomes[kind, "harmless"] += 1
                if name == "build" and kind in ("objects", "memo") and path not in unread:
                    assert path.read_bytes() == before[path], "the build made it again"
        for each in set(files_of(world.store)) - before.keys():
            each.unlink()  # the journal of a build
    assert outcomes.total() == FLIPS
    assert {kind for kind, _ in outcomes} == {
        *("FORMAT", "known-files", "ledgers", "memo", "objects", "versions", "views.duckdb")
    }
    assert outcomes["objects", "noticed"] > 60 and outcomes["versions", "noticed"] > 5


def test_the_printed_commands_repair_every_object(world: World) -> None:
    before = {path: path.read_bytes() for path in files_of(world.store / "objects")}
    for path in before:
        with flipped(path, 100, 1):
            (found,) = find_damage(world.store).damage
        assert found.state == "damaged"
        if found.holders[0].startswith("cached output of stage "):  # no version names it
            assert found.repair == f"rm {path}"
        else:
            assert found.holders[0].startswith("small@1: ")
            assert found.repair.startswith("curator build /")
    *damaged, missing = before
    missing.unlink()
    for path in damaged:
        path.write_bytes(b"PAR1")
    first = curator("verify", "--store", world.store)
    assert (first.returncode, first.stderr) == (1, "")
    for line in first.stdout.splitlines():
        if line.startswith("To repair: "):
            run_command(line.removeprefix("To repair: "))
    assert {path: path.read_bytes() for path in files_of(world.store / "objects")} == before
    assert curator("verify", "--store", world.store).returncode == 0


def run_command(line: str) -> str:
    """Run a printed command line, with the curator of this environment; return its notes."""
    notes = ""
    for part in line.split(" && "):
        name, *words = shlex.split(part)
        done = curator(*words) if name == "curator" else subprocess.run([name, *words], **RUN)
        assert done.returncode == 0, done.stderr
        notes += done.stderr
    return notes


def damage_one(store: Path, path: Path, old: bytes) -> str:
    """Change a text of a file; return the command that repairs it."""
    path.write_bytes(path.read_bytes().replace(old, old.swapcase()))
    (found,) = find_damage(store).damage
    assert store / found.file == path
    return found.repair


def test_a_damaged_record_is_repaired_by_the_printed_command(world: World) -> None:
    path = next(p for p in world.store.glob("memo/*/*") if b'"stage":"subset"' in p.read_bytes())
    before = path.read_bytes()
    run_command(damage_one(world.store, path, b'"counts":{'))
    world.build()
    assert path.read_bytes() == before
    assert find_damage(world.store).damage == ()


def test_a_damaged_manifest_is_repaired_by_the_printed_command(world: World) -> None:
    path = world.store / "versions/small/1.json"
    repair = damage_one(world.store, path, b'"message":""')
    assert repair.startswith(f"curator rm small@1 --store {world.store} && curator build ")
    run_command(repair)
    with Store(world.store, readonly=True) as store:
        made = store.versions.get("small")
    assert (made.ref, made.digest) == ("small@2", world.made.digest)
    assert find_damage(world.store).damage == ()


def test_a_build_repairs_a_damaged_object_and_says_so(world: World) -> None:
    path = path_of(world, *world.made.objects["rationales"]["cot"])
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] + b"x" + whole[-8:])
    notes = run_command(find_damage(world.store).damage[0].repair)
    assert f"{path} is damaged; making it again" in notes
    assert path.read_bytes() == whole


def path_of(world: World, digest: str) -> Path:
    return world.store / f"objects/{digest[:2]}/{digest}.parquet"


def test_what_reverify_made_is_repaired_by_reverify_and_the_rest_by_the_build(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CHECKS, "answer", replace(CHECKS["answer"], version=99))
    made = reverify("small@1", world.store)
    assert made.ref == "small@2"
    for name, command in (("verdicts", "reverify small@1"), ("rationales", "build /")):
        path = path_of(world, *made.objects[name]["cot"])
        whole = path.read_bytes()
        path.write_bytes(b"PAR1" + whole[:-4])
        (found,) = find_damage(world.store, "small@2").damage
        assert found.holders == (f"small@2: {name} of cot",)
        assert found.repair.startswith(f"curator {command}")
        assert reverify("small@1", world.store) == made if name == "verdicts" else world.build()
        assert path.read_bytes() == whole


def test_only_the_given_versions_are_verified(world: World) -> None:
    fewer = world.store.with_name("fewer.yaml")
    fewer.write_text(world.recipe.read_text() + "mixture: {subsets: {cot: 2}}\n")
    second = world._replace(recipe=fewer).build()
    (world.store / "objects" / "notes.txt").write_text("not an object")
    with flipped(path_of(world, second.objects["rows"]), 60, 2):
        assert find_damage(world.store, "small@1").damage == ()
        for refs in (("small@2",), ("small@1", second.digest[:9]), ("small",), ()):
            found = find_damage(world.store, *refs)
            assert [each.holders for each in found.damage] == [("small@2: rows",)]
    assert found.unknown_files == ("objects/notes.txt",)
    assert found.versions == 2
    with pytest.raises(NotFound, match="No version named 'smell'"):
        find_damage(world.store, "smell")


def test_a_damaged_ledger_is_repaired_by_the_printed_command(world: World) -> None:
    [path] = (world.store / "ledgers/executions").glob("*.journal")
    data = path.read_bytes()
    path.write_bytes(data[:100] + b"x" + data[101:])
    with Store(world.store, readonly=True) as store:
        intact = dict(store.ledger("executions").records())
    found = curator("verify", "--store", world.store)
    assert found.returncode == 1
    assert "1 damaged record ledgers/executions/" in found.stdout
    (line,) = (line for line in found.stdout.splitlines() if line.startswith("To repair: "))
    notes = run_command(line.removeprefix("To repair: "))
    assert notes == f"Moved {path} into executions/damaged.\n"
    assert find_damage(world.store).damage == ()
    with Store(world.store, readonly=True) as store:
        assert dict(store.ledger("executions").records()) == intact != {}
    world.build()
