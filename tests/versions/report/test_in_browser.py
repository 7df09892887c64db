"""Report pages in a real Chromium: no requests, no code from rows, a usable row browser."""

import json
from pathlib import Path

import pytest

from curator import build
from curator.versions.report.write import write_report
from datastore.store import Store
from tests.versions.report.browser import Browser
from tests.versions.report.hostile import ATTACKS

SELECTED = "document.querySelector('[aria-selected=true]').innerText"
COUNT = "document.getElementById('count').textContent"
FOCUS = "document.activeElement.id"


def write_page(store: Path, target: Path, version: str, before: str = "") -> Path:
    with Store(store, readonly=True) as opened:
        older = opened.versions.get(before) if before else None
        write_report(opened, opened.versions.get(version), target, older)
    return target


@pytest.fixture(scope="module")
def page(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(quickstart, tmp_path_factory.mktemp("page") / "page.html", "quickstart")


@pytest.fixture(scope="module")
def comparison(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("page") / "comparison.html"
    return write_page(quickstart, target, "variant@2", "quickstart@1")


def test_a_page_makes_no_request_and_reports_no_error(
    tab: Browser, page: Path, comparison: Path
) -> None:
    for path in (page, comparison):
        tab.open(path)
        tab.settle()
        assert tab.requests() == []
        assert tab.errors() == []


def test_blocked_requests_are_reported_as_errors(tab: Browser, page: Path) -> None:
    tab.open(page)
    tab.evaluate("new Image().src = 'http://127.0.0.1:9/x.png'; 1")
    tab.settle()
    assert any("Content Security Policy" in each for each in tab.errors())


def test_the_policy_refuses_html_made_from_text(tab: Browser, page: Path) -> None:
    tab.open(page)
    with pytest.raises(RuntimeError, match="TrustedHTML"):
        tab.evaluate("document.body.innerHTML = '<b>x</b>'")


def test_search_narrows_the_rows_to_those_with_all_words(tab: Browser, page: Path) -> None:
    tab.open(page)
    everything = tab.evaluate(COUNT)
    tab.press("/")
    assert tab.evaluate(FOCUS) == "search"
    tab.type("theatre tickets")
    tab.settle()
    assert tab.evaluate(COUNT) != everything
    assert "theatre" in tab.evaluate("document.getElementById('detail').innerText")
    tab.type(" nosuchword")
    tab.settle()
    assert tab.evaluate(COUNT).startswith("0 of ")
    assert "No row" in tab.evaluate("document.getElementById('detail').innerText")


def test_filters_work_together_and_are_cleared_together(tab: Browser, page: Path) -> None:
    tab.open(page)
    everything = tab.evaluate(COUNT)
    choose = (
        "(id, value) => {const s = document.getElementById(id); s.value = value; "
        "s.dispatchEvent(new Event('change'))}"
    )
    tab.evaluate(f"({choose})('by-status', 'rejected')")
    assert tab.evaluate(COUNT).startswith("12 of ")  # as in `curator show quickstart`
    tab.evaluate(f"({choose})('by-subset', 'gsm8k_pot')")
    assert tab.evaluate(COUNT).startswith("5 of ")
    tab.evaluate(f"({choose})('by-reason', 'executed: error')")
    assert tab.evaluate(COUNT).startswith("1 of ")
    assert "failed gsm8k_pot" in tab.evaluate(SELECTED)
    tab.evaluate("document.querySelector('#filters button').click()")
    tab.settle()
    assert tab.evaluate(COUNT) == everything


def test_quarantined_records_are_listed_as_upstream_has_them(tab: Browser, page: Path) -> None:
    tab.open(page)
    tab.evaluate(
        "const s = document.getElementById('by-status'); s.value = 'quarantined'; "
        "s.dispatchEvent(new Event('change'))"
    )
    assert "quarantined" in tab.evaluate(SELECTED)
    assert "RECORD" in tab.evaluate("document.getElementById('detail').innerText")


def test_keys_alone_move_through_the_rows(tab: Browser, page: Path) -> None:
    tab.open(page)
    first = tab.evaluate(SELECTED)
    tab.press("j")
    assert tab.evaluate(FOCUS) == "list"
    second = tab.evaluate(SELECTED)
    assert second != first
    tab.press("ArrowDown")
    assert tab.evaluate(SELECTED) not in (first, second)
    tab.press("k")
    assert tab.evaluate(SELECTED) == second
    tab.press("End")
    last = tab.evaluate(SELECTED)
    assert last not in (first, second)
    assert tab.evaluate("document.getElementById('list').scrollTop") > 1000
    tab.press("Home")
    assert tab.evaluate(SELECTED) == first
    tab.press("/")
    tab.type("j")
    assert tab.evaluate("document.getElementById('search').value") == "j"
    tab.press("Escape")
    assert tab.evaluate(FOCUS) == "list"


def test_the_tab_key_reaches_every_control_and_leaves_the_page(tab: Browser, page: Path) -> None:
    tab.open(page)
    seen = []
    for _ in range(60):
        tab.press("Tab")
        seen.append(tab.evaluate("document.activeElement.id || document.activeElement.tagName"))
        if seen[-1] == "BODY":
            break
        assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    for name in ("theme", "search", "by-subset", "by-status", "list", "INPUT"):
        assert name in seen, seen
    assert seen[-1] == "BODY", "the focus never leaves the page"


def test_only_visible_rows_are_drawn(tab: Browser, page: Path) -> None:
    tab.open(page)
    assert tab.evaluate("JSON.parse(document.getElementById('data').textContent).rows.length") > 150
    assert tab.evaluate("document.querySelectorAll('.item').length") < 40


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_the_width_of_the_window(
    tab: Browser, page: Path, comparison: Path, width: int, scheme: str
) -> None:
    for path in (page, comparison):
        tab.open(path, width, scheme=scheme)
        assert tab.evaluate("document.documentElement.dataset.theme") == scheme
        overflow = tab.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0


def test_every_control_and_image_has_a_name(tab: Browser, page: Path, comparison: Path) -> None:
    for path in (page, comparison):
        tab.open(path)
        tab.send("Accessibility.enable")
        nodes = tab.send("Accessibility.getFullAXTree")["nodes"]
        roles = {
            "button",
            "link",
            "combobox",
            "searchbox",
            "checkbox",
            "listbox",
            "image",
            "region",
        }
        nameless = [
            node["role"]["value"]
            for node in nodes
            if not node["ignored"]
            and node["role"]["value"] in roles
            and not node.get("name", {}).get("value")
        ]
        assert nameless == []


CONTRAST = """
(() => {
  const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = (text) => { const [r, g, b] = text.match(/[\\d.]+/g).map(Number);
    return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b); };
  const style = getComputedStyle(document.documentElement);
  const probe = document.createElement('p');
  document.body.append(probe);
  const colour = (name) => { probe.style.color = style.getPropertyValue(name);
    return light(getComputedStyle(probe).color); };
  const texts = ['ink', 'soft', 'accent', 'kept', 'rejected', 'undecided', 'screened', 'not_drawn',
    'quarantined', 'key', 'str', 'num', 'com'];
  const pairs = [];
  for (const ground of ['bg', 'panel', 'faint']) for (const text of texts) {
    const [a, b] = [colour('--' + ground), colour('--' + text)].sort((x, y) => y - x);
    pairs.push([ground, text, (a + 0.05) / (b + 0.05)]);
  }
  return pairs;
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_colour_has_the_contrast_of_aa_on_every_ground(
    tab: Browser, page: Path, scheme: str
) -> None:
    tab.open(page, scheme=scheme)
    pairs = tab.evaluate(CONTRAST)
    assert len(pairs) > 30
    assert [pair for pair in pairs if pair[2] < 4.5] == []


def test_a_page_prints_dark_on_light_in_both_themes(tab: Browser, page: Path) -> None:
    tab.open(page, scheme="dark")
    ink = "getComputedStyle(document.querySelector('h1')).color"
    on_screen = tab.evaluate(ink)
    tab.send("Emulation.setEmulatedMedia", media="print")
    assert tab.evaluate(ink) != on_screen
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.evaluate("getComputedStyle(document.getElementById('filters')).display") == "none"
    tab.send("Emulation.setEmulatedMedia", media="")


def test_the_theme_switches_and_is_remembered(tab: Browser, page: Path) -> None:
    tab.open(page, scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    before = tab.evaluate(ground)
    tab.evaluate("document.getElementById('theme').click()")
    assert tab.evaluate(ground) != before
    tab.open(page, scheme="light")
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    tab.evaluate("localStorage.clear()")


VISIBLE = (
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 2",
    "]]>",
    "<img src=",
    "{{ 7 * 7 }}",
    "one\u2028two",
    "\\href",
    "</script><script>window.hacked = 9",
    "The first 6,000 of 900,",
)


def test_hostile_rows_are_shown_and_never_executed(
    tab: Browser, hostile: Path, tmp_path: Path
) -> None:
    tab.open(write_page(hostile, tmp_path / "hostile.html", "hostile"))
    count = tab.evaluate("JSON.parse(document.getElementById('data').textContent).rows.length")
    assert count > len(ATTACKS)
    box, text = "document.querySelector('#detail input')", ""
    for _ in range(count):
        for checked in ("true", "false"):
            tab.evaluate(f"{box}.checked === {checked} || {box}.click()")
            text += tab.evaluate("document.getElementById('detail').innerText")
        tab.press("j")
    assert [words for words in VISIBLE if words not in text] == []
    assert tab.evaluate("typeof window.hacked") == "undefined"
    elements = "img, iframe, a[href^=javascript], main script"
    assert tab.evaluate(f"document.querySelectorAll('{elements}').length") == 0
    assert tab.requests() == []
    assert tab.errors() == []


def test_a_comparison_names_the_rules_and_shows_the_row_before(
    tab: Browser, comparison: Path
) -> None:
    tab.open(comparison)
    text = tab.evaluate("document.querySelector('main').innerText")
    for words in ("quickstart@1", "variant@2", "duplicates: duplicate", "mixture: not drawn"):
        assert words in text
    assert tab.evaluate("document.querySelectorAll('.item .tag.added').length")


def test_marked_rows_are_saved_as_a_list_that_a_recipe_reads(
    tab: Browser, hostile: Path, tmp_path: Path
) -> None:
    page = write_page(hostile, tmp_path / "hostile.html", "hostile")
    tab.open(page)
    folder = tmp_path / "saved"
    tab.send("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    assert tab.evaluate("document.getElementById('marks').hidden") is True
    reasons = ["</script><script>window.hacked = 20</script>", '=1+1,"two"\u2028']
    for reason in reasons:
        tab.press("x")
        assert tab.evaluate(FOCUS) == "reason"
        tab.type(reason)
        tab.press("Enter")
        assert tab.evaluate(FOCUS) == "list"
        assert "marked" in tab.evaluate(SELECTED)
        tab.press("j")
    assert tab.evaluate("document.getElementById('marked').textContent") == "2 rows are marked."
    tab.open(page)  # the marks are still there
    assert tab.evaluate("document.getElementById('marked').textContent") == "2 rows are marked."
    tab.send("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    tab.evaluate("document.getElementById('save-marks').click()")
    saved = folder / "exclude.jsonl"
    while not saved.exists() or not saved.read_text().endswith("\n"):
        tab.settle()
    lines = [json.loads(line) for line in saved.read_text().splitlines()]
    assert [line["reason"] for line in lines] == [reasons[0], reasons[1].strip()]
    recipe = hostile.parent / "fewer.yaml"
    recipe.write_text(
        "extends: hostile.yaml\nname: fewer\n" + f"screens: {{lists: {{exclude: {saved}}}}}\n"
    )
    made = build(recipe, hostile)
    assert made.content["subsets"]["cot"]["reasons"]["failed: excluded"] == 2
    tab.press("x")
    tab.press("Enter")
    assert tab.evaluate("document.getElementById('marked').textContent") == "1 row is marked."
    assert tab.evaluate("typeof window.hacked") == "undefined"
    assert tab.requests() == []
    assert tab.errors() == []
    tab.evaluate("localStorage.clear()")
