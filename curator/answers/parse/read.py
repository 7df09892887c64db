"""An answer as it is compared: its formula, its unit, its words.

In: the text of an answer from any source. Out: `read(text)`, a `Reading`, cached; and `canonical`,
the `Answer` of the domain model with canonical text. Never raises.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from curator.answers.parse import grammar, normalize, phrases, units
from curator.answers.parse.tokens import Ambiguous
from curator.answers.parse.tree import Node, render
from curator.core.model import Answer, AnswerKind


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text says; `node` is None where it is no formula that is known here."""

    plain: str
    node: Node | None = None
    unit: units.Unit | None = None
    ambiguous: bool = False
    """The text is a formula with two readings: only the same text is equal to it."""

    time: int | None = None
    """Seconds after midnight, if the text is a time of day."""

    @property
    def words(self) -> str:
        return normalize.words(self.plain)


_MONEY = {
    normalize.CURRENCY: "dollar",
    "£": "£",
    "€": "€",
    "₹": "rs",
    "Rs": "rs",
    "Rs.": "rs",
    "rs": "rs",
    "rs.": "rs",
    "RS": "rs",
    "Re": "rs",
    "INR": "rs",
    "¥": "yen",
    "USD": "usd",
    "US" + normalize.CURRENCY: "usd",
}
_PREFIX = re.compile(
    "([-+(]?) ?("
    + "|".join(map(re.escape, sorted(_MONEY, key=len, reverse=True)))
    + r") ?\.?(?=[-\d.(\\])"
)
_SUFFIX = re.compile(
    r"(.*?[\d)}\]°!%]|.*?(?<![A-Za-z\\])(?:pi|\\pi))\s*((?!(?:pi|[ei]|inf|oo|and|or|True|False)\b)(?:[A-Za-z£€₹¥"
    + normalize.CURRENCY
    + r"]|°[CF])[^\\={}|]*)",
    re.S,
)
MAX_QUANTITY = 200
"""Longer texts are no number with a unit; it bounds the search for one."""
_LEAD = re.compile(
    r"(?:about|approximately|approx\.?|around|nearly|roughly|exactly|only|after|=|≈|~|:) *", re.I
)
_FORMULA = re.compile(r"[\d\\^=+*/()\[\]{}<>|]|(?<![A-Za-z])[A-Za-z] ?- ?[A-Za-z](?![A-Za-z])")
_NAMES = re.compile(r"(?:[A-Za-z]|-?pi|-?inf)(?:, ?(?:[A-Za-z]|-?pi|-?inf))+")
_ALL_REALS = ("all real numbers", "all reals", "real numbers", "the set of all real numbers")
_BUILDER = re.compile(r"\\?\{ ?[a-z] ?(?:\\in[^|:]*)?[|:] ?(.*?) ?\\?\}")
_UNKNOWN_NAME = re.compile(r"[A-Za-z]")


def _parsed(text: str) -> Node | None:
    try:
        return grammar.tree(text)
    except Ambiguous:
        raise
    except (ValueError, ArithmeticError, RecursionError):
        return None


def _with_unit(text: str) -> tuple[Node, units.Unit] | None:
    """A formula with a currency before it, or a unit or counted thing after it."""
    prefix = _PREFIX.match(text)
    if prefix:
        rest = prefix[1] + text[prefix.end() :]
        scale = _SUFFIX.fullmatch(rest) if len(rest) <= MAX_QUANTITY else None
        money = _MONEY[prefix[2]]
        node = _parsed(rest)
        if node is None and scale:
            found = units.unit(f"{money} {scale[2]}")
            node = _parsed(scale[1])
            return (node, found) if node and found else None
        found = units.unit(money)
        return (node, found) if node and found else None
    suffix = _SUFFIX.fullmatch(text) if len(text) <= MAX_QUANTITY else None
    if suffix is None:
        return None
    head, tail = suffix[1], suffix[2]
    found = units.unit(tail)
    first = re.match(r"[A-Za-z]+", tail)
    if found is None or (first and len(first[0]) == 1 and not _unit_letter(head, tail[0], text)):
        return None
    if not found.known and first and len(first[0]) < 4 and text[len(head)] != " ":
        return None  # `5abc`
    node = _parsed(head)
    return None if node is None else (node, found)


def _unit_letter(head: str, letter: str, text: str) -> bool:
    """Whether one letter after a number is a unit: `100 m`, `60m`, not `2x`, `3m`."""
    if letter not in "mgslhLV":
        return False
    number = re.fullmatch(r"[-+]?(?:\d{2,}|\d*\.\d+|\d,\d{3})", head)
    return text[len(head)] == " " or (number is not None and letter in "mgl")


@lru_cache(maxsize=8192)
def read(text: str) -> Reading:
    """What the text says."""
    if len(text) > normalize.MAX_LENGTH:
        return Reading(text)
    plain = normalize.plain(text)
    time = phrases.time_of_day(plain) if len(plain) < 20 else None
    if time is not None:
        return Reading(plain, time=time)
    if not plain:
        return Reading(plain)
    core = _LEAD.sub("", plain, count=1) if _LEAD.match(plain) else plain
    try:
        place = phrases.ordinal(core) if len(core) < 12 else None
        if place is not None:
            return Reading(f"{place}th", ambiguous=True)
        builder = _BUILDER.fullmatch(core) if len(core) < 200 else None
        if builder and (built := _parsed(builder[1])) and built.op in ("rel", "items"):
            return Reading(plain, built)
        if core.lower() in _ALL_REALS:
            core = "(-inf, inf)"
        core = phrases.digits(core) or core
        several = phrases.compound(core.replace(normalize.CURRENCY, "$"))
        if several:
            return Reading(plain, Node("num", (), several[0]), several[1])
        with_unit = None
        if _UNKNOWN_NAME.search(core) or not core.isascii():
            with_unit = _with_unit(core)
        if with_unit:
            return Reading(plain, *with_unit)
        formula = _FORMULA.search(core) or len(core) <= 3 or _NAMES.fullmatch(core)
        node = _parsed(core) if formula else _word(core)
    except Ambiguous:
        return Reading(plain, ambiguous=True)
    if core.endswith(("%", "°")) and (whole := _whole(core[:-1])) is not None:
        return Reading(plain, whole, units.unit("percent" if core[-1] == "%" else "degrees"))
    if node is not None and node.op == "deg":
        return Reading(plain, node.args[0], units.unit("degrees"))
    if node is not None and node.op == "percent":
        return Reading(plain, node.args[0], units.unit("percent"))
    return Reading(plain, node)


def _whole(text: str) -> Node | None:
    """The fraction before a sign at the end: `270/7°` is no quotient of 270 and 7°."""
    try:
        node = _parsed(text)
    except Ambiguous:
        return None
    return node if node is not None and node.op == "/" and _rational(node) else None


_VALUES = ("True", "False", "true", "false", "inf", "infinity", "oo")


def _word(text: str) -> Node | None:
    """Words that are values: True, inf, pi; others are text."""
    return _parsed(text) if text.lstrip("-+ ") in _VALUES else None


_KINDS: dict[str, AnswerKind] = {
    "num": "number",
    "tuple": "tuple",
    "list": "tuple",
    "items": "set",
    "set": "set",
    "interval": "interval",
    "union": "interval",
    "matrix": "matrix",
    "bool": "boolean",
}
_RATIONAL = {"num", "neg", "/"}


def _rational(node: Node) -> bool:
    return node.op in _RATIONAL and all(map(_rational, node.args))


def canonical(text: str, span: tuple[int, int] | None = None) -> Answer | None:
    """The answer that a text states, in canonical form; None where it states nothing."""
    reading = read(text)
    if not reading.plain:
        return None
    if reading.node is None:
        plain = reading.plain.replace(normalize.CURRENCY, "$")
        kind: AnswerKind = "expression" if _FORMULA.search(plain) else "text"
        return Answer(kind, plain, span=span)
    node = reading.node
    mixed = node.op == "+" and len(node.args) == 2 and all(map(_rational, node.args))
    kind = "number" if _rational(node) or mixed else _KINDS.get(node.op, "expression")
    found = reading.unit
    return Answer(kind, render(node), found.text if found else "", span)
