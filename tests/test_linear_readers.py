"""Every reader of a stranger's text takes linear time, whatever the text repeats."""

from collections.abc import Callable

import pytest

from curator.answers import compare_by_rules, extract, extract_output, read_steps
from curator.answers.parse.normalize import normalize, to_latex
from curator.answers.parse.read import read
from curator.checks import CHECKS, Candidate
from curator.core.boxes import box_spans
from curator.core.thoughts import split_thought
from curator.core.turns import find_turns
from curator.sandbox.implicit_result import extract_fenced, select_preamble
from curator.sources.chat_columns import kind_of
from curator.sources.datasets.math import boxes
from curator.writers.parse_reply import LONGEST, read_reply
from curator.writers.programs.gsm8k_text import find_computations
from curator.writers.programs.quantities import find_quantities
from curator.writers.self_instruct import read_question
from tests.hostile import Hostile, growth

CHOICES = ("1", "2", "3", "4", "5")
SIZE = 16_000
PARSED = 8_000
"""Characters of an answer that is parsed; longer ones are compared as they are."""
FLOOR = 0.01
"""Seconds below which the time of a reader is not measured."""


def to_candidate(text: str) -> Candidate:
    return Candidate(b"", "CoT", "", text, "", (), answer=extract(text))


READERS: dict[str, tuple[Callable[[str], object], int]] = {
    "extract": (extract, SIZE),
    "extract with choices": (lambda text: extract(text, CHOICES), SIZE),
    "extract_output": (extract_output, SIZE),
    "read_reply CoT": (lambda text: read_reply(text, "CoT"), SIZE),
    "read_reply PoT": (lambda text: read_reply(text, "PoT"), SIZE),
    "read_question": (read_question, SIZE),
    "read_steps": (read_steps, SIZE),
    "compare_by_rules": (lambda text: compare_by_rules(text, "5"), PARSED),
    "normalize": (normalize, PARSED),
    "to_latex": (to_latex, PARSED),
    "box_spans": (box_spans, SIZE),
    "boxes": (boxes, SIZE),
    "select_preamble": (select_preamble, SIZE),
    "extract_fenced": (extract_fenced, SIZE),
    "kind_of": (kind_of, SIZE),
    "split_thought": (split_thought, SIZE),
    "find_turns": (find_turns, SIZE),
    "check trace": (lambda text: CHECKS["trace"].run(to_candidate(text), 1), SIZE),
    "find_computations": (lambda text: list(find_computations(text)), SIZE),
    "find_quantities": (find_quantities, SIZE),
}

TOKENS = (
    "(",
    "{",
    "[",
    ")",
    "}",
    "]",
    "\\frac{",
    "\\frac{1}{",
    "\\boxed{~}",
    "* \\boxed",
    "\\boxed{",
    "\\boxed{1} ",
    "\\boxed{1}, ",
    "A: x\n",
    "A: ",
    "The answer is 5. ",
    "The answer is ",
    "The answer is not 5 but 6. ",
    "The answer\n",
    "#### 5\n",
    "#### ",
    "<code>",
    "<|code|><|execution|>",
    "```python\n```output\n",
    "<<1+1=2>>",
    "<<1+1=2>>2 ",
    "<<",
    ",a",
    ", a",
    "1,111",
    "^",
    "2^",
    "!",
    "5!",
    "%",
    "5%",
    "1/",
    "=",
    "x=",
    "1=",
    "1+1=2 ",
    "|",
    "|x|",
    "\n",
    " \n",
    "```",
    "```python\n",
    "```output\n",
    "```output\n1\n```\n",
    "~~~`",
    "~",
    "`",
    "[",
    "[1],",
    "(a) 5\n",
    "(1) 5\n",
    "1. x\n",
    "Answer: ",
    "answer: A\n",
    "A. 5 ",
    "(A) ",
    "or ",
    "and ",
    "5 or ",
    "$",
    "$x$",
    "$$",
    "\\(",
    "\\[",
    "\\begin{matrix}",
    "&",
    "\\\\",
    "\\sqrt",
    "sqrt(",
    "-",
    "--",
    "+",
    "*",
    "**",
    ".",
    "...",
    "0",
    "9",
    "a",
    "A",
    "a ",
    "AB ",
    "1 ",
    "1 1 ",
    "1e9",
    "9**",
    "9^",
    "x^",
    "é",
    "中",
    "答案是 5。",
    "答",
    "½",
    "²",
    "'",
    '"',
    "<answer>",
    "</answer>",
    "<think>",
    "</think>",
    "<think>x</think>",
    "<|message|>",
    "<|end|>",
    "<",
    "<|a|>",
    ">",
    "Question: ",
    "Q: ",
    "Poly(x, x, ",
    "[1 2]\n",
    "{x: 1}, ",
    "(x < 1) & ",
    "@a\n",
    "if a:\n",
    "a=(\n",
    "a\\\n",
    "lambda:",
    "not ",
    "def f():\n",
    " x=1\n",
    "print(1)\n",
    "solution\n",
    "Sure!\n",
    "I hope this helps.\n",
    "n0 ",
    "<s>",
    "Step 1: ",
    "is ",
    "the answer ",
    "x = 5, ",
    "so the answer would be 5 if ",
    "5 is the answer. ",
    "Therefore, ",
    "we get x = ",
    "option A ",
    "5 km/h ",
    "3 hours ",
    "\t",
    "\r\n",
    "\0",
    ";",
    ":",
    "1:",
    "1:2:",
    "\\text{",
    "\\text{a} ",
    "\\left(",
    "\\cdot ",
    "1+",
    "x+",
    "2x+",
    "sin(",
    "sin ",
    "\\sin ",
    "\\cup ",
    "∪",
    "[0,1]∪",
    "_",
    "a_",
    "_{",
    "a_{",
    "x_1 ",
    "Interval(",
    "Union(",
    "Matrix([",
    "array([",
    "1.",
    "1.1.",
    "%%",
    "minus ",
    "one ",
    "twenty ",
    "hundred ",
    "> ",
    "# ",
    " - ",
    "if ",
    "\\left",
)
"""What a text repeats: each token of the notations that are read, and beginnings of them."""


@pytest.mark.parametrize("name", READERS)
def test_time_is_linear_in_the_text(name: str):
    reader, size = READERS[name]

    def read_once(text: str) -> None:
        read.cache_clear()
        reader(text)

    shapes = (("", "x"), ("The answer is ", "\0"))
    faults = [
        fault
        for token in TOKENS
        for prefix, suffix in shapes
        if (fault := growth(read_once, Hostile(token, prefix, suffix), size, FLOOR))
    ]
    assert not faults, "\n".join(faults)


def test_a_reply_of_tildes_and_a_backtick_is_read():
    assert read_reply("~" * (LONGEST - 1) + "`", "PoT") == ("", "no program")


def test_deeply_nested_answers_are_not_parsed_but_read():
    for opening in ("(", "{", r"\frac{", r"\sqrt{", "[", "sin(", "-", "2^"):
        answer = extract(rf"The answer is $\boxed{{{opening * 3_000}1}}$.")
        assert answer is None or answer.text


@pytest.mark.parametrize(
    "huge", ["9**9**9", "9" * 5_000, "9" * 5_000 + "!", "99999!", "2^{99999999}"]
)
def test_huge_numbers_are_bounded(huge: str):
    result = compare_by_rules(huge, "5")
    assert result is None or result.outcome in ("different", "undecided")
    assert read_steps(f"{huge} = 5").steps is not None
