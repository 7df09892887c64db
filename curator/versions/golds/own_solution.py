"""What the solution that comes with a problem says about its gold answer.

In: problems. Out: the value that a solution states, and faults that name no other value: a wrong
step, numbers of the question that the solution does not use, and numbers that it takes from
nowhere. Not covered: a solution that misreads the question; only other solvers can show that.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from curator.answers import compare_by_rules, extract, read_steps, render_answer
from curator.answers.last_value import last_values
from curator.core.model import LETTERS, Problem
from curator.sources.datasets.aqua_rat import strip_answer

_GROUPS = r"\d{1,3}(?:,\d{2,3}){0,6},\d{3}(?!\d)"
"""Digits in groups: 1,000 and 1,00,000, but not the pair 1,2."""
_NUMBER = re.compile(rf"(?<![\\w.])(?:{_GROUPS}|\d+)(?:\.\d+)?")
_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)
_NAMES = "half 2, twice 2, double 2, pair 2, third 3, triple 3, quarter 4, dozen 12, hundred 100"
_VALUES = {word: str(value) for value, word in enumerate(_WORDS.split(" "))} | {
    name: value for name, _, value in (each.partition(" ") for each in _NAMES.split(", "))
}
_KNOWN = frozenset(map(str, (0, 1, 2, 3, 4, 7, 10, 12, 24, 30, 52, 60, 100, 365, 1000)))
"""Numbers that any solution may use: days of a week, minutes of an hour."""
_LONGEST = 20_000
_NAMED = re.compile(
    r"[\s\"]{0,9}(?:(?:the )?(?:correct )?(?:answer|ans|option)[\s:.-]{0,9}(?:is |option )?)?"
    r"\(?[a-e]\)?[\s.\"]{0,9}$",
    re.I,
)
"""A letter of a choice at the end of a solution."""
_SPLIT_DECIMAL = re.compile(r"(?:^|(?<=[=+*/×÷(-] ))\. (?=\d)")
"""The point of a decimal that upstream split into tokens: `= . 2 %`."""


@dataclass(frozen=True, slots=True)
class OwnEvidence:
    """What the texts that come with one problem say."""

    solution: str = ""
    """The answer of its solution, if its gold answer was not read from there; else the value of its
    last step, if that is not the gold answer."""
    program: str = ""
    """The output of its program."""
    wrong_step: str = ""
    unused: tuple[str, ...] = ()
    """Numbers of the question that the solution does not mention."""
    invented: tuple[str, ...] = ()
    """Numbers with which the solution calculates, from neither the question nor an earlier step."""


def read_solution(problem: Problem, output: str = "") -> OwnEvidence:
    """Return the evidence of a problem; `output` is what its program prints."""
    text = problem.whole_solution[:_LONGEST]
    if not text.strip():
        return OwnEvidence(program=output)
    steps = read_steps(text)
    fault = steps.fault if not steps.beside else None
    if problem.gold_in == "solution":
        stated = (steps.result or "") if steps.recomputed else ""
    elif problem.choices:
        stated = _derived_choice(problem, text)
    else:
        answer = extract(text)
        stated = render_answer(answer) if answer else ""
    known = set(_numbers(problem.question))
    used = set(_numbers(text))
    return OwnEvidence(
        solution=stated,
        program=output,
        wrong_step=str(fault) if fault and fault.outcome == "wrong" else "",
        unused=tuple(each for each in _digits(problem.question) if each not in used),
        invented=_invented(text, known),
    )


def _derived_choice(problem: Problem, text: str) -> str:
    """Return the letter of the choice whose value the solution ends with; empty without one.

    The letter that it names is that of the gold answer in most files, and proves nothing.
    """
    body = strip_answer(text, problem.gold, problem.choices) if problem.gold in LETTERS else text
    body = _SPLIT_DECIMAL.sub("0.", _NAMED.sub("", body))
    choices = [_SPLIT_DECIMAL.sub("0.", each) for each in problem.choices]
    for value in last_values(body):
        if letter := find_choice(value, choices):
            return letter
    return ""


def find_choice(value: str, choices: Sequence[str]) -> str:
    """Return the letter of the only choice that is equal to a value; empty without one."""
    results = [compare_by_rules(choice, value) for choice in choices]
    equal = [place for place, each in enumerate(results) if each and each.outcome == "equal"]
    return LETTERS[equal[0]] if len(equal) == 1 else ""


def _invented(text: str, known: set[str]) -> tuple[str, ...]:
    """Return the operands of annotated steps (`<<3*4=12>>`) of unknown origin."""
    found: list[str] = []
    for annotation in re.findall(r"<<([^<>=]{1,200})=([^<>]{1,60})>>", text):
        operands = _digits(annotation[0])
        found += [each for each in operands if each not in known and each not in _KNOWN]
        known.update(operands, _digits(annotation[1]))
    return tuple(dict.fromkeys(found))


def _digits(text: str) -> list[str]:
    """Return the different numbers in digits, without commas and closing zeros, in order."""
    numbers = (each.replace(",", "") for each in _NUMBER.findall(text))
    plain = (each.rstrip("0").rstrip(".") if "." in each else each for each in numbers)
    return list(dict.fromkeys(each.lstrip("0") or "0" for each in plain))


def _numbers(text: str) -> list[str]:
    """Return numbers in digits and in words; shares of a hundred count as decimals, too."""
    digits = _digits(text)
    words = [_VALUES[word] for word in re.findall(r"[a-z]+", text.lower()) if word in _VALUES]
    shares = [f"{float(each) / 100:g}" for each in digits if len(each) < 9]
    return [*digits, *words, *(each.lstrip("0") for each in shares), *shares]
