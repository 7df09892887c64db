"""Traces on report pages: folded thoughts, blocks of programs, labelled steps, bounded pages."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator import build
from curator.core.model import LabelledStep
from curator.versions.report.texts import (
    LEFT_OUT,
    MAX_PARTS,
    MAX_TEXT,
    MAX_WHOLE,
    MAX_WHOLE_TEXT,
    PageText,
    choose_whole,
)
from curator.versions.report.write import write_report
from datastore.store import Store
from tests.cli.test_traces import LABELLED, RECIPE, TOOLS
from tests.paths import ROOT
from tests.versions.report.browser import Browser

REAL = ROOT.parent / "shared" / "data" / "outputs" / "long" / "sky-t1-14b_aime24.jsonl"
DETAIL = "document.getElementById('detail')"
THOUGHT = "document.querySelector('#detail details.thought')"
ATTACK = (
    "</details><script>window.hacked = 1</script></script><script>window.hacked = 2</script>"
    '<img src=x onerror="window.hacked = 3">\u202e\x1b[2J\u2028'
)


def long_trace() -> str:
    """Return a real trace of more than 140,000 characters; without the data, a made one."""
    if REAL.exists():
        rows = [json.loads(line) for line in REAL.read_text("utf-8").splitlines()]
        return str(max((row["code"][0] for row in rows), key=len))
    line = "Wait, $\\frac{1}{2} + x^2$ is not it, so I try the next case, and the one after it.\n"
    return f"<|begin_of_thought|>\n\n{line * 1_800}In fact"


def write_page(folder: Path, rows: Sequence[dict[str, str]], recipe: str = RECIPE) -> Path:
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    steps = folder / "mirror" / "sources" / "prm800k"
    steps.mkdir(parents=True)
    (steps / "train.jsonl").write_text(json.dumps(LABELLED))
    (folder / "traced.yaml").write_text(recipe)
    manifest = build(folder / "traced.yaml", folder / "store")
    with Store(folder / "store", readonly=True) as store:
        write_report(store, manifest, folder / "page.html")
    return folder / "page.html"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    hostile = f"<think>{ATTACK}</think>{ATTACK} The answer is 6."
    tool = f"{ATTACK}\n```python\nprint('{ATTACK}')\n```\n```output\n{ATTACK}\n```\n{ATTACK}"
    rows = [
        {"q": "Which trace is long?", "a": "315", "r": long_trace()},
        {"q": "Which trace is laconic?", "a": "4", "r": "<think>2 + 2</think>The answer is 4."},
        {"q": "Which trace has tools?", "a": "4", "r": TOOLS},
        {"q": "Which trace is hostile?", "a": "6", "r": hostile},
        {"q": "Which program is hostile?", "a": "6", "r": tool},
    ]
    return write_page(tmp_path_factory.mktemp("traces"), rows)


def show(tab: Browser, words: str) -> None:
    search = "document.getElementById('search')"
    tab.evaluate(f"{search}.value = '{words}'; {search}.dispatchEvent(new Event('input'))")
    tab.settle()
    assert tab.evaluate("document.getElementById('count').textContent").startswith("1 ")


def heads(tab: Browser) -> list[str]:
    parts = f"[...{DETAIL}.querySelectorAll('.part > .meta:first-child')]"
    return list(tab.evaluate(f"{parts}.map((each) => each.innerText)"))


@pytest.mark.parametrize("width", [400, 1280])
def test_a_long_thought_is_folded_and_opens_to_its_end(
    tab: Browser, page: Path, width: int
) -> None:
    trace = long_trace()
    assert len(trace) > 140_000
    tab.open(page, width)
    show(tab, "which trace is long")
    (head,) = heads(tab)
    assert re.fullmatch(r"Thought, 14\d,\d{3} characters unclosed thought", head)
    words = trace.split()[-12:]
    assert " ".join(words) not in " ".join(tab.evaluate(f"{DETAIL}.innerText").split())
    tab.evaluate(f"{THOUGHT}.querySelector('summary').click()")
    tab.settle()
    text = " ".join(tab.evaluate(f"{THOUGHT}.innerText").split())
    assert text.endswith(" ".join(words)) and len(text) > 100_000
    overflow = "document.documentElement.scrollWidth - innerWidth"
    assert tab.evaluate(overflow) <= 0
    assert tab.evaluate(f"{DETAIL}.scrollWidth - {DETAIL}.clientWidth") <= 0
    assert tab.errors() == []


def test_programs_outputs_and_the_answer_are_blocks_of_their_own(tab: Browser, page: Path) -> None:
    tab.open(page)
    show(tab, "which trace has tools")
    assert heads(tab) == [
        "Text",
        "Program 1, replayed: equal",
        "Output 1",
        "Text",
        "Program 2, replayed: close",
        "Output 2",
        "Program 3, replayed: different",
        "Output 3",
        "Answer",
    ]
    blocks = f"[...{DETAIL}.querySelectorAll('.program pre, .output pre')]"
    texts = tab.evaluate(f"{blocks}.map((each) => each.textContent)")
    assert (texts[0], texts[1]) == ("x = 1 + 1\nx", "2")


def test_each_step_is_shown_with_its_label(tab: Browser, page: Path) -> None:
    tab.open(page)
    show(tab, "two and two.")
    assert heads(tab) == [
        "Step 1 right",
        "Step 1, alternative neutral",
        "Step 2 wrong",
        "Step 3 no label",
    ]


def test_a_hostile_trace_is_shown_as_text_and_runs_nothing(tab: Browser, page: Path) -> None:
    tab.open(page)
    for words in ("which trace is hostile", "which program is hostile"):
        show(tab, words)
        for source in ("true", "false"):
            box = "document.querySelector('#detail input')"
            tab.evaluate(f"{box}.checked === {source} || {box}.click()")
            tab.evaluate(f"{THOUGHT} && ({THOUGHT}.open = true)")
            tab.settle()
            text = tab.evaluate(f"{DETAIL}.innerText")
            assert text.count("</details><script>window.hacked = 1</script></script>") >= 2
            assert "<U+202E>" in text and "\u202e" not in text
    assert tab.evaluate("typeof window.hacked") == "undefined"
    assert tab.evaluate("document.querySelectorAll('img, main script').length") == 0
    assert tab.requests() == [] and tab.errors() == []


def test_a_folded_thought_opens_by_the_keyboard_alone(tab: Browser, page: Path) -> None:
    tab.open(page)
    show(tab, "which trace is laconic")
    tab.evaluate(f"{THOUGHT}.querySelector('summary').focus()")
    tab.press("Enter")
    tab.settle()
    assert tab.evaluate(f"{THOUGHT}.open")
    assert "2 + 2" in tab.evaluate(f"{THOUGHT}.innerText")


def test_a_page_is_bounded_whatever_the_number_of_long_traces(tab: Browser, tmp_path: Path) -> None:
    size, count = 120_000, 60
    rows = [
        {"q": f"Which is number {n}?", "a": "4", "r": f"<think>{n} {'a b ' * (size // 4)}</think>4"}
        for n in range(count)
    ]
    path = write_page(
        tmp_path, rows, RECIPE.replace("checks: [answer, format]", "checks: [format]")
    )
    text = path.read_text("utf-8")
    whole = MAX_WHOLE // (size + 50)
    assert f"{count} rationales on this page are longer than 6,000 characters: {whole} are" in text
    assert len(text) < MAX_WHOLE + count * 2 * MAX_TEXT + 500_000
    tab.open(path)
    hidden = re.compile(r"([\d,]+) characters left out; curator why [0-9a-f]{12} --whole")
    for _ in range(count):
        tab.evaluate(f"{THOUGHT} && ({THOUGHT}.open = true)")
        tab.settle()
        if found := hidden.search(tab.evaluate(f"{DETAIL}.innerText")):
            break
        tab.press("j")
    assert found and int(found[1].replace(",", "")) > size - MAX_TEXT


SIZES = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2 * MAX_WHOLE_TEXT)), max_size=60)


@given(SIZES)
def test_whole_texts_are_bounded_and_every_group_has_one(sizes: list[tuple[str, int]]) -> None:
    chosen = list(choose_whole(sizes))
    assert len(chosen) == len(sizes)
    whole = [size for (_, size), yes in zip(sizes, chosen, strict=True) if yes]
    assert sum(whole) <= MAX_WHOLE
    assert all(MAX_TEXT < size <= MAX_WHOLE_TEXT for size in whole)
    for group in "abc":
        long = [y for (g, n), y in zip(sizes, chosen, strict=True) if g == group
                and MAX_TEXT < n <= MAX_WHOLE_TEXT]  # fmt: skip
        assert not long or long[0]


def characters(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    return sum(
        characters(each["p"]) if "p" in each else len(each.get("t", "") + each.get("e", ""))
        for each in value
    )


def parts(value: Any) -> int:
    return 0 if isinstance(value, str) else sum(1 + parts(each.get("p", ())) for each in value)


TOOL = "\n```python\nprint(1)\n```\n```output\n1\n```\n"
TEXTS = st.builds(
    lambda blocks, size, inside: f"<think>{TOOL * inside}{'a ' * size}</think>{TOOL * blocks}b",
    st.integers(0, 200),
    st.integers(0, 20_000),
    st.integers(0, 200),
)


@given(TEXTS)
def test_what_is_not_whole_is_bounded_and_keeps_its_end(text: str) -> None:
    page = PageText("TIR", text)
    cut = page.plain(whole=False)
    assert characters(cut) <= MAX_TEXT and parts(cut) <= 2 * MAX_PARTS + 4
    assert isinstance(cut, list) and cut[-1]["t"] == "b"
    whole = json.dumps(page.plain(whole=True))
    assert LEFT_OUT not in whole and '"e"' not in whole


def test_steps_are_bounded_with_their_alternatives() -> None:
    steps = [LabelledStep(n, "a" * 500, "wrong", n == 0) for n in range(400)]
    cut = PageText("CoT", "a" * 500, steps).plain(whole=False)
    assert characters(cut) <= MAX_TEXT
    assert [each["n"] for each in cut if each["k"] == LEFT_OUT] == [400 - MAX_PARTS]  # type: ignore[index]


def test_a_comparison_shows_the_thought_before_and_after(tab: Browser, tmp_path: Path) -> None:
    rows = [{"q": "How many are two and two?", "a": "4", "r": "<think>old</think>The answer is 4."}]
    write_page(tmp_path, rows)
    rows[0]["r"] = "<think>new</think>The answer is 4."
    (tmp_path / "rows.jsonl").write_text(json.dumps(rows[0]))
    build(tmp_path / "traced.yaml", tmp_path / "store")
    with Store(tmp_path / "store", readonly=True) as store:
        before, after = (store.versions.get(f"traced@{number}") for number in (1, 2))
        write_report(store, after, tmp_path / "both.html", before)
    tab.open(tmp_path / "both.html")
    show(tab, "how many are two and two")
    assert heads(tab) == ["Thought, 3 characters", "Answer"] * 2
    text = tab.evaluate(f"{DETAIL}.textContent")
    assert text.index("Before") < text.index("After")
    assert tab.errors() == []
