"""Builds: kept and rejected rows, cached stages, and reproducible versions."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from curator import RunOptions, build, load
from curator.core.errors import SourceError, UsageError
from curator.core.progress import SilentListener
from curator.pipeline.preview import make_preview, preview
from curator.pipeline.stages import ingest
from curator.versions.content import objects_of
from datastore.store import Store
from tests.worlds import EVALUATION, LAMPS, RECIPE, RIGHT, make_world


@pytest.fixture
def world(tmp_path: Path) -> tuple[Path, Path, Path]:
    mirror, recipe = make_world(tmp_path)
    return mirror, recipe, tmp_path / "store"


def stages(store: Path) -> Counter[str]:
    """Count how often each stage was run in a store."""
    return Counter(
        json.loads(path.read_text())["stage"].split()[0] for path in store.glob("memo/*/*.json")
    )


def test_every_record_is_kept_rejected_or_quarantined_by_its_content(world) -> None:
    mirror, recipe, store = world
    subsets = build(recipe, store, options=RunOptions(mirror=mirror)).content["subsets"]
    for name in ("cot", "pot"):
        counts = subsets[name]
        assert (counts["records"], counts["quarantined"]) == (8, 1)
        assert (counts["problems"], counts["rationales"]) == (7, 8)
        assert counts["reasons"]["failed: duplicate"] == 1
        assert counts["reasons"]["failed: same question"] == 1
        assert counts["kept"] == len(RIGHT) + (name == "cot")
    assert subsets["pot"]["reasons"]["failed: contradicts the gold"] == 1


def test_rows_are_loaded_with_their_problem_in_stable_order(world) -> None:
    mirror, recipe, store = world
    build(recipe, store, options=RunOptions(mirror=mirror))
    rows = load("small", store).to_pylist()
    assert [row["subset"] for row in rows] == ["cot"] * 6 + ["pot"] * 5
    assert [row["id"] for row in rows if row["subset"] == "cot"] == sorted(
        row["id"] for row in rows if row["subset"] == "cot"
    )
    [lamps] = [row for row in rows if row["question"] == LAMPS and row["kind"] == "PoT"]
    assert lamps["gold"] == "178"
    assert lamps["text"].splitlines()[-1].startswith("print(")
    assert EVALUATION[0] not in [row["question"] for row in rows]


def test_a_second_build_runs_nothing_and_makes_no_version(world) -> None:
    mirror, recipe, store = world
    first = build(recipe, store, options=RunOptions(mirror=mirror))
    before = stages(store)
    second = build(recipe, store, options=RunOptions(mirror=mirror))
    assert second == first
    assert stages(store) == before


def test_the_digest_depends_on_neither_place_workers_nor_caches(world, tmp_path: Path) -> None:
    mirror, recipe, store = world
    first = build(recipe, store, options=RunOptions(mirror=mirror, workers=1))
    moved = tmp_path / "elsewhere"
    shutil.copytree(mirror, moved)
    other = build(recipe, tmp_path / "other", options=RunOptions(mirror=moved, workers=3))
    for cache in ("memo", "objects", "ledgers"):
        shutil.rmtree(store / cache)
    again = build(recipe, store, options=RunOptions(mirror=mirror, workers=2))
    assert first.digest == other.digest == again.digest
    assert first.objects["rows"] == other.objects["rows"] == again.objects["rows"]
    assert again.number == first.number


def test_a_changed_mixture_reruns_only_the_draw(world) -> None:
    mirror, recipe, store = world
    first = build(recipe, store, options=RunOptions(mirror=mirror))
    before = stages(store)
    recipe.write_text(RECIPE + "mixture: {subsets: {cot: 2, pot: 50%}}\n")
    second = build(recipe, store, message="fewer", options=RunOptions(mirror=mirror))
    assert stages(store) - before == Counter({"draw": 1})
    kept = {name: counts["kept"] for name, counts in second.content["subsets"].items()}
    assert kept == {"cot": 2, "pot": 3}
    assert (second.parent, second.message) == (first.ref, "fewer")


def test_one_more_record_changes_no_id_of_the_others(world) -> None:
    mirror, recipe, store = world
    build(recipe, store, options=RunOptions(mirror=mirror))
    path = mirror / "sources" / "gsm8k" / "rows.jsonl"
    more = {"question": "Fay has 2 dozen eggs. How many?", "answer": "2*12=<<2*12=24>>24\n#### 24"}
    path.write_text(json.dumps(more) + "\n" + path.read_text())
    build(recipe, store, options=RunOptions(mirror=mirror))
    before, after = (set(load(f"small@{n}", store)["id"].to_pylist()) for n in (1, 2))
    assert before < after
    assert len(after - before) == 2


def test_a_missing_source_is_an_error_unless_it_is_allowed(world) -> None:
    mirror, recipe, store = world
    recipe.write_text(RECIPE.replace("  pot:", "  rft: {source: gsm8k_rft, kind: CoT}\n  pot:"))
    with pytest.raises(SourceError, match=r"gsm8k_rft.*--allow-missing"):
        build(recipe, store, options=RunOptions(mirror=mirror))
    manifest = build(recipe, store, options=RunOptions(mirror=mirror, allow_missing=True))
    assert manifest.content["subsets"]["rft"]["waits_for"] == ["source gsm8k_rft"]
    assert manifest.content["subsets"]["rft"]["kept"] == 0


def test_too_many_broken_records_are_an_error_and_the_ingest_is_cached(world) -> None:
    mirror, recipe, store = world
    recipe.write_text(RECIPE.replace("0.2", "0.1"))
    with pytest.raises(SourceError, match=r"1 of 9 records does not parse.*rows.jsonl:4"):
        build(recipe, store, options=RunOptions(mirror=mirror))
    recipe.write_text(RECIPE)
    before = stages(store)["ingest"]
    build(recipe, store, options=RunOptions(mirror=mirror))
    assert stages(store)["ingest"] == before + 1, "only the evaluation set was not read before"


def test_undecided_rows_are_excluded_unless_the_recipe_keeps_them(world) -> None:
    mirror, recipe, store = world
    lines = [
        {"question": f"What is {n} plus {n}?", "words": f"It is {2 * n}. The answer is {2 * n}."}
        for n in (1, 2)
    ]
    recipe.with_name("open.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    source = "{file: open.jsonl, columns: {question: question, solution: words}, licence: MIT}"
    text = RECIPE.replace("screens:", f"  open: {{source: {source}, kind: CoT}}\nscreens:")
    recipe.write_text(text)
    excluded = build(recipe, store, options=RunOptions(mirror=mirror)).content["subsets"]["open"]
    recipe.write_text(text + "undecided: keep\n")
    kept = build(recipe, store, options=RunOptions(mirror=mirror)).content["subsets"]["open"]
    assert (excluded["undecided"], excluded["kept"]) == (2, 0)
    assert (kept["undecided"], kept["kept"]) == (2, 2)


def test_a_version_without_rows_is_an_error_with_the_reason_of_each_subset(world) -> None:
    mirror, recipe, store = world
    options = RunOptions(mirror=mirror, allow_missing=True)
    text = RECIPE.replace("  pot:", "  rft: {source: gsm8k_rft, kind: CoT}\n  pot:")
    recipe.write_text(text + "mixture: {subsets: {cot: 0, pot: 0%}}\n")
    with pytest.raises(UsageError, match="no version was made") as caught:
        build(recipe, store, options=options)
    message = str(caught.value)
    assert "\n" not in message and "small would have no rows" in message
    assert (
        "cot: 1 failed, duplicate, 1 failed, same question, 6 not drawn by the mixture" in message
    )
    assert "rft: waits for source gsm8k_rft" in message
    assert "1 failed, contradicts the gold" in message.partition("pot: ")[2]
    with Store(store) as opened:
        assert opened.versions.all() == []


def test_all_missing_sources_are_named(world) -> None:
    mirror, recipe, store = world
    names = ("gsm8k_rft", "numglue", "math")
    more = "".join(f"  {name}: {{source: {name}, kind: CoT}}\n" for name in names)
    recipe.write_text(RECIPE.replace("screens:", f"{more}screens:"))
    with pytest.raises(SourceError, match="Missing: sources/gsm8k_rft, sources/numglue, sources/"):
        build(recipe, store, options=RunOptions(mirror=mirror))


def test_a_preview_skips_malformed_records_and_missing_sources(world) -> None:
    mirror, recipe, store = world
    strict = recipe.read_text().replace("quarantine: 0.2", "quarantine: 0.0")
    recipe.write_text(strict.replace("  cot:", "  rft: {source: gsm8k_rft, kind: CoT}\n  cot:"))
    options = RunOptions(mirror=mirror)
    made = make_preview(recipe, store, problems=5, options=options)
    # The fourth record does not parse.
    assert [row.subset for row in made.rows] == ["cot"] * 5 + ["pot"] * 5
    assert made.subsets == {"rft": ["source gsm8k_rft"], "cot": [], "pot": []}
    with pytest.raises(SourceError, match="1 of 9 records does not parse"):
        build(recipe, store, options=replace(options, allow_missing=True))


def test_a_preview_shows_rows_and_makes_no_version(world) -> None:
    mirror, recipe, store = world
    rows = preview(recipe, store, problems=2, options=RunOptions(mirror=mirror))
    assert Counter(row.subset for row in rows) == {"cot": 2, "pot": 2}
    assert {v.check for row in rows for v in row.verdicts} == {"executed", "answer", "format"}
    with Store(store, readonly=True) as opened:
        assert opened.versions.all() == []


def test_recipes_share_cached_stages(world) -> None:
    mirror, recipe, store = world
    build(recipe, store, options=RunOptions(mirror=mirror))
    before = stages(store)
    other = recipe.with_name("other.yaml")
    other.write_text(RECIPE.replace("name: small", "name: other"))
    build(other, store, options=RunOptions(mirror=mirror))
    assert stages(store) == before


def test_a_build_does_not_import_pandas(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom curator import build\nbuild('quickstart', sys.argv[1])\n"
        "print('pandas' in sys.modules)"
    )
    run = [sys.executable, "-c", script, str(tmp_path / "store")]
    assert subprocess.run(run, capture_output=True, check=True, text=True).stdout == "False\n"


def test_a_build_killed_before_it_wrote_the_views_writes_them_when_it_runs_again(
    tmp_path: Path,
) -> None:
    mirror, recipe = make_world(tmp_path)
    store, options = tmp_path / "store", RunOptions(mirror=mirror)
    build(recipe, store, options=options)
    views = store / "views.duckdb"
    shutil.copy2(views, tmp_path / "before")
    recipe.write_text(recipe.read_text().replace("seed: 3", "seed: 4"))
    build(recipe, store, options=options)
    shutil.copy2(tmp_path / "before", views)
    assert build(recipe, store, options=options).number == 2
    with duckdb.connect(str(views), read_only=True) as connection:
        assert connection.sql("SELECT count(*) FROM versions").fetchall() == [(2,)]


def test_a_change_of_actions_for_one_subset_screens_again(world) -> None:
    mirror, recipe, store = world
    options = RunOptions(mirror=mirror)
    before = build(recipe, store, options=options)
    actions = "{against: [gsm8k], subsets: {cot: {same_question: keep}}}"
    recipe.write_text(RECIPE.replace("{against: [gsm8k]}", actions))
    changed = build(recipe, store, options=options)
    assert changed.content["rows"]["count"] == before.content["rows"]["count"] + 1
    assert changed.digest == build(recipe, store.with_name("new"), options=options).digest


def test_a_change_of_actions_screens_again_with_the_same_keys(world) -> None:
    mirror, recipe, store = world
    options = RunOptions(mirror=mirror)
    build(recipe, store, options=options)
    before = stages(store)
    assert before["keys"] and before["prepare"]
    recipe.write_text(RECIPE.replace("{against: [gsm8k]}", "{against: [gsm8k], reworded: flag}"))
    build(recipe, store, options=options)
    new = stages(store) - before
    assert new["screen"] and not new["keys"] and not new["prepare"]


class Changes(SilentListener):
    """Appends a record to a file while it is read, once."""

    def __init__(self, path: Path) -> None:
        self._path, self._changed = path, False

    def progress(self, what: str, done: int, total: int | None) -> None:
        if what.startswith("reading") and not self._changed:
            self._changed = True
            with self._path.open("a") as file:
                file.write(json.dumps({"question": "New?", "answer": "#### 1"}) + "\n")


def test_a_file_that_changes_while_it_is_read_is_not_taken_for_what_was_hashed(world) -> None:
    mirror, recipe, store = world
    path = mirror / "sources/gsm8k/rows.jsonl"
    before = path.read_bytes()
    with pytest.raises(SourceError, match=r"rows\.jsonl changed while it was read"):
        build(recipe, store, options=RunOptions(mirror=mirror, listener=Changes(path)))
    assert (
        build(recipe, store, options=RunOptions(mirror=mirror)).content["subsets"]["cot"]["records"]
        == 9
    )
    path.write_bytes(before)
    assert (
        build(recipe, store, options=RunOptions(mirror=mirror)).content["subsets"]["cot"]["records"]
        == 8
    )


def test_an_unchanged_build_reads_one_record_per_subset_however_many_shards_it_has(
    world, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror, recipe, store = world
    monkeypatch.setattr(ingest, "SHARD_ROWS", 2)
    first = build(recipe, store, options=RunOptions(mirror=mirror))
    assert stages(store)["check"] > len(first.content["subsets"]) == stages(store)["subset"]
    for path in store.glob("memo/*/*.json"):
        if json.loads(path.read_text())["stage"] in ("write", "check", "copies", "number"):
            path.unlink()
    assert build(recipe, store, options=RunOptions(mirror=mirror)) == first
    assert stages(store)["write"] == stages(store)["check"] == 0


@pytest.mark.parametrize("broken", ["missing", "damaged"])
def test_a_broken_object_of_one_shard_is_made_again_and_nothing_else(
    world, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    mirror, recipe, store = world
    monkeypatch.setattr(ingest, "SHARD_ROWS", 2)
    first = build(recipe, store, options=RunOptions(mirror=mirror))
    with Store(store, readonly=True) as opened:
        path = opened.objects.path(objects_of(first).verdicts["pot"][0])
    content = path.read_bytes()
    path.unlink()
    if broken == "damaged":
        path.write_bytes(content[:-1])
    before = {each: each.stat().st_mtime_ns for each in store.glob("memo/*/*.json")}
    assert build(recipe, store, options=RunOptions(mirror=mirror)) == first
    assert path.read_bytes() == content
    written = Counter(
        json.loads(each.read_text())["stage"]
        for each in store.glob("memo/*/*.json")
        if each.stat().st_mtime_ns != before.get(each)
    )
    assert written == {"check": 1}, "the record of the subset is right again"
