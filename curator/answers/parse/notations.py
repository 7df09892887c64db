"""Rewrite rare notations into the plain one, and read dates and numbers of other bases.

In: plain text from `normalize`. Out: `rewrite(text)`, the text with `3 x 10^5` as `3*10^5`,
`0.333...` as `1/3`, `]0, 1[` as `(0, 1)`, `minus 5` as `-5`, `3 fourths` as `3/4`, and without a
remark in brackets (`3.14 (approximately)`); `parse_based(text)` for `0x1F` and `1F_{16}`;
`parse_date(text)` for `May 6, 2024`.
"""

import re
from fractions import Fraction

from curator.answers.parse.phrases import MONTHS, PARTS, parse_number_words
from curator.answers.parse.tokens import Ambiguous
from curator.answers.parse.tree import Node

_MAX_LENGTH = 200
_SCIENTIFIC = re.compile(r"(?<=\d) ?[xX] ?(?=10 ?(?:\^|\*\*))")
_SIGN_WORD = re.compile(r"(minus|negative|plus|positive) +(?=[\d.\\$(\ue000])", re.I)
_PART = re.compile(r"(-?\d{1,9}) ([a-z]+)(?![a-z])", re.I)
_REMARK = re.compile(
    r"(.*\S) ?\((?:approx\w*|rounded|reject\w*|since|because|exact\w*|to the nearest|correct to)"
    r"\b[^()]*\)",
    re.I | re.S,
)
_OPEN_ENDS = re.compile(r"([\[\](]) ?([^\[\](),]*,[^\[\]()]*?) ?([\[\])])")
_DOTTED = re.compile(r"(-?)(\d*)\.(\d{1,40})\.\.\.")
_HEXADECIMAL = re.compile(r"0[xX]([0-9A-Fa-f]{1,32})|0[bB]([01]{1,128})|0[oO]([0-7]{1,64})")
_BASED = re.compile(r"\(?([0-9A-Z]{2,64})\)? ?_ ?\{? ?(\d\d) ?\}?")
_RANGE = re.compile(r" ?(-?\d+(?:\.\d+)?) ?(?:to|\u2013) ?(-?\d+(?:\.\d+)?) ?", re.ASCII)
_BASE_WORD = re.compile(r"_ ?\{ ?(two|three|four|five|six|seven|eight|nine|ten|twelve|sixteen) ?\}")
_BASE_AFTER = re.compile(r"(-?[0-9A-Z]{1,64}) ?\(?(?:in )?base[- ](\d\d?|[a-z]{3,7})\)?", re.ASCII)
_INTERVAL = re.compile(r"\bInterval\.(open|Lopen|Ropen)(?= ?\()")
_EACH = re.compile(r" (?:each|apiece|o'clock)$", re.I)
_OHM = re.compile(r"(?<=[\d}]) ?([kMmµμ]?) ?(?:\\Omega|Ω|Ω)$")
_PLUS_MINUS = re.compile(r"(?:^|(?<=[=,(] )|(?<=[=,(]))\+ ?- ?|\+/-")
_INDIAN = re.compile(r"-?\d{1,2}(?:,\d\d)+,\d{3}(?:\.\d+)?", re.ASCII)
_ARRAY = re.compile(r"\[[-+\d. \[\]]+\]", re.ASCII)
_ARRAY_BLANK = re.compile(r"(?<=[\d.\]]) +(?=[-+]?[\d.\[])", re.ASCII)
_ASSIGNED = re.compile(
    r"\[?\{((?:[A-Za-z]\w{0,9}: [^{}:,\[\]]+, )*[A-Za-z]\w{0,9}: [^{}:,\[\]]+)\}\]?"
)
_MODULE = re.compile(r"\b(?:np|numpy|sympy|sp|math)\.(?=[a-z])")
_QUOTED_NUMBER = re.compile(r"\b(?:Decimal|Fraction|Integer|Rational)\('([-+\d./eE]+)'\)")
_UNBOUNDED = re.compile(r"\(-oo < \w{1,9}\) & | & \(\w{1,9} < oo\)")
_DEGREES = re.compile(r" ?° ?(?=[CFK]$)")


def rewrite(text: str) -> str:
    """Return the text in plain notation; longer texts than 200 characters as they are."""
    if len(text) > _MAX_LENGTH:
        return text
    remark = _REMARK.fullmatch(text)
    if remark:
        text = remark[1]
    if text.startswith(("[", "{")) or "(" in text:
        text = _plain_output(text)
    if text.startswith("+") or "+/-" in text or "=" in text:
        text = _PLUS_MINUS.sub("±", text)
    if _INDIAN.fullmatch(text):
        if ",0" not in text:
            raise Ambiguous("a number with Indian separators or a list")
        text = text.replace(",", "")
    text = _SCIENTIFIC.sub("*", _OHM.sub(r" \1ohm", _EACH.sub("", text)))
    if "°" in text:
        text = _DEGREES.sub(" °", text)
    if "nterval." in text:
        text = _INTERVAL.sub(r"Interval_\1", text)
    if "_" in text or "base" in text:
        text = _write_base(text)
    sign = _SIGN_WORD.match(text)
    if sign:
        text = ("-" if sign[1].lower() in ("minus", "negative") else "") + text[sign.end() :]
    part = _PART.match(text)
    if part and part[2].lower() in PARTS and part[2].lower()[:7] != "quarter":  # a coin
        text = f"{part[1]}/{PARTS[part[2].lower()]}{text[part.end() :]}"
    if text.endswith("..."):
        text = _repeat_digits(text) or text
    if text[:1] == "]" or text[-1:] == "[" or "[ ∪" in text or "∪ ]" in text:
        text = " ∪ ".join(_close_brackets(piece.strip()) for piece in text.split("∪"))
    return text


def _plain_output(text: str) -> str:
    """Return what programs print in plain notation.

    `[3 -4]` becomes `[3, -4]`, `{x: 4, y: 7}` becomes `x = 4, y = 7`, `np.int64(3)` and
    `Decimal('3')` become `int64(3)` and `3`, `(4 < x) & (x < oo)` becomes `(4 < x)`.
    """
    if _ARRAY.fullmatch(text):
        return _ARRAY_BLANK.sub(", ", text)
    if assigned := _ASSIGNED.fullmatch(text):
        return assigned[1].replace(":", " =")
    text = _QUOTED_NUMBER.sub(r"\1", _MODULE.sub("", text))
    if ") & (" in text or ") | (" in text:
        text = _UNBOUNDED.sub("", text).replace(") & (", ") and (").replace(") | (", ") or (")
    return text


def _write_base(text: str) -> str:
    """Return `1110_{ four }` and `1110 base 4` as `1110_{4}`."""
    text = _BASE_WORD.sub(lambda m: f"_{{{parse_number_words(m[1])}}}", text)
    match = _BASE_AFTER.fullmatch(text)
    if not match:
        return text
    base = match[2] if match[2].isdigit() else parse_number_words(match[2])
    return text if base is None else f"{match[1]}_{{{base}}}"


def _close_brackets(text: str) -> str:
    """Return `]0, 1[` as `(0, 1)`, and `[0, 1[` as `[0, 1)`."""
    match = _OPEN_ENDS.fullmatch(text)
    if not match:
        return text
    low = "(" if match[1] == "]" else match[1]
    high = ")" if match[3] == "[" else match[3]
    return f"{low}{match[2]}{high}"


def _repeat_digits(text: str) -> str | None:
    """Return `0.1666...` as a fraction; None if its digits do not repeat three times (`12` twice).

    `3.14159...` becomes `3.14159`.
    """
    match = _DOTTED.fullmatch(text)
    if not match:
        return None
    sign, whole, digits = match.groups()
    for length in range(1, len(digits) // 2 + 1):
        block, times = digits[-length:], 3 if length == 1 else 2
        if digits.endswith(block * times):
            start = digits
            while start.endswith(block):
                start = start[:-length]
            places = 10 ** len(start)
            number = Fraction(int((whole or "0") + start), places)
            number += Fraction(int(block), places * (10**length - 1))
            return f"{sign}{number.numerator}/{number.denominator}"
    return text[:-3] if len(digits) > 2 else None


def parse_based(text: str) -> Node | None:
    """Return `0x1F`, `0b101` or `1F_{16}` as a number of a base; None for any other text."""
    if len(text) > _MAX_LENGTH:
        return None
    match = _HEXADECIMAL.fullmatch(text)
    if match:
        index = next(i for i in (1, 2, 3) if match[i])
        base, digits = {1: 16, 2: 2, 3: 8}[index], match[index]
    else:
        match = _BASED.fullmatch(text)
        if not match:
            return None
        base, digits = int(match[2]), match[1]
        if digits.isdigit() or base > 36:
            return None
    highest = max(int(digit, 36) for digit in digits)
    return Node("base", (Node("num", (), str(base)),), digits) if highest < base else None


def parse_range(text: str) -> Node | None:
    """Return `3 to 4`, or `3-4` with an en dash, as a ratio or range; None for any other text."""
    match = _RANGE.fullmatch(text) if len(text) < 40 else None
    if not match:
        return None
    ends = [Node("num", (), end.lstrip("-")) for end in match.groups()]
    ends = [
        Node("neg", (node,)) if end[0] == "-" else node
        for end, node in zip(match.groups(), ends, strict=True)
    ]
    return Node("rel", tuple(ends), "to")


_YEAR_FIRST = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})")
_NUMERIC = re.compile(r"(\d\d?)/(\d\d?)/(\d{4})", re.ASCII)
_MONTH_FIRST = re.compile(r"([a-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?(?:,? (\d{4}))?", re.I)
_DAY_FIRST = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?(?: of)? ([a-z]{3,9})\.?(?:,? (\d{4}))?", re.I)


def parse_date(text: str) -> tuple[int, int, int] | None:
    """Return year, month and day of `May 6, 2024`, `6 May` (year 0) or `2024-05-06`."""
    if len(text) > 40:
        return None
    year, month, day = "0", 0, ""
    if match := _YEAR_FIRST.fullmatch(text):
        year, month, day = match[1], int(match[2]), match[3]
    elif match := _MONTH_FIRST.fullmatch(text):
        year, month, day = match[3] or "0", MONTHS.get(match[1].lower(), 0), match[2]
    elif match := _DAY_FIRST.fullmatch(text):
        year, month, day = match[3] or "0", MONTHS.get(match[2].lower(), 0), match[1]
    elif match := _NUMERIC.fullmatch(text):
        first, second, year = int(match[1]), int(match[2]), match[3]
        if max(first, second) > 12:  # otherwise the month may come first or second
            month, day = min(first, second), str(max(first, second))
    if not 1 <= month <= 12 or not 1 <= int(day or 0) <= 31:
        return None
    return int(year), month, int(day)
