"""Builds that select, limit and order rows by solve rate, and the pages that show the rates."""

import json
import re
from pathlib import Path

import pytest

from curator import build, load
from curator.core.errors import RecipeError, UsageError
from curator.pipeline.plan import plan
from curator.pipeline.reverify import reverify
from curator.recipe.load import load_recipe
from curator.versions.report.write import write_report
from datastore.store import Store
from tests.worlds import curator

RECIPE = """\
name: chosen
about: sums
subsets:
  sums:
    source: {file: rows.jsonl, columns: {question: q, gold: a, solution: s}, licence: MIT}
    kind: CoT
attempts: [{file: tried.jsonl, model: small}]
screens: {contamination: null, SCREENS}
"""
RATES = {"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4}
"""Successes among four attempts; `none` has no attempt."""
SELECT = "solve_rate: {between: [0.2, 0.6]}"


def question(name: str) -> str:
    return f"What is one and {name}, as a number of legs?"


def write_world(folder: Path, screens: str = SELECT) -> Path:
    names = [*RATES, "none"]
    rows = [
        {"q": question(each), "a": str(n), "s": f"{way} The answer is {n}."}
        for n, each in enumerate(names, 10)
        for way in ("First.", "Count.", "Think.", "Last.")
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    tried = []
    for number, (name, right) in enumerate(RATES.items(), 10):
        answers = [number if place < right else 99 for place in range(4)]
        samples = [{"kind": "CoT", "text": f"The answer is {each}."} for each in answers]
        line = {"id": name, "question": question(name), "gold": "", "samples": samples}
        tried.append(json.dumps(line))
    (folder / "tried.jsonl").write_text("\n".join(tried))
    path = folder / "chosen.yaml"
    path.write_text(RECIPE.replace("SCREENS", screens))
    return path


def kept(root: Path, ref: str = "chosen") -> dict[str, int]:
    """The number of rows by the last word of what is added to one."""
    found: dict[str, int] = {}
    for row in load(ref, root).to_pylist():
        name = row["question"].split()[4].rstrip(",")
        found[name] = found.get(name, 0) + 1
    return found


def test_rows_are_selected_by_the_rate_of_their_problem(tmp_path: Path) -> None:
    recipe, root = write_world(tmp_path), tmp_path / "store"
    with Store(root) as store:
        assert plan(load_recipe(recipe), store).whole == ["screens", "draw"]
    made = build(recipe, root)
    assert kept(root) == {"one": 4, "two": 4}
    counts = made.content["subsets"]["sums"]
    assert counts["reasons"] == {
        "failed: solved too seldom": 4,
        "failed: solved too often": 8,
        "undecided: no solve rate": 4,
    }
    assert (counts["passed"], counts["undecided"], counts["kept"]) == (24, 0, 8)
    with Store(root) as store:
        assert plan(load_recipe(recipe), store).whole == []
    assert reverify("chosen", root).ref == made.ref
    shown = curator("show", "chosen", "--store", root)
    assert shown.returncode == 0 and "solved too often" in shown.stdout
    assert re.search(r"sums +6 +24 +24 +· +· +16 +8\n", shown.stdout), shown.stdout


@pytest.mark.parametrize("undecided", ["keep", "[no solve rate]"])
def test_rows_without_a_rate_are_kept_if_the_recipe_keeps_undecided_rows(
    undecided: str, tmp_path: Path
) -> None:
    recipe = write_world(tmp_path)
    recipe.write_text(f"{recipe.read_text()}undecided: {undecided}\n")
    build(recipe, tmp_path / "store")
    assert kept(tmp_path / "store") == {"one": 4, "two": 4, "none": 4}
    shown = curator("show", "chosen", "--store", tmp_path / "store")
    assert re.search(r"sums +6 +24 +24 +· +· +12 +12\n", shown.stdout), shown.stdout


def test_a_control_has_the_size_of_the_selection(tmp_path: Path) -> None:
    recipe = write_world(tmp_path, SELECT.replace("}", ", control: true}"))
    made = build(recipe, tmp_path / "store")
    assert made.content["rows"]["count"] == 8
    assert "none" not in kept(tmp_path / "store")
    assert kept(tmp_path / "store").keys() - {"one", "two"}
    assert build(recipe, tmp_path / "other").digest == made.digest
    recipe.write_text(f"{recipe.read_text()}seed: 1\n")
    again = build(recipe, tmp_path / "store")
    assert again.content["rows"]["count"] == 8
    assert again.content["rows"]["sha256"] != made.content["rows"]["sha256"]


def test_a_cap_keeps_more_rows_of_hard_problems(tmp_path: Path) -> None:
    recipe = write_world(tmp_path, "cap: {rationales: 4, hard_first: true}")
    build(recipe, tmp_path / "store")
    assert kept(tmp_path / "store") == {
        "zero": 4,
        "one": 3,
        "two": 2,
        "three": 1,
        "four": 1,
        "none": 4,
    }


@pytest.mark.parametrize(
    ("screens", "place"),
    [(SELECT, "solve_rate"), ("cap: {rationales: 4, hard_first: true}", "cap.hard_first")],
)
def test_a_screen_without_attempts_is_an_error_of_the_recipe(
    screens: str, place: str, tmp_path: Path
) -> None:
    path = write_world(tmp_path, screens)
    path.write_text(re.sub("attempts: .*\n", "", path.read_text()))
    with pytest.raises(RecipeError) as raised:
        load_recipe(path)
    assert f"chosen.yaml:7: screens.{place}: it needs solve rates" in str(raised.value)


@pytest.mark.parametrize(
    ("cap", "message"),
    [
        ("{rationales: 4, model: small}", "'model' needs 'hard_first: true'"),
        ("{rationales: 99999999999999999999, hard_first: true}", "cap.rationales: input should be"),
    ],
)
def test_a_cap_with_a_key_of_no_effect_or_a_number_out_of_range_is_refused(
    cap: str, message: str, tmp_path: Path
) -> None:
    path = write_world(tmp_path, f"cap: {cap}")
    with pytest.raises(RecipeError, match=message):
        load_recipe(path)


def test_an_unknown_model_is_an_error(tmp_path: Path) -> None:
    recipe = write_world(tmp_path, SELECT.replace("}", ", model: smal}"))
    with pytest.raises(UsageError, match="Did you mean 'small'"):
        build(recipe, tmp_path / "store")


@pytest.mark.parametrize("order", ["easy-first", "hard-first"])
def test_an_export_orders_rows_by_solve_rate_and_counts_those_without(
    order: str, tmp_path: Path
) -> None:
    root, out = tmp_path / "store", tmp_path / "out.jsonl"
    build(write_world(tmp_path, "cap: {rationales: 4}"), root)
    command = ("export", "chosen", "--format", "alpaca-jsonl", "--store", root, "-o", out)
    done = curator(*command, "--order", order)
    assert done.returncode == 0, done.stderr
    assert "4 rows without a solve rate: last" in done.stdout
    rows = [json.loads(line)["instruction"].split()[4].rstrip(",") for line in out.open()]
    names = list(RATES) if order == "hard-first" else list(reversed(RATES))
    assert rows == [each for each in (*names, "none") for _ in range(4)]
    assert curator(*command, "--order", order, "--overwrite").returncode == 0
    first = out.read_bytes()
    whole = json.loads(
        curator(*command, "--order", order, "--overwrite", "--held-out", "0.5", "--json").stdout
    )
    assert whole["without_solve_rate"] == 4 and whole["rows"] == 24
    parts = [line for path in whole["files"] for line in Path(path).read_bytes().splitlines(True)]
    assert sorted(parts) == sorted(first.splitlines(keepends=True))
    plain = curator(*command, "--overwrite")
    assert plain.returncode == 0 and "solve rate" not in plain.stdout


def test_an_order_needs_attempts_and_a_format_of_one_file(tmp_path: Path) -> None:
    path = write_world(tmp_path, "cap: {rationales: 4}")
    path.write_text(re.sub("attempts: .*\n", "", path.read_text()))
    build(path, tmp_path / "store")
    command = ("export", "chosen", "--store", tmp_path / "store", "-o", tmp_path / "rows.json")
    done = curator(*command, "--order", "hard-first")
    assert done.returncode == 2 and "chosen@1 has no attempts" in done.stderr
    done = curator(*command, "--order", "hard")
    assert done.returncode == 2 and "Known: easy-first, hard-first" in done.stderr
    done = curator(*command, "--order", "hard-first", "--format", "hub")
    assert done.returncode == 2 and "--order has no effect in the format hub" in done.stderr


def test_a_report_shows_the_problems_of_each_model_by_rate(tmp_path: Path) -> None:
    made = build(write_world(tmp_path), tmp_path / "store")
    with Store(tmp_path / "store") as store:
        write_report(store, made, tmp_path / "page.html")
    section = (tmp_path / "page.html").read_text().partition('<section id="solve-rates">')[2]
    section = section.partition("</section>")[0]
    bars = re.findall(r'"name">(.*?)</span><span class="value">(.*?)</span>', section)
    assert bars == [
        ("never solved", "1"),
        ("below 0.2", "0"),
        ("0.2 to 0.6", "2"),
        ("above 0.6", "1"),
        ("always solved", "1"),
        ("undecided", "0"),
    ]
    assert "<h3>small</h3>" in section and "5 problems, 20 attempts." in section


def test_a_report_without_attempts_has_no_such_section(tmp_path: Path) -> None:
    path = write_world(tmp_path, "cap: {rationales: 4}")
    path.write_text(re.sub("attempts: .*\n", "", path.read_text()))
    made = build(path, tmp_path / "store")
    with Store(tmp_path / "store") as store:
        write_report(store, made, tmp_path / "page.html")
    assert "solve-rates" not in (tmp_path / "page.html").read_text()
