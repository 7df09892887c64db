"""Report pages in a real Chromium: nothing asked, nothing run, everything found."""

from pathlib import Path

import pytest

from curator.versions.report.write import write_report
from datastore.store import Store
from tests.versions.report.browser import Browser
from tests.versions.report.hostile import ATTACKS

SELECTED = "document.querySelector('[aria-selected=true]').innerText"
COUNT = "document.getElementById('count').textContent"
FOCUS = "document.activeElement.id"


def page_of(store: Path, target: Path, version: str, before: str = "") -> Path:
    with Store(store, readonly=True) as opened:
        older = opened.versions.get(before) if before else None
        write_report(opened, opened.versions.get(version), target, older)
    return target


@pytest.fixture(scope="module")
def page(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page_of(quickstart, tmp_path_factory.mktemp("page") / "page.html", "quickstart")


@pytest.fixture(scope="module")
def comparison(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("page") / "comparison.html"
    return page_of(quickstart, target, "variant@2", "quickstart@1")


def test_a_page_asks_nothing_of_the_network_and_complains_of_nothing(
    tab: Browser, page: Path, comparison: Path
) -> None:
    for path in (page, comparison):
        tab.open(path)
        tab.settle()
        assert tab.requests() == []
        assert tab.complaints() == []


def test_the_probe_sees_requests_and_blocked_ones_are_told(tab: Browser, page: Path) -> None:
    tab.open(page)
    tab.value("new Image().src = 'http://127.0.0.1:9/x.png'; 1")
    tab.settle()
    assert any("Content Security Policy" in each for each in tab.complaints())


def test_the_policy_refuses_markup_made_of_texts(tab: Browser, page: Path) -> None:
    tab.open(page)
    with pytest.raises(RuntimeError, match="TrustedHTML"):
        tab.value("document.body.innerHTML = '<b>x</b>'")


def test_search_narrows_the_rows_to_those_with_all_words(tab: Browser, page: Path) -> None:
    tab.open(page)
    everything = tab.value(COUNT)
    tab.press("/")
    assert tab.value(FOCUS) == "search"
    tab.type("theatre tickets")
    tab.settle()
    assert tab.value(COUNT) != everything
    assert "theatre" in tab.value("document.getElementById('detail').innerText")
    tab.type(" nosuchword")
    tab.settle()
    assert tab.value(COUNT).startswith("0 of ")
    assert "No row" in tab.value("document.getElementById('detail').innerText")


def test_filters_work_together_and_are_cleared_together(tab: Browser, page: Path) -> None:
    tab.open(page)
    everything = tab.value(COUNT)
    choose = (
        "(id, value) => {const s = document.getElementById(id); s.value = value; "
        "s.dispatchEvent(new Event('change'))}"
    )
    tab.value(f"({choose})('by-outcome', 'failed')")
    assert tab.value(COUNT).startswith("11 of ")  # what `curator show quickstart` says
    tab.value(f"({choose})('by-subset', 'gsm8k_pot')")
    assert tab.value(COUNT).startswith("5 of ")
    tab.value(f"({choose})('by-reason', 'executed: error')")
    assert tab.value(COUNT).startswith("1 of ")
    assert "rejected gsm8k_pot" in tab.value(SELECTED)
    tab.value("document.querySelector('#filters button').click()")
    tab.settle()
    assert tab.value(COUNT) == everything


def test_records_that_were_not_read_are_there_as_upstream_has_them(
    tab: Browser, page: Path
) -> None:
    tab.open(page)
    tab.value(
        "const s = document.getElementById('by-outcome'); s.value = 'unread'; "
        "s.dispatchEvent(new Event('change'))"
    )
    assert "not read" in tab.value(SELECTED)
    assert "RECORD" in tab.value("document.getElementById('detail').innerText")


def test_rows_are_gone_through_by_keys_alone(tab: Browser, page: Path) -> None:
    tab.open(page)
    first = tab.value(SELECTED)
    tab.press("j")
    assert tab.value(FOCUS) == "list"
    second = tab.value(SELECTED)
    assert second != first
    tab.press("ArrowDown")
    assert tab.value(SELECTED) not in (first, second)
    tab.press("k")
    assert tab.value(SELECTED) == second
    tab.press("End")
    last = tab.value(SELECTED)
    assert last not in (first, second)
    assert tab.value("document.getElementById('list').scrollTop") > 1000
    tab.press("Home")
    assert tab.value(SELECTED) == first
    tab.press("/")
    tab.type("j")
    assert tab.value("document.getElementById('search').value") == "j"
    tab.press("Escape")
    assert tab.value(FOCUS) == "list"


def test_the_tab_key_reaches_everything_and_is_caught_nowhere(tab: Browser, page: Path) -> None:
    tab.open(page)
    seen = []
    for _ in range(60):
        tab.press("Tab")
        seen.append(tab.value("document.activeElement.id || document.activeElement.tagName"))
        if seen[-1] == "BODY":
            break
        assert tab.value("getComputedStyle(document.activeElement).outlineStyle") != "none"
    for name in ("theme", "search", "by-subset", "by-outcome", "list", "INPUT"):
        assert name in seen, seen
    assert seen[-1] == "BODY", "the focus never leaves the page"


def test_only_rows_that_are_seen_are_drawn(tab: Browser, page: Path) -> None:
    tab.open(page)
    assert tab.value("JSON.parse(document.getElementById('data').textContent).rows.length") > 150
    assert tab.value("document.querySelectorAll('.item').length") < 40


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_their_width(
    tab: Browser, page: Path, comparison: Path, width: int, scheme: str
) -> None:
    for path in (page, comparison):
        tab.open(path, width, scheme=scheme)
        assert tab.value("document.documentElement.dataset.theme") == scheme
        wide = tab.value("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0


def test_every_control_and_picture_has_a_name(tab: Browser, page: Path, comparison: Path) -> None:
    for path in (page, comparison):
        tab.open(path)
        tab.ask("Accessibility.enable")
        nodes = tab.ask("Accessibility.getFullAXTree")["nodes"]
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
  const texts = ['ink', 'soft', 'accent', 'kept', 'failed', 'undecided', 'screened', 'undrawn',
    'unread', 'key', 'str', 'num', 'com'];
  const found = [];
  for (const ground of ['bg', 'panel', 'faint']) for (const text of texts) {
    const [a, b] = [colour('--' + ground), colour('--' + text)].sort((x, y) => y - x);
    found.push([ground, text, (a + 0.05) / (b + 0.05)]);
  }
  return found;
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_colour_has_the_contrast_of_aa_on_every_ground(
    tab: Browser, page: Path, scheme: str
) -> None:
    tab.open(page, scheme=scheme)
    pairs = tab.value(CONTRAST)
    assert len(pairs) > 30
    assert [pair for pair in pairs if pair[2] < 4.5] == []


def test_a_page_is_printed_in_dark_on_light_whatever_its_theme(tab: Browser, page: Path) -> None:
    tab.open(page, scheme="dark")
    ink = "getComputedStyle(document.querySelector('h1')).color"
    on_screen = tab.value(ink)
    tab.ask("Emulation.setEmulatedMedia", media="print")
    assert tab.value(ink) != on_screen
    assert tab.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.value("getComputedStyle(document.getElementById('filters')).display") == "none"
    tab.ask("Emulation.setEmulatedMedia", media="")


def test_the_theme_is_switched_and_stays(tab: Browser, page: Path) -> None:
    tab.open(page, scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    before = tab.value(ground)
    tab.value("document.getElementById('theme').click()")
    assert tab.value(ground) != before
    tab.open(page, scheme="light")
    assert tab.value("document.documentElement.dataset.theme") == "dark"
    tab.value("localStorage.clear()")


SHOWN = (
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 2",
    "]]>",
    "<img src=",
    "{{ 7 * 7 }}",
    "one\u2028two",
    "\\href",
    "</script><script>window.hacked = 9",
    "The first 6,000 of 1,",
)


def test_hostile_rows_are_shown_and_never_run(tab: Browser, hostile: Path, tmp_path: Path) -> None:
    tab.open(page_of(hostile, tmp_path / "hostile.html", "hostile"))
    count = tab.value("JSON.parse(document.getElementById('data').textContent).rows.length")
    assert count > len(ATTACKS)
    box, whole = "document.querySelector('#detail input')", ""
    for _ in range(count):
        for written in ("true", "false"):
            tab.value(f"{box}.checked === {written} || {box}.click()")
            whole += tab.value("document.getElementById('detail').innerText")
        tab.press("j")
    assert [words for words in SHOWN if words not in whole] == []
    assert tab.value("typeof window.hacked") == "undefined"
    made = "img, iframe, a[href^=javascript], main script"
    assert tab.value(f"document.querySelectorAll('{made}').length") == 0
    assert tab.requests() == []
    assert tab.complaints() == []


def test_a_comparison_shows_the_rules_responsible_and_what_was_before(
    tab: Browser, comparison: Path
) -> None:
    tab.open(comparison)
    text = tab.value("document.querySelector('main').innerText")
    for words in ("quickstart@1", "variant@2", "duplicates: duplicate", "mixture: not drawn"):
        assert words in text
    assert tab.value("document.querySelectorAll('.item .tag.added').length")
