"""Full disks, read-only disks and damaged files: one-line errors, and an intact store."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from curator import RunOptions, build
from curator.pipeline.plan import plan
from curator.recipe.load import load_recipe
from curator.release.export import export
from curator.versions.status import status
from curator.versions.views import run_query
from curator.versions.why import why
from datastore.errors import StoreError
from datastore.store import Store
from datastore.versions import Manifest
from tests.changes import row_changes
from tests.pipeline.stages.test_generate_kills import AT_ONCE, PROBLEMS, kept, reply, write_world
from tests.teacher.faults import Server
from tests.worlds import RECIPE, curator, make_world, mount


@pytest.fixture
def built(tmp_path: Path) -> tuple[Path, Path, Path, Manifest]:
    """Mirror, recipe, store and its version."""
    mirror, recipe = make_world(tmp_path)
    return (
        mirror,
        recipe,
        tmp_path / "store",
        build(recipe, tmp_path / "store", options=RunOptions(mirror=mirror)),
    )


def test_a_build_on_a_full_disk_fails_in_one_line_and_can_be_resumed(
    disk: Path, tmp_path: Path
) -> None:
    mirror, recipe = make_world(tmp_path)
    store = disk / "store"
    words = ("build", recipe, "--store", store, "--mirror", mirror)
    done = set()
    for kilobytes in (20, 48, 72, 92):
        mount("-o", f"remount,size={kilobytes}k", str(disk))
        failed = curator(*words)
        assert failed.returncode == 1
        [line] = failed.stderr.splitlines()
        assert "No space left on device. Free some space and rerun" in line
        assert list((store / "tmp").iterdir()) == []
        assert done <= (done := {path.name for path in store.glob("memo/*/*")})
        with Store(store, readonly=True) as opened:
            assert opened.versions.all() == []
            for path in store.glob("objects/*/*.parquet"):
                opened.objects.check(path.stem)
    assert done, "some stages were finished and cached"
    mount("-o", "remount,size=8m", str(disk))
    made = build(recipe, store, options=RunOptions(mirror=mirror))
    assert (
        made.digest == build(recipe, tmp_path / "roomy", options=RunOptions(mirror=mirror)).digest
    )
    assert done <= {path.name for path in store.glob("memo/*/*")}


def test_a_disk_that_fills_up_during_teacher_calls_loses_only_the_calls_in_progress(
    disk: Path, tmp_path: Path
) -> None:
    with Server(latency_s=0.05, reply=reply) as server:
        recipe = write_world(tmp_path / "in", server)
        mount("-o", "remount,size=400k", str(disk))
        failed = curator("build", recipe, "--store", disk / "store")
        assert failed.returncode == 1
        assert "No space left on device" in failed.stderr.splitlines()[-1]
        paid = server.served.total()
        assert 0 < len(kept(disk / "store")) < PROBLEMS
        # Calls in progress, and calls that were answered while others were written.
        assert paid - len(kept(disk / "store")) <= 2 * AT_ONCE
        mount("-o", "remount,size=8m", str(disk))
        build(recipe, disk / "store")
        assert server.served.total() - len(kept(disk / "store")) <= 2 * AT_ONCE


def test_a_build_succeeds_if_only_its_views_do_not_fit_on_the_disk(
    disk: Path, tmp_path: Path
) -> None:
    mirror, recipe = make_world(tmp_path)
    store = disk / "store"
    first = build(recipe, store, options=RunOptions(mirror=mirror))
    (store / "views.duckdb").unlink()
    free = os.statvfs(disk)
    (disk / "filler").write_bytes(b"x" * (free.f_bavail * free.f_frsize))
    again = curator("build", recipe, "--store", store, "--mirror", mirror)
    assert again.returncode == 0, again.stderr
    assert "small@1 was created, but not the file of its views: " in again.stderr
    assert first.digest[:16] in again.stdout


def test_a_read_only_store_can_be_read_and_refuses_a_build_in_one_line(built, disk: Path) -> None:
    mirror, recipe, store, made = built
    mount("--bind", str(store), str(disk))
    mount("-o", "remount,bind,ro", str(disk))
    refused = curator("build", recipe, "--store", disk, "--mirror", mirror)
    assert refused.returncode == 1
    assert refused.stderr == (
        f"Cannot open the store ({disk}): Read-only file system. Use another store, or make this "
        "one writable.\n"
    )
    for words in (("show", "small"), ("sql", "SELECT count(*) AS n FROM rows")):
        done = curator(*words, "--store", disk)
        assert done.returncode == 0, done.stderr
    assert str(made.content["rows"]["count"]) in done.stdout
    with Store(disk, readonly=True) as opened:
        assert plan(load_recipe(recipe), opened, RunOptions(mirror=mirror)).whole == []
        assert status(opened).versions == {"small@1": 11}
        assert row_changes(opened, made, opened.versions.get("small@1")) == []
        [[row]] = run_query(opened, "SELECT id FROM rows LIMIT 1")[1]
        assert why(opened, row).versions == ("small@1",)
    subprocess.run(["umount", str(disk)], check=True)


def damage(path: Path, how: str) -> None:
    data = path.read_bytes()
    contents = {"cut": data[: len(data) // 2], "empty": b""}
    contents["flipped"] = data[:4] + bytes(byte ^ 255 for byte in data[4:-8]) + data[-8:]
    path.write_bytes(contents[how])


DAMAGE = ("cut", "flipped", "empty")


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_memos_are_made_again(built, how: str) -> None:
    mirror, recipe, store, made = built
    memos = {path: path.read_bytes() for path in store.glob("memo/*/*.json")}
    for path in memos:
        damage(path, how)
    assert build(recipe, store, options=RunOptions(mirror=mirror)) == made
    assert {path: path.read_bytes() for path in memos} == memos


@pytest.mark.parametrize("memo", ["[1]", "{}", '{"objects": {"a": "../x"}, "counts": {}}', "null"])
def test_memos_with_other_content_are_made_again(built, memo: str) -> None:
    mirror, recipe, store, made = built
    for path in store.glob("memo/*/*.json"):
        path.write_text(memo)
    assert build(recipe, store, options=RunOptions(mirror=mirror)) == made


Read = Callable[[Store, Manifest, Path], object]
READERS: dict[str, Read] = {
    "sql": lambda store, made, _: run_query(store, "SELECT count(*) FROM rationales"),
    "why": lambda store, made, _: why(store, "0" * 32),
    "diff": lambda store, made, _: row_changes(store, made, store.versions.get("small@2")),
    "export": lambda store, made, to: export(store, made, "alpaca", to / "rows.json"),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_object_is_named_by_all_commands_that_read_it_and_can_be_made_again(
    built, how: str, tmp_path: Path
) -> None:
    mirror, recipe, store, made = built
    recipe.write_text(RECIPE + "mixture: {subsets: {cot: 2}}\n")
    build(recipe, store, options=RunOptions(mirror=mirror))
    [digest] = made.objects["rationales"]["cot"]
    path = store / f"objects/{digest[:2]}/{digest}.parquet"
    whole = path.read_bytes()
    damage(path, how)
    line = f"{path} is damaged: its sha256 is "
    with Store(store, readonly=True) as opened:
        for read in READERS.values():
            with pytest.raises(StoreError) as caught:
                read(opened, made, tmp_path)
            assert str(caught.value).startswith(line) and "\n" not in str(caught.value)
    recipe.write_text(RECIPE.replace("seed: 3", "seed: 5") + "mixture: {subsets: {cot: 3}}\n")
    again = curator("build", recipe, "--store", store, "--mirror", mirror)
    assert (again.returncode, f"{path} is damaged; making it again" in again.stderr) == (0, True)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_part_of_a_ledger_is_named_and_its_results_are_computed_again(
    built, how: str
) -> None:
    mirror, recipe, store, made = built
    with Store(store) as opened:
        opened.ledger("executions").compact()
    [part] = store.glob("ledgers/executions/*.parquet")
    damage(part, how)
    for path in store.glob("memo/*/*.json"):
        path.unlink()
    again = curator("build", recipe, "--store", store, "--mirror", mirror)
    assert again.returncode == 0
    [line] = [line for line in again.stderr.splitlines() if str(part) in line]
    assert "damaged" in line
    with Store(store, readonly=True) as opened:
        assert opened.versions.get("small") == made


def test_a_damaged_manifest_stops_no_build_of_another_name(built) -> None:
    mirror, recipe, store, made = built
    damage(store / "versions/small/1.json", "cut")
    other = recipe.with_name("other.yaml")
    other.write_text(RECIPE.replace("name: small", "name: other"))
    assert build(other, store, options=RunOptions(mirror=mirror)).ref == "other@1"
    again = curator("build", recipe, "--store", store, "--mirror", mirror)
    assert again.returncode == 1
    assert (
        "1.json is damaged: its content does not match its digest. Restore it from a copy"
        in again.stderr
    )
    (store / "versions/small/1.json").unlink()
    rebuilt = build(recipe, store, options=RunOptions(mirror=mirror))
    assert (rebuilt.ref, rebuilt.digest) == (made.ref, made.digest)
