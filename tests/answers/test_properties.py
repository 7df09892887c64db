"""What holds for any input: no exception, no hang, symmetry, and an answer equals itself."""

import time
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.answers import compare_by_rules, extract, extract_output, render_answer
from curator.answers.parse.read import read, to_answer

PIECES = [
    *"0123456789xyaeijEI.,:;=<>|&!%°^_*/+-±()[]{}$£½√²~`\"'#\n ",
    *(
        r"\frac",
        r"\sqrt",
        r"\{",
        r"\}",
        r"\pi",
        r"\circ",
        r"\text{",
        r"\$",
        r"\le",
        r"\in",
        r"\cup",
    ),
    *(
        r"\infty",
        r"\\",
        r"\begin{pmatrix}",
        r"\end{pmatrix}",
        r"\pm",
        r"\overline{3}",
        r"\!",
        r"\left(",
    ),
    *(
        "**",
        "pi",
        "sin",
        "log",
        "oo",
        "True",
        "yes",
        "None",
        "nan",
        "Matrix(",
        "Interval(",
        "f(2)",
        "x' ",
        "|x|<",
        r"\sum_{k=1}^{n}",
        "∓",
        "and",
        "or",
    ),
    *("Fraction(", "FiniteSet(", "{x: 3}", "1e999999", "9**9**9", "10^10^10", "1e-999999", "3000!"),
    *(
        "cm",
        "km/h",
        "Rs.",
        "million",
        "eggs",
        "answer is ",
        "Answer: ",
        "####",
        r"\boxed{",
        "A",
        "(B)",
    ),
    *("\x00", "\ud800", "é", "中", "٣"),
]
texts = st.lists(st.sampled_from(PIECES), max_size=14).map("".join) | st.text(max_size=30)
options = st.lists(texts, max_size=5).map(tuple)


@given(texts, texts)
def test_any_two_texts_are_compared_alike_in_both_directions(a: str, b: str) -> None:
    one, other = compare_by_rules(a, b), compare_by_rules(b, a)
    assert (one and one.outcome) == (other and other.outcome)
    assert one is None or not one.rule.startswith("rule failed")


@given(texts, texts, options)
def test_no_text_breaks_the_comparison_of_choices(a: str, b: str, choices: tuple[str, ...]) -> None:
    result = compare_by_rules(a, b, choices)
    assert result is None or not result.rule.startswith("rule failed")


@given(texts, options)
def test_no_text_breaks_extraction_and_spans_lie_inside(
    text: str, choices: tuple[str, ...]
) -> None:
    for answer in (extract(text), extract(text, choices), extract_output(text)):
        if answer is not None and answer.span is not None:
            start, end = answer.span
            assert 0 <= start <= end <= len(text)


@given(texts)
def test_the_canonical_form_of_a_formula_is_not_different_from_it(text: str) -> None:
    answer = to_answer(text)
    if answer is None or read(text).node is None or read(render_answer(answer)).node is None:
        return
    result = compare_by_rules(text, answer)
    assert result is None or result.outcome != "different"


@given(st.integers(), st.integers(min_value=1, max_value=10**30))
def test_a_fraction_equals_all_its_notations(top: int, bottom: int) -> None:
    number = Fraction(top, bottom)
    notations = [
        f"{top}/{bottom}",
        rf"\frac{{{top}}}{{{bottom}}}",
        rf"$\dfrac{{{3 * top}}}{{{3 * bottom}}}$",
        repr(number),
        f"{number}",
    ]
    for text in notations:
        result = compare_by_rules(f"{top}/{bottom}", text)
        assert result is not None and result.outcome == "equal", text


@given(st.integers(), st.integers())
def test_integers_are_equal_only_to_themselves(a: int, b: int) -> None:
    for left, right in ((f"{a}", f"{b}"), (f"{a:,}", f"{b}"), (f"${a}$", f"{b}.0")):
        result = compare_by_rules(left, right)
        assert result is not None and (result.outcome == "equal") == (a == b)


@given(st.decimals(-(10**6), 10**6, places=6), st.integers(4, 6))
def test_a_decimal_equals_its_rounding_to_enough_digits_and_no_other(
    number: Decimal, places: int
) -> None:
    short = round(number, places)
    if len(short.as_tuple().digits) < 4 or short == short.to_integral_value():
        return
    same = compare_by_rules(f"{number:f}", f"{short:f}")
    assert same is not None and same.outcome == "equal"
    other = compare_by_rules(f"{number:f}", f"{short + 2 * Decimal(10) ** -places:f}")
    assert other is not None and other.outcome == "different"


@given(st.floats(-1e9, 1e9).filter(lambda number: number % 1 != 0))
def test_a_printed_float_equals_itself_with_noise(number: float) -> None:
    result = compare_by_rules(repr(number), repr(number * (1 + 2.3e-16)))
    assert result is not None and result.outcome == "equal"


DEEP = {
    "open brackets": "(" * 20_000,
    "a tower": "^".join(["9"] * 40),
    "a tower of two": "10**10**10",
    "many factorials": "*".join(["3000!"] * 300),
    "many denominators": "+".join(f"1/{p}^3000" for p in range(3, 300)),
    "a megabyte of digits": "9" * 1_000_000,
    "a megabyte of blanks": " " * 1_000_000,
    "a long sum": "1+" * 4_000 + "1",
    "a long set": r"\{" + ",".join(f"{i}/7" for i in range(900)) + r"\}",
    "digits and letters": "1a" * 4_900,
    "unclosed boxes": r"\boxed{" * 10_000,
    "many phrases": "The answer is (A) " * 5_000,
    "many fractions": r"\frac1" * 1_500,
    "a huge angle": "sin(10**9999)",
    "a huge root": "2^(1/10**9999)",
    "a huge exponent": "1e" + "9" * 18,
    "functions of functions": "f(" * 30 + "x" + ")" * 30,
    "letters before brackets": "x(" * 35 + "1" + ")" * 35,
    "a long formula": "+".join(f"sin({i}x)^3" for i in range(1, 180)),
    "many moduli": "+".join(f"|x-{i}|" for i in range(1, 180)) + "<3",
    "many inequalities": " or ".join(f"x<{i}" for i in range(1, 300)),
    "a long sum of powers": r"\sum_{k=1}^{n} k^{k^{k}}",
    "many roots": "+".join(f"\\sqrt{{{i}}}" for i in range(2, 200)),
    "many signs": "(" + ",".join(["±1"] * 300) + ")",
    "many primes": "x" + "'" * 9_000,
    "many blanks between numbers": "1 " * 4_900,
    "many equal signs": "Total = " * 1_000,
    "many dots": "0." + "3" * 9_000 + "...",
    "many labels": "(B)" * 500,
    "many labels with blanks": "(B) " * 500,
    "many labels before a number": "(B)" * 400 + "1",
    "many half labels": "B)" * 2_000,
    "many colons": "Q: " * 900,
    "many letters in brackets": "(b)" * 450,
    "many points after letters": "C. " * 3_000,
    "a drawing": " 2\n" * 30_000 + "x",
}


LONGEST_S = 20
"""A hundred times what they take; a search that hangs takes hours."""


@pytest.mark.parametrize("name", DEEP)
def test_texts_made_to_hang_end(name: str) -> None:
    text = DEEP[name]
    start = time.process_time()
    for other in ("5", text[:-1] + "7"):
        result = compare_by_rules(other, text)
        assert result is None or not result.rule.startswith("rule failed")
        assert result is None or result.outcome != "equal"
    compare_by_rules(text, text + "1")
    extract(text, ("1", text[:50]))
    extract_output(text)
    assert time.process_time() - start < LONGEST_S
