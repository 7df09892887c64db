"""`curator diff` names the rule that stopped each row, and `why` and `sql` agree with it."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import permutations
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from curator import RunOptions, build, load
from curator.cli.render_rows import _verdict_lines
from curator.core.arrow import RATIONALES
from curator.core.errors import UsageError
from curator.core.model import VERDICT_WORDS
from curator.release.export import export
from curator.versions.changes import RowChange
from curator.versions.content import content_of
from curator.versions.diff import recipe_changes
from curator.versions.views import CALLS_AT_ONCE, FILE, VIEWS, VIEWS_EXAMPLE, run_query
from curator.versions.why import why
from datastore.errors import StoreError
from datastore.store import Store
from tests.changes import row_changes
from tests.worlds import EVALUATION, RECIPE, curator, make_world

FILED = "{file: FILE, columns: {question: q, gold: a, solution: s}, licence: LICENCE}, kind: CoT}\n"
ONE = "  one: {source: " + FILED.replace("FILE", "one.jsonl").replace("LICENCE", "MIT")
TWO = "  two: {source: " + FILED.replace("FILE", "two.jsonl").replace("LICENCE", '"o\'wn"')
OPEN = ONE.replace("one", "open").replace("gold: a, ", "")
BASE = RECIPE.replace("screens:", ONE + TWO + OPEN + "screens:")
SAME = {"q": "What is 6 times 7?", "a": "42", "s": "It is 42. The answer is 42."}
ALONE = {"q": "What is 6 plus 7?", "a": "13", "s": "It is 13. The answer is 13."}
BEST = {"q": "What is the best number?", "s": "It is 42. The answer is 42."}
MORE = {"q": "What is 6 minus 7?", "a": "-1", "s": "It is -1. The answer is -1."}
NO_POT = "  pot: {source: gsm8k, kind: PoT, writers: [annotated]}\n"
COT = "  cot: {source: gsm8k, kind: CoT}\n"

# From the base to the edited recipe: rows by subset, kind of change and rule. In the other
# direction, the same rule removes what was added.
EDITS: dict[str, tuple[Callable[[str], str], dict[tuple[str, str, str], int]]] = {
    "a check removed": (
        lambda text: text.replace("[annotated]}", "[annotated], checks: [format]}"),
        {("pot", "added", "answer: contradicts the gold"): 1},
    ),
    "a screen removed": (
        lambda text: text.replace("{against: [gsm8k]}", "null"),
        {(name, "added", "contamination: same question"): 1 for name in ("cot", "pot")},
    ),
    "duplicates kept": (
        lambda text: text.replace("screens:\n", "screens:\n  duplicates: false\n"),
        {(name, "added", "duplicates: duplicate"): 1 for name in ("cot", "pot", "two")},
    ),
    "a cap": (
        lambda text: text.replace("screens:\n", "screens:\n  cap: {rationales: 1}\n"),
        {("cot", "removed", "cap: over the cap"): 1, ("pot", "removed", "cap: over the cap"): 4},
    ),
    "a mixture": (
        lambda text: text + "mixture: {subsets: {cot: 2, pot: 40%}}\n",
        {
            ("cot", "removed", "mixture: not drawn"): 4,
            ("pot", "removed", "mixture: not drawn"): 3,
        },
    ),
    "a licence": (
        lambda text: text + 'mixture: {licences: ["o\'wn", MIT]}\n',
        {},
    ),
    "another licence": (
        lambda text: text + "mixture: {licences: [MIT]}\n",
        {("two", "removed", "licence: licence not allowed"): 1},
    ),
    "a subset gone": (
        lambda text: text.replace(NO_POT, ""),
        {("pot", "removed", "recipe: no such subset"): 5},
    ),
    "another kind under the same name": (
        lambda text: text.replace(COT, "").replace("  pot:", "  cot:"),
        {
            ("cot", "changed", "writer: not written"): 5,
            ("cot", "removed", "writer: not written"): 1,
            ("pot", "removed", "recipe: no such subset"): 5,
        },
    ),
    "undecided rows kept": (
        lambda text: text + "undecided: keep\n",
        {("open", "added", "answer: no gold answer"): 1},
    ),
    "the order of subsets": (
        lambda text: text.replace(ONE + TWO, TWO + ONE),
        {
            ("one", "removed", "duplicates: duplicate"): 1,
            ("two", "added", "duplicates: duplicate"): 1,
        },
    ),
    "a source gone": (
        lambda text: text.replace("two.jsonl", "nowhere.jsonl"),
        {("two", "removed", "waits for source two"): 1},
    ),
    "a source that changed": (
        lambda text: text.replace("two.jsonl", "later.jsonl"),
        {
            ("two", "changed", "source: other solution"): 1,
            ("two", "added", "source: no such problem"): 1,
        },
    ),
}


def write_lines(path: Path, *rows: dict[str, str]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A store with a version of the base and one of each edit: folder, and version by edit."""
    folder = tmp_path_factory.mktemp("edited")
    mirror, recipe = make_world(folder, BASE)
    write_lines(folder / "one.jsonl", SAME)
    write_lines(folder / "open.jsonl", BEST)
    write_lines(folder / "two.jsonl", SAME, ALONE)
    write_lines(folder / "later.jsonl", SAME, {**ALONE, "s": "So 13.\nThe answer is 13."}, MORE)
    refs = {}
    for name, edit in {"": lambda text: text, **{n: e for n, (e, _) in EDITS.items()}}.items():
        recipe.write_text(edit(BASE))
        message = f"it's {name} -- \"; DROP TABLE versions"
        made = build(
            recipe,
            folder / "store",
            message=message,
            options=RunOptions(mirror=mirror, allow_missing=True),
        )
        refs[name] = made.ref
    assert len(set(refs.values())) == len(refs)
    return folder / "store", refs


@contextmanager
def opened(store: Path) -> Iterator[Store]:
    with Store(store, readonly=True) as readable:
        yield readable


def changes_between(store: Store, a: str, b: str) -> list[RowChange]:
    return row_changes(store, store.versions.get(a), store.versions.get(b))


@pytest.mark.parametrize("name", EDITS)
def test_every_changed_row_names_the_rule_responsible_in_both_directions(edited, name: str) -> None:
    folder, refs = edited
    with opened(folder) as store:
        forward = changes_between(store, refs[""], refs[name])
        back = changes_between(store, refs[name], refs[""])
    assert Counter((c.subset, c.what, c.rule) for c in forward) == EDITS[name][1]
    other = {"added": "removed", "removed": "added", "changed": "changed"}
    assert Counter((c.subset, other[c.what]) for c in back) == Counter(
        (c.subset, c.what) for c in forward
    )
    if not any(change.what == "changed" for change in forward):
        assert {(c.id, c.rule) for c in back} == {(c.id, c.rule) for c in forward}


def test_the_changes_are_the_difference_of_the_rows(edited) -> None:
    folder, refs = edited
    rows = {
        ref: {(row["subset"], row["id"]) for row in load(ref, folder).to_pylist()}
        for ref in list(refs.values())[3:7]
    }
    with opened(folder) as store:
        for a, b in permutations(rows, 2):
            changes = changes_between(store, a, b)
            added = {(c.subset, c.id) for c in changes if c.what in ("added", "changed")}
            removed = {(c.subset, c.id) for c in changes if c.what == "removed"}
            removed |= {(c.subset, c.was) for c in changes if c.what == "changed"}
            assert added == rows[b] - rows[a]
            assert removed == rows[a] - rows[b]
            assert changes == sorted(changes, key=lambda c: (c.subset, c.what, c.id))
        assert changes_between(store, refs[""], refs[""]) == []


def test_why_explains_a_kept_row_and_a_rejected_row(edited) -> None:
    folder, refs = edited
    two = {row["question"]: row for row in load(refs[""], folder).to_pylist()}[ALONE["q"]]
    with opened(folder) as store:
        kept = why(store, two["id"])
        assert kept == why(store, two["id"][:6])
        [removed] = [
            change
            for change in changes_between(store, refs[""], refs["duplicates kept"])
            if change.subset == "two"
        ]
        rejected = why(store, removed.id[:12])
    assert (kept.problem["place"], kept.problem["licence"]) == ("two.jsonl:2", "o'wn")
    assert kept.origin.endswith("two.jsonl") and kept.revision.startswith("sha256:")
    assert refs[""] in kept.versions and refs["another licence"] not in kept.versions
    assert [v["check"] for v in kept.verdicts] == ["answer", "format"]
    assert kept.absent == ""
    assert refs["duplicates kept"] in rejected.versions and refs[""] not in rejected.versions


def test_why_names_what_stopped_a_row_that_no_version_holds(tmp_path: Path) -> None:
    mirror, recipe = make_world(tmp_path)
    build(recipe, tmp_path / "store", options=RunOptions(mirror=mirror))
    query = "SELECT row_id, check_name || ': ' || reason FROM verdicts WHERE outcome = 'failed'"
    stopped = query_store(tmp_path / "store", query)
    assert len(stopped) == 5
    with opened(tmp_path / "store") as store:
        for row, rule in stopped:
            history = why(store, str(row))
            assert (history.versions, history.absent) == ((), rule)


def test_why_shows_the_evaluation_question_and_every_version_with_its_reason(
    tmp_path: Path,
) -> None:
    mirror, recipe = make_world(tmp_path)
    store = tmp_path / "store"
    build(recipe, store, options=RunOptions(mirror=mirror))
    query = "SELECT min(row_id) FROM verdicts WHERE reason = 'same question'"
    [(row,)] = query_store(store, query)
    for screens in (
        "{contamination: null}",
        "{contamination: {against: [gsm8k], same_template: reject}}",
    ):
        text = RECIPE.replace(
            "screens:\n  contamination: {against: [gsm8k]}", f"screens: {screens}"
        )
        recipe.write_text(text)
        build(recipe, store, options=RunOptions(mirror=mirror))
    with opened(store) as read:
        history = why(read, str(row))
    stopped = "contamination: same question"
    assert (history.versions, history.rejected) == (
        ("small@2",),
        {"small@1": stopped, "small@3": stopped},
    )
    [verdict] = [e for e in history.other_verdicts if e["reason"] == "same question"]
    assert (verdict["in"], verdict["eval_question"]) == ("small@3", EVALUATION[0])
    shown = curator("why", str(row)[:8], "--store", store).stdout
    assert f"rejected  small@1: {stopped}\n" in shown and "versions  small@2\n" in shown
    question, _, shared = shown.partition("evaluation question, gold 62:")[2].partition("shared")
    assert " ".join(question.split()) == EVALUATION[0]
    assert "a tank holds 90 litres" in shared


def test_a_prefix_that_two_rows_share_is_ambiguous_across_versions(tmp_path: Path) -> None:
    mirror, recipe = make_world(tmp_path)
    made = build(recipe, tmp_path / "store", options=RunOptions(mirror=mirror))
    with Store(tmp_path / "store") as store:
        ids = [bytes.fromhex("abcdef" + digit * 26) for digit in "12"]
        for number, row_id in enumerate(ids):
            table = pa.Table.from_batches(store.objects.read(*made.objects["rationales"]["cot"]))
            table = table.set_column(0, RATIONALES.field(0), pa.array([row_id] * 8, pa.binary(16)))
            digest = store.objects.write(table.to_batches(), RATIONALES)
            objects = {
                **made.objects,
                "rationales": {**made.objects["rationales"], "cot": [digest]},
            }
            content = {**made.content, "other": number}
            store.versions.create(f"made{number}", content, None, "", objects)
        with pytest.raises(UsageError, match=f"{ids[0].hex()}, {ids[1].hex()}"):
            why(store, "abcdef")
        assert why(store, "abcdef1").id == ids[0].hex()
        assert why(store, "abcdef1").absent == "mixture: not drawn"
        for wrong in ("abcde", "abcdeg", "ABCDEF", "a" * 33, "", "abcdef'--"):
            with pytest.raises(UsageError, match="at least 6 hex digits"):
                why(store, wrong)
        with pytest.raises(UsageError, match="No row has an id"):
            why(store, "0" * 32)


def query_store(folder: Path, query: str) -> list[tuple[object, ...]]:
    with opened(folder) as store:
        return run_query(store, query)[1]


def test_sql_counts_match_the_manifests_whatever_their_texts_contain(edited) -> None:
    folder, refs = edited
    assert query_store(folder, "SELECT count(*) FROM versions") == [(len(refs),)]
    counts = dict(query_store(folder, "SELECT version, count(*) FROM rows GROUP BY version"))
    assert counts == dict(query_store(folder, "SELECT version, rows FROM versions"))
    without_verdict = """SELECT count(*) FROM rationales r
        ANTI JOIN verdicts v ON v.row_id = r.id AND v.version = r.version"""
    assert query_store(folder, without_verdict) == [(0,)]
    messages = query_store(folder, "SELECT message FROM versions WHERE message LIKE '%DROP TABLE%'")
    assert len(messages) == len(refs)
    with duckdb.connect(str(folder / FILE), read_only=True) as file:
        assert file.sql("SELECT count(*) FROM versions").fetchall() == [(len(refs),)]


def test_verdicts_are_read_per_version_and_do_not_change_with_another_build(tmp_path: Path) -> None:
    mirror, recipe = make_world(tmp_path)
    store = tmp_path / "store"
    build(recipe, store, options=RunOptions(mirror=mirror))
    count = "SELECT count(*) FROM verdicts WHERE version = 'small@1' AND check_name = '{}'"
    before = [query_store(store, count.format(name)) for name in ("answer", "contamination")]
    recipe.write_text(RECIPE.replace("{against: [gsm8k]}", "null"))
    build(recipe, store, options=RunOptions(mirror=mirror))
    assert before == [
        query_store(store, count.format(name)) for name in ("answer", "contamination")
    ]
    versions = "SELECT DISTINCT version, check_version FROM verdicts WHERE check_name = 'format'"
    assert sorted(query_store(store, versions)) == [("small@1", 1), ("small@2", 1)]
    assert query_store(
        store, "SELECT count(*) FROM verdicts WHERE version = 'small@2' AND check_name LIKE 'cont%'"
    ) == [(0,)]


def test_table_sql_audit_and_why_use_the_same_words_for_a_reported_row(tmp_path: Path) -> None:
    mirror, recipe = make_world(tmp_path)
    store = tmp_path / "store"
    steps = "The sum is <<2+2=5>>5, so 6*7 = <<6*7=42>>42.\n#### 42"
    path = mirror / "sources" / "gsm8k" / "rows.jsonl"
    row = json.dumps({"question": "What is 6 times 7, as a number?", "answer": steps})
    path.write_text(f"{path.read_text()}{row}\n")
    build(recipe, store, options=RunOptions(mirror=mirror))
    query = "SELECT row_id, outcome FROM verdicts WHERE reason = 'wrong step'"
    [(row_id, outcome)] = query_store(store, query)
    words = {word for (word,) in query_store(store, "SELECT DISTINCT outcome FROM verdicts")}
    assert outcome == "reported" and words <= VERDICT_WORDS.keys()
    table = load("small", store, "verdicts")
    assert {*table["outcome"].to_pylist()} == words
    shown = curator("show", "small", "--store", store).stdout
    assert re.search(r"^cot +reported +wrong step +1$", shown, re.MULTILINE)
    assert re.search(r"^cot +failed +same question +1$", shown, re.MULTILINE)
    assert not re.search(r"\brejected\b", shown)
    history = curator("why", str(row_id), "--store", store).stdout
    assert re.search(r"^  reported +answer +wrong step", history, re.MULTILINE)


def test_every_view_lists_what_each_version_holds(edited) -> None:
    folder, refs = edited
    with opened(folder) as store:
        contents = {ref: content_of(store.versions.get(ref)) for ref in refs.values()}
    written = "SELECT version, subset, count(*) FROM rationales GROUP BY ALL"
    assert {row[:2]: row[2] for row in query_store(folder, written)} == {
        (ref, name): counts.rationales
        for ref, content in contents.items()
        for name, counts in content.subsets.items()
        if counts.rationales
    }
    problems = "SELECT version, count(*), count(DISTINCT id) FROM problems GROUP BY ALL"
    for ref, rows, distinct in query_store(folder, problems):
        assert ref in contents and rows == distinct
    joined = """SELECT count(*) FROM rationales r
        ANTI JOIN problems p ON p.version = r.version AND p.id = r.problem_id"""
    assert query_store(folder, joined) == [(0,)]
    for view in ("evals", "quarantine"):
        found = query_store(folder, f"SELECT DISTINCT version FROM {view}")
        assert {ref for (ref,) in found} <= {*refs.values()}


def test_calls_of_any_number_are_read_in_parts(tmp_path: Path) -> None:
    total = 2 * CALLS_AT_ONCE + 1
    with Store(tmp_path / "store") as store:
        call = {"status": "answered", "reason": "", "text": "a", "prompt_tokens": 2}
        record = {"recipe": "r", "money": 0.5, "tries": 1, "seconds": 1, "time": 0, "tokens": 3}
        record |= {"call": call, "request": {"model": "m", "family": "f", "sample": 0}}
        for start in range(0, total, 500):
            keys = range(start, min(start + 500, total))
            store.ledger("calls").put_many({n.to_bytes(16, "big"): record for n in keys})
        assert run_query(store, "SELECT calls, tokens, money FROM budget")[1] == [
            (total, 3 * total, 0.5 * total)
        ]
        assert run_query(store, "SELECT count(DISTINCT key) FROM calls")[1] == [(total,)]
        assert not list((store.root / "tmp").iterdir()), "the temporary file is removed"


def test_a_subset_that_only_one_recipe_has_is_one_changed_key(tmp_path: Path) -> None:
    mirror, recipe = make_world(tmp_path)
    options = RunOptions(mirror=mirror)
    variant = tmp_path / "variant.yaml"
    variant.write_text(f"extends: {recipe.name}\nname: variant\nonly: [cot]\n")
    base, less = (build(path, tmp_path / "store", options=options) for path in (recipe, variant))
    (change,) = recipe_changes(base, less)
    assert (change.key, change.now) == ("subsets.pot", "")
    assert json.loads(change.was)["kind"] == "PoT"
    (change,) = recipe_changes(less, base)
    assert (change.key, change.was) == ("subsets.pot", "")


def test_why_prints_no_empty_evidence() -> None:
    """Two questions without a number in common have no numbers to state."""
    lines = _verdict_lines("contamination", "failed", "reworded", {"numbers": "", "set": "gsm8k"})
    assert lines == ["  failed     contamination  reworded · set gsm8k"]


def test_the_evaluation_question_of_a_contaminated_row_is_in_a_view(tmp_path: Path) -> None:
    mirror, recipe = make_world(tmp_path)
    store = tmp_path / "store"
    build(recipe, store, options=RunOptions(mirror=mirror))
    query = """SELECT DISTINCT e.eval_set, e.question, e.gold, length(e.id) FROM verdicts v
        JOIN evals e ON e.eval_set = (evidence->>'set') AND e.place = (evidence->>'item')"""
    assert query_store(store, query) == [("gsm8k", EVALUATION[0], EVALUATION[2], 32)]
    example = VIEWS_EXAMPLE.replace("quickstart", "small")
    assert {row[1] for row in query_store(store, example)} == {EVALUATION[0]}
    views = query_store(store, "SELECT view_name FROM duckdb_views() WHERE NOT internal")
    assert {name for (name,) in views} == VIEWS.keys() - {"calls", "budget"}, "without a ledger"


def test_verdicts_with_evidence_are_loaded_in_three_forms(tmp_path: Path) -> None:
    mirror, recipe = make_world(tmp_path)
    store = tmp_path / "store"
    build(recipe, store, options=RunOptions(mirror=mirror))
    table = load("small", store, "verdicts")
    rows = {row["id"] for row in load("small", store).to_pylist()}
    [(expected,)] = query_store(store, "SELECT count(*) FROM verdicts")
    assert table.num_rows == expected and rows < {*table["row_id"].to_pylist()}
    wrong = [row for row in table.to_pylist() if row["reason"] == "contradicts the gold"]
    assert {json.loads(row["evidence"])["gold"] for row in wrong} == {"31"}
    frame = load("small", store, what="verdicts", form="polars")
    assert frame.to_dicts() == table.to_pylist()
    dataset = load("small", store, what="verdicts", form="dataset")
    assert dataset.to_list() == table.to_pylist()
    for wrong_call in ({"what": "verdict"}, {"form": "pandas"}):
        with pytest.raises(UsageError, match="Known: "):
            load("small", store, **wrong_call)


@pytest.mark.parametrize("query", ["SELEC 1", "SELECT * FROM nothing", "SELECT 'a'::INT", ""])
def test_the_error_of_an_invalid_query_is_one_line(edited, query: str) -> None:
    folder, _ = edited
    with pytest.raises(UsageError) as caught:
        query_store(folder, query)
    assert "\n" not in str(caught.value)


def test_versions_whose_objects_were_removed_do_not_hide_the_others(tmp_path: Path) -> None:
    mirror, recipe = make_world(tmp_path)
    folder = tmp_path / "store"
    missing = "has no valid version.*curator build"
    with Store(folder) as store, pytest.raises(UsageError, match=missing):
        run_query(store, "SELECT 1")
    first = build(recipe, folder, options=RunOptions(mirror=mirror))
    recipe.write_text(RECIPE + "mixture: {subsets: {cot: 2}}\n")
    second = build(recipe, folder, options=RunOptions(mirror=mirror))
    with Store(folder) as store:
        path = store.objects.path(first.objects["rows"])
        path.unlink()
        row = load(second.ref, folder)["id"][0].as_py()
        assert why(store, row).versions == (second.ref,)
        assert run_query(store, "SELECT version FROM versions")[1] == [(second.ref,)]
        for read in (
            lambda: row_changes(store, first, second),
            lambda: export(store, first, "parquet", tmp_path / "rows.parquet"),
        ):
            with pytest.raises(StoreError, match=r"missing\. Rebuild"):
                read()
    recipe.write_text(RECIPE)
    third = build(recipe, folder, options=RunOptions(mirror=mirror))
    assert (third.digest, third.number) == (first.digest, 3)
    with Store(folder) as store:
        assert len(row_changes(store, first, second)) == 4


def test_a_store_may_lie_at_a_path_with_glob_characters(tmp_path: Path) -> None:
    mirror, recipe = make_world(tmp_path)
    plain, patterned = tmp_path / "s1/store", tmp_path / "s[1]'?*/store"
    first = build(recipe, plain, options=RunOptions(mirror=mirror))
    second = build(recipe, patterned, options=RunOptions(mirror=mirror))
    assert first.digest == second.digest
    for [digest] in first.objects["rationales"].values():
        with Store(plain) as store:
            store.objects.path(digest).unlink()
    assert load("small", patterned).num_rows == first.content["rows"]["count"]
