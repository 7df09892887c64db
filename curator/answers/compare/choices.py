"""Answers to questions with options: letters, option texts and numbers, brought to options.

In: an answer's text and the option texts. Out: `chosen(text, choices)`, the options that it can
mean. A number means the option with the same value; failing that the nearest one, if it is within
`NEAREST` of it and the next one at least `MARGIN` times as far away; else none. Never a guess.
"""

import re
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

from curator.answers.compare.arithmetic import NoValue
from curator.answers.compare.evaluate import value
from curator.answers.compare.scalars import Result, scalars
from curator.answers.compare.with_units import compare
from curator.answers.parse import normalize
from curator.answers.parse.read import Reading, read
from curator.core.model import LETTERS

NEAREST = Fraction(1, 100)
MARGIN = 5

_LETTER = re.compile(r"(?:option|choice|answer)?\s*[(\[]?\s*([A-Za-z])\s*[)\].:]*", re.I)
_LABELLED = re.compile(
    r"(?:(?:option|choice)\s+)?(?:[(\[]\s*([A-Z])\s*[)\]]|([A-Z])\s*[).:])\s*(\S.*)", re.S
)


def letter(text: str) -> str:
    """The letter, if the text is an option's letter and nothing else: `(b)`, `C.`, `option D`."""
    found = _LETTER.fullmatch(normalize.plain(text)) if len(text) < 40 else None
    return found[1].upper() if found else ""


def labelled(text: str) -> tuple[str, str]:
    """Letter and rest of `A. 36 km/h`, `(B) web`; two empty texts if it has no such form."""
    found = _LABELLED.fullmatch(text.strip())
    return ((found[1] or found[2]).upper(), found[3]) if found else ("", "")


@lru_cache(maxsize=2048)
def texts(choices: tuple[str, ...]) -> tuple[str, ...]:
    """The option texts without letters, should they all carry their own."""
    parts = [labelled(choice) for choice in choices]
    if len(choices) > 1 and all(part[0] == LETTERS[i] for i, part in enumerate(parts[:26])):
        return tuple(rest for _, rest in parts)
    return choices


def _number(reading: Reading) -> Fraction | None:
    if reading.node is None:
        return None
    try:
        found = value(reading.node)
    except NoValue:
        return None
    return None if found.im else found.re


def _percent(option: Reading) -> bool:
    return option.unit is not None and option.unit.dimensions == (("percent", 1),)


def _same(a: Reading, b: Reading) -> bool:
    if a.words and a.words == b.words:
        return True
    if a.node is None or b.node is None or a.ambiguous or b.ambiguous:
        return False
    found = compare(a.node, a.unit, b.node, b.unit)
    return found is not None and found[0] == "equal"


def _nearest(answer: Reading, options: Sequence[Reading]) -> list[int]:
    number = _number(answer)
    if number is None or not number:
        return []
    gaps = []
    for index, option in enumerate(options):
        other = _number(option)
        if other is None or (answer.unit and option.unit and not answer.unit.alike(option.unit)):
            continue
        meant = [number, 100 * number] if _percent(option) and not answer.unit else [number]
        gaps.append((min(abs(other / size - 1) for size in meant), index))
    gaps.sort()
    if not gaps or gaps[0][0] > NEAREST:
        return []
    if len(gaps) > 1 and gaps[1][0] < MARGIN * gaps[0][0]:
        return []
    return [gaps[0][1]]


def _by_value(answer: Reading, options: Sequence[Reading]) -> list[int]:
    found = [index for index, option in enumerate(options) if _same(answer, option)]
    if found or answer.node is None:
        return found
    # `12 million` is meant by 12, `5 cents` by 5: among options the scale is understood
    for index, option in enumerate(options):
        if option.node is not None and option.unit and answer.unit is None:
            result = scalars(answer.node, option.node)
            if result and result[0] == "equal":
                found.append(index)
    return found


def chosen(text: str, choices: tuple[str, ...]) -> tuple[list[int], str]:
    """Indices of the options that the text can mean, and how they were found.

    Several only where option texts repeat or the text fits more than one.
    """
    options = texts(choices)
    if len(text) > normalize.MAX_LENGTH:
        return [], "too long"
    readings = [read(option) for option in options]
    said = read(text)
    same = [
        i for i, reading in enumerate(readings) if reading.words and reading.words == said.words
    ]
    sign = letter(text)
    place = LETTERS.find(sign) if sign else -1
    if 0 <= place < len(options):
        # an option may itself read `B`: then the letter could mean either
        return sorted({place, *same}), "letter"
    label, rest = labelled(normalize.plain(text))
    if label and LETTERS.find(label) < len(options):
        place = LETTERS.find(label)
        meant, _ = chosen(rest, choices) if not letter(rest) else ([place], "")
        return ([place] if not meant or place in meant else sorted({place, *meant})), "letter"
    if same:
        return same, "option text"
    found = _by_value(said, readings)
    if found:
        return found, "option value"
    return _nearest(said, readings), "nearest option"


def compare_chosen(gold: str, answer: str, choices: tuple[str, ...]) -> Result:
    """The outcome for two answers to a question with options.

    Symmetric, save where an option's text is a letter: a gold letter is the option's letter, an
    answer's letter could be either.
    """
    options = texts(choices)
    sign = letter(gold)
    if sign and LETTERS.find(sign) < len(options):
        right = [LETTERS.find(sign)]
    else:
        right, _ = chosen(gold, choices)
    if not right:
        return "undecided", "gold is no option"
    meant, how = chosen(answer, choices)
    if not meant:
        return "undecided", "no option"
    kinds = {read(options[index]).words or options[index] for index in meant}
    right_kinds = {read(options[index]).words or options[index] for index in right}
    if len(right_kinds) > 1:
        return "undecided", "gold fits several options"
    if kinds == right_kinds:
        return "equal", how
    return ("undecided", "several options") if kinds & right_kinds else ("different", how)
