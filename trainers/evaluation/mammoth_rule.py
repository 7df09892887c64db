"""MAmmoTH's published rule for answers, beside which our scores are told.

In: a sample and what its program printed. Out: the answer that the rule reads, and whether it takes
it for right. It reads after the last "The answer is" or "####"; else the box; else the last number.
Numbers and options are compared as texts; for MATH a gold integer equals what rounds to it (3.4
passes for 3), and floats agree within 4%. It is loose: for comparison alone, it proves no row.
"""

import re

from curator.core.boxes import box_spans
from curator.core.model import LETTERS
from curator.core.samples import Sample, SampledProblem

_PHRASE = re.compile(r"the answer is|####", re.I)
_NUMBER = re.compile(r"-?\d[\d,]*\.?\d*|-?\.\d+")
_OPTION = re.compile(r"(?<![A-Za-z])\(?([A-E])\)?(?![A-Za-z])")
_WITHIN = 0.04
ROUNDED = frozenset(("math", "math500"))
"""Sets with MATH's own comparison."""


def stated(sample: Sample, printed: str, choices: tuple[str, ...]) -> str:
    """The answer as the rule reads it: of a program what it printed, of a text the end."""
    if sample.kind == "PoT":
        return printed.strip().split("\n")[-1].strip()
    phrases = list(_PHRASE.finditer(sample.text))
    tail = sample.text[phrases[-1].end() :] if phrases else ""
    if choices:
        options = _OPTION.findall(tail or sample.text)
        return options[0 if tail else -1] if options else ""
    if tail.strip():
        numbers = _NUMBER.findall(tail)
        return numbers[0] if numbers else tail.strip(" :.\n$")
    found = box_spans(sample.text)
    if found:
        return sample.text[found[-1][0] : found[-1][1]]
    numbers = _NUMBER.findall(sample.text)
    return numbers[-1] if numbers else ""


def named(answer: str, choices: tuple[str, ...]) -> str:
    """What a vote under the rule counts an answer as: an option, a number, or a text."""
    if choices:
        return _option(answer, choices)
    value = _number(answer)
    return _plain(answer) if value is None else str(value + 0.0)  # -0.0 is 0.0


def agrees(problem: SampledProblem, answer: str) -> bool:
    """Whether the rule takes an answer for right.

    A program's number stands for the nearest option, which upstream asks the model for again.
    """
    if not answer:
        return False
    if problem.choices:
        return _option(answer, problem.choices) == problem.gold.strip("() .").upper()
    gold, said = _number(problem.gold), _number(answer)
    if gold is None or said is None:
        return _plain(problem.gold) == _plain(answer)
    if problem.set in ROUNDED:
        whole = gold == int(gold)
        return round(said) == gold if whole else abs(said - gold) <= _WITHIN * abs(gold)
    return said == gold


def _option(answer: str, choices: tuple[str, ...]) -> str:
    if len(answer.strip("() .")) == 1 and answer.strip("() .").upper() in LETTERS:
        return answer.strip("() .").upper()
    said = _number(answer)
    values = [_number(choice) for choice in choices]
    near = [(abs(v - said), n) for n, v in enumerate(values) if v is not None and said is not None]
    return LETTERS[min(near)[1]] if near else ""


def _number(text: str) -> float | None:
    found = _NUMBER.search(text.replace(",", ""))
    try:
        value = float(found[0]) if found else None
    except ValueError:
        return None
    return value if value is not None and abs(value) < 1e300 else None


def _plain(text: str) -> str:
    return re.sub(r"[\s$\\{}]|left|right|text", "", text).rstrip(".")
