"""Large versions: the page holds a sample of rows, says so, and draws no more than is in view."""

import json
from pathlib import Path

import pytest

from curator import build
from curator.versions.report.sample import MAX_ROWS, MAX_TEXT
from curator.versions.report.write import write_report
from datastore.store import Store
from tests.versions.report.browser import Browser

ROWS = 4_000
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


def test_the_largest_page_draws_only_the_rows_in_view(tab: Browser, page: Path) -> None:
    tab.open(page)
    drawn = tab.evaluate("document.querySelectorAll('.item').length")
    assert 5 < drawn < 100
    assert tab.evaluate("document.getElementsByTagName('*').length") < ROWS


def test_a_search_in_the_largest_page_finds_nothing_where_nothing_is(
    tab: Browser, page: Path
) -> None:
    tab.open(page)
    tab.evaluate(
        "(() => {document.getElementById('search').value = 'then some nothing'; "
        "document.getElementById('by-kind').dispatchEvent(new Event('change'))})()"
    )
    assert tab.evaluate("document.getElementById('count').textContent").startswith("0 of ")
    assert tab.evaluate("document.querySelectorAll('.item').length") == 0
