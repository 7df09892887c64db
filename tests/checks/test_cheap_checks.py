"""What is checked before a pattern is searched never hides what the pattern finds."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.answers.extract import denials, statements
from curator.answers.extract.regions import mentions
from curator.checks import question_kind
from curator.checks.loops import RUN, TIMES, Loops, find_loops
from curator.checks.question_kind import PARTS, UPPER, Labels, find_kinds, fold_case
from curator.core.thoughts import MARK, find_marks
from curator.core.turns import has_outputs
from tests.paths import DATA, ROOT

FILES = [*(ROOT.parent / "shared" / "data" / "sources").glob("*/*.jsonl")]
LONG = [*(ROOT.parent / "shared" / "data" / "outputs" / "long").glob("*.jsonl")]
QUESTIONS = ["question", "problem"]
AROUND = st.text("aA1 .?:\n()ſıİK", max_size=8)
"""Also the letters that a pattern without case takes for s, i and k."""
SPACED = st.sampled_from([" ", "\n", "  ", ". ", ""])


@pytest.mark.parametrize("pattern", question_kind.HINTS, ids=lambda each: each.pattern[:30])
@given(data=st.data())
def test_a_question_that_a_pattern_finds_has_one_of_its_words(
    pattern: re.Pattern[str], data: st.DataObject
) -> None:
    text = data.draw(AROUND) + data.draw(st.from_regex(pattern)) + data.draw(AROUND)
    assert mentions(fold_case(text), question_kind.HINTS[pattern]) or not pattern.search(text)


@pytest.mark.parametrize("pattern", denials.HINTS, ids=lambda each: each.pattern[:30])
@given(data=st.data())
def test_a_denial_that_a_pattern_finds_has_one_of_its_words(
    pattern: re.Pattern[str], data: st.DataObject
) -> None:
    before = data.draw(AROUND) + data.draw(st.from_regex(pattern))
    if before.isascii() and pattern.search(before):
        assert mentions(before.lower(), denials.HINTS[pattern])


@pytest.mark.parametrize(
    ("labels", "enough"),
    [(UPPER, 3), *((each, 2) for each in PARTS)],
    ids=lambda each: str(each)[:60],
)
@given(data=st.data())
def test_a_text_with_enough_labels_has_the_needed_one(
    labels: Labels, enough: int, data: st.DataObject
) -> None:
    some = st.sampled_from([*labels.order[:4], *(each.lower() for each in labels.order[:4])])
    form = st.sampled_from(["({})", "( {} )", "{})", "{}.", "{}:", "part {}:", "Part ({})."])
    pieces = st.lists(st.tuples(SPACED, some, form, SPACED), max_size=9)
    text = "".join(f"{a}{form.format(label)}{b}" for a, label, form, b in data.draw(pieces))
    places = [*find_all_labels(labels, text)]
    if len(places) >= enough:
        assert labels.needed.search(fold_case(text))
        assert question_kind.find_labels(labels, text, fold_case(text)) == places


def find_all_labels(labels: Labels, text: str) -> Iterator[int]:
    """Yield the places of labels in their order, by the definition."""
    expected = iter(labels.order)
    label = next(expected)
    for match in labels.pattern.finditer(text):
        if next(filter(None, match.groups())).upper() == label:
            yield match.start()
            label = next(expected, "")


@given(before=AROUND, found=st.from_regex(statements.REVERSED), after=AROUND)
def test_a_value_before_the_word_answer_is_not_missed(before: str, found: str, after: str) -> None:
    text = before + found + after
    assert statements.has_reversed(text) or not statements.REVERSED.search(text)


@given(before=AROUND, mark=st.from_regex(MARK), after=AROUND)
def test_a_mark_of_a_thought_is_not_missed(before: str, mark: str, after: str) -> None:
    text = before + mark + after
    if text.isascii():
        assert len([*find_marks(text)]) == len([*MARK.finditer(text)])


@pytest.mark.parametrize("fence", ["```", "~~~", "``` ", "~~~ "])
def test_an_output_in_any_fence_is_not_missed(fence: str) -> None:
    close = fence.strip()
    assert has_outputs(f"{fence}python\nprint(1)\n{close}\n{fence}output\n1\n{close}")


def test_the_kinds_of_real_questions_are_those_of_all_patterns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cases = json.loads((DATA / "question_kinds.json").read_text("utf-8"))
    texts = [str(case["question"]) for case in cases]
    for path in FILES:
        rows = map(json.loads, path.read_text("utf-8").splitlines())
        texts += [row[key] for row in rows for key in QUESTIONS if key in row][:1_000]
    found = [find_kinds(text, "7") for text in texts]
    anything = re.compile("")
    monkeypatch.setattr(question_kind, "mentions", lambda text, hints: True)
    for name in ("UPPER", "LOWER"):
        changed = getattr(question_kind, name)._replace(needed=anything)
        monkeypatch.setattr(question_kind, name, changed)
    parts = [each._replace(needed=anything) for each in PARTS]
    monkeypatch.setattr(question_kind, "PARTS", parts)
    assert [find_kinds(text, "7") for text in texts] == found
    assert any(found) and not all(found)


def count_loops(text: str) -> Loops:
    """Return the repetitions of a text by their definition."""
    matches = [*re.finditer(r"[^\W\d_]{1,20}|\d{1,20}|([^\w\s])\1{9}", text)]
    words = [match[0] for match in matches]
    runs = [tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1)]
    seen = Counter[Sequence[str]]()
    covered, repeated = set[int](), []
    for at, run in enumerate(runs):
        seen[run] += 1
        if seen[run] >= TIMES:
            covered.update(range(at, at + RUN))
            repeated.append(at)
    if not repeated or len(words) < RUN * TIMES:
        return Loops(0.0)
    most = max(seen, key=lambda run: seen[run])  # the first of equal ones
    times = seen[most]
    last = {
        run: [at for at, each in enumerate(runs) if each == run][times - 1]
        for run in seen
        if seen[run] == times
    }
    first = runs.index(min(last, key=lambda run: last[run]))
    quote = text[matches[first].start() : matches[first + RUN - 1].end()]
    return Loops(
        len(covered) / len(words),
        matches[repeated[0]].start(),
        times,
        " ".join(quote.split())[:80],
    )


PASSAGES = st.lists(
    st.sampled_from(
        [
            " ".join(f"w{chr(97 + n)}" for n in range(25)),
            "so we try again and see that it is the same as what we had before, which is 12 + 7. ",
            "=" * 10, "!" * 33, "_" * 12, " " * 12, "x", "7", "ab" * 15, "1" * 45, "\ud800", "é ",
        ]
    ).map(lambda each: f" {each} "),
    max_size=40,
)  # fmt: skip


@given(pieces=PASSAGES, times=st.integers(1, 4))
def test_loops_are_those_of_their_definition(pieces: list[str], times: int) -> None:
    text = "".join(pieces) * times
    assert find_loops(text) == count_loops(text)


@pytest.mark.skipif(not LONG, reason="needs the traces of ../shared")
def test_loops_of_real_traces_are_those_of_their_definition() -> None:
    texts = [json.loads(line)["code"][0] for path in LONG for line in path.open()][::40]
    found = [find_loops(text) for text in texts]
    assert found == [count_loops(text) for text in texts]
    assert {loops.share > 0 for loops in found} == {True, False}
