"""The steps of worked solutions: hard cases, random equations, any input, and GSM8K's solutions."""

import json
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from curator.answers import compare_by_rules, extract, label_steps, read_steps
from curator.answers.steps.read import MAX_STEPS, MAX_TEXT
from tests.paths import DATA

CASES: list[dict[str, Any]] = json.loads((DATA / "answers" / "steps.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["reason"]))
def test_every_step_of_a_text_is_recomputed(case: dict[str, Any]) -> None:
    steps = read_steps(case["text"]).steps
    assert [f"{step.outcome} {step.stated}".strip() for step in steps] == case["steps"]


def test_a_text_is_recomputed_if_every_step_is_right() -> None:
    right = read_steps("She has 5 * 2 = <<5*2=10>>10 red and 4 blue cards.\n10 + 4 = 14 cards.")
    assert right.recomputed and right.result == "14" and right.fault is None
    assert [step.kind for step in right.steps] == ["annotated", "written"]
    assert [step.number for step in right.steps] == [1, 2]
    assert [step.computed for step in right.steps] == [10, 14]


def test_the_first_wrong_step_is_named_with_its_number_and_text() -> None:
    steps = read_steps("2 + 2 = 4. At 5:00 + 1 = 6 she ate 3 * 4 = 13 figs, 1 + 1 = 3.")
    assert not steps.recomputed and steps.fault is not None
    assert str(steps.fault) == "step 3, '3 * 4 = 13': the value is 12, not 13"


def test_each_step_has_the_worst_outcome_of_its_equations() -> None:
    texts = ["We add.", "2 + 2 = 4 and 3 * 4 = 13.", "5:00 + 1 = 6, 1 + 1 = 2.", "", "1 + 1 = 2"]
    assert label_steps(texts) == ("", "wrong", "unread", "", "right")
    assert label_steps([]) == ()
    # A text about residues leaves the equations of all steps unread.
    assert label_steps(["We compute modulo 4.", "3 + 3 = 2"]) == ("", "unread")


@given(st.lists(st.text(st.sampled_from("1 2+=4\n.x<>"))))
def test_any_steps_have_as_many_labels(texts: list[str]) -> None:
    found = label_steps(texts)
    assert len(found) == len(texts)
    assert ("wrong" in found) == any(
        step.outcome == "wrong" for step in read_steps("\n".join(texts)).steps
    )


def test_a_step_that_cannot_be_read_is_named_if_none_is_wrong() -> None:
    steps = read_steps("2 + 2 = 4.\n5 + 3 = <<>>8 in all")
    assert not steps.recomputed and steps.fault is not None
    assert str(steps.fault) == "step 2, '<<>>': an annotation without an equation"


@pytest.mark.parametrize("text", ["", "The answer is 12.", "x = 12", "x = <<12=12>>12"])
def test_a_text_without_a_computation_is_not_recomputed(text: str) -> None:
    steps = read_steps(text)
    assert not steps.recomputed and steps.fault is None


@pytest.mark.parametrize(
    ("text", "beside"),
    [
        ("2 + 3 = 5, so x = 5.", "2 + 3 = 5, so x = 5."),
        ("$2x = 10$, thus 10 / 2 = 5.", "$2x = 10$, thus 10 / 2 ="),
        ("2 + 3 = 5 and \\pi \\approx 3.14.", "2 + 3 = 5 and \\pi \\approx 3.14."),
        ("Let x = 3. 2 + 3 = <<2+3=5>>5.", ""),
        ("2 + 3 = 5. 5 * 2 = 10.", ""),
    ],
)
def test_an_equation_with_unknowns_is_named_in_a_text_without_annotations(
    text: str, beside: str
) -> None:
    steps = read_steps(text)
    assert steps.beside == beside
    assert steps.recomputed == (not beside)


@pytest.mark.parametrize("text", ["<<>>\n", "<<√\n", "√\n<<", "<<>>\n2 + 3 = 5"])
def test_an_annotation_that_ends_a_line_is_read(text: str) -> None:
    assert read_steps(text).steps


def test_places_are_those_of_the_text() -> None:
    text = "Ünits: ½ * 8 = 4 km.\nSo \\frac{8}{2} + 1 = <<8/2+1=5>>5."
    assert [text[slice(*step.span)] for step in read_steps(text).steps] == [
        "½ * 8 = 4",
        "<<8/2+1=5>>",
    ]


def test_a_text_beyond_the_bounds_is_not_recomputed() -> None:
    assert not read_steps("1 + 1 = 2\n" + "so " * MAX_TEXT).recomputed
    many = read_steps("1 + 1 = 2\n" * (MAX_STEPS + 1))
    assert len(many.steps) == MAX_STEPS and not many.recomputed


NUMBERS = st.one_of(
    st.integers(0, 5_000).map(str),
    st.integers(1_000, 9_999_999).map(lambda number: f"{number:,}"),
    st.decimals(0, 500, places=2).map(str),
)
UNITS = st.sampled_from(["", " apples", " km", " red cars", "/box", " dollars per box"])
OPERATORS = {" + ": "+", " - ": "-", " * ": "*", " × ": "*", r" \times ": "*", " x ": "*"}


@st.composite
def equations(draw: st.DrawFn) -> tuple[str, Fraction]:
    """A written sum of products, and its exact value, which has at most 8 decimals."""
    count = draw(st.integers(2, 4))
    numbers = [draw(NUMBERS) for _ in range(count)]
    signs = [draw(st.sampled_from(sorted(OPERATORS))) for _ in range(count - 1)]
    money = draw(st.sampled_from(["", "$"]))
    text = money + numbers[0] + draw(UNITS)
    plain = numbers[0]
    for sign, number in zip(signs, numbers[1:], strict=True):
        text += f"{sign}{money}{number}{draw(UNITS)}"
        plain += OPERATORS[sign] + number
    terms = plain.replace(",", "").replace("-", "+-").split("+")
    return text, sum(map(product, terms), Fraction(0))


def product(term: str) -> Fraction:
    value = Fraction(-1 if term.startswith("-") else 1)
    for factor in term.lstrip("-").split("*"):
        value *= Fraction(factor)
    return value


def decimal(value: Fraction) -> str:
    digits = f"{abs(value.numerator) * 10**8 // value.denominator:09d}"
    text = f"{digits[:-8]}.{digits[-8:]}".rstrip("0").rstrip(".")
    return f"-{text}" if value < 0 else text


@given(equations())
def test_a_right_equation_is_right(equation: tuple[str, Fraction]) -> None:
    text, value = equation
    steps = read_steps(f"So we get {text} = {decimal(value)} in all.")
    assert [step.outcome for step in steps.steps] == ["right"], steps
    assert steps.result == decimal(value) and steps.steps[0].computed == value


@given(equations(), st.data())
def test_one_changed_digit_is_wrong_unless_it_rounds(
    equation: tuple[str, Fraction], data: st.DataObject
) -> None:
    text, value = equation
    right = decimal(value)
    place = data.draw(st.sampled_from([at for at, char in enumerate(right) if char.isdigit()]))
    other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != right[place]]))
    stated = right[:place] + other + right[place + 1 :]
    step = read_steps(f"So we get {text} = {stated} in all.").steps[0]
    number = Fraction(stated)
    assume(number != value)  # -0
    assume(len(stated) < 15)  # more digits may be noise of floating-point arithmetic
    assume(not stated.lstrip("-").startswith("0") or abs(value) < 10)  # 0930 may be a time
    unit = Fraction(1, 10 ** len(stated.partition(".")[2]))
    assert (step.outcome == "wrong") == (abs(number - value) >= unit), (text, stated, step)


@given(st.integers(1_000, 10_000), st.integers(2, 999), st.integers(0, 6))
def test_a_quotient_is_right_if_rounded_or_cut_off(top: int, bottom: int, decimals: int) -> None:
    value = Fraction(top, bottom)
    cut = value.numerator * 10**decimals // value.denominator
    stated = [Fraction(each, 10**decimals) for each in (cut - 1, cut, cut + 1, cut + 2)]
    for number in stated:
        step = read_steps(f"{top} / {bottom} = {float(number):.{decimals}f}").steps[0]
        gap, unit = abs(value - number), Fraction(1, 10**decimals)
        rounded = gap * 2 <= unit or (decimals > 0 and number <= value and gap < unit)
        assert (step.outcome == "right") == rounded, step


@given(st.integers(2, 60), st.integers(2, 60), st.integers(2, 60))
def test_a_root_is_equal_to_its_parts_and_to_no_other(a: int, b: int, c: int) -> None:
    left = rf"\sqrt{{{a * a * b}}} + \sqrt{{{c}}} - \sqrt{{{c}}}"
    texts = [rf"{left} = {number}\sqrt{{{b}}}" for number in (a, a + 1)]
    right, wrong = (read_steps(text).steps[0] for text in texts)
    assert (right.outcome, wrong.outcome) == ("right", "wrong")


PIECES = [
    *"0123456789x.,:;=<>!%^*/+-(){}[]$£½²√~'\"#?&\n ",
    *("<<", ">>", "<<1+1=2>>2", "=<<", "**", "//", r"\frac", r"\frac{", r"\sqrt{", r"\text{", "\\"),
    *(r"\binom{", r"\sqrt[3]", "_{2}", "_2", r"\circ", "!", r"\quad", r"\foo", "...", "⊕"),
    *(r"\times", r"\boxed{", r"\\", r"\pi", "…", "⁄", "9^9^9", "1e999", "1 000", "1/3", "3:30"),
    *(
        "of",
        "half",
        "so",
        "per cent",
        "equals",
        "is equal to",
        "km",
        "Rs.",
        "x",
        "\ud800",
        "٣",
        "５",
    ),
]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_any_text_has_steps_at_places_of_the_text(text: str) -> None:
    steps = read_steps(text)
    for number, step in enumerate(steps.steps, 1):
        assert step.number == number and str(step)
        assert 0 <= step.span[0] < step.span[1] <= len(text)
        assert step.text in text
        assert (step.outcome == "unread") == (step.computed is None) or step.stated
    assert steps.recomputed <= bool(steps.steps)


@given(st.text(max_size=60))
def test_any_characters_are_read(text: str) -> None:
    read_steps(text)


WORST = [
    "(", ")", "{", r"\frac{", r"\frac{1}{2}", "<<", "<<1+1=2>>", "<<1+1=2 ", "<<\n", "1", "1,",
    "1,000", "1 000 ", "1+", "1=", "1+1=2=", "word ", "a", "a'", "x ", "50% of ", "\n ", " ", "½",
    "1/2 / ", "1 kg + ", "(1=", r"\boxed{", "is equal ", "abcd1", "1+1=\n", "2^0.1=1\n", "1!",
    "_", "x_{", "1_2", "$", "$ ", ". A", "a, b", "^\\circ", "\\sqrt[", "\\binom{",
    "\\sqrt2+\\sqrt3=1\n", "! ", "...", "#", "| ", "\\\\ ", "\\quad &", "a b ", "\\begin{",
]  # fmt: skip


@pytest.mark.parametrize("piece", WORST)
def test_time_grows_with_the_length_of_the_text(piece: str) -> None:
    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        times = []
        for _ in range(3):
            start = time.process_time()
            read_steps(text)
            times.append(time.process_time() - start)
        return min(times)

    def grows_too_fast() -> bool:
        # twice the length takes at most three times as long, besides what is too short to measure
        return seconds(8_000) >= 3 * seconds(4_000) + 0.05

    # Other work of the machine makes some measurements wrong, a quadratic search makes all fail.
    assert not all(grows_too_fast() for _ in range(5))


def test_the_solutions_of_gsm8k_are_recomputed(shared: Path) -> None:
    rows = [json.loads(line) for line in (shared / "evals/gsm8k/test.jsonl").open("r", -1, "utf-8")]
    arithmetic = 0
    faults = []
    for place, row in enumerate(rows, 1):
        steps = read_steps(row["answer"])
        gold = extract(row["answer"])
        assert gold is not None
        if steps.recomputed and steps.result:
            result = compare_by_rules(gold, steps.result)
            arithmetic += result is not None and result.outcome == "equal"
        if steps.fault and steps.fault.outcome == "wrong":
            faults.append((place, " ".join(steps.fault.text.split())))
    assert len(rows) == 1319 and arithmetic >= 1270
    # false as written, in texts with the right result: two slips, and 48 for 48 people
    assert faults == [
        (502, "3/4 of a skein of yarn * 364 yards = 364 / 4"),
        (959, "48 = 100% + 20%"),
        (1025, "32 - $20 = $300"),
    ]


def test_a_value_of_more_digits_than_python_prints_is_stated_as_it_is_written() -> None:
    found = read_steps("so 9 ^ 99999 = 9 ^ 99999 . 65 ^ 4000 = 65 ^ 4000")
    assert all(step.stated == "" or len(step.stated) < 5_000 for step in found.steps)
