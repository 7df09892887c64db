"""Match answers to the choices of a question: letters, texts and numbers.

In: the text of an answer and the texts of the choices. Out: the indices of the choices that it can
mean. A number means the choice with the same value. If no choice has it, it means the nearest
choice, provided that this is within `MAX_ERROR` and the next one is at least `MIN_MARGIN` times as
far away. Otherwise it matches no choice.
"""

import re
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

from curator.answers.compare.arithmetic import NoValue
from curator.answers.compare.evaluate import evaluate
from curator.answers.compare.scalars import Result, compare_scalars
from curator.answers.compare.tokenised import join_tokens
from curator.answers.compare.with_units import compare_quantities
from curator.answers.parse import normalize
from curator.answers.parse.read import Reading, read
from curator.answers.parse.tokens import word_set
from curator.core.model import LETTERS

MAX_ERROR = Fraction(1, 100)
MIN_MARGIN = 5

_LETTER = re.compile(r"(?:option|choice|answer)?\s*+(?:[(\[]\s*+)?([A-Za-z])\s*+[)\].:]*", re.I)
_LABELLED = re.compile(
    r"(?:(?:option|choice)\s+)?(?:[(\[]\s*([A-Z])\s*[)\]]|([A-Z])\s*[).:])\s*(\S.*)"
    r"|\(([a-h])\) +((?![-+*/^=(<>])\S.*)"
    r"|(-?\d[\d.,/]*%?) \(([A-H])\)",
    re.S,
)
_SELECTED = re.compile(
    r"\(?([IVX]{1,4}|[A-J])\)?(?:(?: ?[,;&] ?| )(?:and )?\(?([IVX]{1,4}|[A-J])\)?){1,9}"
)
_SELECTED_LETTER = re.compile(r"[IVX]{1,4}|[A-J]")
_ROMAN = word_set("I II III IV V VI VII VIII IX X")


def parse_letter(text: str) -> str:
    """Return the letter of `(b)`, `C.`, `option D`; empty if the text is anything else."""
    return letter_of(normalize.normalize(text)) if len(text) < 40 else ""


def letter_of(plain: str) -> str:
    """Return `parse_letter` of a text in plain notation."""
    match = _LETTER.fullmatch(plain) if len(plain) < 40 else None
    return match[1].upper() if match else ""


def parse_selection(text: str) -> frozenset[str] | None:
    """Return the marks of `A, B and D`, `ABD`, `(A), (C)` or `I and III`; None for other texts.

    Letters without separators must be distinct and in the order of the alphabet.
    """
    if not 1 < len(text) < 60 or (not text[0].isupper() and text[0] != "("):
        return None
    if text.isalpha():
        ordered = len(text) < 10 and sorted(set(text)) == list(text)
        return frozenset(text) if ordered and text.isupper() and text[-1] <= "J" else None
    if not _SELECTED.fullmatch(text):
        return None
    marks = _SELECTED_LETTER.findall(text.replace("and", ""))
    roman = all(mark in _ROMAN for mark in marks)
    letters = all(len(mark) == 1 and mark <= "J" for mark in marks)
    return frozenset(marks) if (roman or letters) and len(set(marks)) == len(marks) else None


def split_label(text: str) -> tuple[str, str]:
    """Return letter and rest of `A. 36 km/h`, `(B) web`; two empty texts for any other form."""
    match = _LABELLED.fullmatch(text.strip())
    if not match:
        return "", ""
    return (match[1] or match[2] or match[4] or match[7]).upper(), match[3] or match[5] or match[6]


@lru_cache(maxsize=2048)
def strip_labels(choices: tuple[str, ...]) -> tuple[str, ...]:
    """Return the choices without their letters if every one of them has its own letter."""
    parts = [split_label(choice) for choice in choices]
    if len(choices) > 1 and all(part[0] == LETTERS[i] for i, part in enumerate(parts[:26])):
        return tuple(rest for _, rest in parts)
    return choices


def _real_value(reading: Reading) -> Fraction | None:
    if reading.node is None:
        return None
    try:
        number = evaluate(reading.node)
    except NoValue:
        return None
    return None if number.im else number.re


def _is_percent(choice: Reading) -> bool:
    return choice.unit is not None and choice.unit.dimensions == (("percent", 1),)


def _are_equal(a: Reading, b: Reading) -> bool:
    if a.words and a.words == b.words:
        return True
    if a.node is None or b.node is None or a.ambiguous or b.ambiguous:
        return False
    result = compare_quantities(a.node, a.unit, b.node, b.unit)
    return result is not None and result[0] == "equal"


def _match_nearest(answer: Reading, choices: Sequence[Reading]) -> list[int]:
    number = _real_value(answer)
    if number is None or not number:
        return []
    gaps = []
    for index, choice in enumerate(choices):
        other = _real_value(choice)
        if other is None or (answer.unit and choice.unit and not answer.unit.alike(choice.unit)):
            continue
        sizes = [number, 100 * number] if _is_percent(choice) and not answer.unit else [number]
        gaps.append((min(abs(other / size - 1) for size in sizes), index))
    gaps.sort()
    if not gaps or gaps[0][0] > MAX_ERROR:
        return []
    if len(gaps) > 1 and gaps[1][0] < MIN_MARGIN * gaps[0][0]:
        return []
    return [gaps[0][1]]


def _match_value(answer: Reading, choices: Sequence[Reading]) -> list[int]:
    indices = [index for index, choice in enumerate(choices) if _are_equal(answer, choice)]
    if indices or answer.node is None:
        return indices
    # 12 means `12 million`, and 5 means `5 cents`: the choices imply the scale
    for index, choice in enumerate(choices):
        if choice.node is not None and choice.unit and answer.unit is None:
            result = compare_scalars(answer.node, choice.node)
            if result and result[0] == "equal":
                indices.append(index)
    return indices


def match_choices(text: str, choices: tuple[str, ...]) -> tuple[list[int], str]:
    """Return the indices of the choices that the text can mean, and the rule that found them.

    Several indices are returned only if choices repeat or the text fits more than one.
    """
    options = strip_labels(choices)
    if len(text) > normalize.MAX_LENGTH:
        return [], "too long"
    readings = [read(join_tokens(option)) for option in options]
    answer = read(join_tokens(text))
    same = [
        i for i, reading in enumerate(readings) if reading.words and reading.words == answer.words
    ]
    mark = parse_letter(text)
    index = LETTERS.find(mark) if mark else -1
    if 0 <= index < len(options):
        # the text of another choice may be `B`: then the letter can mean either
        return sorted({index, *same}), "letter"
    label, rest = split_label(normalize.normalize(text))
    if label and LETTERS.find(label) < len(options):
        index = LETTERS.find(label)
        again = parse_letter(rest) or split_label(rest)[0]
        by_text, _ = match_choices(rest, choices) if not again else ([index], "")
        return ([index] if not by_text or index in by_text else sorted({index, *by_text})), "letter"
    if same:
        return same, "option text"
    by_value = _match_value(answer, readings)
    if by_value:
        return by_value, "option value"
    return _match_nearest(answer, readings), "nearest option"


def compare_choices(gold: str, answer: str, choices: tuple[str, ...]) -> Result:
    """Return the outcome for two answers to a question with choices.

    Symmetric, except where the text of a choice is itself a letter: a gold letter always means the
    letter of a choice, an answer's letter can mean either.
    """
    options = strip_labels(choices)
    pair = (gold, answer) if min(len(gold), len(answer)) > 1 else ()
    chosen = [parse_selection(normalize.normalize(text)) for text in pair]
    if chosen and all(one is not None and len(one) > 1 for one in chosen):
        return ("equal" if chosen[0] == chosen[1] else "different"), "letters"
    mark = parse_letter(gold)
    if mark and LETTERS.find(mark) < len(options):
        expected = [LETTERS.find(mark)]
    else:
        expected, _ = match_choices(gold, choices)
    if not expected:
        return "undecided", "gold is no option"
    matches, rule = match_choices(answer, choices)
    if not matches:
        return "undecided", "no option"
    kinds = {read(options[index]).words or options[index] for index in matches}
    expected_kinds = {read(options[index]).words or options[index] for index in expected}
    if len(expected_kinds) > 1:
        return "undecided", "gold fits several options"
    if kinds == expected_kinds:
        return "equal", rule
    return ("undecided", "several options") if kinds & expected_kinds else ("different", rule)
