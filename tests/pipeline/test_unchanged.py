"""What a change of the code must not change: digests of versions, and ledgers of old stores.

`tests/data/store-0.1` is a store that version 0.1.0 made of the recipe in `tests/worlds.py`. A
digest here changes only if the meaning of the recipe or a verdict changes, never with the layout of
the code.
"""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

from curator import RunOptions, build, load
from curator.core.progress import SilentListener
from curator.pipeline.reverify import reverify
from curator.versions.verify import verify
from curator.versions.views import run_query
from curator.versions.why import why
from datastore.files import read_record
from datastore.migrations import add_digests
from datastore.store import Store
from tests.paths import DATA
from tests.worlds import make_world

QUICKSTART = "11b0a27ea17be243"


def test_quickstart_has_the_same_digest_as_ever(quickstart_built: Path) -> None:
    with Store(quickstart_built, readonly=True) as store:
        assert store.versions.get("quickstart").digest.startswith(QUICKSTART)


def _ledger_files(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (store / "ledgers").rglob("*.journal")}


def test_a_store_of_an_older_release_is_used_and_its_ledgers_stay(
    tmp_path: Path,
) -> None:
    store = tmp_path / "store"
    shutil.copytree(DATA / "store-0.1", store)
    kept = _ledger_files(store)
    with Store(store) as opened:
        old = opened.versions.get("small@1")
    mirror, recipe = make_world(tmp_path)

    rows = load("small@1", store).to_pylist()
    assert len(rows) == old.content["rows"]["count"]
    assert {row["evidence_level"] for row in rows} == {""}, "version 0.1 stated no level"
    again = build(recipe, store, options=RunOptions(mirror=mirror))
    # Programs run once more in the newer sandbox; what the older one did is kept.
    assert kept.items() < _ledger_files(store).items()
    # The same rows: what 0.1 called a row's id is still its id. Verdicts state more than then.
    assert again.ref == "small@2"
    assert again.content["rows"] == old.content["rows"]
    assert [row["id"] for row in load("small@2", store).to_pylist()] == [row["id"] for row in rows]
    # Views over both versions, whose objects have different columns.
    with Store(store) as opened:
        _, [(texts,)] = run_query(opened, "SELECT count(*) FROM rationales")
        assert texts > len(rows) and why(opened, rows[0]["id"]).versions


def test_the_rows_of_an_older_release_are_verified_again_without_its_own_words(
    tmp_path: Path,
) -> None:
    store = tmp_path / "store"
    shutil.copytree(DATA / "store-0.1", store)
    kept = _ledger_files(store)
    again = reverify("small@1", store)
    assert _ledger_files(store) == kept  # a program that runs is written to a journal
    # Version 0.1 did not store where gold answers come from, so no text counts as proved by one.
    levels = {name: each["levels"] for name, each in again.content["subsets"].items()}
    assert set(levels["cot"]) <= {"arithmetic", "same text"}


def test_the_records_of_an_older_store_state_their_digests_once_it_is_opened(
    tmp_path: Path,
) -> None:
    store = tmp_path / "store"
    shutil.copytree(DATA / "store-0.1", store)
    records = [*store.glob("versions/*/*.json"), *store.glob("memo/*/*.json")]
    broken, kept = records[-1], records[0].read_bytes()
    broken.write_text("[1")
    for _ in range(2):  # as after a kill: a repeated migration changes nothing
        add_digests(store)
    for path in records[:-1]:
        read_record(path)
    assert broken.read_text() == "[1"
    with Store(store) as opened:
        assert asdict(opened.versions.get("small@1")) == json.loads(kept)
        (damage,) = verify(opened, (), SilentListener()).damage
        assert store / damage.file == broken


def test_a_program_that_runs_is_written_to_a_journal(tmp_path: Path) -> None:
    mirror, recipe = make_world(tmp_path)
    build(recipe, tmp_path / "store", options=RunOptions(mirror=mirror))
    assert _ledger_files(tmp_path / "store")
