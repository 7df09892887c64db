"""Choices that upstream split into tokens: `rs . 125`, `54 m 2`, `140 sq . units`, `37 ° c`.

In: the text of a choice. Out: `join_tokens(text)`, the text as people write it; other texts as they
are. MathQA's choices are in this form, and some lost the r of `rs`: `s . 9500`.
"""

import re

_LENGTH = r"(?:[ckm]?m|ft|feet|yd|in|inch|inches|miles?|(?:centi|kilo)?met(?:re|er)s?)"
_MONEY = re.compile(r"(?:r?s|re) ?\. ?(?=\.? ?\d)|(?:rs|re) (?=\.? ?\d)|s (?=\d\d)", re.I)
_DASH = re.compile(r"(?<=\d) ?/ ?-$")
_POINT = re.compile(r"(?:(?<=\d) |^)\. (?=\d)")
_ROOT = re.compile(rf"(√ ?\d{{1,9}}) {_LENGTH}(?: [23])?$", re.I)
_POWER = re.compile(rf"(?<=\d) ({_LENGTH}) ([23])$", re.I)
_ABBREVIATION = re.compile(r"(?<=\d) (sq|cu) \. ?(?=[a-z])", re.I)
_DEGREES = re.compile(r"(?<=\d) ?° ?([cf])$", re.I)


def join_tokens(text: str) -> str:
    """Return a choice as people write it; the unit of a length with a root is left out."""
    text = text.strip()
    money = _MONEY.match(text)
    if money:
        text = text[money.end() :]
    text = _POINT.sub(".", _DASH.sub("", text))
    text = _POWER.sub(r" \1^\2", _ROOT.sub(r"\1", text))
    text = _DEGREES.sub(lambda m: "°" + m[1].upper(), _ABBREVIATION.sub(r" \1. ", text))
    return f"Rs. {text}" if money else text
