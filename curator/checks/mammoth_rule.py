"""Implements MAmmoTH's published grading rule, for comparison with published scores.

In: a sample and the output of its program. Out: the answer that the rule reads, and whether it
counts as right. The rule reads after the last "The answer is" or "####", otherwise the box,
otherwise the last number. It compares numbers and letters; for MATH, an answer equals a gold
integer if it rounds to it (3.4 passes for 3), and floats agree within 4%. The rule is lenient:
it never verifies a row.
"""

import re

from curator.core.boxes import box_spans
from curator.core.model import LETTERS
from curator.core.samples import Sample, SampledProblem

_PHRASE = re.compile(r"the answer is|####", re.I)
_NUMBER = re.compile(r"-?\d[\d,]*\.?\d*|-?\.\d+")
_LETTER = re.compile(r"(?<![A-Za-z])\(?([A-E])\)?(?![A-Za-z])")
_WITHIN = 0.04
ROUNDED = frozenset(("math", "math500"))
"""Sets with MATH's comparison."""


def read_answer(sample: Sample, printed: str, choices: tuple[str, ...]) -> str:
    """Read the answer: the output of a program, or the end of a text."""
    if sample.kind == "PoT":
        return printed.strip().split("\n")[-1].strip()
    phrases = list(_PHRASE.finditer(sample.text))
    tail = sample.text[phrases[-1].end() :] if phrases else ""
    if choices:
        letters = _LETTER.findall(tail or sample.text)
        return letters[0 if tail else -1] if letters else ""
    if tail.strip():
        numbers = _NUMBER.findall(tail)
        return numbers[0] if numbers else tail.strip(" :.\n$")
    spans = box_spans(sample.text)
    if spans:
        return sample.text[spans[-1][0] : spans[-1][1]]
    numbers = _NUMBER.findall(sample.text)
    return numbers[-1] if numbers else ""


def vote_key(answer: str, choices: tuple[str, ...]) -> str:
    """Return what answers are compared by in a vote: a letter, a number, or a text."""
    if choices:
        return _nearest_choice(answer, choices)
    value = _number(answer)
    return _normalise(answer) if value is None else str(value + 0.0)  # -0.0 is 0.0


def is_right(problem: SampledProblem, answer: str) -> bool:
    """Return whether the rule accepts an answer.

    A program's number selects the nearest choice, where upstream queries the model again.
    """
    if not answer:
        return False
    if problem.choices:
        return _nearest_choice(answer, problem.choices) == problem.gold.strip("() .").upper()
    gold, value = _number(problem.gold), _number(answer)
    if gold is None or value is None:
        return _normalise(problem.gold) == _normalise(answer)
    if problem.set in ROUNDED:
        whole = gold == int(gold)
        return round(value) == gold if whole else abs(value - gold) <= _WITHIN * abs(gold)
    return value == gold


def _nearest_choice(answer: str, choices: tuple[str, ...]) -> str:
    if len(answer.strip("() .")) == 1 and answer.strip("() .").upper() in LETTERS:
        return answer.strip("() .").upper()
    value = _number(answer)
    values = [_number(choice) for choice in choices]
    gaps = [
        (abs(v - value), n) for n, v in enumerate(values) if v is not None and value is not None
    ]
    return LETTERS[min(gaps)[1]] if gaps else ""


def _number(text: str) -> float | None:
    match = _NUMBER.search(text.replace(",", ""))
    try:
        value = float(match[0]) if match else None
    except ValueError:
        return None
    return value if value is not None and abs(value) < 1e300 else None


def _normalise(text: str) -> str:
    return re.sub(r"[\s$\\{}]|left|right|text", "", text).rstrip(".")
