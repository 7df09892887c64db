"""Split plain notation into tokens and remove thousands separators.

In: text from `normalize`. Out: `tokenize(text)`; `Unreadable` if a character belongs to no formula.
"""

import re
from typing import NamedTuple

MAX_TOKENS = 1500


def word_set(text: str) -> frozenset[str]:
    """Return the words of a table that is written as text."""
    return frozenset(text.split())


class Unreadable(ValueError):
    """The text is not a formula that this parser can read."""


class Ambiguous(Unreadable):
    """The text is a formula that can be read in two ways."""


class Token(NamedTuple):
    """`kind` is num, word, cmd, op or end; `gap` is true if a space precedes the token."""

    kind: str
    text: str
    gap: bool


_TOKEN = re.compile(
    r"(?P<gap>\s*+)(?:"
    r"(?P<num>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,18}(?![\w.]))?)"
    r"|(?P<cmd>\\[A-Za-z]+|\\\\)"
    r"|(?P<word>[A-Za-z]'{1,4}(?![A-Za-z'])|[A-Za-z]{2,}(?:_[A-Za-z0-9]+)+|[A-Za-z]+\d+|[A-Za-z]+)"
    r"|(?P<op>\*\*|==|<=|>=|!=|\\[{}|]|[-+*/^()\[\]{}|,;=<>!%°_±∓≈∪:&'])"
    r")",
    re.ASCII,
)
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d+)?", re.ASCII)
_LOOSE_GROUPED = re.compile(r"[-+]?\d{1,3}(?: ?, ?\d{3})+(?:\.\d+)?", re.ASCII)


def remove_separators(text: str) -> str:
    """Remove thousands separators where commas cannot separate items.

    Inside brackets a comma separates items: `(100,200)` is a pair, and only `100{,}200` is a
    number. `2 , 261,760` and `1, 000` are numbers, because one comma has no spaces or a group
    starts with 0; `1, 200` is two numbers.
    """
    if "," not in text:
        return text
    if _LOOSE_GROUPED.fullmatch(text):
        if re.search(r"\d,\d|, ?0\d\d", text):
            return re.sub(" ?, ?", "", text)
        return text
    out, depth, at = [], 0, 0
    while at < len(text):
        char = text[at]
        before = text[at - 1] if at else " "
        starts = depth == 0 and char.isdigit() and not (before.isdigit() or before in ".,")
        if starts and (match := _GROUPED.match(text, at)):
            out.append(match[0].replace(",", ""))
            at = match.end()
            continue
        depth += (char in "([{") - (char in ")]}")
        out.append(char)
        at += 1
    return "".join(out)


def tokenize(text: str) -> list[Token]:
    """Return the tokens of a plain text, without an end token."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Unreadable(text[at : at + 20])
        kind = str(match.lastgroup)
        if match[kind] == "!=" and not match["gap"] and found and found[-1].kind == "num":
            found += [Token("op", "!", False), Token("op", "=", False)]  # 3!=6
            at = match.end()
            continue
        found.append(Token(kind, match[kind], bool(match["gap"])))
        if len(found) > MAX_TOKENS:
            raise Unreadable("too long")
        at = match.end()
    return found
