"""Report pages as files: their rows, their reproducibility, and what they state of a version."""

import json
import re
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from curator import RunOptions, build
from curator.versions.report.page import embed_json
from curator.versions.report.sample import share_evenly
from curator.versions.report.write import write_report
from datastore.store import Store
from tests.worlds import RECIPE, curator, make_world


def rows_of(page: str) -> list[dict[str, object]]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return list(json.loads(found[1])["rows"])


def test_a_page_states_the_counts_of_show(quickstart: Path, tmp_path: Path) -> None:
    command = ("report", "quickstart@1", "--store", quickstart, "-o", tmp_path / "q.html", "--json")
    done = curator(*command)
    assert json.loads(done.stdout)["versions"] == ["quickstart@1"], done.stderr
    page = (tmp_path / "q.html").read_text()
    shown = json.loads(curator("show", "quickstart", "--store", quickstart, "--json").stdout)
    assert shown["digest"] in page
    assert "This version contains replayed rows." in page
    rows = rows_of(page)
    kept = [row for row in rows if row["st"] == "kept"]
    assert len(kept) == shown["rows"]["count"]
    for status, name in (("rejected", "failed"), ("undecided", "undecided")):
        assert sum(row["st"] == status for row in rows) == sum(
            counts[name] for counts in shown["subsets"].values()
        )


def test_only_a_version_that_claims_parts_of_mathinstruct_is_compared_with_it(
    quickstart: Path, tmp_path: Path
) -> None:
    mirror, recipe = make_world(tmp_path)
    recipe.write_text(RECIPE.replace("  cot:", "  aqua_rat:"))  # its default name is a part's
    made = build(recipe, tmp_path / "store", options=RunOptions(mirror=mirror))
    with Store(tmp_path / "store") as store:
        write_report(store, made, tmp_path / "own.html")
    text = (tmp_path / "own.html").read_text()
    assert "MathInstruct" not in re.sub(r"<(style|script).*?</\1>", "", text, flags=re.DOTALL)
    with Store(quickstart, readonly=True) as store:
        write_report(store, store.versions.get("quickstart"), tmp_path / "q.html")
    text = (tmp_path / "q.html").read_text()
    assert "Compared with MathInstruct" in text and "; published " not in text


def test_a_page_lists_what_each_subset_has_in_common_with_each_evaluation_set(
    tmp_path: Path,
) -> None:
    mirror, recipe = make_world(tmp_path)
    made = build(recipe, tmp_path / "store", options=RunOptions(mirror=mirror))
    with Store(tmp_path / "store") as store:
        write_report(store, made, tmp_path / "page.html")
    text = re.sub(r"<[^>]+>", " ", (tmp_path / "page.html").read_text())
    for subset in ("cot", "pot"):
        assert re.search(rf"gsm8k\s+{subset}\s+same question\s+1\s", text)


def test_a_page_states_the_recall_of_the_screen_that_ran(quickstart: Path, tmp_path: Path) -> None:
    with Store(quickstart, readonly=True) as store:
        saved = store.versions.get("quickstart")
        write_report(store, saved, tmp_path / "page.html")
        code = {**saved.content["code"], "screens": {"contamination": 1}}
        older = replace(saved, content={**saved.content, "code": code})
        write_report(store, older, tmp_path / "older.html")
    recall = "Share of hidden evaluation questions"
    assert recall in (tmp_path / "page.html").read_text()
    assert recall not in (tmp_path / "older.html").read_text()


def test_the_same_version_gives_the_same_bytes(quickstart: Path, tmp_path: Path) -> None:
    with Store(quickstart, readonly=True) as store:
        for name in ("a", "b"):
            write_report(store, store.versions.get("quickstart"), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_an_unsaved_version_has_a_page(quickstart: Path, tmp_path: Path) -> None:
    with Store(quickstart, readonly=True) as store:
        saved = store.versions.get("quickstart")
        unsaved = replace(saved, name="a file", number=0, digest="", parent=None)
        write_report(store, unsaved, tmp_path / "page.html")
        write_report(store, unsaved, tmp_path / "both.html", before=saved)
    assert "not saved" in (tmp_path / "page.html").read_text()
    assert "Both versions have the same rows." in (tmp_path / "both.html").read_text()


def test_an_existing_page_is_replaced_only_with_overwrite(quickstart: Path, tmp_path: Path) -> None:
    target = tmp_path / "mine.html"
    target.write_text("mine")
    command = ("report", "variant@1", "variant@2", "--store", quickstart, "-o", target)
    refused = curator(*command)
    assert (refused.returncode, target.read_text()) == (2, "mine")
    assert "--overwrite" in refused.stderr
    assert curator(*command, "--overwrite").returncode == 0
    assert "variant@1" in target.read_text()


def test_a_comparison_has_every_row_that_diff_lists(quickstart: Path, tmp_path: Path) -> None:
    versions = ("quickstart@1", "variant@2")
    target = tmp_path / "both.html"
    curator("report", *versions, "--store", quickstart, "-o", target)
    diff = json.loads(curator("diff", *versions, "--store", quickstart, "--json").stdout)
    listed = {(each["what"], each["subset"], each["id"], each["rule"]) for each in diff["rows"]}
    shown = {(row["st"], row["s"], row["id"], row["r"]) for row in rows_of(target.read_text())}
    assert listed and shown == listed


def test_the_file_has_no_links_and_no_code_from_a_row(hostile: Path, tmp_path: Path) -> None:
    with Store(hostile, readonly=True) as store:
        write_report(store, store.versions.get("hostile"), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_bytes()
    assert page.count(b"<script") == 2 and page.count(b"</script>") == 2
    assert page.decode("utf-8").count("\u2028") == 0
    assert not re.search(rb"(?:src|href)=\"(?!#)", page)
    assert len(page) < 1_000_000


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_embedded_json_is_the_same_value_and_cannot_end_its_element(value: object) -> None:
    text = embed_json(value)
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text)


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=200), st.integers(200, 5_000))
def test_an_even_share_uses_the_total_and_never_more(sizes: list[int], total: int) -> None:
    share = share_evenly(sizes, total)
    used = sum(min(size, share) for size in sizes)
    assert used <= total
    assert used == sum(sizes) or used > total - len(sizes)


def test_a_page_counts_the_kinds_of_questions(tmp_path: Path) -> None:
    rows = [
        ("Which of the following is even? (A) 3 (B) 4 (C) 5", "The answer is B.", "B"),
        ("(a) What is 3 + 4? (b) How many primes are below 10?", "The answer is 7.", "7"),
        ("In the figure above, how long is AB?", "The answer is 5.", "5"),
        ("How many legs do 3 dogs have?", "The answer is 12.", "12"),
    ]
    file = tmp_path / "rows.jsonl"
    names = ("question", "response", "gold")
    file.write_text(
        "".join(json.dumps(dict(zip(names, each, strict=True))) + "\n" for each in rows)
    )
    page = tmp_path / "page.html"
    command = ("audit", file, "--store", tmp_path / "store", "--fix", "mine", "--report", page)
    done = curator(*command)
    assert done.returncode == 0, done.stderr
    table = page.read_text().partition("<h3>Kinds of questions</h3>")[2].partition("<h3>")[0]
    counted = re.findall(r'class="name">([^<]+)</span><span class="value">([^<]+)<', table)
    assert counted == [
        ("one answer to compare", "1"),
        ("needs a figure", "1"),
        ("several parts", "1"),
        ("multiple choice", "1"),
    ]
