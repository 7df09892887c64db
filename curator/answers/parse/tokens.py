"""Plain notation cut into tokens, thousands separators taken out.

In: text from `clean.plain`. Out: `tokens(text)`; `Unreadable` where a sign belongs to no formula.
"""

import re
from typing import NamedTuple

MAX_TOKENS = 1500
MAX_DEPTH = 40


def word_set(text: str) -> frozenset[str]:
    """The words of a table that is written as text."""
    return frozenset(text.split())


class Unreadable(ValueError):
    """The text is not a formula this parser knows."""


class Ambiguous(Unreadable):
    """The text is a formula with two readings."""


class Token(NamedTuple):
    """`kind` is num, word, cmd, op or end; `gap` says that a space stood before it."""

    kind: str
    text: str
    gap: bool


_TOKEN = re.compile(
    r"(?P<gap>\s*)(?:"
    r"(?P<num>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,18}(?![\w.]))?)"
    r"|(?P<cmd>\\[A-Za-z]+|\\\\)"
    r"|(?P<word>[A-Za-z]{2,}(?:_[A-Za-z0-9]+)+|[A-Za-z]+\d+|[A-Za-z]+)"
    r"|(?P<op>\*\*|==|<=|>=|!=|\\[{}|]|[-+*/^()\[\]{}|,;=<>!%°_±∪:&'])"
    r")",
    re.ASCII,
)
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d+)?", re.ASCII)
_LOOSE_GROUPED = re.compile(r"[-+]?\d{1,3}(?: ?, ?\d{3})+(?:\.\d+)?", re.ASCII)


def ungrouped(text: str) -> str:
    """Thousands separators taken out where commas cannot separate items.

    Inside brackets a comma separates: `(100,200)` is a pair, and only `100{,}200` groups there.
    `2 , 261,760` and `1, 000` are numbers (a tight comma, or a group that starts with 0, groups);
    `1, 200` is two numbers.
    """
    if "," not in text:
        return text
    if _LOOSE_GROUPED.fullmatch(text):
        if re.search(r"\d,\d|, ?0\d\d", text):
            return re.sub(" ?, ?", "", text)
        return text
    out, depth, at = [], 0, 0
    while at < len(text):
        sign = text[at]
        if depth == 0 and sign.isdigit() and (found := _GROUPED.match(text, at)):
            before = text[at - 1] if at else " "
            if not (before.isdigit() or before in ".,"):
                out.append(found[0].replace(",", ""))
                at = found.end()
                continue
        depth += (sign in "([{") - (sign in ")]}")
        out.append(sign)
        at += 1
    return "".join(out)


def tokens(text: str) -> list[Token]:
    """The tokens of a plain text, without the end."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Unreadable(text[at : at + 20])
        kind = str(match.lastgroup)
        found.append(Token(kind, match[kind], bool(match["gap"])))
        if len(found) > MAX_TOKENS:
            raise Unreadable("too long")
        at = match.end()
    return found
