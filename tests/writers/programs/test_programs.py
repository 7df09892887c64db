"""Compiled programs: tables of cases, properties, and real files."""

import ast
import json
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curator.answers import compare_by_rules, extract_output
from curator.core.model import Problem
from curator.sandbox import Sandbox
from curator.sources import SOURCES, open_source, records
from curator.writers import WRITERS
from curator.writers.annotated import COMPILERS, write_annotated
from curator.writers.programs.expressions import (
    NotCompiled,
    count_operations,
    exact_value,
    parse_arithmetic,
)
from curator.writers.programs.mathqa_operations import OPERATIONS, constant
from curator.writers.programs.variable_names import RESERVED
from tests.paths import DATA

TABLES = DATA / "writers"


def table(name: str) -> list[dict[str, str]]:
    cases: list[dict[str, str]] = json.loads((TABLES / f"{name}.json").read_text())
    return cases


def gsm8k(case: dict[str, str]) -> Problem:
    text = f"{case['solution']}\n#### {case['gold']}"
    return Problem("gsm8k", case["question"], case["gold"], program=text, notation="gsm8k")


def mathqa(question: str, formula: str) -> Problem:
    return Problem("mathqa", question, "A", program=formula, notation="mathqa")


def lila(case: dict[str, str]) -> Problem:
    return Problem("lila", case["question"], "1", program=case["upstream"], notation="python")


def compile_error(problem: Problem) -> str:
    """The reason why a problem does not compile, or an empty string."""
    try:
        COMPILERS[problem.notation](problem)
    except NotCompiled as reason:
        return str(reason)
    return ""


def compile_text(problem: Problem) -> str:
    (rationale,) = write_annotated(problem, "PoT")
    return rationale.text


CASES = [
    *((case, gsm8k(case)) for case in table("gsm8k_programs")),
    *((case, mathqa(case["question"], case["formula"])) for case in table("mathqa_programs")),
    *((case, lila(case)) for case in table("lila_programs")),
]


def explain(problem: Problem) -> str:
    """Why the program of a problem does not compile; empty if it does."""
    try:
        COMPILERS[problem.notation](problem)
    except NotCompiled as reason:
        return str(reason)
    return ""


@pytest.mark.parametrize(("case", "problem"), CASES, ids=[case["name"] for case, _ in CASES])
def test_each_case_compiles_to_its_program_or_gives_its_reason(
    case: dict[str, str], problem: Problem
) -> None:
    if "reason" in case:
        assert list(write_annotated(problem, "PoT")) == []
        assert compile_error(problem) == case["reason"]
    else:
        assert compile_text(problem) == case["program"]
        assert compile_error(problem) == ""


def test_every_program_of_the_table_prints_its_gold_in_the_sandbox() -> None:
    cases = [case for case in table("gsm8k_programs") if "program" in case]
    with Sandbox(workers=2, wall_s=600) as box:
        for case, run in zip(cases, box.map([c["program"] for c in cases]), strict=True):
            answer = extract_output(run.value)
            assert run.status == "ok" and answer is not None, (case["name"], run)
            verdict = compare_by_rules(case["gold"], answer)
            assert verdict is not None and verdict.outcome == "equal", (case["name"], run)


def test_annotated_yields_nothing_for_cot_or_without_a_formal_solution() -> None:
    problem = gsm8k(table("gsm8k_programs")[0])
    assert list(write_annotated(problem, "CoT")) == []
    assert list(write_annotated(Problem("math", "Add.", "1", solution="1"), "PoT")) == []


# Expressions generated together with their value, which the parser must reproduce.
_LEAF = st.integers(0, 10**6).map(lambda n: (str(n), Fraction(n))) | st.integers(0, 9999).map(
    lambda n: (f"{n / 100:.2f}".lstrip("0") or "0", Fraction(n, 100))
)


def _combine(
    parts: tuple[tuple[str, Fraction], str, tuple[str, Fraction]],
) -> tuple[str, Fraction]:
    (left, a), sign, (right, b) = parts
    value = {"+": a + b, "-": a - b, "*": a * b, "x": a * b, "/": a / b if b else a}[sign]
    return (f"({left}) {sign} ({right})", value) if b or sign != "/" else (left, a)


_TREES = st.recursive(
    _LEAF, lambda each: st.tuples(each, st.sampled_from("+-*x/"), each).map(_combine), max_leaves=8
)


@given(_TREES)
def test_an_expression_has_the_value_that_it_was_generated_with(
    tree: tuple[str, Fraction],
) -> None:
    text, value = tree
    parsed = parse_arithmetic(text)
    if len(text) <= 200:
        assert parsed is not None and exact_value(parsed) == value


@given(st.text(max_size=60) | st.text("0123456789+-*/().,x%$^ ", max_size=60))
def test_parsed_text_is_only_arithmetic_on_numbers(text: str) -> None:
    parsed = parse_arithmetic(text)
    allowed = (ast.BinOp, ast.UnaryOp, ast.Constant, ast.operator, ast.unaryop)
    for node in ast.walk(parsed) if parsed else []:
        assert isinstance(node, allowed)


@pytest.mark.parametrize(
    "text", ["9**9**9", "(" * 90 + "1" + ")" * 90, "9" * 201, "1/0", "7//2", "-" * 199 + "1"]
)
def test_a_hostile_expression_is_cheap_and_raises_nothing(text: str) -> None:
    parsed = parse_arithmetic(text)
    value = exact_value(parsed) if parsed else None
    assert value is None or -1 <= value <= 1


_ARITHMETIC: dict[str, Callable[..., Fraction]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "negate": lambda a: -a,
    "inverse": lambda a: 1 / a,
    "rectangle_perimeter": lambda a, b: 2 * (a + b),
    "triangle_perimeter": lambda a, b, c: a + b + c,
    "quadrilateral_area": lambda a, b, c: a * (b + c) / 2,
    "from_percent": lambda a: a / 100,
    "original_price_before_loss": lambda a, b: b * 100 / (100 - a),
}
_NUMBERS = (3, 8, 45, 117)
_QUESTION = "a farm has 3 cows , 8 goats , 45 hens and 117 sheep ; what does it feed ?"


@st.composite
def _formulas(draw: st.DrawFn) -> tuple[str, Fraction]:
    """Draw a linear formula and its value; arguments are numbers, constants or steps."""
    values: list[Fraction] = []
    calls: list[str] = []
    for _ in range(draw(st.integers(1, 8))):
        name = draw(st.sampled_from(sorted(_ARITHMETIC)))
        leaves = [(f"n{i}", Fraction(n)) for i, n in enumerate(_NUMBERS)]
        leaves += [(f"const_{n}", Fraction(n)) for n in (1, 2, 60, 100)]
        leaves += [(f"#{i}", value) for i, value in enumerate(values)] * 2
        picked = [draw(st.sampled_from(leaves)) for _ in range(OPERATIONS[name].arity)]
        try:
            values.append(_ARITHMETIC[name](*(value for _, value in picked)))
        except ZeroDivisionError:
            continue
        calls.append(f"{name}({','.join(text for text, _ in picked)})")
    return ("|".join(calls) + "|", values[-1]) if calls else ("add(n0,n1)|", Fraction(11))


def _run_exactly(text: str) -> Fraction:
    """Return the value that a straight-line program prints, by exact arithmetic."""
    known: dict[str, Fraction] = {}
    *lines, last = text.split("\n")
    for line in lines:
        name, _, value = line.partition(" = ")
        result = exact_value(ast.parse(value, mode="eval").body, known)
        assert result is not None, text
        known[name] = result
    assert last.startswith("print(")
    return known[last[6:-1]]


@settings(max_examples=100)
@given(_formulas())
def test_a_compiled_formula_has_the_value_of_the_formula(
    formula: tuple[str, Fraction],
) -> None:
    text, value = formula
    problem = mathqa(_QUESTION, text)
    if compile_error(problem) != "nothing is computed":
        assert _run_exactly(compile_text(problem)) == value


@given(
    st.sampled_from(["gsm8k", "mathqa", "python"]),
    st.text(max_size=80) | st.text("<>=0123456789+-*/().|#n,_abcdeprint \n", max_size=120),
    st.text("ab 0123456789.,%$:/", max_size=60),
)
def test_hostile_text_compiles_to_python_or_not_at_all(
    notation: str, text: str, question: str
) -> None:
    problem = Problem("x", question, "1", program=text, notation=notation)  # type: ignore[arg-type]
    for rationale in write_annotated(problem, "PoT"):
        ast.parse(rationale.text)


def test_programs_with_thousands_of_levels_do_not_fail() -> None:
    for text in ("x = " + "+".join("1" * 9000) + "\nprint(x)", "x = " + "-" * 9000 + "1\nprint(x)"):
        problem = Problem("lila", "How many?", "1", program=text, notation="python")
        assert len(list(write_annotated(problem, "PoT"))) + bool(compile_error(problem)) == 1


def test_every_operation_names_its_result_and_every_constant_has_a_value() -> None:
    assert all(entry.arity in (1, 2, 3) and entry.result for entry in OPERATIONS.values())
    assert exact_value(constant("const_0_2778") or ast.Constant(0)) == Fraction(5, 18)
    assert exact_value(constant("const_3.0") or ast.Constant(0)) == 3
    assert constant("const_pi") is not None and constant("const_x") is None


def _problems(shared: Path, name: str) -> list[Problem]:
    found = records(SOURCES[name], open_source(SOURCES[name], shared))
    return [record for record in found if isinstance(record, Problem)]


@pytest.mark.parametrize(("name", "minimum"), [("gsm8k", 0.96), ("mathqa", 0.995), ("lila", 0.999)])
def test_nearly_all_of_a_real_source_compiles_to_clean_programs(
    shared: Path, name: str, minimum: float
) -> None:
    problems = _problems(shared, name)[::13]
    assert len(problems) > 300
    texts = [rationale.text for p in problems for rationale in write_annotated(p, "PoT")]
    assert len(texts) >= minimum * len(problems)
    for text in texts:
        assert text.isascii() and text.split("\n")[-1].startswith("print(")
        names = [
            node.id
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        ]
        assert len(names) == len(set(names)), text
        assert all(len(each) <= 44 for each in names)
        assert not RESERVED.intersection(names) - {"answer"}, text


def test_every_operation_in_real_formulas_is_supported(shared: Path) -> None:
    formulas = [problem.program for problem in _problems(shared, "mathqa")]
    used = {name for text in formulas for name in re.findall(r"([a-z_]+)\(", text)}
    assert len(used) > 40 and used <= set(OPERATIONS)


def test_real_programs_agree_with_the_gold_answers_as_often_as_measured(shared: Path) -> None:
    write = WRITERS["annotated"].write
    assert write is not None
    for name, minimum in (("gsm8k", 0.97), ("mathqa", 0.57), ("lila", 0.98)):
        pairs = [(p, r.text) for p in _problems(shared, name)[::60] for r in write(p, "PoT")]
        with Sandbox(workers=2, wall_s=600) as box:
            runs = list(box.map([text for _, text in pairs]))
        assert all(run.status == "ok" for run in runs), name
        equal = 0
        for (problem, _), run in zip(pairs, runs, strict=True):
            answer = extract_output(run.value)
            found = compare_by_rules(problem.gold, answer, problem.choices) if answer else None
            equal += found is not None and found.outcome == "equal"
        assert len(pairs) > 70 and equal >= minimum * len(pairs), (name, equal, len(pairs))


def test_a_program_contains_a_computation(shared: Path) -> None:
    for problem in _problems(shared, "gsm8k")[:200]:
        for rationale in write_annotated(problem, "PoT"):
            tree = ast.parse(rationale.text)
            assert any(count_operations(n.value) for n in tree.body if isinstance(n, ast.Assign))
