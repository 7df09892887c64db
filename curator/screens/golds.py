"""Reads and compares gold answers, to tell whether two questions may be the same.

In: a gold answer as upstream writes it, with the options. Out: a number or a text without layout,
and whether two of them agree.
"""

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from curator.core.model import LETTERS
from curator.screens.characters import to_ascii

AMOUNT = re.compile(
    r"(?P<top>-?(?:[0-9]{1,40}(?:\.[0-9]{1,40})?|\.[0-9]{1,40}))(?:/(?P<bottom>[0-9]{1,40}))?"
    r"(?:\^?\\?(?:%|°|circ)|(?:[a-z]{2,20}|[glm])(?:/[a-z]{1,20}|\^[23])?)?"
)
OPAQUE = "?"
"""A gold answer that is known, but that no other one is compared with."""
TEX_FRACTION = re.compile(r"\\[dt]?frac\{?([0-9]{1,40})\}?\{?([0-9]{1,40})\}?")
NOISE = re.compile(r"[\s$,{}()]|\\(?:text|mathrm|mbox|textbf|left|right|!|,|;| )")

Gold = Fraction | str
Golds = Literal["equal", "different", "not compared", "unknown"]
"""`unknown` if one of them is not known, `not compared` if texts may differ only in form."""


def read_gold(gold: str, options: Sequence[str] = ()) -> Gold:
    """Return a gold answer as a number or as a text without layout; a letter as its option.

    A letter without options, and a text without a number, say too little to compare questions by
    them: such an answer is `OPAQUE`. Units are ignored. Empty if there is no answer.
    """
    gold = to_ascii(gold)
    letter = gold.strip(" ().").upper()
    if options and len(letter) == 1 and letter in LETTERS[: len(options)]:
        gold = options[LETTERS.index(letter)]
    plain = without_layout(TEX_FRACTION.sub(r"\1/\2", gold[:200]))
    value = AMOUNT.fullmatch(plain)
    if value:
        top, bottom = Fraction(value["top"]), (value["bottom"] or "1")
        return top / Fraction(bottom) if bottom.strip("0") else top
    return plain if any(map(str.isdigit, plain)) else OPAQUE * bool(plain)


def without_layout(text: str) -> str:
    """Return an answer or option in lower case without white space and LaTeX layout."""
    return NOISE.sub("", to_ascii(text).lower()).rstrip(".")


def compare_golds(one: Gold, other: Gold) -> Golds:
    """Compare two gold answers. Texts that differ may still be equal, so they are not compared."""
    if one == "" or other == "":
        return "unknown"
    if one == other != OPAQUE:
        return "equal"
    if isinstance(one, str) or isinstance(other, str):
        return "not compared"
    if abs(one - other) * 1000 <= max(abs(one), abs(other)):
        return "equal"
    return "not compared" if one == 100 * other or other == 100 * one else "different"
