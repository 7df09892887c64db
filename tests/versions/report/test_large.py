"""Large versions: the page holds a sample of rows, says so, and loads fast."""

import json
from pathlib import Path

import pytest

from curator import build
from curator.versions.report.sample import MAX_ROWS, MAX_TEXT
from curator.versions.report.write import write_report
from datastore.store import Store
from tests.versions.report.browser import Browser

ROWS = 4_000
LOAD_S = 3.0
RECIPE = """\
name: large
about: rows as long as the text on a page
subsets:
  cot:
    source: {file: rows.jsonl, columns: {question: q, solution: s, gold: a}, licence: MIT}
    kind: CoT
    checks: [format]
screens: {contamination: null, duplicates: false}
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The largest possible page: more rows than it lists, each longer than it shows."""
    folder = tmp_path_factory.mktemp("large")
    text = "It is $\\frac{1}{2} + x^2$ and then some. " * (MAX_TEXT // 40 + 1)
    lines = (
        json.dumps({"q": f"{number} {text}", "s": f"{text}\nThe answer is 1", "a": "1"})
        for number in range(ROWS)
    )
    (folder / "rows.jsonl").write_text("\n".join(lines))
    (folder / "large.yaml").write_text(RECIPE)
    manifest = build(folder / "large.yaml", folder / "store")
    with Store(folder / "store", readonly=True) as store:
        write_report(store, manifest, folder / "page.html")
    return folder / "page.html"


def test_a_page_states_which_share_of_the_rows_it_lists(page: Path) -> None:
    text = page.read_text()
    assert f"{MAX_ROWS:,} of {ROWS:,} rows and records (75.0%) are listed" in text


def test_the_largest_page_loads_within_three_seconds(tab: Browser, page: Path) -> None:
    tab.open(page)
    loaded = tab.evaluate("performance.timing.loadEventEnd - performance.timing.navigationStart")
    assert loaded < LOAD_S * 1000
    assert tab.evaluate("document.querySelectorAll('.item').length") > 5


def test_a_search_in_the_largest_page_takes_less_than_a_second(tab: Browser, page: Path) -> None:
    tab.open(page)
    milliseconds = tab.evaluate(
        "(() => {const s = document.getElementById('search'), t = performance.now(); "
        "s.value = 'then some nothing'; document.getElementById('by-kind')"
        ".dispatchEvent(new Event('change')); return performance.now() - t})()"
    )
    assert tab.evaluate("document.getElementById('count').textContent").startswith("0 of ")
    assert milliseconds < 1000
