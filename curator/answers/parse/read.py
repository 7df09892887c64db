"""Read an answer for comparison: its formula, its unit, its words.

In: the text of an answer from any source. Out: `read(text)`, a cached `Reading`; `to_answer(text)`,
the `Answer` of the domain model in canonical form. Never raises.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from curator.answers.parse import grammar, normalize, notations, phrases, units
from curator.answers.parse.tokens import Ambiguous
from curator.answers.parse.tree import Node, render
from curator.core.model import Answer, AnswerKind


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text states; `node` is None if the text is not a formula known here."""

    plain: str
    node: Node | None = None
    unit: units.Unit | None = None
    ambiguous: bool = False
    """Whether the text is a formula with two meanings; only the same text equals it."""

    time: int | None = None
    """Seconds after midnight if the text is a time of day."""

    date: tuple[int, int, int] | None = None
    """Year (0 if the text has no year), month and day if the text is a date."""

    label: str = ""
    """What the value belongs to: `Total` in `Total = 12`; empty for formulas and plain values."""

    @property
    def words(self) -> str:
        return normalize.comparison_form(self.plain)


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
_WORD_PREFIXES = ("Rs", "rs", "RS", "Re", "INR", "USD")
_SUFFIX = re.compile(
    r"(.{0,200}?[\d)}\]°!%]|.{0,200}?(?<![A-Za-z\\])(?:pi|\\pi))\s{0,200}((?!(?:pi|[ei]|inf|oo|and|or|True|False)\b)(?:[A-Za-z£€₹¥"
    + normalize.CURRENCY
    + r"]|°[CF])(?:[^\\={}|]|\^ ?\{ ?-?\d ?\}){0,200})",
    re.S,
)
_BRACED_POWER = re.compile(r"([A-Za-z]) ?\^ ?\{ ?(-?\d) ?\}")
MAX_QUANTITY = 200
"""Maximum length of a number with a unit, in characters; it bounds the search for one."""
_LEAD = re.compile(
    r"(?:(?:the )?(?:final )?(?:answer|ans\.?) ?(?:is\b|[:=])"
    r"|about|approximately|approx\.?|around|nearly|roughly|exactly|only|after|=|≈|~|:) *",
    re.I,
)
_FORMULA = re.compile(
    r"[\d\\^=+*/()\[\]{}<>|]|(?<![A-Za-z])[A-Za-z]{1,2} ?- ?[A-Za-z]{1,2}(?![A-Za-z])"
    r"|(?<![A-Za-z])(?:arc|a)?(?:sinh?|cosh?|tanh?|cot|ln) ?[A-Za-z](?![A-Za-z])"
)
_NAMES = re.compile(r"-?(?:[A-Za-z]|pi|inf)(?:, ?-?(?:[A-Za-z]|pi|inf))+")
_ALL_REALS = (
    "all real numbers",
    "all reals",
    "reals",
    "real numbers",
    "the set of all real numbers",
)
_BUILDER = re.compile(r"\\?\{ ?[a-z] ?(?:\\in[^|:]*)?[|:] ?(.*?) ?\\?\}")
_STATISTIC = re.compile(r"(?:E|Var|Cov|SD|Pr?) ?\[[^\[\]=]{1,40}\] ?=")
_VECTORS = re.compile(r"\\(?:mathbf|vec|boldsymbol|bm|overrightarrow|hat|bf)(?![a-z])")
_UNKNOWN_NAME = re.compile(r"[A-Za-z]")


def _parse(text: str) -> Node | None:
    try:
        return grammar.parse(text)
    except Ambiguous:
        raise
    except (ValueError, ArithmeticError, RecursionError):
        return None


def _parse_quantity(text: str) -> tuple[Node, units.Unit] | None:
    """Parse a formula with a currency before it, or a unit or counted thing after it."""
    prefix = _PREFIX.match(text)
    if prefix and prefix[2] in _WORD_PREFIXES and text[prefix.end()] in "(\\":
        prefix = None  # Re(z)
    if prefix:
        rest = prefix[1] + text[prefix.end() :]
        scale = _SUFFIX.fullmatch(rest) if len(rest) <= MAX_QUANTITY else None
        money = _MONEY[prefix[2]]
        node = _parse(rest)
        if node is None and scale:
            unit = units.parse_unit(f"{money} {scale[2]}")
            node = _parse(scale[1])
            return (node, unit) if node and unit else None
        unit = units.parse_unit(money)
        return (node, unit) if node and unit else None
    suffix = _SUFFIX.fullmatch(text) if len(text) <= MAX_QUANTITY else None
    if suffix is None:
        return None
    head, tail = suffix[1], suffix[2]
    tail = _BRACED_POWER.sub(r"\1^\2", tail)
    unit = units.parse_unit(tail)
    first = re.match(r"[A-Za-z]+", tail)
    if unit is None or (first and len(first[0]) == 1 and not _is_unit_letter(head, tail[0], text)):
        return None
    if not unit.known and first and len(first[0]) < 4 and text[len(head)] != " ":
        return None  # `5abc`
    node = _parse(head)
    return None if node is None else (node, unit)


_NUMBER = re.compile(r"[-+0-9., */^{}()]*|[-+]?\d* ?\\frac ?\{ ?\d+ ?\} ?\{ ?\d+ ?\}")


def _is_unit_letter(head: str, letter: str, text: str) -> bool:
    """Return whether one letter after a number is a unit: `100 m`, `60m`, but not `2x`, `3m`."""
    if letter not in "mgslhLVNJAKWC":
        return False
    if text[len(head)] == " ":
        return _NUMBER.fullmatch(head) is not None
    number = re.fullmatch(r"[-+]?(?:\d{2,}|\d*\.\d+|\d,\d{3})", head)
    return number is not None and letter in "mgl"


@lru_cache(maxsize=8192)
def read(text: str) -> Reading:
    """Read the formula, unit and words of a text."""
    if len(text) > normalize.MAX_LENGTH:
        return Reading(text)
    plain = normalize.normalize(text)
    if "\u2013" in text and (dashed := notations.parse_range(text)):
        return Reading(plain, dashed)
    time = phrases.parse_time(plain) if len(plain) < 20 else None
    if time is not None:
        return Reading(plain, time=time)
    if not plain:
        return Reading(plain)
    date = notations.parse_date(plain)
    if date is not None:
        return Reading(plain, date=date)
    if _VECTORS.search(text) and (r"\times" in text or "×" in text):
        return Reading(text.strip(), ambiguous=True)  # a cross product
    if r"\circ" in plain or "∘" in plain:
        return Reading(plain, ambiguous=True)  # f of g
    if phrases.count_labels(plain) > 1:
        return Reading(plain, ambiguous=True)  # `(A) 5 (B) 6` is no product
    core = _LEAD.sub("", plain, count=1) if _LEAD.match(plain) else plain
    try:
        rank = phrases.parse_ordinal(core) if len(core) < 12 else None
        if rank is not None:
            return Reading(f"{rank}th", ambiguous=True)
        builder = _BUILDER.fullmatch(core) if len(core) < 200 else None
        if builder and (condition := _parse(builder[1])) and condition.op in ("rel", "items"):
            return Reading(plain, condition)
        if core.lower() in _ALL_REALS:
            core = "(-inf, inf)"
        core = phrases.words_to_digits(core) or notations.rewrite(core)
        special = notations.parse_based(core) or notations.parse_range(core)
        if special:
            return Reading(plain, special)
        if _STATISTIC.match(core):
            return _read_labelled(plain, core)
        compound = phrases.parse_compound(core.replace(normalize.CURRENCY, "$"))
        if compound:
            return Reading(plain, Node("num", (), compound[0]), compound[1])
        quantity = None
        if _UNKNOWN_NAME.search(core) or not core.isascii():
            quantity = _parse_quantity(core)
        if quantity:
            return Reading(plain, *quantity)
        formula = _FORMULA.search(core) or len(core) <= 3 or _NAMES.fullmatch(core)
        node = _parse(core) if formula else _parse_word(core)
    except Ambiguous:
        return Reading(plain, ambiguous=True)
    if core.endswith(("%", "°")) and (fraction := _parse_fraction(core[:-1])) is not None:
        unit = units.parse_unit("percent" if core[-1] == "%" else "degrees")
        return Reading(plain, fraction, unit)
    if node is None:
        return _read_labelled(plain, core)
    value, unit = _split_sign(node)
    return Reading(plain, value, unit)


def _split_sign(node: Node) -> tuple[Node, units.Unit | None]:
    """Return `30°`, `50%` and `x = 30°` as a formula and the unit that the sign means."""
    if node.op in ("deg", "percent"):
        return node.args[0], units.parse_unit("degrees" if node.op == "deg" else "percent")
    if node.op == "neg":
        value, unit = _split_sign(node.args[0])
        return (Node("neg", (value,)), unit) if unit else (node, None)
    if node.op == "rel" and node.text == "=" and len(node.args) == 2:
        value, unit = _split_sign(node.args[1])
        return Node("rel", (node.args[0], value), "="), unit
    return node, None


_LABELLED_VALUE = re.compile(r"([^=≈<>]{1,80}?) ?(?<!!)[=≈] ?([^=≈<>]+)")
_NO_LABEL = re.compile(
    r"\b(?:if|when|where|for|and|or|mod|not|base)\b|n't\b|[,;?]|\\p?mod"
    r"|[A-Za-z]{3} ?(?:[+*/^]| -) ?\d+(?:\.\d+)?$",
    re.I,
)


def _read_labelled(plain: str, core: str) -> Reading:
    """Read `Total = $12` and `P(A and B) = 0.3`, whose left side is only a name.

    `Total + 1 = 3` and `Total != 3` state another value than that of their right side.
    """
    match = _LABELLED_VALUE.fullmatch(core) if len(core) <= MAX_QUANTITY else None
    if match is None or _NO_LABEL.search(match[1]):
        return Reading(plain)
    value = read(match[2])
    if value.node is None or value.label or not _is_value(value.node):
        return Reading(plain)
    return replace(value, plain=plain, label=normalize.comparison_form(match[1]) or match[1])


def _is_value(node: Node) -> bool:
    """Return whether a formula has no variables, so that a name before it is only a label."""
    return node.op not in ("name", "apply") and all(map(_is_value, node.args))


def _parse_fraction(text: str) -> Node | None:
    """Parse the fraction before a final sign: `270/7°` is not the quotient of 270 and 7°."""
    try:
        node = _parse(text)
    except Ambiguous:
        return None
    return node if node is not None and node.op == "/" and _is_rational(node) else None


_VALUES = ("True", "False", "true", "false", "inf", "infinity", "oo")


def _parse_word(text: str) -> Node | None:
    """Parse a word that is a value (True, inf); any other word is text."""
    return _parse(text) if text.lstrip("-+ ") in _VALUES else None


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


def _is_rational(node: Node) -> bool:
    return node.op in _RATIONAL and all(map(_is_rational, node.args))


def to_answer(text: str, span: tuple[int, int] | None = None) -> Answer | None:
    """Return the answer that a text states, in canonical form; None if it states nothing."""
    reading = read(text)
    if not reading.plain:
        return None
    if reading.node is None:
        plain = reading.plain.replace(normalize.CURRENCY, "$")
        kind: AnswerKind = "expression" if _FORMULA.search(plain) else "text"
        return Answer(kind, plain, span=span)
    node = reading.node
    mixed = node.op == "+" and len(node.args) == 2 and all(map(_is_rational, node.args))
    kind = "number" if _is_rational(node) or mixed else _KINDS.get(node.op, "expression")
    unit = reading.unit
    return Answer(kind, render(node), unit.text if unit else "", span)
